//! No writes.

use kv_core::{
    Atomicity, CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind,
    GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result,
    Timestamp, ValueRef, Written,
};

use crate::store::Store;

/// Refuses every write, and leaves reads and listings as they are.
///
/// What could change what is stored answers [`ReadOnly`](kv_core::ErrorKind::ReadOnly) and does not reach the store:
/// put, put_many, delete, delete_many, every change (increment, append, take, get_and_put, touch, persist,
/// set_metadata, compare_and_swap, update), clear, destroy and cull. Empty batches are refused as well.
///
/// ```
/// use std::sync::Arc;
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::ReadOnly;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Arc::new(MemoryStore::new());
/// let (writer, reader) = (Kv::new(Arc::clone(&store)), Kv::new(ReadOnly::new(store)));
///
/// writer.put("k", &1).await?;
/// assert_eq!(reader.get::<i32>("k").await?, Some(1));
/// assert_eq!(reader.put("k", &2).await.unwrap_err().kind(), ErrorKind::ReadOnly);
/// assert_eq!(reader.increment("k", 1).await.unwrap_err().kind(), ErrorKind::ReadOnly);
/// # Ok(())
/// # }
/// ```
///
/// The first use sets the store up, as it would without this wrapper: a store that makes its tables or writes its seeds
/// then does so here too. One that was set up before is only read. Stores free expired entries as they read; that is
/// not held up either.
///
/// # Cost
///
/// None.
///
/// # Order
///
/// It refuses what passes through it, and wrappers that write of their own accord stand around it or within it:
///
/// * right: a cache around `ReadOnly(far)`, with a near store of its own: the near store may be written;
/// * wrong: `ReadOnly` around the cache, to keep the far store from being written by the cache's other users: they do
///   not pass through it.
///
/// # Different from Python
///
/// Python's can be told to refuse silently, and then answers as if nothing had been there. Here a refusal is an error.
#[derive(Debug, Clone)]
pub struct ReadOnly<S> {
    store: S,
}

impl<S: Store> ReadOnly<S> {
    /// This store without writes. Does no I/O.
    pub fn new(store: S) -> Self {
        Self { store }
    }
}

#[cold]
fn refused(operation: &'static str) -> Error {
    Error::new(ErrorKind::ReadOnly, "this store takes no writes").in_store("ReadOnly").during(operation)
}

/// What is left of a store's capabilities: nothing that writes.
fn narrowed(mut capabilities: Capabilities) -> Capabilities {
    capabilities.conditional = Atomicity::Unsupported;
    capabilities.atomic_batches = false;
    capabilities.clear = false;
    capabilities.cull = false;
    capabilities
}

#[maybe_async::maybe_async(AFIT)]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> crate::wrappers::Wrapper for ReadOnly<S> {
    type Inner = S;
    const NAME: &'static str = "ReadOnly";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in("ReadOnly");
        description.capabilities = narrowed(description.capabilities);
        description
    }

    fn default_collection(&self) -> &str {
        self.store.default_collection()
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.store.has_come(instant)
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        self.store.at_hand(name)
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.store.get(name, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.store.get_many(collection, keys, options).await
    }

    async fn put(&self, name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Result<PutOutcome> {
        Err(refused("put").at(name))
    }

    async fn put_many(
        &self,
        collection: &str,
        _items: &[PutItem<'_>],
        _options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        Err(refused("put_many").in_collection(collection))
    }

    async fn delete(&self, name: Name<'_>, _options: &DeleteOptions) -> Result<DeleteOutcome> {
        Err(refused("delete").at(name))
    }

    async fn delete_many(&self, collection: &str, _keys: &[&str], _options: &CallOptions) -> Result<Vec<Result<bool>>> {
        Err(refused("delete_many").in_collection(collection))
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, _options: &CallOptions) -> Result<Modified> {
        Err(refused(change.operation()).at(name))
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.store.list(collection, options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        self.store.collections(options).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.store.count(collection, filter, options).await
    }

    async fn clear(&self, collection: &str, _filter: &KeyFilter, _options: &CallOptions) -> Result<u64> {
        Err(refused("clear").in_collection(collection))
    }

    async fn destroy(&self, _options: &CallOptions) -> Result<u64> {
        Err(refused("destroy"))
    }

    async fn cull(&self, _options: &CallOptions) -> Result<u64> {
        Err(refused("cull"))
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        self.store.ping(options).await
    }

    async fn setup(&self) -> Result<()> {
        self.store.setup().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(narrowed(self.store.capabilities().await?))
    }
}

#[cfg(test)]
mod tests;

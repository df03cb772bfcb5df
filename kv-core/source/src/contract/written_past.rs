//! A way past a wrapper that takes no writes.

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, KeyFilter, Modified, Name, PutItem,
    PutOptions, PutOutcome, Result, ValueRef, Written,
};

use crate::store::Store;

/// A store that is read through a guard and written past it: so the suite runs on a wrapper that takes no writes, and
/// holds it to what the contract says of reads and listings.
///
/// Both are of one store, and capabilities are the store's.
///
/// ```
/// use std::sync::Arc;
///
/// use kv_source::Kv;
/// use kv_source::contract::{Setting, Subject, WrittenPast};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::ReadOnly;
///
/// #[derive(Debug)]
/// struct Guarded;
///
/// impl Subject for Guarded {
///     fn open(&self, setting: &Setting) -> Kv {
///         let store = Arc::new(setting.apply(MemoryStore::new()));
///         Kv::new(WrittenPast::new(ReadOnly::new(Arc::clone(&store)), store))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct WrittenPast<G, S> {
    guard: G,
    store: S,
}

impl<G: Store, S: Store> WrittenPast<G, S> {
    /// Reads this guard, and writes to this store.
    pub fn new(guard: G, store: S) -> Self {
        Self { guard, store }
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<G: Store, S: Store> crate::wrappers::Wrapper for WrittenPast<G, S> {
    type Inner = G;
    const NAME: &'static str = "WrittenPast";

    fn inner(&self) -> &G {
        &self.guard
    }

    fn describe(&self) -> Description {
        self.store.describe()
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.store.put(name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.store.put_many(collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.store.delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.store.delete_many(collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        self.store.modify(name, change, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.store.clear(collection, filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.store.destroy(options).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.store.cull(options).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.store.capabilities().await
    }
}

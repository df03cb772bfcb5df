//! A prefix before collection names.

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, GetOptions,
    KeyFilter, ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef, Written,
    check_collection,
};

use super::prefix::Prefix;
use crate::store::Store;

/// Stores every collection under its name with a prefix before it, so that several programs share a store without
/// meeting.
///
/// The collection `users` under the prefix `app` is stored as `app__users`; keys are stored as they are. Listings give
/// the callers' names; what stands in the store without the prefix is never read, listed, counted, cleared or
/// destroyed. Errors name the caller's collection. The default collection is the store's, behind the prefix: of a store
/// whose default is `default_collection` it is stored as `app__default_collection`. Two different prefixes on one store
/// never meet: a prefix that holds `__` or ends with `_` could, and is refused.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::PrefixCollections;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let shared = Arc::new(MemoryStore::new());
/// let one = Kv::new(PrefixCollections::new(Arc::clone(&shared), "one")?);
/// let two = Kv::new(PrefixCollections::new(Arc::clone(&shared), "two")?);
///
/// one.collection("users").put("alice", &1).await?;
/// assert_eq!(two.collection("users").get::<u32>("alice").await?, None);
/// assert_eq!(one.all_collections().await?, ["users"]);
/// assert_eq!(Kv::from_arc(shared).all_collections().await?, ["one__users"]);
/// assert_eq!(two.destroy().await?, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Limits and cost
///
/// The longest collection name is shorter by the prefix and two bytes; a longer one is
/// [`InvalidCollection`](kv_core::ErrorKind::InvalidCollection). One round trip of the store is one here, but for
/// these:
///
/// * a listing of collections hands the store the prefix and what the filter begins with, and matches patterns itself,
///   so that pages of a pattern may be short, or empty without being the last;
/// * `destroy` clears one collection of the prefix after the other. It needs a store that can list its collections, and
///   is [`Unsupported`](kv_core::ErrorKind::Unsupported) elsewhere.
///
/// `cull` frees all expired entries of the store, under whichever prefix: nobody can read them any more. Seeds of the
/// store within are written as they are named there, without the prefix.
///
/// # Order
///
/// A prefix must be between the program and whatever it shares with others. With a wrapper that chooses by the
/// collection:
///
/// * right: `PrefixCollections(CollectionRouting(...))` with routes for `app__users`, or a routing around
///   `PrefixCollections` with one for `users`;
/// * wrong: `PrefixCollections` around a routing for `users`: no collection is called so behind the prefix, and
///   everything goes to the default route.
///
/// `PrefixCollections` in `PrefixCollections` stores the inner prefix first:
/// `PrefixCollections(PrefixCollections(store, "b"), "a")` writes to `b__a__users`, and all of it is within the inner
/// prefix. A program that writes to the store without this wrapper must leave names that begin with a prefix and `__`
/// alone.
///
/// # Different from Python
///
/// What is stored is what Python stores. Python takes any prefix, also those with which two prefixes meet (`a` and
/// `a__b`, `a` and `a_`), and its wrapper can neither list, cull nor destroy.
#[derive(Debug, Clone)]
pub struct PrefixCollections<S> {
    store: S,
    prefix: Prefix,
}

impl<S: Store> PrefixCollections<S> {
    /// This store with `prefix` and `__` before every collection name. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a prefix that is empty, holds `__`, ends with `_`, or leaves no room for a
    /// name.
    pub fn new(store: S, prefix: impl AsRef<str>) -> Result<Self> {
        let prefix = Prefix::new(prefix.as_ref(), store.describe().capabilities.max_collection_bytes)?;
        Ok(Self { store, prefix })
    }

    /// The prefix, without `__`.
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    /// The stored name of a collection.
    fn stored(&self, collection: &str) -> Result<String> {
        check_collection(collection)?;
        self.prefix.check(collection, ErrorKind::InvalidCollection)?;
        Ok(self.prefix.join(collection))
    }

    /// The stored name of the collection of an operation on one record.
    fn stored_of(&self, name: Name<'_>, operation: &'static str) -> Result<String> {
        self.stored(name.collection).map_err(|error| refused(error, operation).at(name))
    }

    /// The stored name of the collection of an operation on many.
    fn stored_for(&self, collection: &str, operation: &'static str) -> Result<String> {
        self.stored(collection).map_err(|error| refused(error, operation).in_collection(collection))
    }

    /// What is left of the store's capabilities.
    fn narrowed(&self, mut capabilities: Capabilities) -> Capabilities {
        capabilities.max_collection_bytes = self.prefix.room_of(capabilities.max_collection_bytes);
        capabilities.clear &= capabilities.collections;
        capabilities
    }
}

/// What a store that cannot list its collections leaves to say.
#[cold]
fn destroying(error: Error) -> Error {
    if error.kind() == ErrorKind::Unsupported {
        return refused(Error::unsupported("destroying what stands under a prefix"), "destroy");
    }
    error
}

#[cold]
fn refused(error: Error, operation: &'static str) -> Error {
    error.in_store("PrefixCollections").during(operation)
}

fn renamed_each<T>(mut answers: Vec<Result<T>>, collection: &str) -> Vec<Result<T>> {
    if answers.iter().any(Result::is_err) {
        let rename = |answer: Result<T>| answer.map_err(|error| error.renamed_collection(collection));
        answers = answers.into_iter().map(rename).collect();
    }
    answers
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for PrefixCollections<S> {
    type Inner = S;
    const NAME: &'static str = "PrefixCollections";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description =
            self.store.describe().wrapped_in("PrefixCollections").with_parameters(self.prefix.as_str());
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let collection = self.stored_of(name, "get")?;
        let answer = self.store.get(Name::new(&collection, name.key), options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let stored = self.stored_for(collection, "get_many")?;
        let answers = self.store.get_many(&stored, keys, options).await;
        Ok(renamed_each(answers.map_err(|error| error.renamed_collection(collection))?, collection))
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let collection = self.stored_of(name, "put")?;
        let answer = self.store.put(Name::new(&collection, name.key), value, options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let stored = self.stored_for(collection, "put_many")?;
        let answers = self.store.put_many(&stored, items, options).await;
        Ok(renamed_each(answers.map_err(|error| error.renamed_collection(collection))?, collection))
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let collection = self.stored_of(name, "delete")?;
        let answer = self.store.delete(Name::new(&collection, name.key), options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let stored = self.stored_for(collection, "delete_many")?;
        let answers = self.store.delete_many(&stored, keys, options).await;
        Ok(renamed_each(answers.map_err(|error| error.renamed_collection(collection))?, collection))
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let collection = self.stored_of(name, change.operation())?;
        let answer = self.store.modify(Name::new(&collection, name.key), change, options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let stored = self.stored_for(collection, "list")?;
        let page = self.store.list(&stored, options).await.map_err(|error| error.renamed_collection(collection))?;
        Ok(page.map(|mut line| {
            line.entry = line.entry.map(|entry| entry.map_err(|error| error.renamed_collection(collection)));
            line
        }))
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let inner = options.clone().with_filter(self.prefix.widened(&options.filter));
        let page = self.store.collections(&inner).await?;
        let names = page.items.iter().filter_map(|stored| self.prefix.strip(stored));
        let names = names.filter(|name| options.filter.matches(name)).map(str::to_owned).collect();
        Ok(Page::new(names, page.next))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let stored = self.stored_for(collection, "count")?;
        let answer = self.store.count(&stored, filter, options).await;
        answer.map_err(|error| error.renamed_collection(collection))
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let stored = self.stored_for(collection, "clear")?;
        let answer = self.store.clear(&stored, filter, options).await;
        answer.map_err(|error| error.renamed_collection(collection))
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let mut listing = ListOptions::default().with_filter(self.prefix.all()).with_call(*options);
        let mut destroyed = 0;
        loop {
            let page = self.store.collections(&listing).await.map_err(destroying)?;
            for stored in &page.items {
                // Only what has the prefix is this one's, whatever the store listed.
                let Some(collection) = self.prefix.strip(stored) else { continue };
                let cleared = self.store.clear(stored, &KeyFilter::all(), options).await;
                destroyed += cleared.map_err(|error| error.renamed_collection(collection))?;
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(destroyed),
            }
        }
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.narrowed(self.store.capabilities().await?))
    }
}

#[cfg(test)]
mod tests;

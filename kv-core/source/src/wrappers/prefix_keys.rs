//! A prefix before keys.

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, GetOptions,
    KeyFilter, ListOptions, Listed, Listing, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef,
    Written,
};

use super::prefix::Prefix;
use super::under::Under;
use crate::store::Store;

/// Stores every key with a prefix before it, so that several programs share a store's collections without meeting.
///
/// The key `alice` under the prefix `app` is stored as `app__alice`, in the collection named by the caller. Listings
/// give the callers' keys; what stands in the store without the prefix is never read, listed, counted, cleared or
/// destroyed. Errors name the caller's key. Two different prefixes on one store never meet: a prefix that holds `__` or
/// ends with `_` could, and is refused.
///
/// ```
/// use kv_source::{KeyFilter, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::PrefixKeys;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let shared = Arc::new(MemoryStore::new());
/// let one = Kv::new(PrefixKeys::new(Arc::clone(&shared), "one")?);
/// let two = Kv::new(PrefixKeys::new(Arc::clone(&shared), "two")?);
///
/// one.put("k", &1).await?;
/// two.put("k", &2).await?;
/// assert_eq!(one.get::<u32>("k").await?, Some(1));
/// assert_eq!(one.all_keys(&KeyFilter::all()).await?, ["k"]);
/// assert_eq!(Kv::from_arc(shared).get::<u32>("one__k").await?, Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Limits and cost
///
/// The longest key is shorter by the prefix and two bytes; a longer one is
/// [`InvalidKey`](kv_core::ErrorKind::InvalidKey). One round trip of the store is one here, but for these:
///
/// * a listing hands the store the prefix and what the filter begins with, and matches patterns itself, so that pages
///   of a pattern may be short, or empty without being the last;
/// * count and clear by a pattern are made from listings, and clear from bulk deletes, page by page;
/// * `collections` asks the store about each of its collections, and gives those with keys of this prefix;
/// * `destroy` clears the prefix in one collection after the other. It needs a store that can list its collections, and
///   is [`Unsupported`](kv_core::ErrorKind::Unsupported) elsewhere.
///
/// `cull` frees all expired entries of the store, under whichever prefix: nobody can read them any more. Seeds of the
/// store within are written as they are named there, without the prefix.
///
/// # Order
///
/// A prefix must be between the program and whatever it shares with others. With a cache:
///
/// * right: `PrefixKeys` around the cache and what it caches: both know the entry under the stored name;
/// * wrong: a cache around `PrefixKeys(a)` and another around `PrefixKeys(b)` with one store to cache in: the keys
///   there carry no prefix, and each reads the other's.
///
/// `PrefixKeys` in `PrefixKeys` stores the inner prefix first: `PrefixKeys(PrefixKeys(store, "b"), "a")` writes
/// `b__a__k`, and all of it is within the inner prefix. A program that writes to the store without this wrapper must
/// leave names that begin with a prefix and `__` alone: they are this wrapper's. The key `app__`, with nothing behind
/// it, is not listed, and yet counted and cleared.
///
/// # Different from Python
///
/// What is stored is what Python stores. Python takes any prefix, also those with which two prefixes meet (`a` and
/// `a__b`, `a` and `a_`), and its wrapper can neither list, cull nor destroy.
#[derive(Debug, Clone)]
pub struct PrefixKeys<S> {
    store: S,
    prefix: Prefix,
}

impl<S: Store> PrefixKeys<S> {
    /// This store with `prefix` and `__` before every key. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a prefix that is empty, holds `__`, ends with `_`, or leaves no room for a key.
    pub fn new(store: S, prefix: impl AsRef<str>) -> Result<Self> {
        let prefix = Prefix::new(prefix.as_ref(), store.describe().capabilities.max_key_bytes)?;
        Ok(Self { store, prefix })
    }

    /// The prefix, without `__`.
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    fn under<'a>(&'a self, collection: &'a str) -> Under<'a, S> {
        let Self { store, prefix } = self;
        Under { store, stored_in: collection, prefix, collection, wrapper: "PrefixKeys" }
    }

    /// What is left of the store's capabilities.
    fn narrowed(&self, mut capabilities: Capabilities) -> Capabilities {
        capabilities.max_key_bytes = self.prefix.room_of(capabilities.max_key_bytes);
        capabilities.collections &= capabilities.listing != Listing::Unsupported;
        capabilities.clear &= capabilities.collections;
        capabilities
    }
}

/// What a store that cannot list its collections leaves to say.
#[cold]
fn destroying(error: Error) -> Error {
    if error.kind() == ErrorKind::Unsupported {
        let error = Error::unsupported("destroying what stands under a prefix");
        return error.in_store("PrefixKeys").during("destroy");
    }
    error
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for PrefixKeys<S> {
    type Inner = S;
    const NAME: &'static str = "PrefixKeys";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in("PrefixKeys").with_parameters(self.prefix.as_str());
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.under(name.collection).get(name.key, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.under(collection).get_many(keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.under(name.collection).put(name.key, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.under(collection).put_many(items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.under(name.collection).delete(name.key, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.under(collection).delete_many(keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        self.under(name.collection).modify(name.key, change, options).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.under(collection).list(options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let page = self.store.collections(options).await?;
        let mut used = Vec::with_capacity(page.items.len());
        for collection in page.items {
            if self.under(&collection).is_used(&options.call).await? {
                used.push(collection);
            }
        }
        Ok(Page::new(used, page.next))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.under(collection).count(filter, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.under(collection).clear(filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let mut listing = ListOptions::default().with_call(*options);
        let mut destroyed = 0;
        loop {
            let page = self.store.collections(&listing).await.map_err(destroying)?;
            for collection in &page.items {
                destroyed += self.under(collection).clear(&KeyFilter::all(), options).await?;
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

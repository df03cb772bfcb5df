//! A prefix before keys.

use std::collections::HashSet;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, GetOptions,
    KeyFilter, ListOptions, Listed, Listing, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef,
    Written, check_collection, check_key,
};

use super::prefix::Prefix;
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

    fn check(&self, name: Name<'_>, operation: &'static str) -> Result<()> {
        let checked = name.check().and_then(|()| self.prefix.check(name.key, ErrorKind::InvalidKey));
        checked.map_err(|error| refused(error, operation).at(name))
    }

    /// The stored key of a name.
    fn stored(&self, name: Name<'_>, operation: &'static str) -> Result<String> {
        self.check(name, operation)?;
        Ok(self.prefix.join(name.key))
    }

    fn check_all<'k>(
        &self,
        collection: &str,
        keys: impl Iterator<Item = &'k str>,
        operation: &'static str,
    ) -> Result<()> {
        check_collection(collection).map_err(|error| refused(error, operation).in_collection(collection))?;
        for key in keys {
            let checked = check_key(key).and_then(|()| self.prefix.check(key, ErrorKind::InvalidKey));
            checked.map_err(|error| refused(error, operation).at(Name::new(collection, key)))?;
        }
        Ok(())
    }

    /// The error with the key that the caller knows.
    #[cold]
    fn renamed(&self, error: Error) -> Error {
        let key = error.key().and_then(|key| self.prefix.strip(key));
        match (error.collection(), key) {
            (Some(collection), Some(key)) => {
                let (collection, key) = (collection.to_owned(), key.to_owned());
                error.renamed(Name::new(&collection, &key))
            }
            _ => error,
        }
    }

    fn renamed_each<T>(&self, answers: Vec<Result<T>>) -> Vec<Result<T>> {
        if answers.iter().all(Result::is_ok) {
            return answers;
        }
        answers.into_iter().map(|answer| answer.map_err(|error| self.renamed(error))).collect()
    }

    /// What is left of the store's capabilities.
    fn narrowed(&self, mut capabilities: Capabilities) -> Capabilities {
        capabilities.max_key_bytes = self.prefix.room_of(capabilities.max_key_bytes);
        capabilities.collections &= capabilities.listing != Listing::Unsupported;
        capabilities.clear &= capabilities.collections;
        capabilities
    }

    /// The line of a listing as the caller knows it, if it is asked for.
    fn line(&self, mut line: Listed, filter: &KeyFilter) -> Option<Listed> {
        let key = self.prefix.strip(&line.key)?;
        if !filter.matches(key) {
            return None;
        }
        line.key = key.to_owned();
        line.entry = line.entry.map(|entry| entry.map_err(|error| self.renamed(error)));
        Some(line)
    }

    /// Whether the collection holds a live key with the prefix.
    #[maybe_async::maybe_async]
    async fn is_used(&self, collection: &str, options: &CallOptions) -> Result<bool> {
        let mut listing = ListOptions::default().with_filter(self.prefix.all()).with_limit(1).with_call(*options);
        loop {
            let page = self.store.list(collection, &listing).await.map_err(|error| self.renamed(error))?;
            if !page.items.is_empty() {
                return Ok(true);
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(false),
            }
        }
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
    error.in_store("PrefixKeys").during(operation)
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for PrefixKeys<S> {
    type Inner = S;
    const NAME: &'static str = "PrefixKeys";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in("PrefixKeys");
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let key = self.stored(name, "get")?;
        let answer = self.store.get(Name::new(name.collection, &key), options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.check_all(collection, keys.iter().copied(), "get_many")?;
        let stored = self.prefix.joined(keys.iter().copied());
        let answers = self.store.get_many(collection, &stored.names(), options).await;
        Ok(self.renamed_each(answers.map_err(|error| self.renamed(error))?))
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let key = self.stored(name, "put")?;
        let answer = self.store.put(Name::new(name.collection, &key), value, options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.check_all(collection, items.iter().map(|item| item.key), "put_many")?;
        let stored = self.prefix.joined(items.iter().map(|item| item.key));
        let stored_item = |(key, item): (_, &_)| {
            let mut item: PutItem<'_> = *item;
            item.key = key;
            item
        };
        let items: Vec<PutItem<'_>> = stored.names().into_iter().zip(items).map(stored_item).collect();
        let answers = self.store.put_many(collection, &items, options).await;
        Ok(self.renamed_each(answers.map_err(|error| self.renamed(error))?))
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let key = self.stored(name, "delete")?;
        let answer = self.store.delete(Name::new(name.collection, &key), options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.check_all(collection, keys.iter().copied(), "delete_many")?;
        let stored = self.prefix.joined(keys.iter().copied());
        let answers = self.store.delete_many(collection, &stored.names(), options).await;
        Ok(self.renamed_each(answers.map_err(|error| self.renamed(error))?))
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let key = self.stored(name, change.operation())?;
        let answer = self.store.modify(Name::new(name.collection, &key), change, options).await;
        answer.map_err(|error| error.renamed(name))
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let inner = options.clone().with_filter(self.prefix.widened(&options.filter));
        let page = self.store.list(collection, &inner).await.map_err(|error| self.renamed(error))?;
        let lines = page.items.into_iter().filter_map(|line| self.line(line, &options.filter)).collect();
        Ok(Page::new(lines, page.next))
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let page = self.store.collections(options).await?;
        let mut used = Vec::with_capacity(page.items.len());
        for collection in page.items {
            if self.is_used(&collection, &options.call).await? {
                used.push(collection);
            }
        }
        Ok(Page::new(used, page.next))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        if filter.is_prefix_only() {
            let filter = self.prefix.widened(filter);
            let answer = self.store.count(collection, &filter, options).await;
            return answer.map_err(|error| self.renamed(error));
        }
        let mut listing = ListOptions::default().with_filter(filter.clone()).with_call(*options);
        let repeats = self.store.describe().capabilities.listing != Listing::ExactlyOnce;
        let mut seen = HashSet::new();
        let mut count = 0;
        loop {
            let page = Store::list(self, collection, &listing).await?;
            if repeats {
                seen.extend(page.items.into_iter().map(|line| line.key));
            } else {
                count += page.items.len() as u64;
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(count + seen.len() as u64),
            }
        }
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        if filter.is_prefix_only() {
            let filter = self.prefix.widened(filter);
            let answer = self.store.clear(collection, &filter, options).await;
            return answer.map_err(|error| self.renamed(error));
        }
        let mut listing = ListOptions::default().with_filter(filter.clone()).with_call(*options);
        let mut cleared = 0;
        loop {
            let page = Store::list(self, collection, &listing).await?;
            let keys: Vec<&str> = page.items.iter().map(|line| line.key.as_str()).collect();
            for removed in Store::delete_many(self, collection, &keys, options).await? {
                cleared += u64::from(removed?);
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(cleared),
            }
        }
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let mut listing = ListOptions::default().with_call(*options);
        let mut destroyed = 0;
        loop {
            let page = self.store.collections(&listing).await.map_err(destroying)?;
            for collection in &page.items {
                let cleared = self.store.clear(collection, &self.prefix.all(), options).await;
                destroyed += cleared.map_err(|error| self.renamed(error))?;
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

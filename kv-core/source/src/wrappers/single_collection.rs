//! All collections in one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use kv_core::{
    CallOptions, Capabilities, Change, Cursor, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind,
    GetOptions, KeyFilter, ListOptions, Listed, Listing, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result,
    ValueRef, Written, check_collection,
};

use super::prefix::{Prefix, SEPARATOR};
use super::under::Under;
use crate::store::Store;

/// Stores all collections in one collection of the store, so that a backend where collections are dear (a table, an
/// index, a file each) needs but one.
///
/// The key `alice` of the collection `users` is stored as `users__alice`. A collection name that holds `__` or ends
/// with `_` would make that ambiguous; it is stored with every `_` as `_-`, behind a `__`: of `a__b` the key `k` is
/// `__a_-_-b__k`. So no two names are ever one record. Listings and errors give the callers' names; a key of the
/// collection that is none of these forms is never read, listed, counted, cleared or destroyed.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::SingleCollection;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Arc::new(MemoryStore::new());
/// let kv = Kv::new(SingleCollection::new(Arc::clone(&store), "all")?);
///
/// kv.collection("users").put("alice", &1).await?;
/// kv.collection("visits").put("alice", &2).await?;
/// assert_eq!(kv.all_collections().await?, ["users", "visits"]);
///
/// let all = Kv::from_arc(store).collection("all");
/// assert_eq!(all.get::<u32>("users__alice").await?, Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Limits and cost
///
/// A collection and a key share what the store takes as a key. Of the usual 2,048 bytes a collection's name has at most
/// 256 (see [`with_max_collection_bytes`](Self::with_max_collection_bytes)) and a key at most 1,532, so that every name
/// has room, escaped too. One round trip of the store is one here, but for these:
///
/// * a listing hands the store the collection and what the filter begins with, and matches patterns itself, so that
///   pages of a pattern may be short, or empty without being the last; count and clear by a pattern are made from
///   listings, and clear from bulk deletes, page by page;
/// * `collections` reads every key there is, for every page of it;
/// * `destroy` lists every key, and removes them page by page. It needs a store that lists, and is
///   [`Unsupported`](kv_core::ErrorKind::Unsupported) elsewhere.
///
/// # Order
///
/// * `PrefixCollections` around `SingleCollection` puts the prefix before the caller's collection, in the key:
///   `app__users`, which holds `__` and is escaped. Right is `SingleCollection` around
///   [`PrefixCollections`](super::PrefixCollections), or around [`PrefixKeys`](super::PrefixKeys): programs share the
///   store, each with one collection, or one part of it;
/// * wrong are two `SingleCollection`s on one store and one collection: they are one store.
///
/// What is around it (a limit, a count) sees the callers' collections, and what is within it one. A program that writes
/// to the collection without this wrapper must leave keys with `__` alone: they are this wrapper's. The key `users__`,
/// with nothing behind it, is not listed, and yet counted and cleared with `users`.
///
/// # Different from Python
///
/// Where Python's form is unambiguous it is what is stored. In Python `a__b` and `k`, and `a` and `b__k`, are one
/// record; here the first is escaped, and what Python stored as `a__b__k` is read as the second. Python's separator can
/// be chosen, its key may be of any length, and its wrapper can neither list, cull nor destroy.
#[derive(Debug, Clone)]
pub struct SingleCollection<S> {
    store: S,
    collection: String,
    /// The longest collection name, in bytes.
    most: usize,
    /// The longest key.
    room: usize,
}

impl<S: Store> SingleCollection<S> {
    /// This store with all in this one of its collections. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the store cannot have such a collection, or has no room for both names in a key.
    pub fn new(store: S, collection: impl Into<String>) -> Result<Self> {
        let collection = collection.into();
        let can = store.describe().capabilities;
        if check_collection(&collection).is_err() || collection.len() > can.max_collection_bytes {
            let message =
                format!("the store has no collection of that name; it takes 1 to {} bytes", can.max_collection_bytes);
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Self { store, collection, most: 0, room: 0 }.with_max_collection_bytes(can.max_key_bytes / 8)
    }

    /// With collection names of at most so many bytes. Each byte takes two of the longest key, as it may be escaped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or leaves no room for a key.
    pub fn with_max_collection_bytes(mut self, most: usize) -> Result<Self> {
        let limit = self.store.describe().capabilities.max_key_bytes;
        self.most = most;
        self.room = self.room_of(limit);
        if most == 0 || self.room == 0 {
            let message = format!("collection names of {most} bytes leave no room in keys of {limit}");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Ok(self)
    }

    /// The longest key, where the store takes so many bytes.
    fn room_of(&self, limit: usize) -> usize {
        limit.saturating_sub(self.most.saturating_mul(2)).saturating_sub(2 * SEPARATOR.len())
    }

    /// What stands before the keys of a collection.
    fn prefix(&self, collection: &str) -> Result<Prefix> {
        check_collection(collection)?;
        if collection.len() > self.most {
            let (len, most) = (collection.len(), self.most);
            let message = format!("the name has {len} bytes; in one collection with all others it takes {most}");
            return Err(Error::new(ErrorKind::InvalidCollection, message));
        }
        Ok(Prefix::before(&escaped(collection), self.room))
    }

    fn prefix_of(&self, name: Name<'_>, operation: &'static str) -> Result<Prefix> {
        self.prefix(name.collection).map_err(|error| refused(error, operation).at(name))
    }

    fn prefix_for(&self, collection: &str, operation: &'static str) -> Result<Prefix> {
        self.prefix(collection).map_err(|error| refused(error, operation).in_collection(collection))
    }

    fn under<'a>(&'a self, collection: &'a str, prefix: &'a Prefix) -> Under<'a, S> {
        Under { store: &self.store, stored_in: &self.collection, prefix, collection, wrapper: "SingleCollection" }
    }

    /// What is left of the store's capabilities.
    fn narrowed(&self, mut capabilities: Capabilities) -> Capabilities {
        capabilities.max_key_bytes = self.room_of(capabilities.max_key_bytes).min(self.room);
        capabilities.max_collection_bytes = self.most;
        capabilities.collections = capabilities.listing != Listing::Unsupported;
        capabilities.clear &= capabilities.collections;
        capabilities
    }

    /// Every stored key, from here on: one page.
    #[maybe_async::maybe_async]
    async fn stored(&self, cursor: Option<Cursor>, call: CallOptions) -> Result<Page<String>> {
        let listing = ListOptions::default().with_cursor(cursor).with_call(call);
        let page = self.store.list(&self.collection, &listing).await.map_err(renamed)?;
        Ok(page.map(|line| line.key))
    }
}

#[cold]
fn refused(error: Error, operation: &'static str) -> Error {
    error.in_store("SingleCollection").during(operation)
}

/// What stands for this collection before the separator.
///
/// A plain name neither holds the separator nor ends with its first byte, so that the first separator in a key is the
/// one behind it, and never at the beginning. An escaped name begins with one, and what follows is a plain name.
fn escaped(collection: &str) -> Cow<'_, str> {
    if collection.contains(SEPARATOR) || collection.ends_with('_') {
        return Cow::Owned([SEPARATOR, &collection.replace('_', "_-")].concat());
    }
    Cow::Borrowed(collection)
}

/// The collection and the key that a stored key stands for; `None` if it is none of this wrapper's.
fn names_of(stored: &str) -> Option<(Cow<'_, str>, &str)> {
    let (is_escaped, rest) = match stored.strip_prefix(SEPARATOR) {
        Some(rest) => (true, rest),
        None => (false, stored),
    };
    let (collection, key) = rest.split_once(SEPARATOR)?;
    if collection.is_empty() || key.is_empty() {
        return None;
    }
    if !is_escaped {
        return Some((Cow::Borrowed(collection), key));
    }
    let plain = collection.replace("_-", "_");
    // Only what `escaped` makes is read: one form for one name.
    (escaped(&plain).strip_prefix(SEPARATOR) == Some(collection)).then_some((Cow::Owned(plain), key))
}

/// The error with the names that the caller knows.
#[cold]
fn renamed(error: Error) -> Error {
    let Some(stored) = error.key().map(str::to_owned) else { return error };
    match names_of(&stored) {
        Some((collection, key)) => error.renamed(Name::new(&collection, key)),
        None => error,
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for SingleCollection<S> {
    type Inner = S;
    const NAME: &'static str = "SingleCollection";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in("SingleCollection");
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let prefix = self.prefix_of(name, "get")?;
        self.under(name.collection, &prefix).get(name.key, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let prefix = self.prefix_for(collection, "get_many")?;
        self.under(collection, &prefix).get_many(keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let prefix = self.prefix_of(name, "put")?;
        self.under(name.collection, &prefix).put(name.key, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let prefix = self.prefix_for(collection, "put_many")?;
        self.under(collection, &prefix).put_many(items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let prefix = self.prefix_of(name, "delete")?;
        self.under(name.collection, &prefix).delete(name.key, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let prefix = self.prefix_for(collection, "delete_many")?;
        self.under(collection, &prefix).delete_many(keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let prefix = self.prefix_of(name, change.operation())?;
        self.under(name.collection, &prefix).modify(name.key, change, options).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let prefix = self.prefix_for(collection, "list")?;
        self.under(collection, &prefix).list(options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        options.check().map_err(|error| refused(error, "collections"))?;
        // The first names after the last one given, and one more to tell whether there are others.
        let after = options.cursor.as_ref().map_or("", Cursor::as_str);
        let mut names = BTreeSet::new();
        let mut cursor = None;
        loop {
            let page = self.stored(cursor, options.call).await?;
            for collection in page.items.iter().filter_map(|key| names_of(key)).map(|names| names.0) {
                if &*collection > after && options.filter.matches(&collection) && !names.contains(&*collection) {
                    names.insert(collection.into_owned());
                    if names.len() > options.limit.saturating_add(1) {
                        names.pop_last();
                    }
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let more = names.len() > options.limit;
        let names: Vec<String> = names.into_iter().take(options.limit).collect();
        let next = names.last().filter(|_| more).map(Cursor::new);
        Ok(Page::new(names, next))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let prefix = self.prefix_for(collection, "count")?;
        self.under(collection, &prefix).count(filter, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let prefix = self.prefix_for(collection, "clear")?;
        self.under(collection, &prefix).clear(filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        if !Store::describe(self).capabilities.clear {
            return Err(refused(Error::unsupported("destroying what stands in one collection"), "destroy"));
        }
        let mut destroyed = 0;
        let mut cursor = None;
        loop {
            let page = self.stored(cursor, *options).await?;
            let own: Vec<&str> = page.items.iter().map(String::as_str).filter(|key| names_of(key).is_some()).collect();
            for removed in self.store.delete_many(&self.collection, &own, options).await.map_err(renamed)? {
                destroyed += u64::from(removed.map_err(renamed)?);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(destroyed);
            }
        }
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.narrowed(self.store.capabilities().await?))
    }
}

#[cfg(test)]
mod tests;

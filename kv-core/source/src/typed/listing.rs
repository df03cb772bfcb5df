//! Listing and care.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{Codec, KeyFilter, ListOptions, Page, Result};

use super::{TypedCollection, TypedEntry};
use crate::pager::{EntryPager, KeyAndEntry, KeyPager};

/// A line of a listing of typed entries: the key, and the entry or why it cannot be read or does not fit.
pub type KeyAndTypedEntry<T> = (String, Result<TypedEntry<T>>);

/// The pages of a listing of entries, one after the other, with a result for each entry.
pub struct TypedEntryPager<T, C> {
    pager: EntryPager,
    of: TypedCollection<T, C>,
}

#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned + Send + Sync, C: Codec> TypedEntryPager<T, C> {
    /// The keys and entries of the next page; `None` after the last. A page may be empty where values that do not fit
    /// count as missing.
    ///
    /// # Errors
    ///
    /// Those of [`TypedCollection::entries`]. The next call asks for the same page again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<KeyAndTypedEntry<T>>>> {
        let page = self.pager.next_page().await?;
        Ok(page.map(|lines| self.of.lines(lines)))
    }
}

impl<T, C: Codec> fmt::Debug for TypedEntryPager<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEntryPager").field("pager", &self.pager).field("of", &self.of).finish()
    }
}

/// Listing and care.
#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned + Send + Sync, C: Codec> TypedCollection<T, C> {
    /// Lists live entries with their keys, one page of them, with a result for each entry: one that does not fit does
    /// not hide the others. Where that counts as missing it is left out.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::entries`](crate::Collection::entries).
    pub async fn entries(&self, options: &ListOptions) -> Result<Page<KeyAndTypedEntry<T>>> {
        let page = self.collection.entries(options).await?;
        Ok(Page::new(self.lines(page.items), page.next))
    }

    /// The pages of [`entries`](Self::entries), one after the other.
    pub fn entry_pages(&self, options: ListOptions) -> TypedEntryPager<T, C> {
        TypedEntryPager { pager: self.collection.entry_pages(options), of: self.clone() }
    }

    /// Lists live keys, one page of them; see [`Collection::keys`](crate::Collection::keys).
    ///
    /// # Errors
    ///
    /// Those of [`Collection::keys`](crate::Collection::keys).
    pub async fn keys(&self, options: &ListOptions) -> Result<Page<String>> {
        self.collection.keys(options).await
    }

    /// The pages of [`keys`](Self::keys), one after the other.
    pub fn key_pages(&self, options: ListOptions) -> KeyPager {
        self.collection.key_pages(options)
    }

    /// Counts live entries, whatever their values.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn count(&self, filter: &KeyFilter) -> Result<u64> {
        self.collection.count(filter).await
    }

    /// Removes all entries of the collection, whatever their values; answers how many live ones there were.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn clear(&self) -> Result<u64> {
        self.collection.clear().await
    }

    fn lines(&self, lines: Vec<KeyAndEntry>) -> Vec<KeyAndTypedEntry<T>> {
        let line = |(key, entry): KeyAndEntry| {
            let typed = entry.and_then(|entry| {
                let value = self.decode(&key, Some(&entry), "entries")?;
                Ok(value.map(|value| TypedEntry { value, entry }))
            });
            typed.transpose().map(|typed| (key, typed))
        };
        lines.into_iter().filter_map(line).collect()
    }
}

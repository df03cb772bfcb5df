//! The keys behind a prefix, in one collection of a store, as a collection of their own.

use std::collections::HashSet;

use kv_core::{
    CallOptions, Change, DeleteOptions, DeleteOutcome, Entry, Error, ErrorKind, GetOptions, KeyFilter, ListOptions,
    Listed, Listing, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef, Written,
    check_collection, check_key,
};

use super::prefix::Prefix;
use crate::store::Store;

/// What a wrapper does that keeps a collection's keys behind a prefix. Names are the caller's, in answers and errors
/// too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Under<'a, S> {
    pub(super) store: &'a S,
    /// The collection in the store.
    pub(super) stored_in: &'a str,
    pub(super) prefix: &'a Prefix,
    /// The collection as the caller names it.
    pub(super) collection: &'a str,
    /// The wrapper, for errors.
    pub(super) wrapper: &'static str,
}

impl<'a, S: Store> Under<'a, S> {
    fn name<'k>(&self, key: &'k str) -> Name<'k>
    where
        'a: 'k,
    {
        Name::new(self.collection, key)
    }

    fn refused(&self, error: Error, operation: &'static str) -> Error {
        error.in_store(self.wrapper).during(operation)
    }

    /// The stored key.
    fn stored(&self, key: &str, operation: &'static str) -> Result<String> {
        let name = self.name(key);
        let checked = name.check().and_then(|()| self.prefix.check(key, ErrorKind::InvalidKey));
        checked.map_err(|error| self.refused(error, operation).at(name))?;
        Ok(self.prefix.join(key))
    }

    fn check_all<'k>(&self, keys: impl Iterator<Item = &'k str>, operation: &'static str) -> Result<()> {
        let checked = check_collection(self.collection);
        checked.map_err(|error| self.refused(error, operation).in_collection(self.collection))?;
        for key in keys {
            let checked = check_key(key).and_then(|()| self.prefix.check(key, ErrorKind::InvalidKey));
            checked.map_err(|error| self.refused(error, operation).at(Name::new(self.collection, key)))?;
        }
        Ok(())
    }

    /// The error with the names that the caller knows.
    #[cold]
    pub(super) fn renamed(&self, error: Error) -> Error {
        match error.key().and_then(|key| self.prefix.strip(key)).map(str::to_owned) {
            Some(key) => error.renamed(Name::new(self.collection, &key)),
            None if error.collection().is_some() => error.renamed_collection(self.collection),
            None => error,
        }
    }

    fn renamed_each<T>(&self, answers: Result<Vec<Result<T>>>) -> Result<Vec<Result<T>>> {
        let answers = answers.map_err(|error| self.renamed(error))?;
        if answers.iter().all(Result::is_ok) {
            return Ok(answers);
        }
        Ok(answers.into_iter().map(|answer| answer.map_err(|error| self.renamed(error))).collect())
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
}

#[maybe_async::maybe_async]
impl<S: Store> Under<'_, S> {
    pub(super) async fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        let stored = self.stored(key, "get")?;
        let answer = self.store.get(Name::new(self.stored_in, &stored), options).await;
        answer.map_err(|error| error.renamed(self.name(key)))
    }

    pub(super) async fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        self.check_all(keys.iter().copied(), "get_many")?;
        let stored = self.prefix.joined(keys.iter().copied());
        let answers = self.store.get_many(self.stored_in, &stored.names(), options).await;
        self.renamed_each(answers)
    }

    pub(super) async fn put(&self, key: &str, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let stored = self.stored(key, "put")?;
        let answer = self.store.put(Name::new(self.stored_in, &stored), value, options).await;
        answer.map_err(|error| error.renamed(self.name(key)))
    }

    pub(super) async fn put_many(&self, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        self.check_all(items.iter().map(|item| item.key), "put_many")?;
        let stored = self.prefix.joined(items.iter().map(|item| item.key));
        let stored_item = |(key, item): (_, &_)| {
            let mut item: PutItem<'_> = *item;
            item.key = key;
            item
        };
        let items: Vec<PutItem<'_>> = stored.names().into_iter().zip(items).map(stored_item).collect();
        let answers = self.store.put_many(self.stored_in, &items, options).await;
        self.renamed_each(answers)
    }

    pub(super) async fn delete(&self, key: &str, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let stored = self.stored(key, "delete")?;
        let answer = self.store.delete(Name::new(self.stored_in, &stored), options).await;
        answer.map_err(|error| error.renamed(self.name(key)))
    }

    pub(super) async fn delete_many(&self, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.check_all(keys.iter().copied(), "delete_many")?;
        let stored = self.prefix.joined(keys.iter().copied());
        let answers = self.store.delete_many(self.stored_in, &stored.names(), options).await;
        self.renamed_each(answers)
    }

    pub(super) async fn modify(&self, key: &str, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let stored = self.stored(key, change.operation())?;
        let answer = self.store.modify(Name::new(self.stored_in, &stored), change, options).await;
        answer.map_err(|error| error.renamed(self.name(key)))
    }

    pub(super) async fn list(&self, options: &ListOptions) -> Result<Page<Listed>> {
        let inner = options.clone().with_filter(self.prefix.widened(&options.filter));
        let page = self.store.list(self.stored_in, &inner).await.map_err(|error| self.renamed(error))?;
        let lines = page.items.into_iter().filter_map(|line| self.line(line, &options.filter)).collect();
        Ok(Page::new(lines, page.next))
    }

    /// Whether there is a live key.
    pub(super) async fn is_used(&self, options: &CallOptions) -> Result<bool> {
        let mut listing = ListOptions::default().with_filter(self.prefix.all()).with_limit(1).with_call(*options);
        loop {
            let page = self.store.list(self.stored_in, &listing).await.map_err(|error| self.renamed(error))?;
            if !page.items.is_empty() {
                return Ok(true);
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(false),
            }
        }
    }

    pub(super) async fn count(&self, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        if filter.is_prefix_only() {
            let filter = self.prefix.widened(filter);
            let answer = self.store.count(self.stored_in, &filter, options).await;
            return answer.map_err(|error| self.renamed(error));
        }
        let mut listing = ListOptions::default().with_filter(filter.clone()).with_call(*options);
        let repeats = self.store.describe().capabilities.listing != Listing::ExactlyOnce;
        let mut seen = HashSet::new();
        let mut count = 0;
        loop {
            let page = self.list(&listing).await?;
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

    pub(super) async fn clear(&self, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        if filter.is_prefix_only() {
            let filter = self.prefix.widened(filter);
            let answer = self.store.clear(self.stored_in, &filter, options).await;
            return answer.map_err(|error| self.renamed(error));
        }
        let mut listing = ListOptions::default().with_filter(filter.clone()).with_call(*options);
        let mut cleared = 0;
        loop {
            let page = self.list(&listing).await?;
            let keys: Vec<&str> = page.items.iter().map(|line| line.key.as_str()).collect();
            for removed in self.delete_many(&keys, options).await? {
                cleared += u64::from(removed?);
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(cleared),
            }
        }
    }
}

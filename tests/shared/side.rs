//! A store of either flavour, for tests that are the same in both, and what such tests share.
#![allow(dead_code, reason = "each target asks for what it needs of it")]

use std::sync::Arc;
use std::time::Duration;

use kv_core::{
    Condition, Entry, Error, KeyFilter, ListOptions, Page, PutOptions, PutOutcome, Result, Revision, TimeLeft,
    Timestamp, Value, ValueRef, Written,
};
use tokio::runtime::Runtime;

/// One flavour's handle. Calls without a collection are about the default one, or about the store.
pub(crate) enum Side {
    Sync(kv_sync::Kv),
    Async(Arc<Runtime>, kv_async::Kv),
}

/// What a target makes its store with.
pub(crate) trait Make {
    fn blocking(&self) -> kv_sync::Kv;
    fn awaiting(&self) -> kv_async::Kv;
}

/// Calls a method of the store, or of its default collection.
macro_rules! ask_store {
    ($side:expr, $($call:tt)+) => {
        match $side {
            $crate::side::Side::Sync(kv) => kv.$($call)+,
            $crate::side::Side::Async(runtime, kv) => runtime.block_on(kv.$($call)+),
        }
    };
}

/// Calls a method of a collection.
macro_rules! ask {
    ($side:expr, $collection:expr, $($call:tt)+) => { ask_store!($side, collection($collection).$($call)+) };
}

/// Runs a test in each flavour.
pub(crate) fn each(setup: &impl Make, mut test: impl FnMut(&Side)) {
    test(&Side::blocking(setup));
    test(&Side::awaiting(setup));
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Side {
    pub(crate) fn blocking(setup: &impl Make) -> Self {
        Self::Sync(setup.blocking())
    }

    pub(crate) fn awaiting(setup: &impl Make) -> Self {
        Self::Async(Arc::new(runtime()), setup.awaiting())
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "blocking",
            Self::Async(..) => "async",
        }
    }

    /// The same with another time-out of every call.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        match self {
            Self::Sync(kv) => Self::Sync(kv.with_timeout(timeout)),
            Self::Async(runtime, kv) => Self::Async(Arc::clone(runtime), kv.with_timeout(timeout)),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<i64>> {
        ask_store!(self, get(key))
    }

    pub(crate) fn get_in(&self, collection: &str, key: &str) -> Result<Option<i64>> {
        ask!(self, collection, get(key))
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Result<Option<i64>>>> {
        ask_store!(self, get_many(keys))
    }

    pub(crate) fn entry(&self, key: &str) -> Result<Option<Entry>> {
        ask_store!(self, get_entry(key))
    }

    pub(crate) fn entry_in(&self, collection: &str, key: &str) -> Result<Option<Entry>> {
        ask!(self, collection, get_entry(key))
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool> {
        ask_store!(self, exists(key))
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        ask_store!(self, ttl(key))
    }

    pub(crate) fn ttl_many(&self, keys: &[String]) -> Result<Vec<Option<TimeLeft>>> {
        ask_store!(self, ttl_many(keys))?.into_iter().collect()
    }

    pub(crate) fn put(&self, key: &str, value: i64) -> Result<Written> {
        ask_store!(self, put(key, &value))
    }

    pub(crate) fn put_in(&self, collection: &str, key: &str, value: i64) -> Result<Written> {
        ask!(self, collection, put(key, &value))
    }

    pub(crate) fn put_ttl(&self, key: &str, value: i64, ttl: Duration) -> Result<PutOutcome> {
        ask_store!(self, put_with(key, &value, &PutOptions::ttl(ttl)))
    }

    pub(crate) fn put_value(&self, key: &str, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        ask_store!(self, put_value(key, value, options))
    }

    pub(crate) fn put_json(&self, collection: &str, key: &str, json: &str) -> Result<()> {
        self.put_json_with(collection, key, json, &PutOptions::default()).map(drop)
    }

    /// Whether it was written.
    pub(crate) fn put_json_with(&self, collection: &str, key: &str, json: &str, options: &PutOptions) -> Result<bool> {
        let value = Value::from_json(json).unwrap();
        Ok(ask!(self, collection, put_value(key, value.as_ref(), options))?.is_written())
    }

    /// Whether the record was still of that revision.
    pub(crate) fn put_at(&self, collection: &str, key: &str, json: &str, revision: &Revision) -> Result<bool> {
        let options = PutOptions::default().with_condition(Condition::IfRevision(revision.clone()));
        self.put_json_with(collection, key, json, &options)
    }

    pub(crate) fn put_if_absent(&self, key: &str, value: i64) -> Result<Option<Written>> {
        ask_store!(self, put_if_absent(key, &value))
    }

    /// Numbers, from nought on.
    pub(crate) fn put_many(&self, keys: &[String], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        let items: Vec<(&String, i64)> = keys.iter().zip(0..).collect();
        ask_store!(self, put_many(&items, options))
    }

    pub(crate) fn increment(&self, key: &str, by: i64) -> Result<i64> {
        ask_store!(self, increment(key, by))
    }

    pub(crate) fn take(&self, key: &str) -> Result<Option<i64>> {
        ask_store!(self, take(key))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool> {
        ask_store!(self, delete(key))
    }

    pub(crate) fn delete_in(&self, collection: &str, key: &str) -> Result<bool> {
        ask!(self, collection, delete(key))
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<u64> {
        ask_store!(self, delete_many(keys))
    }

    pub(crate) fn keys(&self, collection: &str, options: &ListOptions) -> Result<Page<String>> {
        ask!(self, collection, keys(options))
    }

    /// All keys, by pages of at most so many.
    pub(crate) fn keys_in_pages(&self, collection: &str, limit: usize) -> Result<Vec<String>> {
        let mut options = ListOptions::default().with_limit(limit);
        let mut keys = Vec::new();
        loop {
            let page = self.keys(collection, &options)?;
            assert!(page.items.len() <= limit, "{} of {limit}", page.items.len());
            keys.extend(page.items);
            // As it would travel.
            options.cursor = match page.next {
                Some(next) => Some(next.to_string().parse().unwrap()),
                None => return Ok(keys),
            };
        }
    }

    pub(crate) fn all_keys(&self, collection: &str) -> Result<Vec<String>> {
        ask!(self, collection, all_keys(&KeyFilter::all()))
    }

    pub(crate) fn entries(&self, collection: &str) -> Result<Page<(String, Result<Entry>)>> {
        ask!(self, collection, entries(&ListOptions::default()))
    }

    pub(crate) fn count(&self, collection: &str) -> Result<u64> {
        ask!(self, collection, count(&KeyFilter::all()))
    }

    pub(crate) fn clear(&self, collection: &str) -> Result<u64> {
        ask!(self, collection, clear())
    }

    pub(crate) fn collections(&self) -> Result<Vec<String>> {
        ask_store!(self, all_collections())
    }

    pub(crate) fn destroy(&self) -> Result<u64> {
        ask_store!(self, destroy())
    }

    pub(crate) fn cull(&self) -> Result<u64> {
        ask_store!(self, cull())
    }

    pub(crate) fn ping(&self) -> Result<()> {
        ask_store!(self, ping())
    }

    pub(crate) fn close(&self) -> Result<()> {
        ask_store!(self, close())
    }
}

/// Neither the error's text nor its `Debug` form shows this.
pub(crate) fn assert_hides(error: &Error, secret: &str) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(secret), "{shown}");
}

pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("k{number}")).collect()
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

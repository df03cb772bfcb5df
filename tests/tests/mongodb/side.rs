//! A store of either flavour, for tests that are the same in both.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::{
    Entry, Error, KeyFilter, ListOptions, ManualClock, Page, PutOptions, PutOutcome, Result, TimeLeft, Timestamp,
    ValueRef, Written,
};
use kv_tests::servers::Server;
use tokio::runtime::Runtime;

pub(crate) enum Side {
    Sync(kv_sync::Kv),
    Async(Runtime, kv_async::Kv),
}

/// What a store is made with.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) database: Option<String>,
    pub(crate) namespace: Option<&'static str>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) clock: Option<ManualClock>,
}

impl Setup {
    pub(crate) fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Through a proxy on this port, over which nothing goes that the test did not ask for.
    pub(crate) fn port(port: u16) -> Self {
        Self::url(format!(
            "mongodb://127.0.0.1:{port}/?directConnection=true&serverMonitoringMode=poll&heartbeatFrequencyMS=600000"
        ))
    }

    /// In a database of the test's own.
    pub(crate) fn of(server: &Server, test: &str) -> Self {
        Self { database: Some(format!("kv-{test}-{}", std::process::id())), ..Self::url(&server.url) }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

macro_rules! store {
    ($krate:ident, $setup:expr) => {{
        let mut options = $krate::stores::MongoOptions::from_url(&$setup.url).unwrap();
        if let Some(database) = &$setup.database {
            options = options.with_database(database);
        }
        if let Some(namespace) = $setup.namespace {
            options = options.with_namespace(namespace);
        }
        if let Some(timeout) = $setup.timeout {
            options = options.with_response_timeout(timeout);
        }
        if let Some(timeout) = $setup.connect_timeout {
            options = options.with_connect_timeout(timeout);
        }
        if let Some(ca) = &$setup.ca {
            options = options.with_ca_file(ca);
        }
        let mut store = $krate::stores::MongoStore::with_options(options).unwrap();
        if let Some(clock) = &$setup.clock {
            store = store.with_clock(clock.clone());
        }
        $krate::Kv::new(store)
    }};
}

/// Runs a test in each flavour.
pub(crate) fn each(setup: &Setup, test: impl Fn(&Side)) {
    test(&Side::blocking(setup));
    test(&Side::awaiting(setup));
}

/// The same call in either flavour, on the default collection or on the store.
macro_rules! call {
    ($side:expr, |$kv:ident| $($call:tt)+) => {
        match $side {
            Side::Sync($kv) => call!(@sync $($call)+),
            Side::Async(runtime, $kv) => runtime.block_on(async { call!(@async $($call)+) }),
        }
    };
    (@sync $($call:tt)+) => { $($call)+ };
    (@async $($call:tt)+) => { ($($call)+).await };
}

impl Side {
    pub(crate) fn blocking(setup: &Setup) -> Self {
        Self::Sync(store!(kv_sync, setup))
    }

    pub(crate) fn awaiting(setup: &Setup) -> Self {
        Self::Async(runtime(), store!(kv_async, setup))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "blocking",
            Self::Async(..) => "async",
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<i64>> {
        call!(self, |kv| kv.get(key))
    }

    pub(crate) fn entry(&self, key: &str) -> Result<Option<Entry>> {
        call!(self, |kv| kv.get_entry(key))
    }

    pub(crate) fn put_value(&self, key: &str, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        call!(self, |kv| kv.put_value(key, value, options))
    }

    pub(crate) fn get_in(&self, collection: &str, key: &str) -> Result<Option<i64>> {
        call!(self, |kv| kv.collection(collection).get(key))
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Result<Option<i64>>>> {
        call!(self, |kv| kv.get_many(keys))
    }

    pub(crate) fn get_patiently(&self, key: &str, timeout: Duration) -> Result<Option<i64>> {
        call!(self, |kv| kv.with_timeout(timeout).get(key))
    }

    pub(crate) fn put(&self, key: &str, value: i64) -> Result<Written> {
        call!(self, |kv| kv.put(key, &value))
    }

    pub(crate) fn put_in(&self, collection: &str, key: &str, value: i64) -> Result<Written> {
        call!(self, |kv| kv.collection(collection).put(key, &value))
    }

    pub(crate) fn put_ttl(&self, key: &str, value: i64, ttl: Duration) -> Result<PutOutcome> {
        call!(self, |kv| kv.put_with(key, &value, &PutOptions::ttl(ttl)))
    }

    pub(crate) fn put_many(&self, keys: &[String], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        let items: Vec<(&String, i64)> = keys.iter().zip(0..).collect();
        call!(self, |kv| kv.put_many(&items, options))
    }

    pub(crate) fn put_if_absent(&self, key: &str, value: i64) -> Result<Option<Written>> {
        call!(self, |kv| kv.put_if_absent(key, &value))
    }

    pub(crate) fn increment(&self, key: &str, by: i64) -> Result<i64> {
        call!(self, |kv| kv.increment(key, by))
    }

    pub(crate) fn take(&self, key: &str) -> Result<Option<i64>> {
        call!(self, |kv| kv.take(key))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool> {
        call!(self, |kv| kv.delete(key))
    }

    pub(crate) fn delete_in(&self, collection: &str, key: &str) -> Result<bool> {
        call!(self, |kv| kv.collection(collection).delete(key))
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<u64> {
        call!(self, |kv| kv.delete_many(keys))
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool> {
        call!(self, |kv| kv.exists(key))
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        call!(self, |kv| kv.ttl(key))
    }

    pub(crate) fn ttl_many(&self, keys: &[String]) -> Result<Vec<Option<TimeLeft>>> {
        call!(self, |kv| kv.ttl_many(keys))?.into_iter().collect()
    }

    pub(crate) fn entries(&self, collection: &str) -> Result<Page<(String, Result<Entry>)>> {
        call!(self, |kv| kv.collection(collection).entries(&ListOptions::default()))
    }

    pub(crate) fn all_keys(&self, collection: &str) -> Result<Vec<String>> {
        call!(self, |kv| kv.collection(collection).all_keys(&KeyFilter::all()))
    }

    pub(crate) fn count(&self, collection: &str) -> Result<u64> {
        call!(self, |kv| kv.collection(collection).count(&KeyFilter::all()))
    }

    pub(crate) fn clear(&self, collection: &str) -> Result<u64> {
        call!(self, |kv| kv.collection(collection).clear())
    }

    pub(crate) fn collections(&self) -> Result<Vec<String>> {
        call!(self, |kv| kv.all_collections())
    }

    pub(crate) fn destroy(&self) -> Result<u64> {
        call!(self, |kv| kv.destroy())
    }

    pub(crate) fn cull(&self) -> Result<u64> {
        call!(self, |kv| kv.cull())
    }

    pub(crate) fn ping(&self) -> Result<()> {
        call!(self, |kv| kv.ping())
    }

    pub(crate) fn close(&self) -> Result<()> {
        call!(self, |kv| kv.close())
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

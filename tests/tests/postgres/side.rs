//! A store of either flavour, for tests that are the same in both.

use std::time::Duration;

use kv_core::{Entry, KeyFilter, ListOptions, ManualClock, PutOptions, Result, Revision, Value};
use tokio::runtime::Runtime;

pub(crate) enum Side {
    Sync(kv_sync::Kv),
    Async(Runtime, kv_async::Kv),
}

/// What a store is made with.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) port: Option<u16>,
    pub(crate) table: String,
    pub(crate) schema: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) clock: Option<ManualClock>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) pooler: bool,
    pub(crate) no_create: bool,
    pub(crate) pool_size: Option<usize>,
}

impl Setup {
    pub(crate) fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), table: "kv_store".to_owned(), ..Self::default() }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

macro_rules! store {
    ($krate:ident, $setup:expr) => {{
        let mut options = $krate::stores::PostgresOptions::from_url(&$setup.url).unwrap().with_table(&*$setup.table);
        if let Some(port) = $setup.port {
            options = options.with_port(port);
        }
        if let Some(schema) = &$setup.schema {
            options = options.with_schema(&**schema);
        }
        if let Some(timeout) = $setup.timeout {
            options = options.with_connect_timeout(timeout).with_response_timeout(timeout);
        }
        if let Some(ca) = &$setup.ca {
            options = options.with_ca_certificate(ca.clone());
        }
        if let Some((chain, key)) = &$setup.client_certificate {
            options = options.with_client_certificate(chain.clone(), key.clone());
        }
        if let Some(timeout) = $setup.statement_timeout {
            options = options.with_statement_timeout(Some(timeout));
        }
        if let Some(size) = $setup.pool_size {
            options = options.with_pool_size(size);
        }
        options = options.with_transaction_pooler($setup.pooler).with_auto_create(!$setup.no_create);
        let mut store = $krate::stores::PostgresStore::with_options(options).unwrap();
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

    /// The same with another time-out of every call.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        match self {
            Self::Sync(kv) => Self::Sync(kv.with_timeout(timeout)),
            Self::Async(_, kv) => Self::Async(runtime(), kv.with_timeout(timeout)),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<i64>> {
        call!(self, |kv| kv.get(key))
    }

    pub(crate) fn entry(&self, collection: &str, key: &str) -> Result<Option<Entry>> {
        call!(self, |kv| kv.collection(collection).get_entry(key))
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Result<Option<i64>>>> {
        call!(self, |kv| kv.get_many(keys))
    }

    pub(crate) fn put(&self, key: &str, value: i64) -> Result<()> {
        call!(self, |kv| kv.put(key, &value)).map(drop)
    }

    pub(crate) fn put_json(&self, collection: &str, key: &str, json: &str) -> Result<()> {
        let value = Value::from_json(json).unwrap();
        let options = PutOptions::default();
        call!(self, |kv| kv.collection(collection).put_value(key, value.as_ref(), &options)).map(drop)
    }

    pub(crate) fn put_bytes(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let (value, options) = (Value::from_bytes(bytes), PutOptions::default());
        call!(self, |kv| kv.put_value(key, value.as_ref(), &options)).map(drop)
    }

    pub(crate) fn put_with(&self, collection: &str, key: &str, json: &str, options: &PutOptions) -> Result<bool> {
        let value = Value::from_json(json).unwrap();
        Ok(call!(self, |kv| kv.collection(collection).put_value(key, value.as_ref(), options))?.is_written())
    }

    pub(crate) fn put_at(&self, collection: &str, key: &str, json: &str, revision: &Revision) -> Result<bool> {
        let options = PutOptions::default().with_condition(kv_core::Condition::IfRevision(revision.clone()));
        self.put_with(collection, key, json, &options)
    }

    pub(crate) fn put_many(&self, items: &[(String, i64)]) -> Result<()> {
        let options = PutOptions::default();
        call!(self, |kv| kv.put_many(items, &options))?.into_iter().try_for_each(|answer| answer.map(drop))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool> {
        call!(self, |kv| kv.delete(key))
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<u64> {
        call!(self, |kv| kv.delete_many(keys))
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool> {
        call!(self, |kv| kv.exists(key))
    }

    pub(crate) fn increment(&self, key: &str) -> Result<i64> {
        call!(self, |kv| kv.increment(key, 1))
    }

    pub(crate) fn keys(&self, collection: &str) -> Result<Vec<String>> {
        self.keys_in_pages(collection, usize::MAX)
    }

    pub(crate) fn keys_in_pages(&self, collection: &str, limit: usize) -> Result<Vec<String>> {
        let options = ListOptions::default().with_limit(limit.min(1000));
        match self {
            Self::Sync(kv) => kv.collection(collection).key_pages(options).into_items().collect(),
            Self::Async(runtime, kv) => {
                let mut options = options;
                let mut keys = Vec::new();
                loop {
                    let page = runtime.block_on(kv.collection(collection).keys(&options))?;
                    keys.extend(page.items);
                    match page.next {
                        Some(next) => options.cursor = Some(next),
                        None => return Ok(keys),
                    }
                }
            }
        }
    }

    pub(crate) fn collections(&self) -> Result<Vec<String>> {
        let options = ListOptions::default();
        Ok(call!(self, |kv| kv.collections(&options))?.items)
    }

    pub(crate) fn count(&self, collection: &str) -> Result<u64> {
        call!(self, |kv| kv.collection(collection).count(&KeyFilter::all()))
    }

    pub(crate) fn clear(&self, collection: &str) -> Result<u64> {
        call!(self, |kv| kv.collection(collection).clear())
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

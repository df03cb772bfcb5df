//! A store of either flavour, spoken to alike.

use std::time::Duration;

use kv_async::stores as awaiting;
use kv_sync::stores as blocking;
use tokio::runtime::Runtime;

/// One flavour's handle.
pub(crate) enum Side {
    Blocking(kv_sync::Kv),
    Awaiting(Runtime, kv_async::Kv),
}

/// Calls a method of a collection.
macro_rules! ask {
    ($side:expr, $collection:expr, $method:ident $(::<$type:ty>)? ($($argument:expr),* $(,)?)) => {
        match $side {
            $crate::side::Side::Blocking(kv) => kv.collection($collection).$method$(::<$type>)?($($argument),*),
            $crate::side::Side::Awaiting(runtime, kv) => {
                runtime.block_on(kv.collection($collection).$method$(::<$type>)?($($argument),*))
            }
        }
    };
}

/// Calls a method of the store.
macro_rules! ask_store {
    ($side:expr, $method:ident $(::<$type:ty>)? ($($argument:expr),* $(,)?)) => {
        match $side {
            $crate::side::Side::Blocking(kv) => kv.$method$(::<$type>)?($($argument),*),
            $crate::side::Side::Awaiting(runtime, kv) => runtime.block_on(kv.$method$(::<$type>)?($($argument),*)),
        }
    };
}

/// How a store of the tests is made.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub urls: Vec<String>,
    pub prefix: String,
    pub api_key: Option<String>,
    pub ca: Option<Vec<u8>>,
    pub timeout: Duration,
    pub is_elasticsearch: bool,
}

impl Setup {
    pub(crate) fn new(url: impl Into<String>, prefix: &str) -> Self {
        let urls = vec![url.into()];
        let timeout = Duration::from_secs(30);
        Self { urls, prefix: prefix.to_owned(), api_key: None, ca: None, timeout, is_elasticsearch: false }
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

macro_rules! store {
    ($library:ident, $kv:ident, $setup:expr) => {{
        let setup = $setup;
        let mut options = $library::ElasticsearchOptions::from_url(&setup.urls[0]).unwrap();
        for url in &setup.urls[1..] {
            options = options.with_node(url).unwrap();
        }
        if let Some(key) = &setup.api_key {
            options = options.with_api_key(key);
        }
        if let Some(ca) = &setup.ca {
            options = options.with_ca_certificate(&**ca);
        }
        let options = options.with_index_prefix(&*setup.prefix).with_timeout(setup.timeout).with_replicas(0);
        if setup.is_elasticsearch {
            $kv::Kv::new($library::ElasticsearchStore::with_options(options).unwrap())
        } else {
            $kv::Kv::new($library::OpenSearchStore::with_options(options).unwrap())
        }
    }};
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Side {
    pub(crate) fn blocking(setup: &Setup) -> Self {
        Self::Blocking(store!(blocking, kv_sync, setup))
    }

    pub(crate) fn awaiting(setup: &Setup) -> Self {
        Self::Awaiting(runtime(), store!(awaiting, kv_async, setup))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Blocking(_) => "blocking",
            Self::Awaiting(..) => "awaiting",
        }
    }
}

/// The same of both flavours, one after the other.
pub(crate) fn each(setup: &Setup, mut test: impl FnMut(&Side)) {
    test(&Side::blocking(setup));
    test(&Side::awaiting(setup));
}

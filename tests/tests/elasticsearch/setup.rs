//! How a store of these tests is made.

use std::time::Duration;

use kv_core::ManualClock;

use crate::side::Make;

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub urls: Vec<String>,
    pub prefix: String,
    pub api_key: Option<String>,
    pub ca: Option<Vec<u8>>,
    pub timeout: Duration,
    pub is_elasticsearch: bool,
    pub python_indices: bool,
    pub clock: Option<ManualClock>,
}

impl Setup {
    pub(crate) fn new(url: impl Into<String>, prefix: &str) -> Self {
        let urls = vec![url.into()];
        let timeout = Duration::from_secs(30);
        let (is_elasticsearch, python_indices) = (false, false);
        let prefix = prefix.to_owned();
        Self { urls, prefix, api_key: None, ca: None, timeout, is_elasticsearch, python_indices, clock: None }
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

macro_rules! store {
    ($krate:ident, $setup:expr) => {{
        let setup = $setup;
        let mut options = $krate::stores::ElasticsearchOptions::from_url(&setup.urls[0]).unwrap();
        for url in &setup.urls[1..] {
            options = options.with_node(url).unwrap();
        }
        if let Some(key) = &setup.api_key {
            options = options.with_api_key(key);
        }
        if let Some(ca) = &setup.ca {
            options = options.with_ca_certificate(&**ca);
        }
        let options = options.with_index_prefix(&*setup.prefix).with_python_indices(setup.python_indices);
        let options = options.with_timeout(setup.timeout).with_replicas(0);
        if setup.is_elasticsearch {
            $krate::Kv::new($krate::stores::ElasticsearchStore::with_options(options).unwrap())
        } else {
            let store = $krate::stores::OpenSearchStore::with_options(options).unwrap();
            match &setup.clock {
                Some(clock) => $krate::Kv::new(store.with_clock(clock.clone())),
                None => $krate::Kv::new(store),
            }
        }
    }};
}

impl Make for Setup {
    fn blocking(&self) -> kv_sync::Kv {
        store!(kv_sync, self)
    }

    fn awaiting(&self) -> kv_async::Kv {
        store!(kv_async, self)
    }
}

//! How a store of these tests is made.

use std::time::Duration;

use kv_core::ManualClock;

use crate::side::Make;

#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) namespace: Option<&'static str>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) clock: Option<ManualClock>,
}

impl Setup {
    pub(crate) fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Through a proxy on this port.
    pub(crate) fn port(port: u16) -> Self {
        Self::url(format!("redis://127.0.0.1:{port}"))
    }
}

macro_rules! store {
    ($krate:ident, $setup:expr) => {{
        let mut options = $krate::stores::RedisOptions::from_url(&$setup.url).unwrap();
        if let Some(namespace) = $setup.namespace {
            options = options.with_namespace(namespace);
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
        let mut store = $krate::stores::RedisStore::with_options(options).unwrap();
        if let Some(clock) = &$setup.clock {
            store = store.with_clock(clock.clone());
        }
        $krate::Kv::new(store)
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

//! How a store of these tests is made.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::ManualClock;
use kv_tests::servers::Server;

use crate::side::Make;

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

impl Make for Setup {
    fn blocking(&self) -> kv_sync::Kv {
        store!(kv_sync, self)
    }

    fn awaiting(&self) -> kv_async::Kv {
        store!(kv_async, self)
    }
}

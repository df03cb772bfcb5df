//! How a store of these tests is made.

use std::time::Duration;

use kv_core::ManualClock;

use crate::side::Make;

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

impl Make for Setup {
    fn blocking(&self) -> kv_sync::Kv {
        store!(kv_sync, self)
    }

    fn awaiting(&self) -> kv_async::Kv {
        store!(kv_async, self)
    }
}

//! The contract suite of both crates.

use std::sync::Mutex;

use kv_core::Name;
use kv_tests::need;
use kv_tests::proxies::Proxies;
use serde_json::json;

use crate::server::{Server, opensearch};

/// Outages have tests of their own below, and batches are no one step.
const SKIPS: [&str; 3] =
    ["e2_an_outage_is_never_a_miss", "l1_a_failed_first_use_is_tried_again", "o3_atomic_batches_do_not_mix"];

/// T6: what frees them is `cull`.
const FREED_BY_CULL: &str = "finding what has expired takes a refresh and a search, which no write waits for";

/// The checks that cut the store off, which the suite skips where a subject is not behind proxies.
const OUTAGES: [&str; 2] = ["e2_an_outage_is_never_a_miss", "l1_a_failed_first_use_is_tried_again"];

/// The server, and the spaces that a check has used.
#[derive(Debug)]
struct Backend {
    server: Server,
    spaces: Mutex<Vec<String>>,
    proxies: Option<Proxies>,
}

impl Backend {
    fn direct() -> Option<Self> {
        Some(Self { server: need(opensearch())?, spaces: Mutex::default(), proxies: None })
    }

    fn behind_proxies() -> Option<Self> {
        let mut backend = Self::direct()?;
        backend.proxies = Some(Proxies::new(&backend.server.host, backend.server.port));
        Some(backend)
    }

    /// Where a store of this space reaches the server.
    fn url(&self, space: &str) -> String {
        let mut spaces = self.spaces.lock().unwrap();
        if !spaces.iter().any(|known| known == space) {
            spaces.push(space.to_owned());
        }
        match &self.proxies {
            Some(proxies) => format!("http://127.0.0.1:{}", proxies.port(space).unwrap()),
            None => self.server.url.clone(),
        }
    }

    fn cut_off(&self, space: &str, off: bool) -> bool {
        self.proxies.as_ref().map(|proxies| proxies.cut_off(space, off).unwrap()).is_some()
    }

    /// Puts what is no record in a record's place, with whatever expiry it has.
    fn damage(&self, space: &str, name: Name<'_>) -> bool {
        let index = format!("{space}-{}", name.collection);
        let Some(mut document) = self.server.document(&index, name.key) else { return false };
        document["kv"] = json!({"expires": document["kv"]["expires"].clone(), "text": "{"});
        self.server.write(&index, name.key, &document.to_string());
        true
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        for space in self.spaces.lock().unwrap().iter() {
            self.server.drop_indices(space);
        }
    }
}

/// One flavour's subject.
macro_rules! subject {
    ($library:ident, [$($async_trait:meta)?], [$($async:ident)?]) => {
        use $library::Kv;
        use $library::contract::{Setting, Subject};
        use $library::stores::{ElasticsearchOptions, OpenSearchStore};

        use super::*;

        #[derive(Debug)]
        struct Remote(Backend);

        $(#[$async_trait])?
        impl Subject for Remote {
            fn open(&self, setting: &Setting) -> Kv {
                let options = ElasticsearchOptions::from_url(&self.0.url(&setting.space)).unwrap();
                // The node is alone, and slower with many at once than any that is used for more than tests.
                let options = options.with_timeout(std::time::Duration::from_secs(60));
                let options = options.with_index_prefix(&*setting.space).with_replicas(0);
                Kv::new(setting.apply(OpenSearchStore::with_options(options).unwrap()))
            }

            fn deviations(&self) -> Vec<$library::contract::Deviation> {
                let check = "t6_writes_free_what_has_expired";
                vec![$library::contract::Deviation { check, why: FREED_BY_CULL }]
            }

            $($async)? fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
                self.0.damage(&setting.space, name)
            }

            $($async)? fn cut_off(&self, setting: &Setting, off: bool) -> bool {
                self.0.cut_off(&setting.space, off)
            }
        }

        $library::contract_tests!(
            match Backend::direct() {
                Some(backend) => Remote(backend),
                None => return,
            },
            skips: SKIPS
        );
    };
}

mod blocking {
    subject!(kv_sync, [], []);

    #[test]
    fn outages() {
        let Some(remote) = Backend::behind_proxies().map(Remote) else { return };
        for name in OUTAGES {
            assert_eq!(kv_sync::contract::check(name, &remote), kv_sync::contract::Outcome::Held, "{name}");
        }
    }
}

mod awaiting {
    subject!(kv_async, [async_trait::async_trait], [async]);

    #[tokio::test]
    async fn outages() {
        let Some(remote) = Backend::behind_proxies().map(Remote) else { return };
        for name in OUTAGES {
            assert_eq!(kv_async::contract::check(name, &remote).await, kv_async::contract::Outcome::Held, "{name}");
        }
    }
}

//! The contract suite of both crates.

use std::time::Duration;

use kv_core::Name;
use kv_tests::proxies::Proxies;
use kv_tests::servers::{self, Server};
use kv_tests::{Unavailable, need};
use mongodb::bson::doc;

/// The server frees expired documents by its own clock, which no test can move. Outages have tests of their own below.
const SKIPS: [&str; 4] = [
    "o3_atomic_batches_do_not_mix",
    "t6_writes_free_what_has_expired",
    "e2_an_outage_is_never_a_miss",
    "l1_a_failed_first_use_is_tried_again",
];

/// The checks that cut the store off, which the suite skips where a subject is not behind proxies.
const OUTAGES: [&str; 2] = ["e2_an_outage_is_never_a_miss", "l1_a_failed_first_use_is_tried_again"];

#[derive(Debug)]
struct Backend {
    server: Server,
    proxies: Option<Proxies>,
}

impl Backend {
    fn direct(server: Result<Server, Unavailable>) -> Option<Self> {
        Some(Self { server: need(server)?, proxies: None })
    }

    fn behind_proxies(server: Result<Server, Unavailable>) -> Option<Self> {
        let server = need(server)?;
        Some(Self { proxies: Some(Proxies::new(&server.host, server.port)), server })
    }

    /// Listings of collections walk through a database, so that spaces are spread over several.
    fn database(space: &str) -> String {
        format!("kv-contract-{}", space.bytes().map(u32::from).sum::<u32>() % 16)
    }

    fn port(&self, space: &str) -> Option<u16> {
        self.proxies.as_ref().map(|proxies| proxies.port(space).unwrap())
    }

    fn url(&self, space: &str) -> String {
        match self.port(space) {
            Some(port) => format!("mongodb://127.0.0.1:{port}/?directConnection=true"),
            None => self.server.url.clone(),
        }
    }

    fn cut_off(&self, space: &str, off: bool) -> bool {
        self.proxies.as_ref().map(|proxies| proxies.cut_off(space, off).unwrap()).is_some()
    }

    /// Puts what is no record in a record's place, with whatever expiry it has.
    fn damage(&self, space: &str, name: Name<'_>) -> bool {
        let (url, database) = (self.server.url.clone(), Self::database(space));
        let names = kv_core::formats::mongodb::MongoNames::new(&database, Some(space)).unwrap();
        let (stored, key) = (names.stored(name.collection).into_owned(), name.key.to_owned());
        let damage = move || {
            let client = mongodb::sync::Client::with_uri_str(&url).unwrap();
            let collection = client.database(&database).collection::<mongodb::bson::Document>(&stored);
            let update = doc! { "$set": { "value": "damaged" } };
            collection.update_one(doc! { "key": key }, update).run().unwrap().matched_count == 1
        };
        // The client blocks, which it must not do in a runtime.
        std::thread::spawn(damage).join().unwrap()
    }
}

/// One flavour's subject.
macro_rules! subject {
    ($library:ident, [$($async_trait:meta)?], [$($async:ident)?]) => {
        use $library::Kv;
        use $library::contract::{Setting, Subject};
        use $library::stores::{MongoOptions, MongoStore};

        use super::*;

        #[derive(Debug)]
        struct Remote(Backend);

        impl Remote {
            fn direct() -> Option<Self> {
                Backend::direct(servers::mongodb()).map(Self)
            }

            fn behind_proxies() -> Option<Self> {
                Backend::behind_proxies(servers::mongodb()).map(Self)
            }
        }

        $(#[$async_trait])?
        impl Subject for Remote {
            fn open(&self, setting: &Setting) -> Kv {
                let mut options = MongoOptions::from_url(&self.0.url(&setting.space))
                    .unwrap()
                    .with_namespace(&setting.space)
                    .with_database(Backend::database(&setting.space))
                    // The server is slow at what comes by the thousand.
                    .with_response_timeout(Duration::from_secs(60));
                if self.0.proxies.is_some() {
                    // It is waited for as long by every call while it is away, and looked for twice a second.
                    options = options.with_connect_timeout(Duration::from_millis(800));
                }
                Kv::new(setting.apply(MongoStore::with_options(options).unwrap()))
            }

            $($async)? fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
                self.0.damage(&setting.space, name)
            }

            $($async)? fn cut_off(&self, setting: &Setting, off: bool) -> bool {
                self.0.cut_off(&setting.space, off)
            }
        }

        $library::contract_tests!(
            match Remote::direct() {
                Some(remote) => remote,
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
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_sync::contract::check(name, &remote), kv_sync::contract::Outcome::Held, "{name}");
        }
    }
}

mod awaiting {
    subject!(kv_async, [async_trait::async_trait], [async]);

    #[tokio::test]
    async fn outages() {
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_async::contract::check(name, &remote).await, kv_async::contract::Outcome::Held, "{name}");
        }
    }
}

//! The contract suite of both crates against real servers.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;

use kv_core::Name;
use kv_tests::proxies::Proxies;
use kv_tests::servers::{self, Server};
use kv_tests::{Unavailable, need};

/// What the servers' stores have none of: keys in order. They free expired entries by their own clock, which no test can
/// move. Outages have tests of their own below.
const SKIPS: [&str; 4] = [
    "t6_writes_free_what_has_expired",
    "order_is_of_bytes",
    "e2_an_outage_is_never_a_miss",
    "l1_a_failed_first_use_is_tried_again",
];

/// A server, and a way to cut stores off from it where that is asked for.
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

    /// A listing walks through a database, so that spaces are spread over several.
    fn database(space: &str) -> u32 {
        1 + space.bytes().take(24).map(u32::from).sum::<u32>() % 15
    }

    /// The port by which a store of this space reaches the server.
    fn port(&self, space: &str) -> Option<u16> {
        self.proxies.as_ref().map(|proxies| proxies.port(space).unwrap())
    }

    fn cut_off(&self, space: &str, off: bool) -> bool {
        self.proxies.as_ref().map(|proxies| proxies.cut_off(space, off).unwrap()).is_some()
    }

    /// Puts what is no record in a record's place, with whatever expiry it has.
    fn damage(&self, space: &str, name: Name<'_>) -> bool {
        let mut client = self.server.client().unwrap();
        client.command(&["SELECT", &Self::database(space).to_string()]).unwrap();
        let pattern = format!("%{space}|{}::{}", name.collection, name.key);
        let script = "local keys = redis.call('KEYS', ARGV[1])
            for _, key in ipairs(keys) do redis.call('SET', key, '{', 'KEEPTTL') end
            return #keys";
        client.command(&["EVAL", script, "0", &pattern]).unwrap().int().unwrap() == 1
    }
}

/// One flavour's subject.
macro_rules! subject {
    ($library:ident, $store:ident, $server:path, [$($async_trait:meta)?], [$($async:ident)?]) => {
        use $library::Kv;
        use $library::contract::{Setting, Subject};
        use $library::stores::{$store, RedisOptions};

        use super::*;

        #[derive(Debug)]
        struct Remote(Backend);

        impl Remote {
            fn direct() -> Option<Self> {
                Backend::direct($server()).map(Self)
            }

            fn behind_proxies() -> Option<Self> {
                Backend::behind_proxies($server()).map(Self)
            }
        }

        $(#[$async_trait])?
        impl Subject for Remote {
            fn open(&self, setting: &Setting) -> Kv {
                let mut options = RedisOptions::from_url(&self.0.server.url).unwrap();
                if let Some(port) = self.0.port(&setting.space) {
                    options = options.with_port(port);
                }
                let options = options.with_namespace(&setting.space).with_database(Backend::database(&setting.space));
                Kv::new(setting.apply($store::with_options(options).unwrap()))
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

/// The checks that cut the store off, which the suite skips where a subject is not behind proxies.
const OUTAGES: [&str; 2] = ["e2_an_outage_is_never_a_miss", "l1_a_failed_first_use_is_tried_again"];

mod redis_sync {
    subject!(kv_sync, RedisStore, servers::redis, [], []);

    #[test]
    fn outages() {
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_sync::contract::check(name, &remote), kv_sync::contract::Outcome::Held, "{name}");
        }
    }
}

mod redis_async {
    subject!(kv_async, RedisStore, servers::redis, [async_trait::async_trait], [async]);

    #[tokio::test]
    async fn outages() {
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_async::contract::check(name, &remote).await, kv_async::contract::Outcome::Held, "{name}");
        }
    }
}

mod valkey_sync {
    subject!(kv_sync, ValkeyStore, servers::valkey, [], []);

    #[test]
    fn outages() {
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_sync::contract::check(name, &remote), kv_sync::contract::Outcome::Held, "{name}");
        }
    }
}

mod valkey_async {
    subject!(kv_async, ValkeyStore, servers::valkey, [async_trait::async_trait], [async]);

    #[tokio::test]
    async fn outages() {
        let Some(remote) = Remote::behind_proxies() else { return };
        for name in OUTAGES {
            assert_eq!(kv_async::contract::check(name, &remote).await, kv_async::contract::Outcome::Held, "{name}");
        }
    }
}

/// Without a namespace, in the form that Python's library has: each space is a database of a server of its own.
mod without_namespace {
    use super::*;
    use kv_tests::servers::{Options, Private, private_redis};

    #[derive(Debug)]
    struct Plain {
        server: Private,
        spaces: Mutex<Vec<String>>,
    }

    impl Plain {
        const DATABASES: &'static str = "4096";

        fn start() -> Option<Self> {
            let options = Options::redis().directive("databases", &[Self::DATABASES]);
            Some(Self { server: need(private_redis(options))?, spaces: Mutex::default() })
        }

        fn database(&self, space: &str) -> u32 {
            let mut spaces = self.spaces.lock().unwrap();
            let place = spaces.iter().position(|known| known == space).unwrap_or_else(|| {
                spaces.push(space.to_owned());
                spaces.len() - 1
            });
            u32::try_from(place).unwrap()
        }

        fn damage(&self, space: &str, name: Name<'_>) -> bool {
            let mut client = self.server.admin().unwrap();
            client.command(&["SELECT", &self.database(space).to_string()]).unwrap();
            let key = format!("{}::{}", name.collection, name.key);
            client.command(&["SET", &key, "{", "XX", "KEEPTTL"]).unwrap().text().is_ok()
        }
    }

    macro_rules! plain {
        ($library:ident, [$($async_trait:meta)?], [$($async:ident)?]) => {
            $(#[$async_trait])?
            impl $library::contract::Subject for Plain {
                fn open(&self, setting: &$library::contract::Setting) -> $library::Kv {
                    let options = $library::stores::RedisOptions::from_url(self.server.url()).unwrap();
                    let options = options.with_database(self.database(&setting.space));
                    let store = $library::stores::RedisStore::with_options(options).unwrap();
                    $library::Kv::new(setting.apply(store))
                }

                $($async)? fn damage(&self, setting: &$library::contract::Setting, name: Name<'_>) -> bool {
                    self.damage(&setting.space, name)
                }
            }
        };
    }

    plain!(kv_sync, [], []);
    plain!(kv_async, [async_trait::async_trait], [async]);

    fn assert_held(failed: &[&str], skipped: &[&str], report: &dyn std::fmt::Display) {
        assert_eq!(failed, [""; 0], "{report}");
        assert_eq!(skipped, sorted_as_the_suite_has_them(), "{report}");
    }

    fn sorted_as_the_suite_has_them() -> Vec<&'static str> {
        let names = kv_sync::contract::CHECKS.iter().map(|check| check.name);
        names.filter(|name| SKIPS.contains(name)).collect()
    }

    #[test]
    fn redis_sync() {
        let Some(plain) = Plain::start() else { return };
        let report = kv_sync::contract::check_all(&plain);
        assert_held(&report.failed(), &report.skipped(), &report);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn redis_async() {
        let Some(plain) = Plain::start() else { return };
        let report = kv_async::contract::check_all(&plain).await;
        assert_held(&report.failed(), &report.skipped(), &report);
    }

    #[test]
    fn the_suite_has_the_same_checks_in_both_flavours() {
        let blocking = kv_sync::contract::CHECKS.iter().map(|check| (check.name, check.clauses));
        assert!(blocking.eq(kv_async::contract::CHECKS.iter().map(|check| (check.name, check.clauses))));
    }
}

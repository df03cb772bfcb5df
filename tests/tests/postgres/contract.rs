//! The contract suite of both crates.

use std::collections::HashSet;
use std::sync::Mutex;

use kv_core::Name;
use kv_core::formats::postgres;
use kv_tests::need;
use kv_tests::proxies::Proxies;

use crate::server::{self, Server};

/// A server, and a proxy for each space, by which its stores are cut off. Each space is a table.
#[derive(Debug)]
struct Backend {
    server: Server,
    proxies: Proxies,
    spaces: Mutex<HashSet<String>>,
}

impl Backend {
    fn new() -> Option<Self> {
        let server = need(server::postgres())?;
        Some(Self { proxies: Proxies::new(&server.host, server.port), server, spaces: Mutex::default() })
    }

    /// The port by which a store of this space reaches the server.
    fn port(&self, space: &str) -> u16 {
        self.spaces.lock().unwrap().insert(space.to_owned());
        self.proxies.port(space).unwrap()
    }

    fn cut_off(&self, space: &str, off: bool) -> bool {
        self.proxies.cut_off(space, off).unwrap();
        true
    }

    /// Puts what is no record in a record's place, with whatever expiry it has.
    fn damage(&self, space: &str, name: Name<'_>) -> bool {
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let collection = postgres::collection(name.collection);
        let key = postgres::key(&collection, name.key);
        let (collection, key) = (literal(&collection.text), literal(&key.text));
        let changed = self.server.value(&format!(
            "WITH changed AS (UPDATE \"{space}\" SET kv_revision = kv_revision + 1, kv_metadata = '{{' \
             WHERE collection = {collection} AND key = {key} RETURNING 1) SELECT count(*) FROM changed"
        ));
        changed.as_deref() == Some("1")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let spaces = std::mem::take(&mut *self.spaces.lock().unwrap());
        let drops = spaces
            .iter()
            .map(|space| format!("DROP TABLE IF EXISTS \"{space}\"; DROP FUNCTION IF EXISTS \"{space}_kv_forget\";"));
        self.server.run(&drops.collect::<String>());
    }
}

/// One flavour's subject.
macro_rules! subject {
    ($library:ident, [$($async_trait:meta)?], [$($async:ident)?]) => {
        use $library::Kv;
        use $library::contract::{Setting, Subject};
        use $library::stores::{PostgresOptions, PostgresStore};

        use super::*;

        #[derive(Debug)]
        struct Remote(Backend);

        $(#[$async_trait])?
        impl Subject for Remote {
            fn open(&self, setting: &Setting) -> Kv {
                let options = PostgresOptions::from_url(&self.0.server.url).unwrap();
                let options = options.with_host("127.0.0.1").with_port(self.0.port(&setting.space));
                let options = options.with_table(&*setting.space).with_pool_size(8);
                Kv::new(setting.apply(PostgresStore::with_options(options).unwrap()))
            }

            $($async)? fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
                self.0.damage(&setting.space, name)
            }

            $($async)? fn cut_off(&self, setting: &Setting, off: bool) -> bool {
                self.0.cut_off(&setting.space, off)
            }
        }

        $library::contract_tests!(match Backend::new() {
            Some(backend) => Remote(backend),
            None => return,
        });
    };
}

mod blocking {
    subject!(kv_sync, [], []);
}

mod awaiting {
    subject!(kv_async, [async_trait::async_trait], [async]);
}

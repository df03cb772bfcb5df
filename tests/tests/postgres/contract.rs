//! The contract suite of both crates, on the server and through a pooler in transaction mode.

use std::collections::HashSet;
use std::sync::Mutex;

use kv_core::Name;
use kv_core::formats::postgres;
use kv_tests::need;
use kv_tests::proxies::Proxies;
use kv_tests::servers::{PgbouncerOptions, Private, private_pgbouncer};

use crate::server::{self, Server};

/// The connections of the pooler to the server: fewer than a store has to the pooler.
const POOLED: usize = 3;

/// A server, and a proxy for each space, by which its stores are cut off. Each space is a table.
#[derive(Debug)]
struct Backend {
    server: Server,
    /// What stands between the server and the proxies, if anything does.
    pooler: Option<Private<PgbouncerOptions>>,
    proxies: Proxies,
    spaces: Mutex<HashSet<String>>,
}

/// Where the proxies lead.
fn upstream<'a>(server: &'a Server, pooler: Option<&'a Private<PgbouncerOptions>>) -> &'a kv_tests::servers::Server {
    pooler.map_or(server, Private::server)
}

impl Backend {
    fn new(pooled: bool) -> Option<Self> {
        let server = need(server::postgres())?;
        let pooler = match pooled {
            true => Some(need(private_pgbouncer(PgbouncerOptions::new(&server, POOLED)))?),
            false => None,
        };
        let upstream = upstream(&server, pooler.as_ref());
        let proxies = Proxies::new(&upstream.host, upstream.port);
        Some(Self { server, pooler, proxies, spaces: Mutex::default() })
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
    ($library:ident, $pooled:literal, [$($async_trait:meta)?], [$($async:ident)?]) => {
        use $library::Kv;
        use $library::contract::{Setting, Subject};
        use $library::stores::{PostgresOptions, PostgresStore};

        use super::*;

        #[derive(Debug)]
        struct Remote(Backend);

        $(#[$async_trait])?
        impl Subject for Remote {
            fn open(&self, setting: &Setting) -> Kv {
                let options = PostgresOptions::from_url(&upstream(&self.0.server, self.0.pooler.as_ref()).url).unwrap();
                let options = options.with_host("127.0.0.1").with_port(self.0.port(&setting.space));
                let options = options.with_table(&*setting.space).with_pool_size(8);
                let options = options.with_transaction_pooler($pooled);
                Kv::new(setting.apply(PostgresStore::with_options(options).unwrap()))
            }

            $($async)? fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
                self.0.damage(&setting.space, name)
            }

            $($async)? fn cut_off(&self, setting: &Setting, off: bool) -> bool {
                self.0.cut_off(&setting.space, off)
            }
        }

        $library::contract_tests!(match Backend::new($pooled) {
            Some(backend) => Remote(backend),
            None => return,
        });
    };
}

mod blocking {
    subject!(kv_sync, false, [], []);
}

mod awaiting {
    subject!(kv_async, false, [async_trait::async_trait], [async]);
}

mod blocking_pooled {
    subject!(kv_sync, true, [], []);
}

mod awaiting_pooled {
    subject!(kv_async, true, [async_trait::async_trait], [async]);
}

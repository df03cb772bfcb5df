//! The stores, and servers for them.

use kv_tests::need;
use kv_tests::servers::{self, Private, Recipe};

use crate::writers::{Flavours, Handles};

/// A store of both flavours.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    blocking: fn(&str) -> kv_sync::Kv,
    awaiting: fn(&str) -> kv_async::Kv,
    start: fn() -> Option<Server>,
    /// Whether a read may see a write that is not acknowledged yet, and that is gone if the server is killed just then.
    pub(crate) reads_early: bool,
}

/// What a store stands on.
pub(crate) struct Server {
    /// Where it is; a path for what is on disk.
    pub(crate) url: String,
    /// 0 where there is no server.
    pub(crate) port: u16,
    private: Option<Box<dyn Restart>>,
    _dir: Option<tempfile::TempDir>,
}

/// A server that comes back with all that it acknowledged.
trait Restart: Send {
    fn restart(&mut self, kill: bool);
}

impl<R: Recipe + 'static> Restart for Private<R> {
    fn restart(&mut self, kill: bool) {
        if kill {
            self.kill9().unwrap();
        }
        // Stops it first if it runs.
        Self::restart(self).unwrap();
    }
}

macro_rules! private {
    ($private:expr) => {{
        let private = need($private)?;
        let (url, port) = (private.url().to_owned(), private.port());
        Some(Server { url, port, private: Some(Box::new(private)), _dir: None })
    }};
}

impl Server {
    /// As `url`, by way of somebody who listens on this port.
    pub(crate) fn url_by_port(&self, port: u16) -> String {
        self.url.replace(&format!(":{}", self.port), &format!(":{port}"))
    }

    /// Starts it again, after it was asked to end or, so told, without having been asked.
    pub(crate) fn restart(&mut self, kill: bool) {
        self.private.as_mut().unwrap().restart(kill);
    }

    fn nowhere() -> Self {
        Self { url: String::new(), port: 0, private: None, _dir: None }
    }

    fn on_disk() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("kv.db").to_string_lossy().into_owned();
        Self { url, port: 0, private: None, _dir: Some(dir) }
    }
}

impl Place {
    pub(crate) fn start(&self) -> Option<Server> {
        (self.start)()
    }

    /// Whether two stores of it never meet.
    pub(crate) fn is_of_one_process(&self, at: &str) -> bool {
        !(self.blocking)(at).describe().capabilities.shared
    }

    /// The handles to write through: two of each flavour where they see the same entries.
    pub(crate) fn handles(&self, at: &str, flavours: Flavours) -> Handles {
        let count = if self.is_of_one_process(at) { 1 } else { 2 };
        let (blocking, awaiting) = flavours.of(count);
        Handles {
            blocking: (0..blocking).map(|_| (self.blocking)(at)).collect(),
            awaiting: (0..awaiting).map(|_| (self.awaiting)(at)).collect(),
        }
    }
}

/// `name, |library, at| store of either library, a server for it`.
macro_rules! place {
    ($name:literal, |$library:ident, $at:ident| $store:expr, $start:expr) => {{
        fn blocking($at: &str) -> kv_sync::Kv {
            use kv_sync as $library;
            kv_sync::Kv::new($store)
        }
        fn awaiting($at: &str) -> kv_async::Kv {
            use kv_async as $library;
            kv_async::Kv::new($store)
        }
        fn start() -> Option<Server> {
            $start
        }
        Place { name: $name, blocking, awaiting, start, reads_early: false }
    }};
}

pub(crate) const MEMORY: Place =
    place!("Memory", |library, _at| library::stores::MemoryStore::new(), Some(Server::nowhere()));

pub(crate) const DISK: Place =
    place!("Disk", |library, at| library::stores::DiskStore::open(at), Some(Server::on_disk()));

pub(crate) const REDIS: Place = place!(
    "Redis",
    |library, at| library::stores::RedisStore::connect(at).unwrap(),
    private!(servers::private_redis(servers::Options::redis().persist()))
);

pub(crate) const POSTGRES: Place = place!(
    "PostgreSQL",
    |library, at| library::stores::PostgresStore::connect(at).unwrap(),
    private!(servers::private_postgres(servers::PostgresOptions::new()))
);

pub(crate) const MONGODB: Place = place!(
    "MongoDB",
    // The server tells its clients its own address, which is not the proxy's. And SecantusDB forgets with a crash which
    // writes it has done, where MongoDB keeps that with them: what the client sends again would be done again.
    |library, at| {
        let at = format!("{at}/?directConnection=true&retryWrites=false");
        library::stores::MongoStore::connect(&at).unwrap()
    },
    private!(servers::private_mongodb(servers::MongodbOptions::new()))
);

pub(crate) const OPENSEARCH: Place = Place {
    reads_early: true,
    ..place!(
        "OpenSearch",
        |library, at| library::stores::OpenSearchStore::connect(at).unwrap(),
        private!(servers::private_opensearch(servers::OpensearchOptions::new()))
    )
};

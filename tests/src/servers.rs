//! Real servers: the shared ones that `just services-up` starts, and private ones for one test.

mod address;
mod launch;
mod mongodb;
mod opensearch;
mod pgbouncer;
mod postgres;
mod private;
mod recipe;
mod redis;
mod wire;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::address::Address;
pub(crate) use self::address::login;
use self::launch::advice;
pub(crate) use self::launch::wait;
pub use self::launch::{find, is_running, start_shared, stop_shared};
pub use self::mongodb::{MongodbOptions, private_mongodb};
pub use self::opensearch::{OpensearchOptions, private_opensearch};
pub use self::pgbouncer::{PgbouncerOptions, private_pgbouncer};
pub use self::postgres::{PostgresOptions, private_postgres};
pub use self::private::Private;
pub use self::recipe::{Place, Recipe};
pub use self::redis::{Options, private_redis};
pub(crate) use self::wire::base64;
use crate::error::{Context, Error, Result};
use crate::need::{Unavailable, check_skip};
use crate::resp;

/// The kinds of server that tests use. What is peculiar to a kind is in the file of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// PostgreSQL.
    Postgres,
    /// MongoDB. The one that we start is SecantusDB, which speaks its protocol.
    Mongodb,
    /// OpenSearch.
    Opensearch,
    /// Elasticsearch. We have none to start: there is one only where `KV_ELASTICSEARCH_URL` names it.
    Elasticsearch,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Redis, Self::Valkey, Self::Postgres, Self::Mongodb, Self::Opensearch, Self::Elasticsearch];

    /// Those that speak Redis' protocol.
    pub const RESP: [Self; 2] = [Self::Redis, Self::Valkey];

    /// As `KV_SKIP` and the state files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
            Self::Postgres => "postgres",
            Self::Mongodb => "mongodb",
            Self::Opensearch => "opensearch",
            Self::Elasticsearch => "elasticsearch",
        }
    }

    /// The kind of this [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The environment variable that names a server to use instead of one that we start.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Redis => "KV_REDIS_URL",
            Self::Valkey => "KV_VALKEY_URL",
            Self::Postgres => "KV_POSTGRES_URL",
            Self::Mongodb => "KV_MONGODB_URL",
            Self::Opensearch => "KV_OPENSEARCH_URL",
            Self::Elasticsearch => "KV_ELASTICSEARCH_URL",
        }
    }

    /// Whether `just services-up` starts one.
    pub fn is_ours(self) -> bool {
        self != Self::Elasticsearch
    }

    /// Whether a run has to do with it: it is ours to start, or somebody named one.
    pub fn is_in_use(self) -> bool {
        self.is_ours() || std::env::var_os(self.variable()).is_some_and(|url| !url.is_empty())
    }

    /// The packages of Debian that it needs and that are missing here.
    pub fn missing_packages(self) -> Vec<&'static str> {
        match self {
            Self::Redis | Self::Valkey => match find(redis::program(self)) {
                Some(_) => Vec::new(),
                None if self == Self::Redis => vec!["redis-server", "redis-tools"],
                None => vec!["valkey-server"],
            },
            Self::Postgres => postgres::missing_packages(),
            Self::Mongodb => mongodb::missing_packages(),
            Self::Opensearch => opensearch::missing_packages(),
            Self::Elasticsearch => Vec::new(),
        }
    }

    /// Whether what it needs beside the packages is there.
    pub fn is_prepared(self) -> bool {
        match self {
            Self::Mongodb => mongodb::is_prepared(),
            Self::Opensearch => opensearch::is_prepared(),
            _ => true,
        }
    }

    /// Makes what it needs beside the packages, where that is not there yet. It stays, in the cache folder.
    ///
    /// # Errors
    /// When that fails.
    pub fn prepare(self) -> Result<()> {
        match self {
            Self::Mongodb => mongodb::program().map(drop),
            Self::Opensearch => opensearch::prepared().map(drop),
            _ => Ok(()),
        }
    }

    /// A URL of one.
    fn example(self) -> &'static str {
        match self {
            Self::Redis | Self::Valkey => "redis://user:password@host:port/db",
            Self::Postgres => "postgres://user:password@host:port/database",
            Self::Mongodb => "mongodb://user:password@host:port",
            Self::Opensearch | Self::Elasticsearch => "http://user:password@host:port",
        }
    }

    /// What its command line has in it.
    fn mark(self) -> &'static str {
        match self {
            Self::Redis | Self::Valkey => redis::program(self),
            Self::Postgres => "postgres",
            Self::Mongodb => mongodb::PROGRAM,
            Self::Opensearch => opensearch::MAIN,
            Self::Elasticsearch => "elasticsearch",
        }
    }

    /// How the shared one is made.
    fn recipe(self) -> Result<Box<dyn Recipe>> {
        Ok(match self {
            Self::Redis | Self::Valkey => Box::new(Options::shared(self)),
            Self::Postgres => Box::new(PostgresOptions::shared()),
            Self::Mongodb => Box::new(MongodbOptions::shared()),
            Self::Opensearch => Box::new(OpensearchOptions::new()),
            Self::Elasticsearch => return Err(Error::new("there is no Elasticsearch to start")),
        })
    }

    /// The version that the server there tells.
    fn ask(self, address: &Address) -> Result<String> {
        match self {
            Self::Redis | Self::Valkey => redis::ask(self, address),
            Self::Postgres => postgres::ask(address),
            Self::Mongodb => mongodb::ask(address),
            Self::Opensearch | Self::Elasticsearch => opensearch::ask(self, address),
        }
    }
}

/// Held by whoever runs apt: two at once break each other, also when they belong to two checkouts.
///
/// # Errors
/// When the file of the lock cannot be made.
pub fn install_lock() -> Result<File> {
    let path = std::env::temp_dir().join("kv-services-install.lock");
    // Another user's may not be written to, but locked it can be.
    let lock = File::create(&path).or_else(|_| File::open(&path)).context(|| path.display().to_string())?;
    lock.lock()?;
    Ok(lock)
}

/// The version of a server that does not tell it to a stranger.
const UNKNOWN: &str = "unknown";

/// A server that answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its kind's name, such as `redis`.
    pub name: String,
    /// As the server itself tells it.
    pub version: String,
    /// For a client library; it may hold a password.
    pub url: String,
    /// Host name or address.
    pub host: String,
    /// TCP port, or 0 if it listens on none.
    pub port: u16,
    /// Its process, when it is one of ours.
    pub pid: Option<u32>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}:{}", self.name, self.version, self.host, self.port)?;
        self.pid.map_or(Ok(()), |pid| write!(f, " (pid {pid})"))
    }
}

impl Server {
    /// A new plain connection to a Redis or Valkey, to look at what it holds. Logs in with what the URL says.
    ///
    /// # Errors
    /// When it does not answer or refuses; when it is of another kind.
    pub fn client(&self) -> Result<resp::Client> {
        redis::connect(&Address::parse(Kind::Redis, &self.url)?)
    }
}

/// The shared Redis: the one that `KV_REDIS_URL` names, or else the one that `just services-up` started.
///
/// # Errors
/// When there is none, saying what to do; or the skip that `KV_SKIP` asks for. Give it to [`need`](crate::need).
pub fn redis() -> Result<Server, Unavailable> {
    shared(Kind::Redis)
}

/// The shared Valkey: the one that `KV_VALKEY_URL` names, or else the one that `just services-up` started.
///
/// # Errors
/// When there is none, saying what to do; or the skip that `KV_SKIP` asks for. Give it to [`need`](crate::need).
pub fn valkey() -> Result<Server, Unavailable> {
    shared(Kind::Valkey)
}

/// The shared PostgreSQL: the one that `KV_POSTGRES_URL` names, or else the one that `just services-up` started.
///
/// # Errors
/// When there is none, saying what to do; or the skip that `KV_SKIP` asks for. Give it to [`need`](crate::need).
pub fn postgres() -> Result<Server, Unavailable> {
    shared(Kind::Postgres)
}

/// The shared MongoDB: the one that `KV_MONGODB_URL` names, or else the one that `just services-up` started.
///
/// # Errors
/// When there is none, saying what to do; or the skip that `KV_SKIP` asks for. Give it to [`need`](crate::need).
pub fn mongodb() -> Result<Server, Unavailable> {
    shared(Kind::Mongodb)
}

/// The shared OpenSearch: the one that `KV_OPENSEARCH_URL` names, or else the one that `just services-up` started.
///
/// # Errors
/// When there is none, saying what to do; or the skip that `KV_SKIP` asks for. Give it to [`need`](crate::need).
pub fn opensearch() -> Result<Server, Unavailable> {
    shared(Kind::Opensearch)
}

/// The Elasticsearch that `KV_ELASTICSEARCH_URL` names, or else [`opensearch`]; the server's `name` tells which.
///
/// # Errors
/// As [`opensearch`].
pub fn elasticsearch() -> Result<Server, Unavailable> {
    shared(if Kind::Elasticsearch.is_in_use() { Kind::Elasticsearch } else { Kind::Opensearch })
}

/// As [`redis`] and the others, by kind.
///
/// # Errors
/// As there.
pub fn shared(kind: Kind) -> Result<Server, Unavailable> {
    check_skip(kind.name())?;
    if let Some(server) = external(kind)? {
        return Ok(server);
    }
    let missing = || Error::new(format!("no {} server is up; {}", kind.name(), advice(kind)));
    let server = recorded(kind)?.ok_or_else(missing)?;
    let answer = Address::parse(kind, &server.url).and_then(|address| kind.ask(&address));
    answer
        .context(|| format!("the {} server of port {} does not answer; {}", kind.name(), server.port, advice(kind)))?;
    Ok(server)
}

/// The server that the environment variable names, if it is set.
///
/// # Errors
/// When it is set and that server does not answer.
pub fn external(kind: Kind) -> Result<Option<Server>> {
    let Some(url) = std::env::var(kind.variable()).ok().filter(|url| !url.is_empty()) else { return Ok(None) };
    let doing = || format!("the {} server that {} names", kind.name(), kind.variable());
    let address = Address::parse(kind, &url).context(doing)?;
    // A server behind TLS is taken on trust: the tests' own client will tell.
    let version = if address.tls { UNKNOWN.to_owned() } else { kind.ask(&address).context(doing)? };
    Ok(Some(Server { name: kind.name().into(), version, url, host: address.host, port: address.port, pid: None }))
}

/// The server that the state file tells of, whether or not it still runs.
///
/// # Errors
/// When the file cannot be read.
pub fn recorded(kind: Kind) -> Result<Option<Server>> {
    let path = state_file(kind);
    let doing = || format!("{} (remove it and run: just services-up)", path.display());
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).context(doing).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(doing),
    }
}

fn state_file(kind: Kind) -> PathBuf {
    state_dir().join(format!("{}.json", kind.name()))
}

/// Where the shared servers are recorded: `KV_SERVICES_DIR`, or `.services` beside the workspace's `Cargo.toml`.
pub fn state_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("KV_SERVICES_DIR").filter(|dir| !dir.is_empty()) {
        return dir.into();
    }
    let here = package();
    here.parent().unwrap_or(&here).join(".services")
}

/// This package's folder. Cargo names it to what it runs; what was built in with the program may be the folder of
/// another checkout that shares the target folder.
pub fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

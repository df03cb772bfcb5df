//! Where the server is and how to reach it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::Result;

use super::url;

/// Where a PostgreSQL server is, how to log in, which table the store has, and which time-outs hold.
///
/// Nothing is contacted by making options. The `Debug` form shows no password and no key.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_source::stores::{PostgresOptions, PostgresStore};
///
/// # fn main() -> kv_source::Result<()> {
/// let options = PostgresOptions::from_url("postgres://localhost/shop")?
///     .with_username("app")
///     .with_password("s3cret")
///     .with_table("sessions")
///     .with_response_timeout(Duration::from_secs(1));
/// assert!(!format!("{options:?}").contains("s3cret"));
/// let store = PostgresStore::with_options(options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    pub(super) endpoint: Endpoint,
    pub(super) tls: bool,
    pub(super) database: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) auto_create: bool,
    pub(super) pooler: bool,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) statement_timeout: Option<Duration>,
    pub(super) pool_size: usize,
    pub(super) ca_certificate: Option<Vec<u8>>,
    /// The chain and the key.
    pub(super) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix { folder: PathBuf, port: u16 },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { folder, port } => write!(f, "{}:{port}", folder.display()),
        }
    }
}

impl Default for PostgresOptions {
    /// `localhost`, port 5432, the table `public.kv_store`, without TLS; user and database are the server's defaults.
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Tcp { host: "localhost".to_owned(), port: Self::DEFAULT_PORT },
            tls: false,
            database: None,
            username: None,
            password: None,
            application_name: None,
            schema: Self::DEFAULT_SCHEMA.to_owned(),
            table: Self::DEFAULT_TABLE.to_owned(),
            auto_create: true,
            pooler: false,
            connect_timeout: Self::DEFAULT_TIMEOUT,
            response_timeout: Self::DEFAULT_TIMEOUT,
            statement_timeout: Some(Self::DEFAULT_TIMEOUT),
            pool_size: Self::DEFAULT_POOL_SIZE,
            ca_certificate: None,
            client_certificate: None,
        }
    }
}

impl PostgresOptions {
    /// The port unless told another.
    pub const DEFAULT_PORT: u16 = 5432;
    /// The schema unless told another: `public`.
    pub const DEFAULT_SCHEMA: &'static str = "public";
    /// The table unless told another: `kv_store`, as Python's.
    pub const DEFAULT_TABLE: &'static str = "kv_store";
    /// All time-outs unless told others: 5 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The most connections unless told another number.
    pub const DEFAULT_POOL_SIZE: usize = 16;

    /// What a URL says: `postgres://[user[:password]@]host[:port][/database][?option=value&...]`; `postgresql://` is the
    /// same.
    ///
    /// | option | means |
    /// | --- | --- |
    /// | `sslmode` | `disable`, or `require`, `verify-ca`, `verify-full`: each of these three verifies the certificate and the host |
    /// | `host` | the folder of a Unix socket; the URL then names no host: `postgres:///db?host=/run/postgresql` |
    /// | `user`, `password`, `dbname`, `port` | the same as before the `?` |
    /// | `application_name` | what the server lists the connections as |
    /// | `connect_timeout` | whole seconds |
    /// | `schema`, `table` | where the store's records are |
    ///
    /// All parts are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](kv_core::ErrorKind::Configuration) for another scheme, and for a part that is wrong or
    /// unknown; the message lists the valid ones, and shows nothing of the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// With this host: a name or an address.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.endpoint = Endpoint::Tcp { host: host.into(), port: self.port() };
        self
    }

    /// With this port.
    #[must_use]
    pub fn with_port(mut self, number: u16) -> Self {
        match &mut self.endpoint {
            Endpoint::Tcp { port, .. } | Endpoint::Unix { port, .. } => *port = number,
        }
        self
    }

    /// Over the Unix socket in this folder instead of TCP, where the system has them.
    #[must_use]
    pub fn with_unix_socket(mut self, folder: impl Into<PathBuf>) -> Self {
        self.endpoint = Endpoint::Unix { folder: folder.into(), port: self.port() };
        self.tls = false;
        self
    }

    fn port(&self) -> u16 {
        match self.endpoint {
            Endpoint::Tcp { port, .. } | Endpoint::Unix { port, .. } => port,
        }
    }

    /// With this database; without one it is that of the user's name.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// As this user; without one it is that of the process.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// With this password.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// With this name in the server's list of connections.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// In this schema. Any name of at most 63 bytes will do; it is taken in letter case as it is.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// In this table: the store's own, of which it may remove all rows. Any name of at most 63 bytes will do; it is taken
    /// in letter case as it is. Python's library takes letters, digits and `_`, and makes the letters small.
    #[must_use]
    pub fn with_table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// Whether set-up makes the table, or what it lacks; as it does unless told otherwise. If not, and something lacks,
    /// set-up fails and tells the SQL to run.
    #[must_use]
    pub fn with_auto_create(mut self, auto_create: bool) -> Self {
        self.auto_create = auto_create;
        self
    }

    /// Whether there is a pooler in transaction mode (`PgBouncer`, say) between the store and the server. Then no statement
    /// is prepared under a name and no session is set up: every statement is parsed anew, and takes no round trip more. The
    /// server's own `statement_timeout` and isolation level hold; the latter must be `read committed`. Without this, such a
    /// pooler refuses the connection or loses the statements, and calls fail with
    /// [`ErrorKind::Configuration`](kv_core::ErrorKind::Configuration).
    #[must_use]
    pub fn with_transaction_pooler(mut self, pooler: bool) -> Self {
        self.pooler = pooler;
        self
    }

    /// With TLS, or without. It takes the feature `postgres-tls`; without that the store is refused. The server's
    /// certificate and its host are verified.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Over TLS, trusting the certificates of this PEM text instead of the system's.
    #[must_use]
    pub fn with_ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls = true;
        self.ca_certificate = Some(pem.into());
        self
    }

    /// Over TLS, showing this certificate: the chain and the key, both PEM text.
    #[must_use]
    pub fn with_client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls = true;
        self.client_certificate = Some((chain.into(), key.into()));
        self
    }

    /// With this time-out of making a connection, logging in included, and of waiting for a free one; not zero.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// With this time-out of one answer; not zero. A time-out given with a call is one for the whole call.
    #[must_use]
    pub fn with_response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// With this time-out of one statement, by which the server ends it; with `None` the server's own holds. A call that
    /// may take longer than an answer usually does lets its statement take as long.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// With at most so many connections, at least 1; a call waits for one that is free.
    #[must_use]
    pub fn with_pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |is_set: bool| if is_set { "set" } else { "none" };
        f.debug_struct("PostgresOptions")
            .field("endpoint", &self.endpoint)
            .field("tls", &self.tls)
            .field("database", &self.database)
            .field("username", &self.username)
            .field("password", &hidden(self.password.is_some()))
            .field("application_name", &self.application_name)
            .field("schema", &self.schema)
            .field("table", &self.table)
            .field("auto_create", &self.auto_create)
            .field("transaction_pooler", &self.pooler)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("pool_size", &self.pool_size)
            .field("ca_certificate", &hidden(self.ca_certificate.is_some()))
            .field("client_certificate", &hidden(self.client_certificate.is_some()))
            .finish()
    }
}

//! Where the server is and how to reach it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use super::url;

/// Where a Redis or Valkey server is, how to log in, and which time-outs hold.
///
/// Nothing is contacted by making options. The `Debug` form shows no password and no key.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_source::stores::{RedisOptions, RedisStore};
///
/// # fn main() -> kv_source::Result<()> {
/// let options = RedisOptions::from_url("redis://localhost:6379/2")?
///     .with_username("app")
///     .with_password("s3cret")
///     .with_namespace("shop")
///     .with_response_timeout(Duration::from_secs(1));
/// assert!(!format!("{options:?}").contains("s3cret"));
/// let store = RedisStore::with_options(options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    pub(super) endpoint: Endpoint,
    pub(super) tls: bool,
    pub(super) database: u32,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) pool_size: usize,
    pub(super) ca_certificate: Option<Vec<u8>>,
    /// The chain and the key.
    pub(super) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Default for RedisOptions {
    /// `localhost`, port 6379, database 0, without TLS, user and namespace.
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Tcp { host: "localhost".to_owned(), port: Self::DEFAULT_PORT },
            tls: false,
            database: 0,
            username: None,
            password: None,
            namespace: None,
            connect_timeout: Self::DEFAULT_TIMEOUT,
            response_timeout: Self::DEFAULT_TIMEOUT,
            pool_size: Self::DEFAULT_POOL_SIZE,
            ca_certificate: None,
            client_certificate: None,
        }
    }
}

impl RedisOptions {
    /// The port unless told another.
    pub const DEFAULT_PORT: u16 = 6379;
    /// Both time-outs unless told others: 5 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The most connections of a blocking store unless told another number.
    pub const DEFAULT_POOL_SIZE: usize = 16;

    /// What a URL says.
    ///
    /// | URL | means |
    /// | --- | --- |
    /// | `redis://[[user]:password@]host[:port][/database]` | TCP; `valkey://` is the same |
    /// | `rediss://...` | TLS, with the feature `redis-tls`; `valkeys://` is the same |
    /// | `redis+unix:///path[?db=0&user=...&pass=...]` | a Unix socket; `unix://` and `valkey+unix://` are the same |
    ///
    /// User, password and path are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for another scheme (the message lists the valid ones), and for a part that is wrong
    /// or unknown. The message shows nothing of the URL's user and password.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// With this host: a name or an address.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        let port = match self.endpoint {
            Endpoint::Tcp { port, .. } => port,
            Endpoint::Unix(_) => Self::DEFAULT_PORT,
        };
        self.endpoint = Endpoint::Tcp { host: host.into(), port };
        self
    }

    /// With this TCP port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        let host = match self.endpoint {
            Endpoint::Tcp { host, .. } => host,
            Endpoint::Unix(_) => "localhost".to_owned(),
        };
        self.endpoint = Endpoint::Tcp { host, port };
        self
    }

    /// Over this Unix socket instead of TCP, where the system has them.
    #[must_use]
    pub fn with_unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.endpoint = Endpoint::Unix(path.into());
        self.tls = false;
        self
    }

    /// With this database number.
    #[must_use]
    pub fn with_database(mut self, number: u32) -> Self {
        self.database = number;
        self
    }

    /// As this user. Without one, a password is that of the server's default user.
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

    /// With TLS, or without. It takes the feature `redis-tls`; without that the store is refused.
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

    /// In this namespace: a prefix of all keys, so that several stores share a server. An empty one is none.
    ///
    /// Python's library has no namespaces, and does not find what is written in one.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// With this time-out of making a connection, logging in included; not zero.
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

    /// With at most so many connections, at least 1; a call waits for one that is free. It is a matter of the blocking
    /// store: the async one has a single connection, on which calls do not wait for each other.
    #[must_use]
    pub fn with_pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// The client of these options; no I/O.
    pub(super) fn client(&self) -> Result<redis::Client> {
        let refuse = |message: &'static str| Err(Error::new(ErrorKind::Configuration, message));
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return refuse("a time-out is zero; it takes a positive time");
        }
        if self.pool_size == 0 {
            return refuse("the pool size is 0; it takes 1 or more");
        }
        if self.username.is_some() && self.password.is_none() {
            return refuse("there is a user and no password; a user takes one, an empty one perhaps");
        }
        let address = match &self.endpoint {
            Endpoint::Tcp { host, .. } if host.is_empty() => return refuse("the host is empty"),
            Endpoint::Tcp { host, .. } if matches!(&**host, "0.0.0.0" | "::") => {
                return refuse("the host is an address that means every address; it takes one to connect to");
            }
            Endpoint::Tcp { host, port } if self.tls => {
                redis::ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            Endpoint::Tcp { host, port } => redis::ConnectionAddr::Tcp(host.clone(), *port),
            Endpoint::Unix(_) if self.tls => return refuse("TLS over a Unix socket is not supported"),
            Endpoint::Unix(_) if !cfg!(unix) => return refuse("this system has no Unix sockets"),
            Endpoint::Unix(path) => redis::ConnectionAddr::Unix(path.clone()),
        };
        let mut login = redis::RedisConnectionInfo::default().set_db(self.database.into()).set_skip_set_lib_name();
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        // A batch is longer than a packet, and its last part must not wait for an acknowledgement.
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        let wrong = |_| Error::new(ErrorKind::Configuration, "the server's address cannot be used");
        let info = redis::IntoConnectionInfo::into_connection_info(address).map_err(wrong)?;
        self.open(info.set_redis_settings(login).set_tcp_settings(tcp))
    }

    #[cfg(feature = "redis-tls")]
    fn open(&self, info: redis::ConnectionInfo) -> Result<redis::Client> {
        // The error's own text could show a part of the PEM.
        let wrong =
            |_| Error::new(ErrorKind::Configuration, "the certificates or the key are no PEM text of that kind");
        // The client takes the process's own, and panics where there is none.
        if self.tls && rustls::crypto::CryptoProvider::get_default().is_none() {
            // The error is that somebody else was first.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        if self.ca_certificate.is_none() && self.client_certificate.is_none() {
            return redis::Client::open(info).map_err(wrong);
        }
        let client_tls = self.client_certificate.clone();
        let client_tls = client_tls.map(|(client_cert, client_key)| redis::ClientTlsConfig { client_cert, client_key });
        let certificates = redis::TlsCertificates { client_tls, root_cert: self.ca_certificate.clone() };
        redis::Client::build_with_tls(info, certificates).map_err(wrong)
    }

    #[cfg(not(feature = "redis-tls"))]
    fn open(&self, info: redis::ConnectionInfo) -> Result<redis::Client> {
        if self.tls {
            let message = "TLS is not built in; enable the feature `redis-tls` of this crate";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let wrong = |_| Error::new(ErrorKind::Configuration, "the server's address cannot be used");
        redis::Client::open(info).map_err(wrong)
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |is_set: bool| if is_set { "set" } else { "none" };
        f.debug_struct("RedisOptions")
            .field("endpoint", &self.endpoint)
            .field("tls", &self.tls)
            .field("database", &self.database)
            .field("username", &self.username)
            .field("password", &hidden(self.password.is_some()))
            .field("namespace", &self.namespace)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("pool_size", &self.pool_size)
            .field("ca_certificate", &hidden(self.ca_certificate.is_some()))
            .field("client_certificate", &hidden(self.client_certificate.is_some()))
            .finish()
    }
}

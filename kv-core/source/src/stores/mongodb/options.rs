//! Where the servers are and how to reach them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, HostInfo, ReadPreference, SelectionCriteria, ServerAddress, Tls,
    TlsOptions, WriteConcern,
};

/// Where MongoDB is, how to log in, and which time-outs hold.
///
/// Nothing is contacted by making options. The `Debug` form shows no password.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_source::stores::{MongoOptions, MongoStore};
///
/// # fn main() -> kv_source::Result<()> {
/// let options = MongoOptions::from_url("mongodb://localhost:27017/?replicaSet=rs0")?
///     .with_username("app")
///     .with_password("s3cret")
///     .with_database("shop")
///     .with_response_timeout(Duration::from_secs(1));
/// assert!(!format!("{options:?}").contains("s3cret"));
/// let store = MongoStore::with_options(options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct MongoOptions {
    url: ConnectionString,
    pub(super) database: String,
    pub(super) namespace: Option<String>,
    username: Option<String>,
    password: Option<String>,
    tls: Option<bool>,
    ca_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pool_size: u32,
}

impl Default for MongoOptions {
    /// `localhost`, port 27017, without TLS, user and namespace.
    fn default() -> Self {
        let mut url = ConnectionString::default();
        url.host_info =
            HostInfo::HostIdentifiers(vec![ServerAddress::Tcp { host: "localhost".to_owned(), port: None }]);
        Self::of(url)
    }
}

fn refuse<T>(message: impl Into<std::borrow::Cow<'static, str>>) -> Result<T> {
    Err(Error::new(ErrorKind::Configuration, message))
}

impl MongoOptions {
    /// The port unless told another.
    pub const DEFAULT_PORT: u16 = 27017;
    /// The database unless told another: that of Python's library.
    pub const DEFAULT_DATABASE: &str = "kv-store-adapter";
    /// Both time-outs unless told others: 5 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The most connections to one server unless told another number.
    pub const DEFAULT_POOL_SIZE: u32 = 16;

    /// What a URL says, in MongoDB's own format.
    ///
    /// | URL | means |
    /// | --- | --- |
    /// | `mongodb://[user:password@]host[:port][,host...][/database][?option=value&...]` | these servers |
    /// | `mongodb+srv://[user:password@]name[/database][?...]` | those that DNS names, over TLS; takes the feature `mongodb-srv` |
    ///
    /// User and password are percent-encoded. A database in the path is the store's, and the one that the user is of
    /// unless `authSource` says otherwise. `connectTimeoutMS`, `socketTimeoutMS` and `maxPoolSize` are what
    /// [`with_connect_timeout`](Self::with_connect_timeout), [`with_response_timeout`](Self::with_response_timeout) and
    /// [`with_pool_size`](Self::with_pool_size) set. `w`, `journal`, `readConcernLevel`, `retryWrites`, `retryReads`,
    /// `replicaSet`, `directConnection`, `tls...`, `authMechanism` and `appName` hold as in every driver. A read
    /// preference other than `primary` is refused: a store must read what was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for another scheme (the message lists the valid ones), and for a part that is wrong.
    /// The message shows nothing of a URL with a password.
    ///
    /// # Examples
    ///
    /// ```
    /// use kv_source::stores::MongoOptions;
    ///
    /// assert!(MongoOptions::from_url("mongodb://app:p%40ss@db1.example.com,db2.example.com:27018/shop?tls=true").is_ok());
    /// let error = MongoOptions::from_url("postgres://localhost").unwrap_err();
    /// assert!(error.message().contains("mongodb://"));
    /// ```
    pub fn from_url(url: &str) -> Result<Self> {
        let is_srv = url.starts_with("mongodb+srv://");
        if !is_srv && !url.starts_with("mongodb://") {
            return refuse("the server's URL begins with none of mongodb://, mongodb+srv://");
        }
        if is_srv && !cfg!(feature = "mongodb-srv") {
            return refuse(
                "mongodb+srv:// takes the feature `mongodb-srv` of this crate; mongodb:// names the servers",
            );
        }
        let url = ConnectionString::parse(url).or_else(|error| match url.contains('@') || url.contains("assword") {
            // What stands wrong could be the password.
            true => refuse(
                "the URL is wrong; it is mongodb://[user:password@]host[:port][,...][/database][?options], \
                 with user and password percent-encoded",
            ),
            false => refuse(format!("the URL is wrong: {}", error.kind)),
        })?;
        let is_primary = |preference: &ReadPreference| matches!(preference, ReadPreference::Primary);
        if !url.read_preference.as_ref().is_none_or(is_primary) {
            return refuse("the URL's readPreference is not `primary`, and a store must read what was written");
        }
        Ok(Self::of(url))
    }

    fn of(url: ConnectionString) -> Self {
        #[allow(deprecated, reason = "the driver does not heed it; this store does")]
        let response_timeout = url.socket_timeout;
        let positive = |timeout: Option<Duration>| timeout.filter(|timeout| !timeout.is_zero());
        Self {
            database: url.default_database.clone().unwrap_or_else(|| Self::DEFAULT_DATABASE.to_owned()),
            namespace: None,
            username: None,
            password: None,
            tls: None,
            ca_file: None,
            client_certificate_file: None,
            connect_timeout: positive(url.connect_timeout).unwrap_or(Self::DEFAULT_TIMEOUT),
            response_timeout: positive(response_timeout).unwrap_or(Self::DEFAULT_TIMEOUT),
            pool_size: url.max_pool_size.filter(|size| *size > 0).unwrap_or(Self::DEFAULT_POOL_SIZE),
            url,
        }
    }

    /// With this server instead.
    #[must_use]
    pub fn with_server(mut self, host: impl Into<String>, port: u16) -> Self {
        self.url.host_info =
            HostInfo::HostIdentifiers(vec![ServerAddress::Tcp { host: host.into(), port: Some(port) }]);
        self
    }

    /// With this database.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.database = name.into();
        self
    }

    /// In this namespace: a prefix of all collections, so that several stores share a database. An empty one is none.
    ///
    /// Python's library has no namespaces, and does not find what is written in one.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// As this user, of the database `admin` unless the URL says otherwise.
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

    /// With TLS, or without.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Over TLS, trusting the certificates of this PEM file instead of Mozilla's, which are built in.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls = Some(true);
        self.ca_file = Some(path.into());
        self
    }

    /// Over TLS, showing the certificate of this PEM file, in which its key stands too.
    #[must_use]
    pub fn with_client_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls = Some(true);
        self.client_certificate_file = Some(path.into());
        self
    }

    /// With this time-out of finding a server, and of making a connection, logging in included; not zero.
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

    /// With at most so many connections to one server, at least 1; a call waits for one that is free.
    #[must_use]
    pub fn with_pool_size(mut self, connections: u32) -> Self {
        self.pool_size = connections;
        self
    }

    /// Refuses what cannot work, without I/O.
    pub(super) fn check(&self) -> Result<()> {
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return refuse("a time-out is zero; it takes a positive time");
        }
        if self.pool_size == 0 {
            return refuse("the pool size is 0; it takes 1 or more");
        }
        if self.username.is_some() != self.password.is_some() {
            return refuse("there is a user without a password, or a password without a user");
        }
        if self.tls == Some(false) && (self.ca_file.is_some() || self.client_certificate_file.is_some()) {
            return refuse("there are certificates and no TLS");
        }
        Ok(())
    }

    /// The URL that the driver is to look up.
    pub(super) fn url(&self) -> ConnectionString {
        self.url.clone()
    }

    /// What the driver made of the URL, with what else was said.
    pub(super) fn complete(&self, mut options: ClientOptions) -> ClientOptions {
        options.app_name.get_or_insert_with(|| "kv".to_owned());
        options.connect_timeout = Some(self.connect_timeout);
        options.server_selection_timeout = Some(self.connect_timeout);
        options.max_pool_size = Some(self.pool_size);
        options.max_connecting = Some(options.max_connecting.unwrap_or(4));
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        options.write_concern.get_or_insert_with(|| WriteConcern::builder().w(Acknowledgment::Majority).build());
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            let mut credential = options.credential.take().unwrap_or_default();
            credential.username = Some(username.clone());
            credential.password = Some(password.clone());
            options.credential = Some(credential);
        }
        match self.tls {
            Some(false) => options.tls = Some(Tls::Disabled),
            Some(true) => {
                let mut tls = match options.tls.take() {
                    Some(Tls::Enabled(tls)) => tls,
                    _ => TlsOptions::default(),
                };
                tls.ca_file_path = self.ca_file.clone().or(tls.ca_file_path);
                tls.cert_key_file_path = self.client_certificate_file.clone().or(tls.cert_key_file_path);
                options.tls = Some(Tls::Enabled(tls));
            }
            None => {}
        }
        options
    }

    /// The servers, for people.
    pub(super) fn servers(&self) -> String {
        let shown = |server: &ServerAddress| match server {
            ServerAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{}", port.unwrap_or(27017)),
            other => other.to_string(),
        };
        match &self.url.host_info {
            HostInfo::HostIdentifiers(servers) => servers.iter().map(shown).collect::<Vec<_>>().join(","),
            HostInfo::DnsRecord(name) => format!("srv:{name}"),
            _ => "?".to_owned(),
        }
    }
}

impl fmt::Debug for MongoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url_user = self.url.credential.as_ref().and_then(|credential| credential.username.as_ref());
        let url_password = self.url.credential.as_ref().is_some_and(|credential| credential.password.is_some());
        let hidden = |is_set: bool| if is_set { "set" } else { "none" };
        f.debug_struct("MongoOptions")
            .field("servers", &self.servers())
            .field("database", &self.database)
            .field("namespace", &self.namespace)
            .field("username", &self.username.as_ref().or(url_user))
            .field("password", &hidden(self.password.is_some() || url_password))
            .field("tls", &self.tls.unwrap_or(matches!(self.url.tls, Some(Tls::Enabled(_)))))
            .field("ca_file", &self.ca_file)
            .field("client_certificate_file", &hidden(self.client_certificate_file.is_some()))
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("pool_size", &self.pool_size)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls() {
        for (url, servers, database, connect, answer, pool) in [
            ("mongodb://localhost", "localhost:27017", "kv-store-adapter", 5000, 5000, 16),
            ("mongodb://[::1]:7000/", "[::1]:7000", "kv-store-adapter", 5000, 5000, 16),
            ("mongodb://a,b:1/shop?replicaSet=r", "a:27017,b:1", "shop", 5000, 5000, 16),
            ("mongodb://u:p%40@h/?authSource=x&w=1", "h:27017", "kv-store-adapter", 5000, 5000, 16),
            (
                "mongodb://h/?connectTimeoutMS=70&socketTimeoutMS=80&maxPoolSize=9",
                "h:27017",
                "kv-store-adapter",
                70,
                80,
                9,
            ),
            ("mongodb://h/?readPreference=primary", "h:27017", "kv-store-adapter", 5000, 5000, 16),
        ] {
            let options = MongoOptions::from_url(url).unwrap();
            assert_eq!((&*options.servers(), &*options.database), (servers, database), "{url}");
            let millis = |timeout: Duration| timeout.as_millis();
            assert_eq!((millis(options.connect_timeout), millis(options.response_timeout)), (connect, answer), "{url}");
            assert_eq!(options.pool_size, pool);
            options.check().unwrap();
        }
        assert_eq!(MongoOptions::default().servers(), "localhost:27017");
    }

    #[test]
    fn bad_urls_show_no_secret() {
        for (url, says) in [
            ("", "mongodb://, mongodb+srv://"),
            ("localhost:27017", "mongodb://, mongodb+srv://"),
            ("redis://u:hunter2@h", "mongodb://, mongodb+srv://"),
            ("mongodb://", "URL is wrong"),
            ("mongodb://u:hunter2@", "percent-encoded"),
            ("mongodb://u:hunter2@h:99999", "percent-encoded"),
            ("mongodb://u:hunter2@x@h", "percent-encoded"),
            ("mongodb://h:0x/", "URL is wrong"),
            ("mongodb://h/?connectTimeoutMS=x", "connecttimeoutms"),
            ("mongodb://h/?readPreference=secondary", "readPreference"),
        ] {
            let error = MongoOptions::from_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(error.message().contains(says), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error}");
        }
        if !cfg!(feature = "mongodb-srv") {
            let error = MongoOptions::from_url("mongodb+srv://h.example.com").unwrap_err();
            assert!(error.message().contains("mongodb-srv"), "{error}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let plain = MongoOptions::default;
        for options in [
            plain().with_connect_timeout(Duration::ZERO),
            plain().with_response_timeout(Duration::ZERO),
            plain().with_pool_size(0),
            plain().with_username("u"),
            plain().with_password("p"),
            plain().with_ca_file("/x").with_tls(false),
        ] {
            assert_eq!(options.check().unwrap_err().kind(), ErrorKind::Configuration);
        }
    }

    #[test]
    fn what_is_said_beside_the_url_holds() {
        let options = MongoOptions::from_url("mongodb://u:hunter2@h/?w=2").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        let options = options.with_username("v").with_password("hunter3").with_ca_file("/ca.pem").with_server("i", 5);
        let shown = format!("{options:?}");
        assert!(shown.contains("\"v\"") && shown.contains("i:5") && !shown.contains("hunter"), "{shown}");
        let mut parsed = ClientOptions::default();
        parsed.write_concern = options.url().write_concern;
        let complete = options.complete(parsed);
        assert_eq!(complete.write_concern.unwrap().w, Some(Acknowledgment::Nodes(2)));
        assert_eq!(complete.credential.unwrap().username.as_deref(), Some("v"));
        assert!(matches!(complete.tls, Some(Tls::Enabled(tls)) if tls.ca_file_path.is_some()));
        let complete = MongoOptions::default().complete(ClientOptions::default());
        assert_eq!(complete.write_concern.unwrap().w, Some(Acknowledgment::Majority));
        assert_eq!(complete.server_selection_timeout, Some(MongoOptions::DEFAULT_TIMEOUT));
        assert!(complete.credential.is_none() && complete.tls.is_none());
    }
}

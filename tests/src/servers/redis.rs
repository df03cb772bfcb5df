//! Redis and Valkey.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Kind;
use super::address::{Address, encode, login};
use super::launch::{advice, find};
use super::private::{Private, private};
use super::recipe::{Place, Recipe, host};
use crate::error::{Error, Result};
use crate::need::Unavailable;
use crate::resp;

pub(super) fn program(kind: Kind) -> &'static str {
    if kind == Kind::Valkey { "valkey-server" } else { "redis-server" }
}

/// Its version, which also tells it from the other one.
fn version(kind: Kind, client: &mut resp::Client) -> Result<String> {
    let field = if kind == Kind::Valkey { "valkey_version" } else { "redis_version" };
    let version = client.info("server", field)?;
    version.ok_or_else(|| Error::new(format!("this server is not {}: it tells no {field}", kind.name())))
}

pub(super) fn ask(kind: Kind, address: &Address) -> Result<String> {
    version(kind, &mut connect(address)?)
}

pub(super) fn connect(address: &Address) -> Result<resp::Client> {
    if address.tls {
        return Err(Error::new("this plain client does not speak TLS"));
    }
    let mut client = resp::Client::tcp(&address.host, address.port)?;
    log_in(&mut client, address.user.as_deref(), address.password.as_deref())?;
    Ok(client)
}

fn log_in(client: &mut resp::Client, user: Option<&str>, password: Option<&str>) -> Result<()> {
    let Some(password) = password else { return Ok(()) };
    let words: Vec<&str> = std::iter::once("AUTH").chain(user).chain([password]).collect();
    client.command(&words)?.text().map(drop)
}

/// How a private Redis or Valkey is to be.
#[derive(Clone)]
pub struct Options {
    kind: Kind,
    password: Option<String>,
    user: Option<(String, String)>,
    unix: bool,
    unix_only: bool,
    tls: bool,
    client_certs: bool,
    persist: bool,
    directives: String,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("kind", &self.kind).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Options {
    /// A plain server of this kind: TCP on loopback, no password, nothing kept over a restart.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            password: None,
            user: None,
            unix: true,
            unix_only: false,
            tls: false,
            client_certs: false,
            persist: false,
            directives: String::new(),
        }
    }

    /// One that is shared has no Unix socket: its folder may be too deep for a socket's path.
    pub(super) fn shared(kind: Kind) -> Self {
        Self { unix: false, ..Self::new(kind) }
    }

    /// A plain Redis.
    pub fn redis() -> Self {
        Self::new(Kind::Redis)
    }

    /// A plain Valkey.
    pub fn valkey() -> Self {
        Self::new(Kind::Valkey)
    }

    /// The default user needs this password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self
    }

    /// A user of this name who may do everything. Without [`password`](Self::password), the default user is off. The
    /// password may hold no white space.
    #[must_use]
    pub fn acl_user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Listens on its Unix socket alone (every private server has one, see [`Private::unix_socket`]).
    #[must_use]
    pub fn unix_only(mut self) -> Self {
        self.unix_only = true;
        self
    }

    /// Its TCP port speaks TLS only, with certificates of its own, see [`Private::certs`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// As [`tls`](Self::tls), and a client must show a certificate.
    #[must_use]
    pub fn tls_with_client_certs(mut self) -> Self {
        (self.tls, self.client_certs) = (true, true);
        self
    }

    /// Every write is on disk before it is answered, so it is there after [`Private::kill9`] and a restart.
    #[must_use]
    pub fn persist(mut self) -> Self {
        self.persist = true;
        self
    }

    /// The most memory it takes, such as `2mb`. Writes beyond it are refused.
    #[must_use]
    pub fn maxmemory(self, limit: &str) -> Self {
        self.directive("maxmemory", &[limit]).directive("maxmemory-policy", &["noeviction"])
    }

    /// Any other line of its configuration.
    #[must_use]
    pub fn directive(mut self, name: &str, values: &[&str]) -> Self {
        self.directives.push_str(&directive(name, values));
        self
    }

    fn login(&self) -> (Option<&str>, Option<&str>) {
        match (&self.user, &self.password) {
            (Some((name, word)), _) => (Some(name), Some(word)),
            (None, password) => (None, password.as_deref()),
        }
    }

    /// Over its Unix socket, past TLS and any proxy, or over TCP where it has none.
    fn admin(&self, place: Place<'_>) -> Result<resp::Client> {
        let mut client = match self.unix {
            true => resp::Client::unix(&socket(place.dir))?,
            false => resp::Client::tcp("127.0.0.1", place.port)?,
        };
        let (user, password) = self.login();
        log_in(&mut client, user, password)?;
        Ok(client)
    }

    fn config(&self, place: Place<'_>) -> String {
        let Self { password, user, tls, client_certs, persist, directives, .. } = self;
        let port = place.port.to_string();
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut text = [
            directive("bind", &["127.0.0.1"]),
            directive("port", &[if *tls { "0" } else { &port }]),
            directive("dir", &[&path(place.dir.into())]),
            directive("save", &[""]),
            directive("appendonly", &[if *persist { "yes" } else { "no" }]),
            directive("appendfsync", &["always"]),
        ]
        .concat();
        if self.unix {
            text += &directive("unixsocket", &[&path(socket(place.dir))]);
        }
        if let Some(certs) = place.certs {
            text += &directive("tls-port", &[&port]);
            text += &directive("tls-cert-file", &[&path(certs.cert())]);
            text += &directive("tls-key-file", &[&path(certs.key())]);
            text += &directive("tls-ca-cert-file", &[&path(certs.ca())]);
            text += &directive("tls-auth-clients", &[if *client_certs { "yes" } else { "no" }]);
        }
        if let Some(password) = password {
            text += &directive("requirepass", &[password]);
        }
        if let Some((name, word)) = user {
            text += &directive("user", &[name, "on", &format!(">{word}"), "~*", "&*", "+@all"]);
            if password.is_none() {
                text += &directive("user", &["default", "off"]);
            }
        }
        text + directives
    }
}

impl Recipe for Options {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn wants_port(&self) -> bool {
        !self.unix_only
    }

    fn wants_certs(&self) -> bool {
        self.tls
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        let name = program(self.kind);
        let program =
            find(name).ok_or_else(|| Error::new(format!("{name} is not installed; {}", advice(self.kind))))?;
        let config = place.dir.join("conf");
        std::fs::write(&config, self.config(place))?;
        // One that was killed leaves its socket behind.
        let _ = std::fs::remove_file(socket(place.dir));
        let mut command = Command::new(program);
        command.arg(config);
        Ok(command)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        let mut client = self.admin(place)?;
        // While it loads its data it answers an error.
        client.command(&["PING"])?.text()?;
        version(self.kind, &mut client)
    }

    fn url(&self, place: Place<'_>) -> String {
        let (user, password) = self.login();
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://{}{}:{}", login(user, password), host(self.tls), place.port)
    }
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("sock")
}

/// A line of a configuration file, with its values quoted.
fn directive(name: &str, values: &[&str]) -> String {
    let quoted = values.iter().map(|value| format!(" \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    std::iter::once(name.to_owned()).chain(quoted).chain(["\n".to_owned()]).collect()
}

/// Starts a Redis or Valkey of one's own on a free loopback port, and waits until it answers.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for. Give it to
/// [`need`](crate::need).
pub fn private_redis(options: Options) -> Result<Private, Unavailable> {
    private(options)
}

impl Private<Options> {
    /// Its Unix socket, which it always has and which never speaks TLS.
    pub fn unix_socket(&self) -> PathBuf {
        socket(self.dir())
    }

    /// `redis+unix:///path`, with user and password as query.
    pub fn unix_url(&self) -> String {
        let (user, password) = self.recipe().login();
        let pairs = [("user", user), ("pass", password)];
        let pairs: Vec<_> =
            pairs.iter().filter_map(|(name, it)| it.map(|it| format!("{name}={}", encode(it)))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("redis+unix://{}{mark}{}", self.unix_socket().display(), pairs.join("&"))
    }

    /// A new connection over its Unix socket, logged in: to look at what it holds, past any proxy, and to command it
    /// (`CLIENT PAUSE`, `DEBUG SLEEP`, ...).
    ///
    /// # Errors
    /// When it does not answer.
    pub fn admin(&self) -> Result<resp::Client> {
        self.recipe().admin(self.place())
    }

    /// One command over [`admin`](Self::admin).
    ///
    /// # Errors
    /// When it does not answer.
    pub fn command(&self, args: &[&str]) -> Result<resp::Reply> {
        self.admin()?.command(args)
    }
}

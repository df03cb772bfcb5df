//! Real servers: the shared ones that `just services-up` starts, and private ones for one test.

mod launch;
mod private;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::launch::wait;
pub use self::launch::{find_program, is_running, start_shared, stop_shared};
pub use self::private::{Options, Private, private_redis};
use crate::error::{Context, Error, Result};
use crate::need::{Unavailable, check_skip};
use crate::resp;

/// The kinds of server that tests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Valkey];

    /// As `KV_SKIP` and the state files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        }
    }

    /// Its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }

    /// The environment variable that names a server to use instead of one that we start.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Redis => "KV_REDIS_URL",
            Self::Valkey => "KV_VALKEY_URL",
        }
    }

    fn version(self, client: &mut resp::Client) -> Result<String> {
        let field = match self {
            Self::Redis => "redis_version",
            Self::Valkey => "valkey_version",
        };
        let version = client.info("server", field)?;
        version.ok_or_else(|| Error::new(format!("this server is not {}: it tells no {field}", self.name())))
    }
}

/// A server that answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `redis` or `valkey`.
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
    /// A new plain connection, to look at what the server holds. Logs in with what the URL says.
    ///
    /// # Errors
    /// When it does not answer or refuses.
    pub fn client(&self) -> Result<resp::Client> {
        Address::parse(&self.url)?.client()
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

/// As [`redis`] and [`valkey`], by kind.
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
    let answer = server.client().and_then(|mut client| client.command(&["PING"])?.text());
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
    let address = Address::parse(&url).context(doing)?;
    // A server behind TLS is taken on trust: the tests' own client will tell.
    let version = match address.tls {
        true => "unknown".to_owned(),
        false => address.client().and_then(|mut client| kind.version(&mut client)).context(doing)?,
    };
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

fn advice(kind: Kind) -> String {
    format!("run: just services-up (or name a server in {}, or {} in KV_SKIP)", kind.variable(), kind.name())
}

/// What a URL says: `redis[s]://[[user]:password@]host[:port][/db]`, or the same with `valkey`.
#[derive(Debug)]
struct Address {
    tls: bool,
    user: Option<String>,
    password: Option<String>,
    host: String,
    port: u16,
}

impl Address {
    fn parse(url: &str) -> Result<Self> {
        // No part of the URL in the message: it may be the password.
        let wrong = || Error::new("not a URL like redis://user:password@host:port/db");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(wrong()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) =
            authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(decode(user)), Some(decode(password))),
            None => (None, None),
        };
        let given = |part: Option<String>| part.filter(|part| !part.is_empty());
        // A colon inside brackets belongs to the address: [::1]
        let (host, port) = match place.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (place, 6379),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = if host.is_empty() { "localhost" } else { host }.to_owned();
        Ok(Self { tls, user: given(user), password: given(password), host, port })
    }

    fn client(&self) -> Result<resp::Client> {
        if self.tls {
            return Err(Error::new("this plain client does not speak TLS"));
        }
        let mut client = resp::Client::tcp(&self.host, self.port)?;
        log_in(&mut client, self.user.as_deref(), self.password.as_deref())?;
        Ok(client)
    }
}

fn log_in(client: &mut resp::Client, user: Option<&str>, password: Option<&str>) -> Result<()> {
    let Some(password) = password else { return Ok(()) };
    let words: Vec<&str> = std::iter::once("AUTH").chain(user).chain([password]).collect();
    client.command(&words)?.text().map(drop)
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let parts = |url: &str| {
            let address = Address::parse(url).unwrap();
            (address.tls, address.user, address.password, address.host, address.port)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("redis://localhost"), (false, None, None, "localhost".into(), 6379));
        assert_eq!(parts("rediss://[::1]:7000/2"), (true, None, None, "::1".into(), 7000));
        assert_eq!(parts("valkey://:p%40s%2f@h:1?x=1"), (false, None, some("p@s/"), "h".into(), 1));
        assert_eq!(parts("redis://me:s@x@h:1/0"), (false, some("me"), some("s@x"), "h".into(), 1));
        let odd = "a b/ü:%@";
        assert_eq!(parts(&format!("redis://{0}:{0}@h", encode(odd))), (false, some(odd), some(odd), "h".into(), 6379));
        for wrong in ["localhost:6379", "http://secret@h", "redis://h:99999"] {
            let message = Address::parse(wrong).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}

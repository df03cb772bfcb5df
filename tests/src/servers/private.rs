//! A server for one test.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::launch::{Started, directive, find_program, free_port, start, wait};
use super::{Kind, Server, advice, encode, log_in};
use crate::error::{Context, Error, Result};
use crate::need::{Unavailable, check_skip};
use crate::resp;
use crate::tls::Certs;

/// How a private server is to be.
#[derive(Clone)]
pub struct Options {
    kind: Kind,
    password: Option<String>,
    user: Option<(String, String)>,
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
            unix_only: false,
            tls: false,
            client_certs: false,
            persist: false,
            directives: String::new(),
        }
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
}

/// A server of one test's own. Dropping it kills it and removes its files.
pub struct Private {
    options: Options,
    server: Server,
    dir: TempDir,
    certs: Option<Certs>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    guard: Option<Child>,
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.server, f)
    }
}

/// Starts a server of one's own on a free loopback port, and waits until it answers.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for. Give it to
/// [`need`](crate::need).
pub fn private_redis(options: Options) -> Result<Private, Unavailable> {
    let kind = options.kind;
    check_skip(kind.name())?;
    if find_program(kind).is_none() {
        return Err(Error::new(format!("{} is not installed; {}", kind.program(), advice(kind))).into());
    }
    Ok(Private::new(options).context(|| format!("a private {}", kind.name()))?)
}

impl Private {
    fn new(options: Options) -> Result<Self> {
        // A socket's path must fit in about 100 bytes, so its folder is not deep.
        let dir = tempfile::Builder::new().prefix("kv-").tempdir()?;
        let certs = options.tls.then(Certs::generate).transpose()?;
        let server = Server {
            name: options.kind.name().into(),
            version: String::new(),
            url: String::new(),
            host: "127.0.0.1".into(),
            port: 0,
            pid: None,
        };
        let mut private = Self { options, server, dir, certs, running: None };
        for _ in 0..10 {
            private.server.port = if private.options.unix_only { 0 } else { free_port()? };
            if private.launch()? {
                private.server.version = private.options.kind.version(&mut private.admin()?)?;
                private.server.url = private.make_url();
                return Ok(private);
            }
        }
        Err(Error::new("every port was taken"))
    }

    fn config(&self) -> String {
        let Options { password, user, tls, client_certs, persist, directives, .. } = &self.options;
        let port = self.server.port.to_string();
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut text = [
            directive("bind", &["127.0.0.1"]),
            directive("port", &[if *tls { "0" } else { &port }]),
            directive("unixsocket", &[&path(self.unix_socket())]),
            directive("dir", &[&path(self.dir.path().into())]),
            directive("save", &[""]),
            directive("appendonly", &[if *persist { "yes" } else { "no" }]),
            directive("appendfsync", &["always"]),
        ]
        .concat();
        if let Some(certs) = &self.certs {
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

    /// Starts the process; `false` when its port is taken.
    fn launch(&mut self) -> Result<bool> {
        let config = self.dir.path().join("conf");
        std::fs::write(&config, self.config())?;
        // One that was killed leaves its socket behind.
        let _ = std::fs::remove_file(self.unix_socket());
        match start(self.options.kind, self.dir.path(), &config, false, || self.admin())? {
            Started::PortTaken => Ok(false),
            Started::Up(child) => {
                self.server.pid = Some(child.id());
                let guard = guard(child.id(), self.dir.path());
                self.running = Some(Running { child, guard });
                Ok(true)
            }
        }
    }

    fn login(&self) -> (Option<&str>, Option<&str>) {
        match (&self.options.user, &self.options.password) {
            (Some((name, word)), _) => (Some(name), Some(word)),
            (None, password) => (None, password.as_deref()),
        }
    }

    fn make_url(&self) -> String {
        let (user, password) = self.login();
        let login = password.map(|word| format!("{}:{}@", encode(user.unwrap_or_default()), encode(word)));
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        // A certificate is for the name or for the address; this is the name that people write.
        let host = if self.options.tls { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{}{host}:{}", login.unwrap_or_default(), self.server.port)
    }

    /// What it is and where.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// For a client library: `redis://` or `rediss://`, with user and password.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Its TCP port, the same after a restart; 0 if it listens on its Unix socket alone.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its Unix socket, which it always has and which never speaks TLS.
    pub fn unix_socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// `redis+unix:///path`, with user and password as query.
    pub fn unix_url(&self) -> String {
        let (user, password) = self.login();
        let pairs = [("user", user), ("pass", password)];
        let pairs: Vec<_> =
            pairs.iter().filter_map(|(name, it)| it.map(|it| format!("{name}={}", encode(it)))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("redis+unix://{}{mark}{}", self.unix_socket().display(), pairs.join("&"))
    }

    /// Its certificates, when it speaks TLS.
    pub fn certs(&self) -> Option<&Certs> {
        self.certs.as_ref()
    }

    /// The folder of its data, its configuration and its log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A new connection over its Unix socket, logged in: to look at what it holds, past any proxy, and to command it
    /// (`CLIENT PAUSE`, `DEBUG SLEEP`, ...).
    ///
    /// # Errors
    /// When it does not answer.
    pub fn admin(&self) -> Result<resp::Client> {
        let mut client = resp::Client::unix(&self.unix_socket())?;
        let (user, password) = self.login();
        log_in(&mut client, user, password)?;
        Ok(client)
    }

    /// One command over [`admin`](Self::admin).
    ///
    /// # Errors
    /// When it does not answer.
    pub fn command(&self, args: &[&str]) -> Result<resp::Reply> {
        self.admin()?.command(args)
    }

    /// Whether its process runs (a paused one does).
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// Asks it to end, and waits until it has. Data stays as far as it was kept on disk.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        self.server.pid = None;
        // A stopped process would take the other signal only later.
        running.signal(Signal::CONT)?;
        running.signal(Signal::TERM)?;
        if !wait(Duration::from_secs(5), || !matches!(running.child.try_wait(), Ok(None))) {
            running.child.kill()?;
        }
        running.end();
        Ok(())
    }

    /// Kills it as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill9(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        self.server.pid = None;
        running.end();
        Ok(())
    }

    /// Stops it if it runs and starts it again, on the same port and socket; waits until it answers.
    ///
    /// # Errors
    /// When it does not come up, or somebody else took its port.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        // Whoever took the port may let go of it: a client's connection, most likely.
        for _ in 0..50 {
            if self.launch()? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(Error::new(format!("port {} of a server that restarts was taken by somebody else", self.server.port)))
    }

    /// Stops its process in its tracks: connections stay up and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let running = self.running.as_ref().ok_or_else(|| Error::new("the server does not run"))?;
        running.signal(signal)
    }
}

impl Running {
    fn signal(&self, signal: Signal) -> Result<()> {
        // Our own child that was not waited for: its number is nobody else's.
        let pid = Pid::from_raw(self.child.id().cast_signed()).ok_or_else(|| Error::new("no process"))?;
        rustix::process::kill_process(pid, signal).context(|| "a signal to the server".to_owned())
    }

    fn end(mut self) {
        // The guard first: it must never find the number free and taken by somebody else.
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

/// A process that waits until this one ends, however it ends, and then kills the server and removes its folder: a test
/// that is killed drops nothing.
fn guard(pid: u32, dir: &Path) -> Option<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r _; kill -9 \"$1\"; rm -rf -- \"$2\"", "guard", &pid.to_string()]).arg(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Without one, only the tidying after a killed test is missing.
    command.spawn().ok()
}

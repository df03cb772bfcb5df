//! PostgreSQL: Debian's packages, as their user `postgres` where we are root.

use std::fmt;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::address::{Address, login};
use super::launch::{advice, find};
use super::private::{Private, private};
use super::recipe::{Place, Recipe, host};
use super::wire::{Stream, tcp};
use super::{Kind, UNKNOWN, pgbouncer};
use crate::error::{Context, Error, Result};
use crate::need::Unavailable;

pub(super) const USER: &str = "postgres";
const PACKAGE: &str = "postgresql-15";

/// A program of the server: from the folder of the version that the tests are for, or else the newest one's, or else
/// from the path.
fn program(name: &str) -> Option<PathBuf> {
    let root = Path::new("/usr/lib/postgresql");
    let versions = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    versions.sort_by_key(|version| (*version == 15, *version));
    let folders = versions.into_iter().rev().map(|version| root.join(version.to_string()).join("bin"));
    folders.map(|dir| dir.join(name)).find(|file| file.is_file()).or_else(|| find(name))
}

fn needed(name: &str) -> Result<PathBuf> {
    program(name).ok_or_else(|| Error::new(format!("{name} is not installed; {}", advice(Kind::Postgres))))
}

pub(super) fn missing_packages() -> Vec<&'static str> {
    let all = ["postgres", "initdb", "psql"].iter().all(|name| program(name).is_some());
    let own = (!all).then_some(PACKAGE);
    own.into_iter().chain(pgbouncer::missing_package()).collect()
}

/// User and group that it must run as, for it refuses to be root.
pub(super) fn account() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context(|| "/etc/passwd".to_owned())?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == USER);
    let ids = fields.and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)));
    ids.map(Some).ok_or_else(|| Error::new(format!("there is no user {USER}, which its package makes")))
}

pub(super) fn run_as(command: &mut Command, account: Option<(u32, u32)>) {
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
}

/// Makes it the property of whom the server runs as.
pub(super) fn give(path: &Path, account: Option<(u32, u32)>) -> Result<()> {
    let Some((user, group)) = account else { return Ok(()) };
    chown(path, Some(user), Some(group)).context(|| path.display().to_string())
}

/// The version, as the server tells it to every client that connects.
pub(super) fn ask(address: &Address) -> Result<String> {
    let mut stream = tcp(&address.host, address.port)?;
    let user = address.user.as_deref().unwrap_or(USER);
    let database = address.path.as_deref().unwrap_or(user);
    let version = greet(&mut stream, user, database)?;
    let (Some(password), Some(program)) = (&address.password, program("psql")) else { return Ok(version) };
    if version != UNKNOWN {
        return Ok(version);
    }
    // It wants to see the password, which is a longer talk.
    let mut command = Command::new(program);
    command.args(["-h", &address.host, "-p", &address.port.to_string(), "-U", user, "-d", database]);
    command.args(["-w", "-X", "-A", "-t", "-c", "SHOW server_version"]).env("PGPASSWORD", password);
    let told = crate::python::run(&mut command).context(|| "logging in".to_owned())?;
    Ok(told.split_whitespace().next().unwrap_or(UNKNOWN).to_owned())
}

pub(super) fn greet(stream: &mut dyn Stream, user: &str, database: &str) -> Result<String> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for text in ["user", user, "database", database, ""] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    let length = u32::try_from(body.len() + 4).map_err(|_| Error::new("a name too long"))?;
    stream.write_all(&[&length.to_be_bytes()[..], &body].concat())?;
    let mut version = None;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length).saturating_sub(4).min(1 << 16);
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body)?;
        match kind {
            // What kind of proof it wants; none is 0.
            b'R' if body != [0; 4] => return Ok(UNKNOWN.to_owned()),
            b'S' => {
                let mut words = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
                if words.next().is_some_and(|name| name == "server_version") {
                    version = words.next().and_then(|text| text.split(' ').next().map(str::to_owned));
                }
            }
            b'Z' => break,
            b'E' => {
                let fields: Vec<_> = body.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
                let message = fields.iter().find_map(|field| field.strip_prefix('M')).unwrap_or_default();
                return Err(Error::new(format!("it refuses: {message}")));
            }
            _ => {}
        }
    }
    // A goodbye, or it writes a complaint into its log.
    stream.write_all(b"X\0\0\0\x04")?;
    version.ok_or_else(|| Error::new("this server is not postgres: it tells no server_version"))
}

/// How a private PostgreSQL is to be. Its one user is `postgres`, its one database too.
#[derive(Clone, Default)]
pub struct PostgresOptions {
    password: Option<String>,
    tls: bool,
    plain: bool,
    settings: Vec<(String, String)>,
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// A plain one: no password, no TLS. What it answered stays over a restart and over [`Private::kill9`] (but not
    /// over a power failure, for nothing is forced to disk).
    pub fn new() -> Self {
        Self { plain: true, ..Self::default() }
    }

    /// TLS for who wants it.
    pub(super) fn shared() -> Self {
        Self { tls: true, ..Self::new() }
    }

    /// Its user needs this password, by SCRAM.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Its port speaks TLS only, with certificates of its own, see [`Private::certs`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        (self.tls, self.plain) = (true, false);
        self
    }

    /// Any setting of its configuration, such as `statement_timeout`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

impl Recipe for PostgresOptions {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    fn wants_certs(&self) -> bool {
        self.tls
    }

    fn prepare(&self, place: Place<'_>) -> Result<()> {
        let account = account()?;
        std::fs::set_permissions(place.dir, std::fs::Permissions::from_mode(0o700))?;
        give(place.dir, account)?;
        let data = place.dir.join("data");
        let words = place.dir.join("password");
        let mut command = Command::new(needed("initdb")?);
        command.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        if let Some(password) = &self.password {
            std::fs::write(&words, format!("{password}\n"))?;
            give(&words, account)?;
            command.arg("--pwfile").arg(&words);
        }
        run_as(&mut command, account);
        crate::python::run(command.current_dir(place.dir))?;
        // Over its socket, which only this user and root reach, it trusts.
        let how = if self.password.is_some() { "scram-sha-256" } else { "trust" };
        let host = if self.plain { "host" } else { "hostssl" };
        let mut text = "local all all trust\n".to_owned();
        for address in ["127.0.0.1/32", "::1/128"] {
            text += &format!("{host} all all {address} {how}\n{host} replication all {address} {how}\n");
        }
        std::fs::write(data.join("pg_hba.conf"), text)?;
        if let Some(certs) = place.certs {
            // Copies, for it takes no key that is not its user's own.
            for (from, name) in [(certs.ca(), "ca.crt"), (certs.cert(), "server.crt"), (certs.key(), "server.key")] {
                let file = data.join(name);
                std::fs::copy(from, &file)?;
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
                give(&file, account)?;
            }
        }
        Ok(())
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        let mut command = Command::new(needed("postgres")?);
        command.arg("-D").arg(place.dir.join("data")).args(["-p", &place.port.to_string()]);
        let socket = place.dir.to_string_lossy();
        let fixed = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &socket),
            // What it answered survives its end, and that is all a test can see.
            ("fsync", "off"),
            // In its folder, and so removed with it when it was killed.
            ("dynamic_shared_memory_type", "mmap"),
            ("max_connections", "300"),
            ("ssl", if self.tls { "on" } else { "off" }),
        ];
        let asked = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in fixed.into_iter().chain(asked) {
            command.args(["-c", &format!("{name}={value}")]);
        }
        run_as(&mut command, account()?);
        Ok(command)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        let path = socket(place.dir, place.port);
        let mut stream = UnixStream::connect(&path).context(|| path.display().to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        greet(&mut stream, USER, USER)
    }

    fn url(&self, place: Place<'_>) -> String {
        let only_tls = self.tls && !self.plain;
        let login = login(Some(USER), self.password.as_deref());
        let query = if only_tls { "?sslmode=require" } else { "" };
        format!("postgres://{login}{}:{}/{USER}{query}", host(only_tls), place.port)
    }

    fn stop_signal(&self) -> Signal {
        // The other one waits until the last client has gone.
        Signal::INT
    }
}

fn socket(dir: &Path, port: u16) -> PathBuf {
    dir.join(format!(".s.PGSQL.{port}"))
}

/// Starts a PostgreSQL of one's own on a free loopback port, and waits until it answers.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for. Give it to
/// [`need`](crate::need).
pub fn private_postgres(options: PostgresOptions) -> Result<Private<PostgresOptions>, Unavailable> {
    private(options)
}

impl Private<PostgresOptions> {
    /// Runs SQL as its user, over its socket and so past any proxy, TLS and password. Answers the rows, a line each, with
    /// `|` between the columns.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub fn sql(&self, text: &str) -> Result<String> {
        let mut command = Command::new(needed("psql")?);
        let port = self.port().to_string();
        command.arg("-h").arg(self.dir()).args(["-p", &port, "-U", USER, "-d", USER]);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", text]);
        Ok(crate::python::run(&mut command)?.trim_end().to_owned())
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.dir().join("data")
    }
}

//! MongoDB: SecantusDB, which speaks its protocol on MongoDB's own storage engine, built from its crate.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::{Address, login};
use super::private::{Private, private};
use super::recipe::{Place, Recipe, host};
use super::wire::{Stream, tcp};
use super::{Kind, UNKNOWN, find, launch};
use crate::cached;
use crate::error::{Error, Result};
use crate::need::Unavailable;
use crate::python::run;

pub(super) const PROGRAM: &str = "secantusd-rs";
const CRATE: &str = "secantus-mdb";
const VERSION: &str = "0.5.3-beta.196";

fn folder() -> String {
    format!("{CRATE}-{VERSION}")
}

pub(super) fn is_prepared() -> bool {
    cached::has(&folder())
}

/// The server, built if it is not there yet: that takes some minutes, once.
pub(super) fn program() -> Result<PathBuf> {
    let build = |new: &Path| {
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        // It asks for a later compiler than this project has, and needs none.
        let how = ["--version", VERSION, "--locked", "--ignore-rust-version", "--root"];
        cargo.args(["install", CRATE]).args(how).arg(new);
        // Nothing of this project's is for it, and nothing of it for this project's folder.
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "RUSTFLAGS", "RUSTC_WRAPPER"] {
            cargo.env_remove(name);
        }
        run(cargo.current_dir(new)).map(drop)
    };
    Ok(cached::folder(&folder(), build)?.join("bin").join(PROGRAM))
}

/// What it is built with.
pub(super) fn missing_packages() -> Vec<&'static str> {
    if is_prepared() {
        return Vec::new();
    }
    [("cmake", "cmake"), ("c++", "g++")]
        .iter()
        .filter(|(program, _)| find(program).is_none())
        .map(|both| both.1)
        .collect()
}

pub(super) fn ask(address: &Address) -> Result<String> {
    version(&mut tcp(&address.host, address.port)?)
}

/// What `buildInfo` tells, which needs no login.
fn version(stream: &mut dyn Stream) -> Result<String> {
    let answer = call(stream, &bson(&[("buildInfo", Value::Int(1)), ("$db", Value::Text("admin"))]))?;
    match field(&answer, "version") {
        Some(version) => match field(&answer, "secantusVersion") {
            Some(own) => Ok(format!("{version} (SecantusDB {own})")),
            None => Ok(version),
        },
        None => match field(&answer, "codeName").as_deref() {
            Some("Unauthorized") => Ok(UNKNOWN.to_owned()),
            _ => Err(Error::new(format!("it refuses: {}", field(&answer, "errmsg").unwrap_or_default()))),
        },
    }
}

enum Value<'a> {
    Int(i32),
    Text(&'a str),
    /// An array or a document, as its bytes.
    Array(Vec<u8>),
    Document(Vec<u8>),
}

fn bson(fields: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let (kind, bytes) = match value {
            Value::Int(int) => (0x10, int.to_le_bytes().to_vec()),
            Value::Text(text) => (0x02, [&length(text.len() + 1), text.as_bytes(), b"\0"].concat()),
            Value::Document(bytes) => (0x03, bytes.clone()),
            Value::Array(bytes) => (0x04, bytes.clone()),
        };
        body.push(kind);
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(&bytes);
    }
    [&length(body.len() + 5)[..], &body, b"\0"].concat()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// Sends one command and answers the document that comes back.
fn call(stream: &mut dyn Stream, command: &[u8]) -> Result<Vec<u8>> {
    let size = length(16 + 4 + 1 + command.len());
    // Request 1, an answer to none, the one kind of message there is (2013), no flags, one document.
    let head: [[u8; 4]; 5] = [size, length(1), length(0), length(2013), length(0)];
    stream.write_all(&[&head.concat(), &b"\0"[..], command].concat())?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut rest = vec![0; (u32::from_le_bytes(size) as usize).clamp(21, 1 << 20) - 4];
    stream.read_exact(&mut rest)?;
    Ok(rest.split_off(17))
}

/// A text field of the document's first level.
fn field(document: &[u8], name: &str) -> Option<String> {
    let mut rest = document.get(4..)?;
    loop {
        let (&kind, after) = rest.split_first()?;
        let end = after.iter().position(|byte| *byte == 0)?;
        let (found, value) = (&after[..end], &after[end + 1..]);
        let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize);
        if kind == 0x02 && found == name.as_bytes() {
            let text = value.get(4..3 + number(value)?)?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        let size = match kind {
            0x01 | 0x09 | 0x11 | 0x12 => 8,
            0x02 => 4 + number(value)?,
            0x03 | 0x04 => number(value)?,
            0x05 => 5 + number(value)?,
            0x07 => 12,
            0x08 => 1,
            0x0a => 0,
            0x10 => 4,
            0x13 => 16,
            _ => return None,
        };
        rest = value.get(size..)?;
    }
}

/// How a private MongoDB is to be.
#[derive(Clone, Default)]
pub struct MongodbOptions {
    user: Option<(String, String)>,
    tls: bool,
    memory: bool,
    arguments: Vec<String>,
}

impl fmt::Debug for MongodbOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongodbOptions").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl MongodbOptions {
    /// A plain one: no login, no TLS. Its data stays over a restart. It takes `configureFailPoint`.
    ///
    /// To its clients it is the one member of a replica set, and tells them its own address: through a proxy, a client
    /// needs `directConnection=true`.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn shared() -> Self {
        Self { memory: true, ..Self::default() }
    }

    /// Only this user, who may do everything, may do anything, by SCRAM.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Its port speaks TLS only, with certificates of its own, see [`Private::certs`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Keeps nothing on disk, and starts a little sooner.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.memory = true;
        self
    }

    /// Any other argument of its command line, such as `--standalone`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn bare(&self, place: Place<'_>, port: u16) -> Result<Command> {
        let mut command = Command::new(program()?);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--storage-path"]);
        match self.memory && self.user.is_none() {
            true => command.arg(":memory:"),
            // It is not lost if the server is killed, as it would be by default.
            false => command.arg(place.dir.join("data")).arg("--sync-on-commit"),
        };
        // With a small cache and a long history of changes it becomes slow after some ten thousand writes.
        command.args(["--cache-size", "1G", "--oplog-max-entries", "10000"]);
        command.args(["--enable-test-commands", "--log-level", "WARNING"]);
        // What is to be in memory is really in a temporary folder, which stays if it is killed: so it goes with the rest.
        command.env("TMPDIR", place.dir).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }
}

impl Recipe for MongodbOptions {
    fn kind(&self) -> Kind {
        Kind::Mongodb
    }

    fn wants_certs(&self) -> bool {
        self.tls
    }

    /// The user is made while nobody needs to be one.
    fn prepare(&self, place: Place<'_>) -> Result<()> {
        let Some((name, word)) = &self.user else { return Ok(()) };
        for _ in 0..10 {
            let place = Place { port: launch::free_port()?, certs: None, ..place };
            let open = Open(self);
            let launch::Started::Up(mut child, _) = launch::start(&open, place, false)? else { continue };
            let made = open.make_user(place, name, word);
            // Let it end by itself, for the user must reach the disk.
            let pid = rustix::process::Pid::from_raw(child.id().cast_signed());
            let asked = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
            if asked.is_none_or(|asked| asked.is_err())
                || !launch::wait(launch::STOP_TIMEOUT, || !matches!(child.try_wait(), Ok(None)))
            {
                child.kill()?;
            }
            child.wait()?;
            return made;
        }
        Err(Error::new("every port was taken"))
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        let mut command = self.bare(place, place.port)?;
        if self.user.is_some() {
            command.arg("--auth");
        }
        if let Some(certs) = place.certs {
            command.arg("--tls-cert-file").arg(certs.cert()).arg("--tls-key-file").arg(certs.key());
        }
        command.args(&self.arguments);
        Ok(command)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        let mut plain = tcp("127.0.0.1", place.port)?;
        match place.certs {
            Some(certs) => version(&mut crate::tls::client(plain, &certs.ca())?),
            None => version(&mut plain),
        }
    }

    fn url(&self, place: Place<'_>) -> String {
        let user = self.user.as_ref();
        let login = login(user.map(|user| user.0.as_str()), user.map(|user| user.1.as_str()));
        let query = if self.tls { "/?tls=true" } else { "" };
        format!("mongodb://{login}{}:{}{query}", host(self.tls), place.port)
    }
}

/// The same server before it asks who somebody is.
struct Open<'a>(&'a MongodbOptions);

impl Open<'_> {
    fn make_user(&self, place: Place<'_>, name: &str, word: &str) -> Result<()> {
        let role = bson(&[("role", Value::Text("root")), ("db", Value::Text("admin"))]);
        let roles = bson(&[("0", Value::Document(role))]);
        let command = bson(&[
            ("createUser", Value::Text(name)),
            ("pwd", Value::Text(word)),
            ("roles", Value::Array(roles)),
            ("$db", Value::Text("admin")),
        ]);
        let answer = call(&mut tcp("127.0.0.1", place.port)?, &command)?;
        match field(&answer, "errmsg") {
            Some(message) => Err(Error::new(format!("the user cannot be made: {message}"))),
            None => Ok(()),
        }
    }
}

impl Recipe for Open<'_> {
    fn kind(&self) -> Kind {
        Kind::Mongodb
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        self.0.bare(place, place.port)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        version(&mut tcp("127.0.0.1", place.port)?)
    }

    fn url(&self, _: Place<'_>) -> String {
        String::new()
    }
}

/// Starts a MongoDB of one's own on a free loopback port, and waits until it answers.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for. Give it to
/// [`need`](crate::need).
pub fn private_mongodb(options: MongodbOptions) -> Result<Private<MongodbOptions>, Unavailable> {
    private(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_field_behind_others() {
        let inner = bson(&[("version", Value::Text("no"))]);
        let document = bson(&[
            ("a", Value::Int(1)),
            ("b", Value::Document(inner.clone())),
            ("c", Value::Array(inner)),
            ("d", Value::Text("x")),
            ("version", Value::Text("8.2")),
        ]);
        assert_eq!(field(&document, "version").as_deref(), Some("8.2"));
        assert_eq!(field(&document, "none"), None);
        for end in 0..document.len() {
            field(&document[..end], "version");
        }
    }
}

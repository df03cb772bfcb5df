//! A server for one test.

use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::launch::{STOP_TIMEOUT, Started, free_port, start, wait};
use super::recipe::{Place, Recipe};
use super::{Options, Server};
use crate::error::{Context, Error, Result};
use crate::need::{Unavailable, check_skip};
use crate::tls::Certs;

/// A server of one test's own, made by this recipe. Dropping it kills it and removes its files.
pub struct Private<R: Recipe = Options> {
    recipe: R,
    server: Server,
    dir: TempDir,
    certs: Option<Certs>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    guard: Option<Child>,
}

impl<R: Recipe> fmt::Debug for Private<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.server, f)
    }
}

/// Starts a server of one's own on a free loopback port, and waits until it answers.
pub(super) fn private<R: Recipe>(recipe: R) -> Result<Private<R>, Unavailable> {
    let name = recipe.name();
    check_skip(recipe.kind().name())?;
    check_skip(name)?;
    Ok(Private::new(recipe).context(|| format!("a private {name}"))?)
}

impl<R: Recipe> Private<R> {
    fn new(recipe: R) -> Result<Self> {
        // A socket's path must fit in about 100 bytes, so its folder is not deep.
        let dir = tempfile::Builder::new().prefix("kv-").tempdir()?;
        let certs = recipe.wants_certs().then(Certs::generate).transpose()?;
        let server = Server {
            name: recipe.name().into(),
            version: String::new(),
            url: String::new(),
            host: "127.0.0.1".into(),
            port: 0,
            pid: None,
        };
        let mut private = Self { recipe, server, dir, certs, running: None };
        private.recipe.prepare(private.place())?;
        for _ in 0..10 {
            private.server.port = if private.recipe.wants_port() { free_port()? } else { 0 };
            if private.launch()? {
                private.server.url = private.recipe.url(private.place());
                return Ok(private);
            }
        }
        Err(Error::new("every port was taken"))
    }

    /// Starts the process; `false` when its port is taken.
    fn launch(&mut self) -> Result<bool> {
        match start(&self.recipe, self.place(), false)? {
            Started::Busy => Ok(false),
            Started::Up(child, version) => {
                self.server.version = version;
                self.server.pid = Some(child.id());
                let guard = guard(child.id(), self.dir.path());
                self.running = Some(Running { child, guard });
                Ok(true)
            }
        }
    }

    pub(super) fn recipe(&self) -> &R {
        &self.recipe
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { dir: self.dir.path(), port: self.server.port, certs: self.certs.as_ref() }
    }

    /// What it is and where.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// For a client library, with user and password.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Its TCP port, the same after a restart; 0 if it listens on none.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its certificates, when it speaks TLS.
    pub fn certs(&self) -> Option<&Certs> {
        self.certs.as_ref()
    }

    /// The folder of its data, its configuration and its log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
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
        self.signal_children(Signal::CONT);
        let Some(mut running) = self.running.take() else { return Ok(()) };
        self.server.pid = None;
        // A stopped process would take the other signal only later.
        running.signal(Signal::CONT)?;
        running.signal(self.recipe.stop_signal())?;
        if !wait(STOP_TIMEOUT, || !matches!(running.child.try_wait(), Ok(None))) {
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
        // Children of a killed one end by themselves, unless they are paused.
        self.signal_children(Signal::CONT);
        let Some(running) = self.running.take() else { return Ok(()) };
        self.server.pid = None;
        running.end();
        Ok(())
    }

    /// Stops it if it runs and starts it again, on the same port and with the same data; waits until it answers.
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
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(Error::new(format!("port {} of a server that restarts was taken by somebody else", self.server.port)))
    }

    /// Stops its processes in their tracks: connections stay up and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        // The first one first, so that it makes no more of them.
        self.signal(Signal::STOP)?;
        self.signal_children(Signal::STOP);
        Ok(())
    }

    /// Lets a paused one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal_children(Signal::CONT);
        self.signal(Signal::CONT)
    }

    /// One process for each connection, as PostgreSQL has it.
    fn signal_children(&self, signal: Signal) {
        let Some(pid) = self.server.pid else { return };
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            // One that is gone is as good as stopped.
            let _ = rustix::process::kill_process(child, signal);
        }
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

impl<R: Recipe> Drop for Private<R> {
    fn drop(&mut self) {
        let _ = self.kill9();
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

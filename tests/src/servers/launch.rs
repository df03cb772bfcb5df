//! Starting and stopping the processes.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Access, StatVfsMountFlags};
use rustix::process::{Pid, Signal};

use super::recipe::{Place, Recipe};
use super::{Kind, Server, recorded, state_dir, state_file};
use crate::error::{Context, Error, Result};
use crate::tls::Certs;

/// Most are there within a second; a virtual machine of Java on a machine that is busy is not.
const START_TIMEOUT: Duration = Duration::from_secs(90);
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Where this program is, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The system folders are not on everybody's path.
    let system = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(program)).find(|file| file.is_file())
}

pub(super) fn advice(kind: Kind) -> String {
    let how = if kind.is_ours() { "run: just services-up (or name" } else { "there is none to install (name" };
    format!("{how} a server in {}, or {} in KV_SKIP)", kind.variable(), kind.name())
}

/// A loopback port that was free a moment ago. Somebody else may take it first, so a start on it is tried again.
pub(super) fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // A cluster bus would use the port 10000 above.
        if port < 55_536 {
            return Ok(port);
        }
    }
    Err(Error::new("no free loopback port below 55536"))
}

/// How a server came up, or did not.
pub(super) enum Started {
    /// With the version that it tells.
    Up(Child, String),
    /// What it needs, a port most likely, is still somebody else's.
    Busy,
}

/// What servers say, each in its own words, when their port or their data is not theirs yet.
const BUSY: &[&str] = &[
    "Address already in use",
    "Failed listening on port",
    "BindHttpException",
    "BindTransportException",
    "pre-existing shared memory block",
    "lock file \"postmaster.pid\" already exists",
];

/// Starts the server and waits until it answers. Its folder takes its log.
pub(super) fn start(recipe: &dyn Recipe, place: Place<'_>, detached: bool) -> Result<Started> {
    let name = recipe.name();
    let log = place.dir.join("log");
    let output = OpenOptions::new().create(true).write(true).truncate(true).open(&log)?;
    let mut command = recipe.command(place)?;
    command.current_dir(place.dir).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    if detached {
        // Ctrl-C is for who started it, not for a server that is to stay.
        command.process_group(0);
    }
    let mut child = command.spawn().context(|| command.get_program().display().to_string())?;
    let deadline = Instant::now() + START_TIMEOUT;
    let failed = loop {
        if let Some(status) = child.try_wait()? {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if BUSY.iter().any(|words| text.contains(words)) {
                return Ok(Started::Busy);
            }
            break format!("ended with {status}");
        }
        let last = match recipe.probe(place) {
            Ok(version) => return Ok(Started::Up(child, version)),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            break format!("did not answer within {START_TIMEOUT:?} ({last})");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let tail: Vec<&str> = text.lines().rev().take(15).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(Error::new(format!("{name} {failed}; its last words:\n{}", tail.join("\n"))))
}

/// Where the shared server of this kind keeps its data and its log.
fn home(kind: Kind) -> Result<PathBuf> {
    let dir = state_dir();
    std::fs::create_dir_all(&dir).context(|| dir.display().to_string())?;
    // The server's own working directory is this one, and it would take a relative path from there.
    let dir = dir.canonicalize()?;
    let name = || format!("kv-{}-{:016x}", kind.name(), crate::cached::fnv(&[&dir.to_string_lossy()]));
    Ok(match memory() {
        Some(memory) => memory.join(name()),
        // It runs as a user of its own, who may not enter a checkout in somebody's home; and its socket's path is short.
        None if kind == Kind::Postgres => std::env::temp_dir().join(name()),
        None => dir.join(kind.name()),
    })
}

/// A file system in memory that is large enough. The tests make and drop tables and indices by the hundred, most of
/// whose time would go into forcing them to disk; none of them is to outlive the machine.
fn memory() -> Option<PathBuf> {
    const ENOUGH: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    // Its size and not what is free, so that a server that is stopped is looked for where it was started.
    let system = rustix::fs::statvfs(memory).ok().filter(|system| system.f_blocks * system.f_frsize >= ENOUGH)?;
    let is_ours = !system.f_flag.contains(StatVfsMountFlags::RDONLY)
        && rustix::fs::access(memory, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    is_ours.then(|| memory.to_path_buf())
}

/// Starts the shared server of this kind on a free port and records it. It outlives this process.
///
/// # Errors
/// When it is not installed, or does not come up.
pub fn start_shared(kind: Kind) -> Result<Server> {
    let recipe = kind.recipe()?;
    let dir = home(kind)?;
    remove_dir(&dir)?;
    std::fs::create_dir(&dir).context(|| dir.display().to_string())?;
    let certs = recipe.wants_certs().then(Certs::generate).transpose()?;
    let mut place = Place { dir: &dir, port: 0, certs: certs.as_ref() };
    recipe.prepare(place)?;
    for _ in 0..10 {
        place.port = free_port()?;
        let Started::Up(child, version) = start(&*recipe, place, true)? else { continue };
        let server = Server {
            name: kind.name().into(),
            version,
            url: recipe.url(place),
            host: "127.0.0.1".into(),
            port: place.port,
            pid: Some(child.id()),
        };
        let kept = (|| {
            // Renamed into place, so that nobody reads half of it.
            let path = state_file(kind);
            let new = path.with_extension("new");
            std::fs::write(&new, serde_json::to_vec_pretty(&server)?)?;
            std::fs::rename(&new, &path).context(|| path.display().to_string())
        })();
        return kept.inspect_err(|_| end(child)).map(|()| server);
    }
    Err(Error::new(format!("{} found every port taken", kind.name())))
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether the process that was recorded is this server still, and not another that got its number since.
pub fn is_running(server: &Server) -> bool {
    let (Some(pid), Some(kind)) = (server.pid, Kind::named(&server.name)) else { return false };
    // A dead process that nobody waited for has an empty command line.
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    // Each has its program and its port in it, as argument or as title.
    let port = server.port.to_string();
    line.contains(kind.mark()) && line.split(|char: char| !char.is_ascii_digit()).any(|number| number == port)
}

/// Stops the shared server of this kind, if one is recorded, and forgets it. Answers whether it ran.
///
/// # Errors
/// When it cannot be stopped.
pub fn stop_shared(kind: Kind) -> Result<Option<Server>> {
    let found = recorded(kind)?;
    let mut stopped = None;
    if let Some(server) = found.filter(is_running) {
        let pid = server.pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
        for signal in [Signal::CONT, kind.recipe()?.stop_signal(), Signal::KILL] {
            let gone = || !is_running(&server);
            if let Some(pid) = pid.filter(|_| is_running(&server)) {
                // Gone in between is as good as stopped.
                let _ = rustix::process::kill_process(pid, signal);
            }
            if signal != Signal::CONT && wait(STOP_TIMEOUT, gone) {
                break;
            }
        }
        if is_running(&server) {
            return Err(Error::new(format!("{server:?} does not stop")));
        }
        stopped = Some(server);
    }
    match std::fs::remove_file(state_file(kind)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    remove_dir(&home(kind)?)?;
    Ok(stopped)
}

fn remove_dir(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context(|| dir.display().to_string()),
        _ => Ok(()),
    }
}

/// Waits until it is so, and answers whether it came to be.
pub(crate) fn wait(limit: Duration, mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

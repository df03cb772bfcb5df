//! Starting and stopping the processes.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::{Kind, Server, recorded, state_dir, state_file};
use crate::error::{Context, Error, Result};
use crate::resp;

const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where this kind's program is, if it is installed.
pub fn find_program(kind: Kind) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The system folders are not on everybody's path.
    let system = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(kind.program())).find(|file| file.is_file())
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
    Up(Child),
    /// Somebody else took the port.
    PortTaken,
}

/// Starts the program with this configuration file and waits until it answers. `dir` takes its log and its output.
pub(super) fn start(
    kind: Kind,
    dir: &Path,
    config: &Path,
    detached: bool,
    connect: impl Fn() -> Result<resp::Client>,
) -> Result<Started> {
    let missing = || Error::new(format!("{} is not installed; {}", kind.program(), super::advice(kind)));
    let program = find_program(kind).ok_or_else(missing)?;
    let log = dir.join("log");
    let output = OpenOptions::new().create(true).write(true).truncate(true).open(&log)?;
    let mut command = Command::new(&program);
    command.arg(config).current_dir(dir).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    if detached {
        // Ctrl-C is for who started it, not for a server that is to stay.
        command.process_group(0);
    }
    let mut child = command.spawn().context(|| program.display().to_string())?;
    let deadline = Instant::now() + START_TIMEOUT;
    let failed = loop {
        if let Some(status) = child.try_wait()? {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if text.contains("Address already in use") || text.contains("Failed listening on port") {
                return Ok(Started::PortTaken);
            }
            break format!("ended with {status}");
        }
        // While it loads its data it answers an error.
        let last = match connect().and_then(|mut client| client.command(&["PING"])?.text()) {
            Ok(_) => return Ok(Started::Up(child)),
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
    Err(Error::new(format!("{} {failed}; its last words:\n{}", kind.program(), tail.join("\n"))))
}

/// A line of a configuration file, with its values quoted.
pub(super) fn directive(name: &str, values: &[&str]) -> String {
    let quoted = values.iter().map(|value| format!(" \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    std::iter::once(name.to_owned()).chain(quoted).chain(["\n".to_owned()]).collect()
}

/// Starts the shared server of this kind on a free port and records it. It outlives this process.
///
/// # Errors
/// When it is not installed, or does not come up.
pub fn start_shared(kind: Kind) -> Result<Server> {
    let dir = state_dir().join(kind.name());
    std::fs::create_dir_all(&dir).context(|| dir.display().to_string())?;
    // The server's own working directory is this one, and it would take a relative path from there.
    let dir = dir.canonicalize()?;
    let config = dir.join("conf");
    for _ in 0..10 {
        let port = free_port()?;
        let text = [
            directive("bind", &["127.0.0.1"]),
            directive("port", &[&port.to_string()]),
            directive("save", &[""]),
            directive("appendonly", &["no"]),
            directive("dir", &[&dir.to_string_lossy()]),
        ];
        std::fs::write(&config, text.concat())?;
        let connect = || resp::Client::tcp("127.0.0.1", port);
        let Started::Up(child) = start(kind, &dir, &config, true, connect)? else { continue };
        let server = connect().and_then(|mut client| kind.version(&mut client)).map(|version| Server {
            name: kind.name().into(),
            version,
            url: format!("redis://127.0.0.1:{port}"),
            host: "127.0.0.1".into(),
            port,
            pid: Some(child.id()),
        });
        let kept = server.and_then(|server| {
            // Renamed into place, so that nobody reads half of it.
            let (new, path) = (dir.join("state"), state_file(kind));
            std::fs::write(&new, serde_json::to_vec_pretty(&server)?)?;
            std::fs::rename(&new, &path).context(|| path.display().to_string())?;
            Ok(server)
        });
        return kept.inspect_err(|_| end(child));
    }
    Err(Error::new(format!("{} found every port taken", kind.program())))
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether the process that was recorded is this server still, and not another that got its number since.
pub fn is_running(server: &Server) -> bool {
    let Some(pid) = server.pid else { return false };
    // A dead process that nobody waited for has an empty command line.
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    // Both servers write their address into it.
    line.contains(&format!("{}-server", server.name)) && line.contains(&format!(":{}", server.port))
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
        for signal in [Signal::CONT, Signal::TERM, Signal::KILL] {
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
    match std::fs::remove_dir_all(state_dir().join(kind.name())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(stopped),
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

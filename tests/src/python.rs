//! The released Python package, in a virtual environment of its own.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::cached;
use crate::error::{Context, Error, Result};
use crate::need::{Unavailable, check_skip};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
/// A command of a session answers within this, or it failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A Python that has the released package.
#[derive(Clone, Debug)]
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// The virtual environment, made if it is not there yet. It stays for later runs, in `KV_CACHE` or the user's cache
    /// folder; several processes may ask at once. `KV_PYTHON` names the interpreter to make it with (`python3`).
    ///
    /// # Errors
    /// When Python is missing or the packages cannot be installed; or the skip that `KV_SKIP` asks for. Give it to
    /// [`need`](crate::need).
    pub fn find() -> Result<Self, Unavailable> {
        check_skip("python")?;
        let how =
            || "the Python package for the interop tests (needs python3 with venv, or python in KV_SKIP)".to_owned();
        Ok(Self::make().context(how)?)
    }

    /// As [`find`](Self::find), for what is not a test of Python.
    pub(crate) fn make() -> Result<Self> {
        let base = std::env::var("KV_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let tell = "import sys; print(sys.version, sys.base_prefix)";
        let version = run(Command::new(&base).args(["-c", tell]))?;
        // Not made elsewhere and moved: the scripts inside hold its path.
        let dir = cached::dir()?.join(format!("venv-{:016x}", cached::fnv(&[REQUIREMENTS, &version])));
        let (program, ready) = (dir.join("bin/python"), dir.join("ready"));
        let python = Self { program };
        if ready.exists() && python.program.exists() {
            return Ok(python);
        }
        // Held until the end of this function; whoever waited finds it done.
        let lock = File::create(dir.with_extension("lock"))?;
        lock.lock().context(|| "the lock of the virtual environment".to_owned())?;
        if ready.exists() && python.program.exists() {
            return Ok(python);
        }
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        run(Command::new(&base).args(["-m", "venv"]).arg(&dir))?;
        let requirements = dir.join("requirements.txt");
        std::fs::write(&requirements, REQUIREMENTS)?;
        let install = || {
            let arguments = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"];
            run(Command::new(&python.program).args(arguments).arg(&requirements))
        };
        // Once more, for a network that hiccups.
        install().or_else(|_| install())?;
        std::fs::write(&ready, "")?;
        Ok(python)
    }

    /// Its interpreter.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a script of `tests/python` to its end, and answers what it printed.
    ///
    /// # Errors
    /// When it fails, with the last it wrote to its error output.
    pub fn run(&self, script: &str, args: &[&str], stdin: &str) -> Result<String> {
        let mut input = tempfile::tempfile()?;
        input.write_all(stdin.as_bytes())?;
        input.rewind()?;
        let mut command = self.command(script);
        let output = command.args(args).stdin(input).output().context(|| script.to_owned())?;
        checked(script, output)
    }

    /// Runs `interop.py` over these commands, and answers its answers.
    ///
    /// # Errors
    /// When the script itself fails. What a store refuses is an answer with `error` in it.
    pub fn run_commands(&self, commands: &[Value]) -> Result<Vec<Value>> {
        let lines: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let output = self.run("interop.py", &[], &lines)?;
        output.lines().map(|line| serde_json::from_str(line).context(|| line.to_owned())).collect()
    }

    /// Starts a session with `interop.py`, which keeps its stores open between commands.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn session(&self) -> Result<Session> {
        let errors = tempfile::tempfile()?;
        let mut command = self.command("interop.py");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
        let mut child = command.spawn().context(|| "interop.py".to_owned())?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (tell, answers) = channel();
        let mut session = Session { child, stdin, answers, errors };
        let stdout = stdout.ok_or_else(|| session.failed("has no output"))?;
        std::thread::Builder::new().name("python-answers".into()).spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(session)
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(crate::servers::package().join("python").join(script));
        command.envs([("PYTHONUTF8", "1"), ("PYTHONDONTWRITEBYTECODE", "1")]);
        command
    }
}

/// A running `interop.py`. Dropping it ends it.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: File,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Session {
    /// Runs one command (see `interop.py` for what there is) and answers what the store answered.
    ///
    /// # Errors
    /// When the store refused, with its error's class and message; when the script ended or does not answer.
    pub fn call(&mut self, command: &Value) -> Result<Value> {
        let answer = self.try_call(command)?;
        match answer.get("error") {
            Some(class) => Err(Error::new(format!("Python: {class}: {} (at {command})", answer["message"]))),
            None => Ok(answer),
        }
    }

    /// As [`call`](Self::call), but what a store refuses is an answer, with `error` and `message` in it.
    ///
    /// # Errors
    /// When the script ended or does not answer.
    pub fn try_call(&mut self, command: &Value) -> Result<Value> {
        let line = format!("{command}\n");
        let sent = self.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.failed("takes no more commands"));
        }
        match self.answers.recv_timeout(ANSWER_TIMEOUT) {
            Ok(line) => serde_json::from_str(&line).context(|| format!("Python answered {line:?}")),
            Err(RecvTimeoutError::Timeout) => Err(self.failed("does not answer")),
            Err(RecvTimeoutError::Disconnected) => Err(self.failed("ended")),
        }
    }

    fn failed(&mut self, how: &str) -> Error {
        let mut text = String::new();
        let read = self.errors.rewind().and_then(|()| self.errors.read_to_string(&mut text));
        Error::new(format!("interop.py {how}: {}", read.map_or("", |_| tail(&text))))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The end of its input lets it close its stores.
        self.stdin = None;
        let ended = crate::servers::wait(Duration::from_secs(5), || !matches!(self.child.try_wait(), Ok(None)));
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = format!(
        "{} {}",
        command.get_program().display(),
        command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    );
    let output = command.stdin(Stdio::null()).output().context(|| name.clone())?;
    checked(&name, output)
}

fn checked(name: &str, output: Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::new(format!("{name} failed ({}): {}", output.status, tail(&String::from_utf8_lossy(&said)))))
}

/// The last two thousand bytes or so.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let from = (text.len().saturating_sub(2000)..=text.len()).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(0)..]
}

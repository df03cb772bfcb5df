//! Subjects in another process, which takes its turns when told over a pipe.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use super::{Op, Subject};

/// The other process. It ends when its input does.
struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn ask(&mut self, line: &str) -> Result<String, String> {
        let input = self.input.as_mut().ok_or("it was closed")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| format!("{line}: {error}"))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|error| format!("{line}: {error}"))?;
        if answer.is_empty() {
            Err(format!("{line}: it ended without an answer"))
        } else {
            Ok(answer.trim().to_owned())
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The peers that link another SQLite than the library does, or know of one, in a process of their own.
pub fn peers(arguments: &[&str]) -> Result<Vec<Box<dyn Subject>>, String> {
    let program = build_peers(&target_directory()?)?;
    start(&program, &arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
}

/// Starts the program, and gives the subjects that it says it has.
fn start(program: &Path, arguments: &[String]) -> Result<Vec<Box<dyn Subject>>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let output = BufReader::new(output.ok_or("it has no output")?);
    let peer = Rc::new(RefCell::new(Peer { child, input, output }));
    let names = peer.borrow_mut().ask("names")?;
    let subject = |name: &str| Box::new(Remote { name: name.to_owned(), peer: Rc::clone(&peer) }) as Box<dyn Subject>;
    Ok(names.split('\t').map(subject).collect())
}

struct Remote {
    name: String,
    peer: Rc<RefCell<Peer>>,
}

impl Remote {
    fn ask(&self, line: &str) -> String {
        self.peer.borrow_mut().ask(line).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Subject for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn has(&self, op: Op) -> bool {
        self.ask(&format!("has\t{}\t{}", self.name, op.name())) == "true"
    }

    fn run(&self, op: Op, start: usize, count: usize) -> f64 {
        let answer = self.ask(&format!("run\t{}\t{}\t{start}\t{count}", self.name, op.name()));
        answer.parse().unwrap_or_else(|_| panic!("{}: {answer} is no time", self.name))
    }
}

/// Where cargo put this program's directory.
pub fn target_directory() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let directory = program.parent().and_then(Path::parent).ok_or("this program stands in no directory")?;
    Ok(directory.to_owned())
}

/// The program with the peers, which clash with ours. Built here, because nothing that cargo builds
/// with this package may depend on it.
fn build_peers(target: &Path) -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers-sqlite");
    let target = target.join("peers-sqlite");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the package peers-sqlite could not be built".to_owned());
    }
    Ok(target.join("release").join("kv-bench-peers-sqlite"))
}

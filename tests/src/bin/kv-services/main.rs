//! Brings up the servers that the tests use, and takes them down again.
//!
//! `up` installs what is missing (Debian and its kin, as root), starts each server on a free loopback port of its own and
//! keeps one that already answers; `down` stops what `up` started; `status` tells; `summary` adds up a test log.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod install;
mod summary;

use std::fs::File;
use std::process::ExitCode;

use kv_tests::servers::{self, Kind, Server};
use kv_tests::{Context as _, Error, Result, is_skipped};

const USAGE: &str = "usage: kv-services up | down | status | summary LOG [FAILED-STEP...]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["up"] => up(),
        ["down"] => down(),
        ["status"] => status().map(|()| true),
        ["summary", log, ref failed @ ..] => summary::print(log, failed),
        _ => Err(Error::new(USAGE)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kv-services: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One `up` or `down` at a time.
fn lock() -> Result<File> {
    let dir = servers::state_dir();
    std::fs::create_dir_all(&dir).context(|| dir.display().to_string())?;
    let file = File::create(dir.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// Every server is tried, so that one run tells all that is missing; all at the same time, for most of it is waiting.
fn up() -> Result<bool> {
    let _lock = lock()?;
    let tried = std::thread::scope(|scope| {
        let threads: Vec<_> = Kind::ALL.map(|kind| (kind, scope.spawn(move || bring_up(kind)))).into_iter().collect();
        let join = |(kind, thread): (Kind, std::thread::ScopedJoinHandle<'_, Result<()>>)| {
            (kind, thread.join().unwrap_or_else(|_| Err(Error::new("its thread panicked"))))
        };
        threads.into_iter().map(join).collect::<Vec<_>>()
    });
    for (kind, result) in &tried {
        if let Err(error) = result {
            eprintln!("kv-services: {}: {error}", kind.name());
        }
    }
    status()?;
    Ok(tried.iter().all(|(_, result)| result.is_ok()))
}

fn bring_up(kind: Kind) -> Result<()> {
    if is_skipped(kind.name()) {
        eprintln!("SKIPPED {} (KV_SKIP)", kind.name());
        return Ok(());
    }
    if servers::external(kind)?.is_some() || !kind.is_ours() {
        return Ok(());
    }
    if servers::shared(kind).is_ok() {
        // What tests start for themselves may need more than the shared one does.
        return install::install(kind);
    }
    // One that is recorded but does not answer, or is not ours any more.
    servers::stop_shared(kind)?;
    install::install(kind)?;
    if !kind.is_prepared() {
        eprintln!("preparing {}, which may take minutes, and is kept ...", kind.name());
        kind.prepare()?;
    }
    servers::start_shared(kind).map(drop)
}

fn down() -> Result<bool> {
    let _lock = lock()?;
    let mut all = true;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_ours()) {
        match servers::stop_shared(kind) {
            Ok(Some(server)) => println!("stopped {server:?}"),
            Ok(None) => {}
            Err(error) => {
                eprintln!("kv-services: {}: {error}", kind.name());
                all = false;
            }
        }
    }
    Ok(all)
}

fn status() -> Result<()> {
    println!("{:<10} {:<28} {:>5} {:>8}  state", "name", "version", "port", "pid");
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_in_use()) {
        let (server, state) = look(kind)?;
        let version = server.as_ref().map_or("-", |server| server.version.as_str());
        let port = server.as_ref().map_or("-".to_owned(), |server| server.port.to_string());
        let pid = server.as_ref().and_then(|server| server.pid).map_or("-".to_owned(), |pid| pid.to_string());
        println!("{:<10} {version:<28} {port:>5} {pid:>8}  {state}", kind.name());
    }
    Ok(())
}

fn look(kind: Kind) -> Result<(Option<Server>, String)> {
    if is_skipped(kind.name()) {
        return Ok((None, "skipped (KV_SKIP)".into()));
    }
    match servers::shared(kind) {
        Ok(server) => {
            let from = if server.pid.is_some() { "up".into() } else { format!("up, from {}", kind.variable()) };
            Ok((Some(server), from))
        }
        Err(_) => match servers::recorded(kind)? {
            Some(server) if servers::is_running(&server) => Ok((Some(server), "does not answer".into())),
            Some(server) => Ok((Some(server), "gone".into())),
            None => Ok((None, "not up".into())),
        },
    }
}

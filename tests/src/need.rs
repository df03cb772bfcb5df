use std::fmt;
use std::io::Write as _;

use crate::error::Error;
use crate::servers;

/// Somebody asked, by `KV_SKIP`, that tests that need this are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// What is skipped: a kind of server, such as `redis`, or `python`.
    pub name: String,
}

impl Skip {
    /// Prints the skip and writes it down for the summary.
    #[allow(clippy::print_stderr, reason = "a skip must be seen")]
    pub fn record(&self) {
        eprintln!("SKIPPED {} (KV_SKIP)", self.name);
        let binary = std::env::current_exe().ok();
        let binary = binary.as_deref().and_then(|path| path.file_stem()).unwrap_or_default().to_string_lossy();
        // Without the hash that cargo appends.
        let binary = binary.rsplit_once('-').map_or(&*binary, |(name, _)| name);
        let thread = std::thread::current();
        let line = format!("{}\t{binary}::{}\n", self.name, thread.name().unwrap_or("?"));
        let dir = servers::state_dir();
        let written = std::fs::create_dir_all(&dir).and_then(|()| {
            // One write of one short line in append mode: tests of several processes do not mix their lines.
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("skipped"))?;
            file.write_all(line.as_bytes())
        });
        if let Err(error) = written {
            eprintln!("the skip could not be recorded in {}: {error}", dir.display());
        }
    }
}

/// Why a test cannot have what it asked for.
#[derive(Debug)]
pub enum Unavailable {
    /// It is to be skipped.
    Skip(Skip),
    /// It is missing or broken, and the message says what to do.
    Failed(Error),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip(skip) => write!(f, "{} is skipped (KV_SKIP)", skip.name),
            Self::Failed(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Unavailable {}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether `KV_SKIP` names this.
pub fn is_skipped(name: &str) -> bool {
    std::env::var("KV_SKIP").is_ok_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(name)))
}

pub(crate) fn check_skip(name: &str) -> Result<(), Unavailable> {
    if is_skipped(name) { Err(Unavailable::Skip(Skip { name: name.to_owned() })) } else { Ok(()) }
}

/// What was asked for, or `None` when it is to be skipped (printed and recorded).
///
/// # Panics
/// When it is missing without anybody having asked for a skip: a test that silently does not run is worse than none.
#[track_caller]
#[allow(clippy::panic, reason = "fails the calling test, as it should")]
pub fn need<T>(found: Result<T, Unavailable>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(Unavailable::Skip(skip)) => {
            skip.record();
            None
        }
        Err(Unavailable::Failed(error)) => panic!("{error}"),
    }
}

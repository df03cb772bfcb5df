//! This program once more, as a process of its own.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The part that the program plays when it is started as a child, and the file to play it on.
const ROLE: &str = "KV_CHILD_ROLE";
const FILE: &str = "KV_CHILD_FILE";

/// Starts the running test program again, with its test `child` alone, which asks for its [`role`].
///
/// # Errors
///
/// Those of starting a process.
pub fn start(role: &str, file: &Path) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
}

/// The role and the file of a child; `None` in a program that is none.
pub fn role() -> Option<(String, PathBuf)> {
    Some((env::var(ROLE).ok()?, env::var_os(FILE)?.into()))
}

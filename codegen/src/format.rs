//! rustfmt, many files at a time.

use std::{
    collections::BTreeMap,
    io::Write,
    num::NonZero,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::error::Error;

/// The texts of `files`, each with the name to use in an error, formatted by the settings in `root`.
///
/// # Errors
///
/// Every file that rustfmt refuses, with what it says.
pub fn format_all(root: &Path, files: &[(String, String)]) -> Result<Vec<String>, Error> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, text)) = files.get(index) else { break };
            let result = format(root, text).map_err(|message| format!("{name}: rustfmt: {}", message.trim_end()));
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut errors = Vec::new();
    let mut texts = Vec::with_capacity(files.len());
    for result in results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
        match result {
            Ok(text) => texts.push(text),
            Err(message) => errors.push(message),
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(Error::Format(errors)) }
}

fn format(root: &Path, text: &str) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    // In `root`, so that its rust-toolchain.toml decides which rustfmt this is.
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", "."])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(said)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads all of its input before it writes; should it end early, its status tells.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(said)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(texts: &[&str]) -> Result<Vec<String>, Error> {
        let files: Vec<_> =
            texts.iter().enumerate().map(|(index, text)| (format!("file {index}"), (*text).to_owned())).collect();
        format_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &files)
    }

    #[test]
    fn texts_come_back_in_their_order() {
        let formatted = format(&["fn a( ) {}", "fn b( ) {}", "mod elsewhere ;"]).unwrap();
        assert_eq!(formatted, ["fn a() {}\n", "fn b() {}\n", "mod elsewhere;\n"]);
    }

    #[test]
    fn every_file_that_rustfmt_refuses_is_named() {
        let error = format(&["fn {", "fn fine() {}", "mod"]).unwrap_err().to_string();
        assert!(error.contains("file 0: rustfmt: ") && error.contains("file 2: rustfmt: "), "{error}");
        assert!(!error.contains("file 1"), "{error}");
    }
}

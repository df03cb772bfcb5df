//! The directory of a store with a file for each collection.

use std::path::Path;

use kv_core::formats::disk::{FileName, parse_file_name};
use kv_core::{Error, ErrorKind, Result};

/// The files of collections in this directory.
pub(super) fn ours(directory: &Path) -> Result<Vec<(String, FileName)>> {
    let unreadable = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => ErrorKind::Configuration,
            _ => ErrorKind::Backend,
        };
        Error::new(kind, format!("the directory {} cannot be read", directory.display())).with_source(error)
    };
    let mut found = Vec::new();
    for file in std::fs::read_dir(directory).map_err(unreadable)? {
        let file = file.map_err(unreadable)?;
        let Ok(name) = file.file_name().into_string() else { continue };
        match parse_file_name(&name) {
            FileName::Foreign => {}
            // Whoever made it has not come to write its name.
            FileName::Hashed if file.metadata().is_ok_and(|about| about.len() == 0) => {}
            parsed => found.push((name, parsed)),
        }
    }
    Ok(found)
}

/// Makes the directory, unless it is there or nothing is to be written.
pub(super) fn make(directory: &Path, read_only: bool) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let refuse = |what: &str| Error::new(ErrorKind::Configuration, format!("{} {what}", directory.display()));
    if directory.exists() {
        return Err(refuse("is a file; the store takes the path of a directory"));
    }
    if read_only {
        return Err(refuse("does not exist, and is only read"));
    }
    match std::fs::create_dir(directory) {
        // Another process may have been first.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(refuse("cannot be made").with_source(error))
        }
        _ => Ok(()),
    }
}

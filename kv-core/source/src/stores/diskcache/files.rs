//! The files of long values, and when they may go.
//!
//! A file is written before its row, and goes after its row went, so that no row ever is without its file. Whoever
//! waits for a write is told when it is kept, and deals with its files then. If nobody waits any more, or the write was
//! undone, they are in doubt, and the next write looks which of them a row has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_core::formats::diskcache::{self, sql};
use kv_core::{Error, ErrorKind};
use parking_lot::Mutex;
use rusqlite::Connection;

use crate::stores::disk::Fault;

/// How often a file is tried to be made: another program may remove its folder, empty, before the file is there.
const TRIES: usize = 10;

/// The files of a directory.
#[derive(Debug, Clone)]
pub(super) struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Whether they are forced to the disk before their rows are written.
    durable: bool,
    in_doubt: Mutex<Vec<InDoubt>>,
}

#[derive(Debug)]
struct InDoubt {
    anchor: Anchor,
    file: String,
}

/// What tells the row that has a file, if one does.
#[derive(Debug)]
enum Anchor {
    Key(String),
    Row(i64),
}

impl Files {
    pub(super) fn new(dir: PathBuf, durable: bool) -> Self {
        Self(Arc::new(Inner { dir, durable, in_doubt: Mutex::default() }))
    }

    /// A new file with this content, for the row of this key.
    pub(super) fn create(&self, key: &str, content: &[u8]) -> Result<NewFile, Error> {
        self.try_create(key, content).map_err(|error| match error.kind() {
            IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded | IoErrorKind::FileTooLarge => {
                Error::new(ErrorKind::Full, "the disk is full; nothing was written").with_source(error)
            }
            IoErrorKind::PermissionDenied => {
                Error::new(ErrorKind::PermissionDenied, "no file may be made in the directory").with_source(error)
            }
            _ => Error::new(ErrorKind::Backend, "the file of a long value could not be written").with_source(error),
        })
    }

    fn try_create(&self, key: &str, content: &[u8]) -> io::Result<NewFile> {
        let mut tries = 1;
        let (mut file, made, path) = loop {
            let name = diskcache::new_file(fastrand::u128(..));
            let path = self.0.dir.join(&name);
            // That it is there already is as well, and the rest shows at once.
            let _ = fs::create_dir_all(path.parent().unwrap_or(&path));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let made = NewFile { files: self.clone(), key: key.to_owned(), name, kept: AtomicBool::new(false) };
                    break (file, made, path);
                }
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        };
        file.write_all(content)?;
        if self.0.durable {
            file.sync_all()?;
            for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.0.dir)) {
                sync_folder(folder)?;
            }
        }
        Ok(made)
    }

    /// The content of a file; `None` if it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.0.dir.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Error::new(ErrorKind::Backend, format!("the file {name} could not be read")).with_source(error))
            }
        }
    }

    /// Removes a file, and its folders if they are empty then. If it is not there that is as well.
    fn remove(&self, name: &str) {
        if !diskcache::is_inside(name) {
            return;
        }
        let path = self.0.dir.join(name);
        let _ = fs::remove_file(&path);
        for folder in path.ancestors().skip(1).take_while(|folder| **folder != *self.0.dir) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    fn doubt(&self, anchor: Anchor, file: String) {
        self.0.in_doubt.lock().push(InDoubt { anchor, file });
    }

    /// Whether there are files of which nobody knows whether a row has them.
    pub(super) fn are_in_doubt(&self) -> bool {
        !self.0.in_doubt.lock().is_empty()
    }

    /// Removes those of them that no row has. The writes that they belong to have ended by now.
    pub(super) fn settle_doubts(&self, connection: &Connection) -> Result<(), Fault> {
        let mut left = std::mem::take(&mut *self.0.in_doubt.lock());
        while let Some(InDoubt { anchor, file }) = left.last() {
            let has_row = match anchor {
                Anchor::Key(key) => connection.prepare_cached(sql::KEY_HAS_FILE)?.exists((key, file)),
                Anchor::Row(rowid) => connection.prepare_cached(sql::ROW_HAS_FILE)?.exists((rowid, file)),
            };
            match has_row {
                Ok(true) => {}
                Ok(false) => self.remove(file),
                Err(error) => {
                    self.0.in_doubt.lock().append(&mut left);
                    return Err(error.into());
                }
            }
            left.pop();
        }
        Ok(())
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Where a folder cannot be opened like a file it need not be.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A file whose row is not written yet, or not known to be.
#[derive(Debug)]
pub(super) struct NewFile {
    files: Files,
    key: String,
    name: String,
    kept: AtomicBool,
}

impl NewFile {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The write that it was made for has ended. Unless that is known to have kept it, it is in doubt.
    pub(super) fn write_ended(&self) {
        if !self.kept.swap(true, Ordering::Relaxed) {
            self.files.doubt(Anchor::Key(self.key.clone()), self.name.clone());
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.write_ended();
    }
}

/// What a write did: to be told when it is kept.
#[derive(Debug)]
pub(super) struct Changes {
    files: Files,
    made: Vec<Arc<NewFile>>,
    doomed: Vec<(i64, String)>,
    written: Vec<i64>,
}

impl Changes {
    pub(super) fn new(files: &Files) -> Self {
        Self { files: files.clone(), made: Vec::new(), doomed: Vec::new(), written: Vec::new() }
    }

    /// This row was written, with this file.
    pub(super) fn wrote(&mut self, rowid: i64, made: Option<&Arc<NewFile>>) {
        self.written.push(rowid);
        self.made.extend(made.cloned());
    }

    /// The rows that were written.
    pub(super) fn written(&self) -> &[i64] {
        &self.written
    }

    /// This row has no longer this file.
    pub(super) fn doom(&mut self, rowid: i64, file: Option<String>) {
        self.doomed.extend(file.map(|file| (rowid, file)));
    }

    /// The write is kept. Answers whether that leaves files to be removed, which takes its time.
    pub(super) fn keep(&mut self) -> bool {
        for made in self.made.drain(..) {
            made.kept.store(true, Ordering::Relaxed);
        }
        !self.doomed.is_empty()
    }

    /// Removes them.
    pub(super) fn remove_doomed(mut self) {
        while let Some((_, file)) = self.doomed.pop() {
            self.files.remove(&file);
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        for (rowid, file) in self.doomed.drain(..) {
            self.files.doubt(Anchor::Row(rowid), file);
        }
    }
}

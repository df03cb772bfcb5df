//! The files of long values.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kv_core::formats::diskcache;

/// How often a file is tried to be made: its folder may be removed, empty, by another program before the file is there.
const TRIES: usize = 10;

/// The files of a directory.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: Arc<Path>,
    /// Whether they are forced to the disk, as the database is where its `synchronous` is FULL.
    durable: bool,
}

impl Files {
    pub(super) fn new(dir: Arc<Path>, durable: bool) -> Self {
        Self { dir, durable }
    }

    /// A new file with this content, which is gone when it is dropped.
    pub(super) fn create(&self, content: &[u8]) -> io::Result<NewFile> {
        let mut tries = 1;
        let (mut file, made) = loop {
            let name = diskcache::new_file(fastrand::u128(..));
            let path = self.dir.join(&name);
            let _ = fs::create_dir_all(path.parent().unwrap_or(&path));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (file, NewFile { files: self.clone(), name: Some(name) }),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        };
        file.write_all(content)?;
        if self.durable {
            file.sync_all()?;
            let mut dir = made.name.as_ref().map(|name| self.dir.join(name));
            while let Some(parent) = dir.as_deref().and_then(Path::parent).map(Path::to_path_buf) {
                sync_dir(&parent)?;
                dir = (parent != *self.dir).then_some(parent);
            }
        }
        Ok(made)
    }

    /// The content of a file; `None` if it is not there.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, and its folders if they are empty then. That it is not there, or is in use elsewhere, is no
    /// failure: its row is gone, and so is the record.
    pub(super) fn remove(&self, name: &str) {
        if !diskcache::is_inside(name) {
            return;
        }
        let path: PathBuf = self.dir.join(name);
        let _ = fs::remove_file(&path);
        let folders = path.ancestors().skip(1).take_while(|folder| **folder != *self.dir);
        for folder in folders {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Where a directory cannot be opened as a file it need not be.
#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// A file that no row has yet.
#[derive(Debug)]
pub(super) struct NewFile {
    files: Files,
    name: Option<String>,
}

impl NewFile {
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// A row has it.
    pub(super) fn keep(mut self) {
        self.name = None;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.files.remove(&name);
        }
    }
}

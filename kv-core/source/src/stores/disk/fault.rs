//! What goes wrong with a database file, and what callers are told of it.

use std::path::Path;
use std::time::Duration;

use kv_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// Why a piece of work on a connection ended.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// We do.
    Ours(Error),
    /// It is too much to be done in place; it is begun anew where it may take its time.
    TooMuchInPlace,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    /// Whether somebody else held a lock for longer than we had patience.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Whether a write may have reached the disk, or not.
    pub(crate) fn leaves_doubt(&self) -> bool {
        self.code() == Some(ErrorCode::SystemIoFailure)
    }

    /// What the caller is told. Every error of SQLite passes here.
    pub(crate) fn into_error(self, path: &Path, patience: Duration) -> Error {
        let error = match self {
            Self::Sqlite(error) => error,
            Self::Ours(error) => return error,
            Self::TooMuchInPlace => return Error::new(ErrorKind::Backend, "a read was given up in place"),
        };
        let path = path.display();
        let said = said(&error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::new(ErrorKind::Timeout, format!("another process holds the lock of {path}; waited {patience:?}"))
            }
            Some(ErrorCode::DiskFull) => Error::new(
                ErrorKind::Full,
                format!("{path} has reached its size limit, or the disk is full; nothing was written"),
            ),
            Some(ErrorCode::ReadOnly) => Error::new(ErrorKind::ReadOnly, format!("{path} cannot be written to")),
            Some(ErrorCode::NotADatabase) => {
                Error::new(ErrorKind::Corrupted, format!("{path} is not an SQLite database; it is left as it is"))
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                Error::new(ErrorKind::Corrupted, format!("the database {path} is damaged; it is left as it is"))
            }
            Some(ErrorCode::CannotOpen) => Error::new(
                ErrorKind::Configuration,
                format!("{path} cannot be opened; does its directory exist, and may it be written to?"),
            ),
            Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
                Error::new(ErrorKind::PermissionDenied, format!("access to {path} is denied"))
            }
            Some(ErrorCode::TooBig) => {
                Error::new(ErrorKind::TooLarge, "the record is larger than SQLite takes in one row")
            }
            // `no such table` and its like: the file is ours by its header and not by what is in it.
            Some(ErrorCode::Unknown) if said.starts_with("no such ") => {
                Error::new(ErrorKind::Corrupted, format!("the database {path} is not laid out as this store's: {said}"))
            }
            Some(ErrorCode::SystemIoFailure) => {
                Error::new(ErrorKind::Backend, format!("reading or writing {path} failed: {said}"))
            }
            _ => Error::new(ErrorKind::Backend, format!("SQLite failed on {path}: {said}")),
        }
    }
}

/// SQLite's own words, which name columns and files and never values.
fn said(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, said) => said.clone().unwrap_or_else(|| code.to_string()),
        // Its text holds the statement, which is ours, with places for values instead of values.
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::InvalidColumnType(index, name, kind) => format!("column {index} ({name}) holds {kind}"),
        _ => "a statement answered what it should not".to_owned(),
    }
}

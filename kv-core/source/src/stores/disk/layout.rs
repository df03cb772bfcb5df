//! Whose file it is, and the tables of a new one.

use std::path::Path;
use std::time::Duration;

use kv_core::formats::disk::{APPLICATION_ID, COLLECTION_SCHEMA, SCHEMA, VERSION};
use kv_core::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension as _};

use super::connect::keep_a_log;
use super::fault::Fault;

/// Prepares a file of ours: that of a store, or that of one collection if it is named.
pub(super) fn prepare(
    connection: &Connection,
    can_write: bool,
    path: &Path,
    patience: Duration,
    collection: Option<&str>,
) -> Result<(), Fault> {
    if is_empty(connection, path)? {
        if !can_write {
            let message = format!("{} holds no store yet, and is only read", path.display());
            return Err(Error::new(ErrorKind::Configuration, message).into());
        }
        // Only an empty file can be told to give freed pages back.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        keep_a_log(connection, patience)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let laid_out = lay_out(connection, path, collection);
        connection.execute_batch(if laid_out.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        laid_out?;
    } else if can_write {
        keep_a_log(connection, patience)?;
    }
    collection.map_or(Ok(()), |collection| check_collection(connection, path, collection))
}

/// What the file says of itself, as of one moment: another process may be laying it out.
const STATE: &str = "SELECT (SELECT application_id FROM pragma_application_id), \
     (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)";

/// Whether there is nothing in this file yet. What is in it must be ours.
fn is_empty(connection: &Connection, path: &Path) -> Result<bool, Fault> {
    let begun = connection.is_autocommit();
    if begun {
        connection.execute_batch("BEGIN")?;
    }
    let state = connection.query_row(STATE, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    if begun {
        connection.execute_batch("ROLLBACK")?;
    }
    let (application, version, tables): (i32, i32, i64) = state?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(true);
    }
    let refuse = |kind, message: String| Err(Error::new(kind, format!("{} {message}", path.display())).into());
    if application != APPLICATION_ID {
        let message = "is the database of another application; it is left as it is, the store takes a file of its own";
        return refuse(ErrorKind::Configuration, message.to_owned());
    }
    match version {
        VERSION => Ok(false),
        newer if newer > VERSION => refuse(
            ErrorKind::Corrupted,
            format!("was written by a newer version: its layout is number {newer}, and this one knows {VERSION}"),
        ),
        other => refuse(ErrorKind::Corrupted, format!("says that its layout is number {other}, which never was")),
    }
}

fn lay_out(connection: &Connection, path: &Path, collection: Option<&str>) -> Result<(), Fault> {
    // Another process may have been first.
    if !is_empty(connection, path)? {
        return Ok(());
    }
    connection.execute_batch(SCHEMA)?;
    if let Some(collection) = collection {
        connection.execute_batch(COLLECTION_SCHEMA)?;
        connection.execute("INSERT INTO collection_name (name) VALUES (?1)", [collection])?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// The true name of the one collection in this file.
pub(super) fn collection_name(connection: &Connection) -> Result<Option<String>, Fault> {
    Ok(connection.query_row("SELECT name FROM collection_name", (), |row| row.get(0)).optional()?)
}

fn check_collection(connection: &Connection, path: &Path, collection: &str) -> Result<(), Fault> {
    if collection_name(connection)?.as_deref() == Some(collection) {
        return Ok(());
    }
    let message = format!("{} holds another collection than its name says", path.display());
    Err(Error::new(ErrorKind::Corrupted, message).into())
}

//! Opening a directory, and laying out a new one.

use std::path::Path;
use std::time::Duration;

use kv_core::formats::diskcache::{Cell, Settings, sql};
use kv_core::{Error, ErrorKind};
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::stores::disk::{Fault, keep_a_log};

/// Looks at the database, lays it out if it is new, and answers how the directory is to be used.
pub(super) fn prepare(
    connection: &Connection,
    can_write: bool,
    path: &Path,
    patience: Duration,
) -> Result<Settings, Fault> {
    let (ours, all): (i64, i64) = connection.query_row(sql::STATE, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let refuse =
        |message: &str| Err(Error::new(ErrorKind::Configuration, format!("{} {message}", path.display())).into());
    if ours == 0 && all > 0 {
        return refuse("is no database of diskcache; it is left as it is");
    }
    if ours < sql::COMPLETE {
        if !can_write {
            return refuse("is no database of diskcache yet, and is only read");
        }
        if all == 0 {
            connection.execute_batch(sql::FRESH)?;
        }
        keep_a_log(connection, patience)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let laid_out = lay_out(connection);
        connection.execute_batch(if laid_out.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        laid_out?;
    }
    let settings = read_settings(connection)?;
    if can_write && settings.keeps_log {
        keep_a_log(connection, patience)?;
    }
    Ok(settings)
}

/// Another process may be at it too, so that each part is made unless it is there.
fn lay_out(connection: &Connection) -> Result<(), Fault> {
    connection.execute_batch(sql::SCHEMA)?;
    let mut add = connection.prepare(sql::ADD_SETTING)?;
    for (key, value) in Settings::fresh() {
        let value = ToSqlOutput::Borrowed(match value {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(number),
            Cell::Real(number) => ValueRef::Real(number),
            Cell::Text(text) => ValueRef::Text(text),
            Cell::Blob(bytes) => ValueRef::Blob(bytes),
        });
        add.execute((key, value))?;
    }
    Ok(())
}

fn read_settings(connection: &Connection) -> Result<Settings, Fault> {
    let mut settings = Settings::default();
    let mut select = connection.prepare(sql::SETTINGS)?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        if let ValueRef::Text(key) = row.get_ref(0)? {
            settings.note(&String::from_utf8_lossy(key), cell(row.get_ref(1)?));
        }
    }
    Ok(settings)
}

/// What SQLite gives, as the format sees it.
pub(super) fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(text),
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
    }
}

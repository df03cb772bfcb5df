//! Reading and writing one row.

use kv_core::formats::disk::{damaged, parse_metadata};
use kv_core::{Condition, DeleteOutcome, Entry, Error, Name, Record, Result, Timestamp, ValueRef};
use rusqlite::types::ValueRef as SqlRef;
use rusqlite::{Connection, Row, params};

use super::connect::Reader;
use super::fault::Fault;
use super::owned::{Bound, Stamp};

/// The columns of a record, as [`entry`] reads them.
macro_rules! columns {
    () => {
        "expires, created, revision, metadata, "
    };
}

pub(super) const GET: &str = concat!("SELECT ", columns!(), "value FROM entries WHERE collection = ?1 AND key = ?2");

const HEAD: &str = concat!("SELECT ", columns!(), "NULL FROM entries WHERE collection = ?1 AND key = ?2");

/// The largest value that is read in place.
const MOST_IN_PLACE: i64 = 64 * 1024;

/// A value that is too large for that is not even loaded.
const GET_IN_PLACE: &str = concat!(
    "SELECT ",
    columns!(),
    "CASE WHEN octet_length(value) <= 65536 THEN value END, octet_length(value) ",
    "FROM entries WHERE collection = ?1 AND key = ?2"
);

const PUT: &str = "INSERT INTO entries (collection, key, created, expires, revision, metadata, value) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (collection, key) DO UPDATE SET created = excluded.created, \
     expires = excluded.expires, revision = excluded.revision, metadata = excluded.metadata, value = excluded.value";

const PUT_IF_ABSENT: &str = "INSERT INTO entries (collection, key, created, expires, revision, metadata, value) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (collection, key) DO UPDATE SET created = excluded.created, \
     expires = excluded.expires, revision = excluded.revision, metadata = excluded.metadata, value = excluded.value \
     WHERE entries.expires <= ?8";

const PUT_IF_PRESENT: &str = "UPDATE entries SET created = ?3, expires = ?4, revision = ?5, metadata = ?6, value = ?7 \
     WHERE collection = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?8)";

const PUT_IF_REVISION: &str = "UPDATE entries SET created = ?3, expires = ?4, revision = ?5, metadata = ?6, value = ?7 \
     WHERE collection = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?8) AND revision = ?9";

const DELETE: &str = "DELETE FROM entries WHERE collection = ?1 AND key = ?2 RETURNING expires";

const DELETE_IF_REVISION: &str = "DELETE FROM entries WHERE collection = ?1 AND key = ?2 \
     AND (expires IS NULL OR expires > ?3) AND revision = ?4";

const IS_LIVE: &str = "SELECT 1 FROM entries WHERE collection = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)";

const SWEEP: &str = "DELETE FROM entries WHERE id IN \
     (SELECT id FROM entries WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";

/// The entry of the columns from `first` on. Errors are about this record alone.
pub(super) fn entry(row: &Row<'_>, first: usize, head: bool) -> Result<Entry> {
    let column = |at: usize, name| row.get_ref(first + at).map_err(|_| damaged(name));
    let instant = |at, name| match column(at, name)? {
        SqlRef::Null => Ok(None),
        SqlRef::Integer(micros) => Timestamp::from_micros(micros).map(Some).ok_or_else(|| damaged(name)),
        _ => Err(damaged(name)),
    };
    let expires = instant(0, "expires")?;
    let created = instant(1, "created")?;
    let SqlRef::Integer(revision) = column(2, "revision")? else { return Err(damaged("revision")) };
    let metadata = match column(3, "metadata")? {
        SqlRef::Null => None,
        SqlRef::Text(text) => Some(parse_metadata(text)?),
        _ => return Err(damaged("metadata")),
    };
    let value = match column(4, "value")? {
        SqlRef::Text(text) if std::str::from_utf8(text).is_ok() => ValueRef::Json(text),
        SqlRef::Blob(bytes) => ValueRef::Bytes(bytes),
        _ if head => ValueRef::Json(b"null"),
        _ => return Err(damaged("value")),
    };
    let record = Record::new(value, revision.cast_unsigned())
        .with_created(created)
        .with_expires(expires)
        .with_metadata(metadata.as_ref());
    Ok(Entry::new(&record))
}

/// A prepared statement that reads one record.
pub(super) struct Get<'c> {
    statement: rusqlite::CachedStatement<'c>,
    head: bool,
    bounded: bool,
}

impl<'c> Get<'c> {
    pub(super) fn new(reader: &'c Reader<'_>, head: bool) -> Result<Self, Fault> {
        let bounded = reader.is_in_place() && !head;
        let sql = match (head, bounded) {
            (true, _) => HEAD,
            (false, true) => GET_IN_PLACE,
            (false, false) => GET,
        };
        Ok(Self { statement: reader.prepare_cached(sql)?, head, bounded })
    }

    /// The record; the inner error is about it alone.
    pub(super) fn one(&mut self, name: Name<'_>) -> Result<Result<Option<Entry>>, Fault> {
        let mut rows = self.statement.query((name.collection, name.key))?;
        let Some(row) = rows.next()? else { return Ok(Ok(None)) };
        if self.bounded && row.get::<_, Option<i64>>(5)?.is_some_and(|bytes| bytes > MOST_IN_PLACE) {
            return Err(Fault::TooMuchInPlace);
        }
        Ok(entry(row, 0, self.head).map(Some))
    }
}

/// The record as the writer sees it.
pub(super) fn get(connection: &Connection, name: Name<'_>) -> Result<Option<Entry>, Fault> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut rows = statement.query((name.collection, name.key))?;
    match rows.next()? {
        Some(row) => Ok(Some(entry(row, 0, false)?)),
        None => Ok(None),
    }
}

/// Writes a record in any case.
pub(super) fn put(
    statement: &mut rusqlite::CachedStatement<'_>,
    name: Name<'_>,
    value: ValueRef<'_>,
    stamp: Stamp<'_>,
) -> Result<(), Fault> {
    let Stamp { created, expires, revision, metadata } = stamp;
    statement.execute(params![name.collection, name.key, created, expires, revision, metadata, Bound(value)])?;
    Ok(())
}

/// The statement for [`put`].
pub(super) fn putting(connection: &Connection) -> Result<rusqlite::CachedStatement<'_>, Fault> {
    Ok(connection.prepare_cached(PUT)?)
}

/// Writes a record if the condition holds at `now`; answers whether it did. One statement.
pub(super) fn put_if(
    connection: &Connection,
    name: Name<'_>,
    value: ValueRef<'_>,
    stamp: Stamp<'_>,
    condition: &Condition,
    now: Timestamp,
) -> Result<bool, Fault> {
    let (sql, expected) = match condition {
        Condition::Always => {
            put(&mut putting(connection)?, name, value, stamp)?;
            return Ok(true);
        }
        Condition::IfAbsent => (PUT_IF_ABSENT, None),
        Condition::IfPresent => (PUT_IF_PRESENT, None),
        Condition::IfRevision(expected) => match expected.as_number() {
            Some(expected) => (PUT_IF_REVISION, Some(expected.cast_signed())),
            // Every revision of ours is a number, so that another is that of no record here.
            None => return Ok(false),
        },
        _ => return Err(Error::unsupported("a write on this condition").into()),
    };
    let Stamp { created, expires, revision, metadata } = stamp;
    let (value, now) = (Bound(value), now.as_micros());
    let all = params![name.collection, name.key, created, expires, revision, metadata, value, now, expected];
    // Only a statement with a revision has the last of them.
    let bound = &all[..all.len() - usize::from(expected.is_none())];
    Ok(connection.prepare_cached(sql)?.execute(bound)? > 0)
}

/// The statement for [`delete`].
pub(super) fn deleting(connection: &Connection) -> Result<rusqlite::CachedStatement<'_>, Fault> {
    Ok(connection.prepare_cached(DELETE)?)
}

/// Removes a record, readable or not; answers whether there was one that had not ended.
pub(super) fn delete(
    statement: &mut rusqlite::CachedStatement<'_>,
    name: Name<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let mut rows = statement.query((name.collection, name.key))?;
    let mut live = false;
    while let Some(row) = rows.next()? {
        live = !matches!(row.get_ref(0)?, SqlRef::Integer(expires) if expires <= now.as_micros());
    }
    Ok(live)
}

/// Removes a record in this state. Two statements.
pub(super) fn delete_if(
    connection: &Connection,
    name: Name<'_>,
    revision: Option<u64>,
    now: Timestamp,
) -> Result<DeleteOutcome, Fault> {
    let Name { collection, key } = name;
    if let Some(revision) = revision {
        let mut statement = connection.prepare_cached(DELETE_IF_REVISION)?;
        if statement.execute(params![collection, key, now.as_micros(), revision.cast_signed()])? > 0 {
            return Ok(DeleteOutcome::Deleted);
        }
    }
    let live = connection.prepare_cached(IS_LIVE)?.exists(params![collection, key, now.as_micros()])?;
    Ok(if live { DeleteOutcome::Conflict } else { DeleteOutcome::Missing })
}

/// Frees the records that ended first, at most so many; answers how many.
pub(super) fn sweep(connection: &Connection, now: Timestamp, most: u64) -> Result<u64, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(connection.prepare_cached(SWEEP)?.execute((now.as_micros(), most))? as u64)
}

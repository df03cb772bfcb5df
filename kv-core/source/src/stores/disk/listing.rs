//! Many rows: listing, counting, removing.

use kv_core::formats::disk::{after_prefix, damaged};
use kv_core::{Cursor, KeyFilter, ListOptions, Listed, Page, Result, Timestamp};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as SqlRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Fault;
use super::rows;

/// Names from the first, included, to the second, excluded, in the order of their bytes.
#[derive(Debug)]
struct Range {
    from: String,
    to: Upper,
}

/// An upper bound. Where there is none it is a blob, which SQLite sorts after all text.
#[derive(Debug)]
struct Upper(Option<String>);

impl ToSql for Upper {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            Some(text) => SqlRef::Text(text.as_bytes()),
            None => SqlRef::Blob(&[]),
        }))
    }
}

impl Range {
    fn of(filter: &KeyFilter) -> Self {
        Self { from: filter.prefix().to_owned(), to: Upper(after_prefix(filter.prefix())) }
    }

    /// The part of it behind this cursor.
    fn after(self, cursor: Option<&Cursor>) -> Self {
        match cursor.map(|cursor| next_name(cursor.as_str())) {
            Some(from) if from > self.from => Self { from, ..self },
            _ => self,
        }
    }
}

/// The least name after this one.
fn next_name(name: &str) -> String {
    let mut next = String::with_capacity(name.len() + 1);
    next.push_str(name);
    next.push('\0');
    next
}

const KEYS: &str = "SELECT key FROM entries WHERE collection = ?1 AND key >= ?2 AND key < ?3 \
     AND (expires IS NULL OR expires > ?4) ORDER BY key LIMIT ?5";

const ENTRIES: &str = "SELECT key, expires, created, revision, metadata, value FROM entries WHERE collection = ?1 \
     AND key >= ?2 AND key < ?3 AND (expires IS NULL OR expires > ?4) ORDER BY key LIMIT ?5";

const NEXT_COLLECTION: &str =
    "SELECT collection FROM entries WHERE collection >= ?1 AND collection < ?2 ORDER BY collection LIMIT 1";

const HAS_LIVE: &str = "SELECT 1 FROM entries WHERE collection = ?1 AND (expires IS NULL OR expires > ?2) LIMIT 1";

const COUNT: &str = "SELECT count(*) FROM entries WHERE collection = ?1 AND key >= ?2 AND key < ?3 \
     AND (expires IS NULL OR expires > ?4)";

const COUNT_ALL: &str = "SELECT count(*) FROM entries WHERE expires IS NULL OR expires > ?1";

const CLEAR: &str = "DELETE FROM entries WHERE collection = ?1 AND key >= ?2 AND key < ?3";

const SCAN: &str = "SELECT id, key, expires FROM entries WHERE collection = ?1 AND key >= ?2 AND key < ?3";

/// The rows that are looked at for one page, however few of them match.
const MOST_ROWS: usize = 20_000;

/// The bytes of values on one page, however few entries that is; one entry may exceed it.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A name in a row.
fn name<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, Fault> {
    Ok(row.get_ref(at)?.as_str().map_err(|_| damaged("key"))?)
}

/// A page of a collection's keys or entries.
pub(super) fn list(
    connection: &Connection,
    collection: &str,
    options: &ListOptions,
    now: Timestamp,
) -> Result<Page<Listed>, Fault> {
    let range = Range::of(&options.filter).after(options.cursor.as_ref());
    let rows = if options.filter.is_prefix_only() { options.limit.saturating_add(1) } else { MOST_ROWS };
    let rows = rows.min(MOST_ROWS);
    let mut statement = connection.prepare_cached(if options.entries { ENTRIES } else { KEYS })?;
    let most = i64::try_from(rows).unwrap_or(i64::MAX);
    let mut found = statement.query(params![collection, range.from, range.to, now.as_micros(), most])?;
    let (mut items, mut bytes, mut seen, mut last) = (Vec::<Listed>::new(), 0, 0, None);
    while let Some(row) = found.next()? {
        let key = name(row, 0)?;
        seen += 1;
        if options.filter.matches(key) {
            if items.len() >= options.limit || bytes > MOST_BYTES {
                let next = items.last().map(|line| Cursor::new(line.key.as_str()));
                return Ok(Page::new(items, next));
            }
            items.push(if options.entries {
                let entry = rows::entry(row, 1, false);
                bytes += entry.as_ref().map_or(0, |entry| entry.value().as_encoded().len());
                Listed::entry(key, entry)
            } else {
                Listed::key(key)
            });
        }
        if seen == rows {
            last = Some(key.to_owned());
        }
    }
    Ok(Page::new(items, last.map(Cursor::new)))
}

/// A page of the names of collections that hold live records.
pub(super) fn collections(
    connection: &Connection,
    options: &ListOptions,
    now: Timestamp,
) -> Result<Page<String>, Fault> {
    let mut range = Range::of(&options.filter).after(options.cursor.as_ref());
    let mut items: Vec<String> = Vec::new();
    // One collection costs two searches in the index, however many records it holds.
    for _ in 0..MOST_ROWS {
        let mut next = connection.prepare_cached(NEXT_COLLECTION)?;
        let found: Option<String> = next.query_row(params![range.from, range.to], |row| row.get(0)).optional()?;
        let Some(name) = found else { return Ok(Page::new(items, None)) };
        range.from = next_name(&name);
        if options.filter.matches(&name) && has_live(connection, &name, now)? {
            if items.len() >= options.limit {
                let next = items.last().map(Cursor::new);
                return Ok(Page::new(items, next));
            }
            items.push(name);
        }
    }
    // Without the zero that makes it the least name after the last one seen.
    range.from.pop();
    Ok(Page::new(items, Some(Cursor::new(range.from))))
}

/// Whether a collection holds a live record.
pub(super) fn has_live(connection: &Connection, collection: &str, now: Timestamp) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(HAS_LIVE)?.exists(params![collection, now.as_micros()])?)
}

/// Counts the live records that match.
pub(super) fn count(
    connection: &Connection,
    collection: &str,
    filter: &KeyFilter,
    now: Timestamp,
) -> Result<u64, Fault> {
    let range = Range::of(filter);
    if filter.is_prefix_only() {
        let mut statement = connection.prepare_cached(COUNT)?;
        let found: i64 =
            statement.query_row(params![collection, range.from, range.to, now.as_micros()], |row| row.get(0))?;
        return Ok(found.unsigned_abs());
    }
    let mut statement = connection.prepare_cached(KEYS)?;
    let mut found = statement.query(params![collection, range.from, range.to, now.as_micros(), i64::MAX])?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        count += u64::from(filter.matches(name(row, 0)?));
    }
    Ok(count)
}

/// Removes the records that match; answers how many were live.
pub(super) fn clear(
    connection: &Connection,
    collection: &str,
    filter: &KeyFilter,
    now: Timestamp,
) -> Result<u64, Fault> {
    let range = Range::of(filter);
    if filter.is_prefix_only() {
        let live = count(connection, collection, filter, now)?;
        connection.prepare_cached(CLEAR)?.execute(params![collection, range.from, range.to])?;
        return Ok(live);
    }
    let (mut goes, mut live) = (Vec::new(), 0);
    let mut scan = connection.prepare_cached(SCAN)?;
    let mut found = scan.query(params![collection, range.from, range.to])?;
    while let Some(row) = found.next()? {
        if filter.matches(name(row, 1)?) {
            goes.push(row.get::<_, i64>(0)?);
            live += u64::from(!matches!(row.get_ref(2)?, SqlRef::Integer(expires) if expires <= now.as_micros()));
        }
    }
    let mut remove = connection.prepare_cached("DELETE FROM entries WHERE id = ?1")?;
    for id in goes {
        remove.execute([id])?;
    }
    Ok(live)
}

/// Removes all records; answers how many were live.
pub(super) fn destroy(connection: &Connection, now: Timestamp) -> Result<u64, Fault> {
    let live: i64 = connection.prepare_cached(COUNT_ALL)?.query_row([now.as_micros()], |row| row.get(0))?;
    connection.prepare_cached("DELETE FROM entries")?.execute(())?;
    Ok(live.unsigned_abs())
}

/// Gives free pages back to the file system, at most so many; answers whether there are more. One statement.
pub(super) fn give_back_pages(connection: &Connection, most: u64) -> Result<bool, Fault> {
    let free = || connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let before = free()?;
    if before == 0 {
        return Ok(false);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
    let mut pages = statement.query(())?;
    while pages.next()?.is_some() {}
    drop(pages);
    let left = free()?;
    Ok(0 < left && left < before)
}

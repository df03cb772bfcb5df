//! What `PostgresStore` keeps: the table, its rows, and the statements that work on them.
//!
//! # The table
//!
//! | column | what |
//! | --- | --- |
//! | `collection`, `key` | the names, or a [stored form](StoredName) of them; the primary key |
//! | `value` | the value as JSONB; `null` where JSONB cannot hold it, or where it is bytes |
//! | `ttl` | the seconds that were left when it was written; it only informs |
//! | `created_at`, `expires_at` | instants, to the microsecond |
//! | `kv_revision` | 64 bits, fresh for every write of ours; `NULL` if another program wrote the row last |
//! | `kv_metadata` | the user's notes, a JSON object of text to text |
//! | `kv_text` | the value's exact JSON text, where [JSONB would change it](Fidelity) |
//! | `kv_bytes` | the value, where it is bytes |
//! | `kv_collection`, `kv_key` | the true names in UTF-8, where `collection` and `key` hold a stored form of them |
//!
//! The first six are the table of Python's `py-key-value-aio`, which reads and writes only those. Its update of a row
//! would leave the others behind as they were: a trigger empties them whenever a row is updated and keeps its
//! `kv_revision`, which no write of ours does.

use crate::{Entry, Error, ErrorKind, Metadata, Record, Result, Revision, Timestamp, ValueRef};

mod fidelity;
mod names;
mod setup;
mod sql;

pub use fidelity::{Fidelity, LARGEST_JSONB};
pub use names::{MARK, MOST_KEY_BYTES, StoredName, collection, key};
pub use setup::{Found, setup_script};
pub use sql::{Query, Sort, Statements, Table};

/// Microseconds from 1970 to 2000, from which the server counts.
const EPOCH: i64 = 946_684_800_000_000;

/// The instant as the server counts it.
pub fn to_server(instant: Timestamp) -> i64 {
    instant.as_micros() - EPOCH
}

/// The instant that the server means. What is outside the range of ours becomes its end.
pub fn from_server(micros: i64) -> Timestamp {
    let least = Timestamp::MIN.as_micros();
    let micros = micros.saturating_add(EPOCH).clamp(least, Timestamp::MAX.as_micros());
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}

/// A row as the server gave it: each column's bytes in the binary form of its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row<'a> {
    /// `expires_at`, in the server's microseconds.
    pub expires: Option<i64>,
    /// `created_at`, likewise.
    pub created: Option<i64>,
    /// `kv_revision`.
    pub revision: Option<i64>,
    /// The transaction that wrote the row; asked for where there is no revision.
    pub xmin: Option<u32>,
    /// `kv_metadata`.
    pub metadata: Option<&'a [u8]>,
    /// `kv_collection`.
    pub collection: Option<&'a [u8]>,
    /// `kv_key`.
    pub key: Option<&'a [u8]>,
    /// `kv_text`.
    pub text: Option<&'a [u8]>,
    /// `kv_bytes`.
    pub bytes: Option<&'a [u8]>,
    /// `value`, which begins with the version of its binary form.
    pub value: Option<&'a [u8]>,
}

#[cold]
fn damaged(column: &str) -> Error {
    Error::new(ErrorKind::Corrupted, format!("the column `{column}` of the row holds what this store never writes"))
}

impl Row<'_> {
    /// Whether the row is of these names, which a stored form alone does not say.
    pub fn is_of(&self, collection: &StoredName<'_>, key: &StoredName<'_>) -> bool {
        self.collection == collection.original.map(str::as_bytes) && self.key == key.original.map(str::as_bytes)
    }

    /// The record, whether it has ended or not. With `head` the value is not there, and given as `null`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupted`] if a column holds what this store never writes.
    pub fn entry(&self, head: bool) -> Result<Entry> {
        let created = self.created.filter(|micros| !matches!(*micros, i64::MIN | i64::MAX)).map(from_server);
        let expires = self.expires.filter(|micros| *micros != i64::MAX).map(from_server);
        // Of a row that another program wrote, nothing of ours counts.
        let ours = self.revision.is_some();
        let metadata = match self.metadata.filter(|_| ours) {
            None => None,
            Some(text) => Some(serde_json::from_slice::<Metadata>(text).map_err(|_| damaged("kv_metadata"))?),
        };
        let value = match (self.bytes.filter(|_| ours), self.text.filter(|_| ours), self.value) {
            _ if head => ValueRef::Json(b"null"),
            (Some(bytes), None, _) => ValueRef::Bytes(bytes),
            (None, Some(text), _) => ValueRef::Json(utf8(text, "kv_text")?),
            (None, None, Some([1, text @ ..])) => ValueRef::Json(utf8(text, "value")?),
            _ => return Err(damaged("value")),
        };
        let number = self.revision.unwrap_or_default().cast_unsigned();
        let record = Record::new(value, number)
            .with_created(created)
            .with_expires(expires)
            .with_metadata(metadata.as_ref().filter(|metadata| !metadata.is_empty()));
        Ok(match (self.revision, self.xmin) {
            (Some(_), _) => Entry::new(&record),
            (None, Some(xmin)) => Entry::with_revision(&record, foreign_revision(xmin)),
            (None, None) => return Err(damaged("kv_revision")),
        })
    }
}

fn utf8<'a>(text: &'a [u8], column: &str) -> Result<&'a [u8]> {
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_empty() => Ok(text.as_bytes()),
        _ => Err(damaged(column)),
    }
}

/// The revision of a row that another program wrote: the transaction that did. Every write has another one, and it
/// comes again only after four thousand million of them.
pub fn foreign_revision(xmin: u32) -> Revision {
    Revision::from_text(format!("x{xmin}"))
}

/// A condition on a row's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has this `kv_revision`.
    Ours(i64),
    /// It has none, and was written by this transaction.
    Foreign(u32),
}

impl State {
    /// The state that a revision means; `None` if it is of no row here.
    pub fn of(revision: &Revision) -> Option<Self> {
        if let Some(number) = revision.as_number() {
            return Some(Self::Ours(number.cast_signed()));
        }
        let digits = revision.as_text()?.strip_prefix('x')?;
        let xmin = digits.parse().ok()?;
        (foreign_revision(xmin) == *revision).then_some(Self::Foreign(xmin))
    }
}

#[cfg(test)]
mod tests;

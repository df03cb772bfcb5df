//! Records that own what they say, for work that may be done on another thread.

use kv_core::{Metadata, Name, OwnedKeys, Record, Result, Timestamp, Value, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as SqlRef};

/// A value that is bound as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a>(pub(super) ValueRef<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Json(text) => SqlRef::Text(text),
            ValueRef::Bytes(bytes) => SqlRef::Blob(bytes),
        }))
    }
}

/// What a row holds beside its name and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) created: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) revision: i64,
    pub(super) metadata: Option<&'a str>,
}

fn metadata_text(metadata: &Metadata) -> Result<Option<String>> {
    let text = Value::encode(metadata)?;
    Ok(text.as_ref().as_json().map(str::to_owned))
}

/// Records of one collection.
#[derive(Debug)]
pub(super) struct OwnedRecords {
    keys: OwnedKeys,
    values: Vec<u8>,
    stamps: Vec<OwnedStamp>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct OwnedStamp {
    created: Option<Timestamp>,
    expires: Option<Timestamp>,
    revision: u64,
    /// One more than the place among the notes; 0 without.
    notes: usize,
    value_end: usize,
    is_json: bool,
}

impl OwnedRecords {
    pub(super) fn new(collection: &str, records: &[(&str, Record<'_>)]) -> Result<Self> {
        let keys = OwnedKeys::new(collection, records.iter().map(|(key, _)| *key));
        let mut values = Vec::with_capacity(records.iter().map(|(_, record)| record.value.as_encoded().len()).sum());
        let mut stamps = Vec::with_capacity(records.len());
        let mut notes = Vec::new();
        let mut last: Option<&Metadata> = None;
        for (_, record) in records {
            values.extend_from_slice(record.value.as_encoded());
            if let Some(metadata) = record.metadata {
                // The records of a batch have the same notes, as a rule.
                if !last.is_some_and(|last| std::ptr::eq(last, metadata)) {
                    notes.extend(metadata_text(metadata)?);
                    last = Some(metadata);
                }
            }
            stamps.push(OwnedStamp {
                created: record.created,
                expires: record.expires,
                revision: record.revision,
                notes: if record.metadata.is_some() { notes.len() } else { 0 },
                value_end: values.len(),
                is_json: record.value.is_json(),
            });
        }
        Ok(Self { keys, values, stamps, notes })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Name<'_>, ValueRef<'_>, Stamp<'_>)> {
        let mut start = 0;
        self.keys.iter().zip(&self.stamps).map(move |(key, stamp)| {
            let value = &self.values[std::mem::replace(&mut start, stamp.value_end)..stamp.value_end];
            let value = if stamp.is_json { ValueRef::Json(value) } else { ValueRef::Bytes(value) };
            let notes = stamp.notes.checked_sub(1).and_then(|at| self.notes.get(at));
            let stamp = Stamp {
                created: stamp.created.map(Timestamp::as_micros),
                expires: stamp.expires.map(Timestamp::as_micros),
                revision: stamp.revision.cast_signed(),
                metadata: notes.map(String::as_str),
            };
            (Name::new(self.keys.collection(), key), value, stamp)
        })
    }
}

//! Names, records and changes that own what they say, for work that may be done on another thread.

use kv_core::{Change, Error, Expiry, Metadata, Name, Record, Result, Timestamp, Value, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as SqlRef};

/// A name, in one allocation.
#[derive(Debug)]
pub(super) struct OwnedName {
    text: Box<str>,
    middle: usize,
}

impl OwnedName {
    pub(super) fn new(name: Name<'_>) -> Self {
        let mut text = String::with_capacity(name.collection.len() + name.key.len());
        text.push_str(name.collection);
        text.push_str(name.key);
        Self { text: text.into_boxed_str(), middle: name.collection.len() }
    }

    pub(super) fn get(&self) -> Name<'_> {
        let (collection, key) = self.text.split_at(self.middle);
        Name::new(collection, key)
    }
}

/// Keys of one collection.
#[derive(Debug)]
pub(super) struct OwnedKeys {
    text: String,
    collection: usize,
    ends: Vec<usize>,
}

impl OwnedKeys {
    pub(super) fn new(collection: &str, keys: &[&str]) -> Self {
        let mut text = String::with_capacity(collection.len() + keys.iter().map(|key| key.len()).sum::<usize>());
        text.push_str(collection);
        let mut ends = Vec::with_capacity(keys.len());
        for key in keys {
            text.push_str(key);
            ends.push(text.len());
        }
        Self { text, collection: collection.len(), ends }
    }

    pub(super) fn collection(&self) -> &str {
        &self.text[..self.collection]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = self.collection;
        self.ends.iter().map(move |end| &self.text[std::mem::replace(&mut start, *end)..*end])
    }
}

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
        let mut text =
            String::with_capacity(collection.len() + records.iter().map(|(key, _)| key.len()).sum::<usize>());
        text.push_str(collection);
        let mut ends = Vec::with_capacity(records.len());
        let mut values = Vec::with_capacity(records.iter().map(|(_, record)| record.value.as_encoded().len()).sum());
        let mut stamps = Vec::with_capacity(records.len());
        let mut notes = Vec::new();
        let mut last: Option<&Metadata> = None;
        for (key, record) in records {
            text.push_str(key);
            ends.push(text.len());
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
        let keys = OwnedKeys { text, collection: collection.len(), ends };
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

/// A [`Change`] that owns what it says.
#[derive(Debug)]
pub(crate) enum OwnedChange {
    Increment(i64),
    Append(Value),
    Take,
    Replace { value: Value, expiry: Expiry, metadata: Option<Metadata> },
    Touch(Expiry),
    Annotate(Metadata),
    Swap { expected: Option<Value>, new: Option<Value> },
}

impl OwnedChange {
    pub(crate) fn new(change: &Change<'_>) -> Result<Self> {
        let own = |value: &Option<ValueRef<'_>>| value.map(ValueRef::to_value);
        Ok(match change {
            Change::Increment(by) => Self::Increment(*by),
            Change::Append(value) => Self::Append(value.to_value()),
            Change::Take => Self::Take,
            Change::Replace { value, expiry, metadata } => {
                Self::Replace { value: value.to_value(), expiry: *expiry, metadata: metadata.cloned() }
            }
            Change::Touch(expiry) => Self::Touch(*expiry),
            Change::Annotate(metadata) => Self::Annotate((*metadata).clone()),
            Change::Swap { expected, new } => Self::Swap { expected: own(expected), new: own(new) },
            other => return Err(Error::unsupported(other.operation())),
        })
    }

    pub(crate) fn get(&self) -> Change<'_> {
        match self {
            Self::Increment(by) => Change::Increment(*by),
            Self::Append(value) => Change::Append(value.as_ref()),
            Self::Take => Change::Take,
            Self::Replace { value, expiry, metadata } => {
                Change::Replace { value: value.as_ref(), expiry: *expiry, metadata: metadata.as_ref() }
            }
            Self::Touch(expiry) => Change::Touch(*expiry),
            Self::Annotate(metadata) => Change::Annotate(metadata),
            Self::Swap { expected, new } => {
                Change::Swap { expected: expected.as_ref().map(Value::as_ref), new: new.as_ref().map(Value::as_ref) }
            }
        }
    }
}

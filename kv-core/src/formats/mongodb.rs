//! Documents of MongoDB, and the names of its collections.
//!
//! A record is one document, in the layout of Python's `py-key-value-aio`:
//!
//! ```text
//! {key: "k", collection: "c", version: 1,
//!  value: {object: {...}, revision: Int64, created: Int64, expires: Int64, metadata: "{...}"},
//!  created_at: Date, expires_at: Date}
//! ```
//!
//! | field | holds |
//! | --- | --- |
//! | `value.object` | the value. A JSON object that BSON holds exactly is a sub-document; any other JSON value is its text, which Python reads too if it is an object's |
//! | `value.bytes` | a value of bytes, in place of `object`; Python does not find such a record |
//! | `value.revision` | the 64 bits that make this state unlike every other |
//! | `value.created`, `value.expires` | the instants in microseconds |
//! | `value.metadata` | the user's notes, as JSON text; absent if there are none |
//! | `created_at`, `expires_at` | the instants as Python reads them, in milliseconds: the first rounded down, the second up, so that the server never ends a record early |
//!
//! What is ours beside the value stands inside `value`, which Python's writes replace whole: nothing of ours outlives a
//! write of Python's. An exact instant counts only as long as it agrees with its date.
//!
//! Kept as text are objects with a number that neither 64 bits nor a double hold exactly, with a name that is empty,
//! doubled, begins with `$` or has a `.` or a NUL in it, and those deeper than 64 levels or longer in BSON than a
//! document may be. What BSON holds and JSON does not (NaN, dates, ...) is refused when it is read.
//!
//! # Examples
//!
//! ```
//! use kv_core::formats::mongodb;
//! use kv_core::{Name, Record, ValueRef};
//!
//! let name = Name::new("users", "alice");
//! let mut stored = Vec::new();
//! mongodb::encode(name, &Record::new(ValueRef::Json(br#"{"age":7}"#), 255), &mut stored)?;
//! let mut json = Vec::new();
//! let document = mongodb::decode(&stored, &mut json)?;
//! assert!(document.is_of(name));
//! assert_eq!((document.revision, document.value), (Some(255), ValueRef::Json(br#"{"age":7}"#)));
//! # Ok::<(), kv_core::Error>(())
//! ```

use bson::{RawBsonRef, RawDocument};

use super::{corrupted, newer};
use crate::{Entry, Error, ErrorKind, Metadata, Name, Record, Result, Revision, Timestamp, ValueRef};

mod command;
mod from_json;
mod names;
mod to_json;

pub use command::UpdateCommand;
pub use names::{MongoName, MongoNames};

/// The version written, and the only one read.
const VERSION: u8 = 1;

/// Where a value stands, for those who ask for a document without it.
pub const VALUE_FIELDS: [&str; 2] = ["value.object", "value.bytes"];

/// The most bytes of a value: a document of MongoDB has at most 16 MiB, of which names and notes take their part.
pub const MAX_VALUE_BYTES: usize = (16 << 20) - (64 << 10);

// Types of BSON elements.
const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BINARY: u8 = 0x05;
const BOOLEAN: u8 = 0x08;
const DATE: u8 = 0x09;
const NULL: u8 = 0x0a;
const INT32: u8 = 0x10;
const INT64: u8 = 0x12;

/// Appends the document of a record.
///
/// # Errors
///
/// [`ErrorKind::TooLarge`] for a value above [`MAX_VALUE_BYTES`], [`ErrorKind::InvalidValue`] for a JSON value that is no
/// UTF-8. The buffer is then as it was.
pub fn encode(name: Name<'_>, record: &Record<'_>, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let encoded = record.value.as_encoded();
    if encoded.len() > MAX_VALUE_BYTES {
        let message = format!("the value has {} bytes; a document takes {MAX_VALUE_BYTES}", encoded.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    out.reserve(encoded.len() * 3 / 2 + name.key.len() + name.collection.len() + 220);
    let whole = begin(out);
    string(out, "key", name.key.as_bytes());
    string(out, "collection", name.collection.as_bytes());
    element(out, INT32, "version");
    out.extend_from_slice(&i32::from(VERSION).to_le_bytes());
    element(out, DOCUMENT, "value");
    let value = begin(out);
    match record.value {
        ValueRef::Bytes(bytes) => {
            element(out, BINARY, "bytes");
            out.extend_from_slice(&length(bytes.len()));
            out.push(0);
            out.extend_from_slice(bytes);
        }
        ValueRef::Json(text) => {
            let Ok(text) = std::str::from_utf8(text) else {
                out.truncate(start);
                return Err(Error::new(ErrorKind::InvalidValue, "the JSON value is no UTF-8"));
            };
            let at = out.len();
            element(out, DOCUMENT, "object");
            if !from_json::append_object(text, out) || out.len() - at > MAX_VALUE_BYTES {
                out.truncate(at);
                string(out, "object", text.as_bytes());
            }
        }
    }
    int64(out, INT64, "revision", i64::from_le_bytes(record.revision.to_le_bytes()));
    if let Some(created) = record.created {
        int64(out, INT64, "created", created.as_micros());
    }
    if let Some(expires) = record.expires {
        int64(out, INT64, "expires", expires.as_micros());
    }
    if let Some(metadata) = record.metadata {
        // Text to text cannot fail.
        string(out, "metadata", &serde_json::to_vec(metadata).unwrap_or_default());
    }
    end(out, value);
    if let Some(created) = record.created {
        int64(out, DATE, "created_at", floor_millis(created));
    }
    if let Some(expires) = record.expires {
        int64(out, DATE, "expires_at", ceil_millis(expires));
    }
    end(out, whole);
    Ok(())
}

/// The millisecond that an instant is in.
pub fn floor_millis(instant: Timestamp) -> i64 {
    instant.as_micros().div_euclid(1000)
}

/// The first whole millisecond that is not before an instant: what `expires_at` says.
pub fn ceil_millis(instant: Timestamp) -> i64 {
    floor_millis(instant) + i64::from(instant.as_micros().rem_euclid(1000) > 0)
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MongoDocument<'a> {
    /// The collection it says it is of.
    pub collection: Option<&'a str>,
    /// The key it says it is of.
    pub key: Option<&'a str>,
    /// The value.
    pub value: ValueRef<'a>,
    /// When the record was first written.
    pub created: Option<Timestamp>,
    /// The instant at which it ends; `None` if it is permanent.
    pub expires: Option<Timestamp>,
    /// The number its writer gave this state of the record; `None` if another program wrote it.
    pub revision: Option<u64>,
    /// The user's notes.
    pub metadata: Option<Metadata>,
}

impl MongoDocument<'_> {
    /// Whether it is of this name, as far as it says: a record without names could be.
    pub fn is_of(&self, name: Name<'_>) -> bool {
        self.collection.is_none_or(|collection| collection == name.collection)
            && self.key.is_none_or(|key| key == name.key)
    }

    /// The entry; `stored` are the bytes this was read from, whose digest is the revision of what another program wrote.
    pub fn to_entry(&self, stored: &[u8]) -> Entry {
        let record = Record::new(self.value, self.revision.unwrap_or_default())
            .with_created(self.created)
            .with_expires(self.expires)
            .with_metadata(self.metadata.as_ref());
        match self.revision {
            Some(_) => Entry::new(&record),
            None => Entry::with_revision(&record, Revision::of_document(stored, self.expires)),
        }
    }
}

/// The key that a document says it is of, be the rest readable or not.
pub fn key_of(stored: &[u8]) -> Option<&str> {
    RawDocument::from_bytes(stored).ok()?.get_str("key").ok()
}

/// Reads a document. A value that is stored as a sub-document is written to `json`.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`] if it is foreign, damaged, or of a format version this library does not know. The message
/// holds nothing of the document.
pub fn decode<'a>(stored: &'a [u8], json: &'a mut Vec<u8>) -> Result<MongoDocument<'a>> {
    json.clear();
    let parts = parts(stored)?;
    let value = match (parts.own.object, parts.own.bytes) {
        (Some(RawBsonRef::Document(object)), None) => {
            to_json::append_object(object, json)?;
            ValueRef::Json(json)
        }
        (Some(RawBsonRef::String(text)), None) => {
            let json: &serde_json::value::RawValue =
                serde_json::from_str(text).map_err(|_| corrupted("the text in `value.object` is not JSON"))?;
            ValueRef::Json(json.get().as_bytes())
        }
        (None, Some(bytes)) => ValueRef::Bytes(bytes),
        _ => return Err(wrong("value.object")),
    };
    parts.with_value(value)
}

/// Reads a document that was asked for without its [`VALUE_FIELDS`]; the value is given as `null`.
///
/// `None` for what another program wrote: its revision is a digest of the whole document.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_head(stored: &[u8]) -> Result<Option<MongoDocument<'_>>> {
    let parts = parts(stored)?;
    parts.own.revision.map(|_| parts.with_value(ValueRef::Json(b"null"))).transpose()
}

fn parts(stored: &[u8]) -> Result<Parts<'_>> {
    let mut fields = Parts::default();
    let mut value = None;
    for field in raw(stored)?.iter() {
        let (name, found) = field.map_err(|_| no_bson())?;
        match (name.as_str(), found) {
            ("key", RawBsonRef::String(text)) => fields.key = Some(text),
            ("collection", RawBsonRef::String(text)) => fields.collection = Some(text),
            ("version", version) => check_version(version)?,
            ("value", RawBsonRef::Document(found)) => value = Some(found),
            ("created_at", RawBsonRef::DateTime(date)) => fields.created_at = Some(date.timestamp_millis()),
            ("expires_at", RawBsonRef::DateTime(date)) => fields.expires_at = Some(date.timestamp_millis()),
            ("created_at" | "expires_at", RawBsonRef::Null) => {}
            (name @ ("key" | "collection" | "value" | "created_at" | "expires_at"), _) => return Err(wrong(name)),
            _ => {}
        }
    }
    let own = &mut fields.own;
    for field in value.ok_or_else(|| wrong("value"))?.iter() {
        let (name, found) = field.map_err(|_| no_bson())?;
        match (name.as_str(), found) {
            ("object", found @ (RawBsonRef::Document(_) | RawBsonRef::String(_))) => own.object = Some(found),
            ("bytes", RawBsonRef::Binary(binary)) => own.bytes = Some(binary.bytes),
            ("revision", RawBsonRef::Int64(number)) => own.revision = Some(u64::from_le_bytes(number.to_le_bytes())),
            ("created", RawBsonRef::Int64(micros)) => own.created = Timestamp::from_micros(micros),
            ("expires", RawBsonRef::Int64(micros)) => own.expires = Timestamp::from_micros(micros),
            ("metadata", RawBsonRef::String(text)) => own.metadata = Some(text),
            ("object", _) => return Err(wrong("value.object")),
            ("bytes", _) => return Err(wrong("value.bytes")),
            _ => {}
        }
    }
    Ok(fields)
}

/// A document as it stands.
#[derive(Default)]
struct Parts<'a> {
    collection: Option<&'a str>,
    key: Option<&'a str>,
    own: Own<'a>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
}

impl<'a> Parts<'a> {
    fn with_value(self, value: ValueRef<'a>) -> Result<MongoDocument<'a>> {
        let own = self.own;
        // The fields beside the value are only ours if all were written by us.
        let is_ours = own.revision.is_some();
        let metadata = own.metadata.filter(|_| is_ours).map(serde_json::from_str).transpose();
        let exact = |exact: Option<Timestamp>, date: Option<i64>, millis: fn(Timestamp) -> i64, field: &str| match date
        {
            None => Ok(None),
            Some(date) => match exact.filter(|exact| is_ours && millis(*exact) == date) {
                Some(exact) => Ok(Some(exact)),
                None => date.checked_mul(1000).and_then(Timestamp::from_micros).map(Some).ok_or_else(|| wrong(field)),
            },
        };
        Ok(MongoDocument {
            collection: self.collection,
            key: self.key,
            value,
            created: exact(own.created, self.created_at, floor_millis, "created_at")?,
            expires: exact(own.expires, self.expires_at, ceil_millis, "expires_at")?,
            revision: own.revision,
            metadata: metadata.map_err(|_| wrong("value.metadata"))?,
        })
    }
}

#[derive(Default)]
struct Own<'a> {
    object: Option<RawBsonRef<'a>>,
    bytes: Option<&'a [u8]>,
    revision: Option<u64>,
    created: Option<Timestamp>,
    expires: Option<Timestamp>,
    metadata: Option<&'a str>,
}

fn raw(stored: &[u8]) -> Result<&RawDocument> {
    RawDocument::from_bytes(stored).map_err(|_| no_bson())
}

#[cold]
fn no_bson() -> Error {
    corrupted("the document is damaged: it is no BSON")
}

#[cold]
fn wrong(field: &str) -> Error {
    corrupted(format!("the field `{field}` of the document is missing, or is not what this store writes"))
}

fn check_version(version: RawBsonRef<'_>) -> Result<()> {
    let number = match version {
        RawBsonRef::Int32(number) => i64::from(number),
        RawBsonRef::Int64(number) => number,
        _ => return Err(newer("no whole number", VERSION)),
    };
    if number == i64::from(VERSION) { Ok(()) } else { Err(newer(number, VERSION)) }
}

/// Begins a document whose length is not known yet.
fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len() - 4
}

fn end(out: &mut Vec<u8>, start: usize) {
    out.push(0);
    let size = length(out.len() - start);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size);
    }
}

/// Nothing here is longer than a value's limit several times over.
fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_le_bytes()
}

/// Appends the digits of a number: the names of an array's elements.
fn decimal(out: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        // The remainder is a digit.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn element(out: &mut Vec<u8>, kind: u8, name: &str) {
    out.push(kind);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

fn string(out: &mut Vec<u8>, name: &str, text: &[u8]) {
    element(out, STRING, name);
    out.extend_from_slice(&length(text.len() + 1));
    out.extend_from_slice(text);
    out.push(0);
}

fn int64(out: &mut Vec<u8>, kind: u8, name: &str, number: i64) {
    element(out, kind, name);
    out.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests;

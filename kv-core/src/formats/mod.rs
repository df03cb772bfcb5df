//! What stores keep: records as bytes, and the names and commands of each backend. Bytes in, entry out; entry in, bytes
//! out; nothing here does I/O.
//!
//! A record is kept in one of two forms, told apart by the first byte:
//!
//! * a JSON value in the [JSON document](document) of Python's `py-key-value-aio`, so that both languages share a
//!   store;
//! * bytes in a [binary envelope](binary), which Python cannot read.
//!
//! # Examples
//!
//! ```
//! use kv_core::formats::{self, Stamp};
//! use kv_core::{Name, Record, Timestamp, ValueRef};
//!
//! let name = Name::new("users", "alice");
//! let created = "2026-11-21T03:54:53.481169Z".parse::<Timestamp>()?;
//! let record = Record::new(ValueRef::Json(br#"{"age":7}"#), 255).with_created(Some(created));
//! let mut stored = Vec::new();
//! formats::encode(name, &record, &mut Stamp::default(), &mut stored);
//! assert_eq!(
//!     std::str::from_utf8(&stored).unwrap(),
//!     r#"{"collection": "users", "created_at": "2026-11-21T03:54:53.481169+00:00", "key": "alice", "#.to_owned()
//!         + r#""revision": "00000000000000ff", "value": {"age":7}, "version": 1}"#,
//! );
//!
//! let document = formats::decode(&stored)?;
//! assert!(document.is_of(name));
//! let entry = document.to_entry(&stored);
//! assert_eq!(entry.as_json(), Some(r#"{"age":7}"#));
//! assert_eq!(entry.created(), Some(created));
//! # Ok::<(), kv_core::Error>(())
//! ```

use std::borrow::Cow;

use crate::{Entry, Error, ErrorKind, Metadata, Name, Record, Result, Timestamp, ValueRef};

pub mod binary;
#[cfg(feature = "compression")]
#[cfg_attr(docsrs, doc(cfg(feature = "compression")))]
pub mod compression;
pub mod disk;
pub mod diskcache;
pub mod document;
#[cfg(feature = "elasticsearch")]
#[cfg_attr(docsrs, doc(cfg(feature = "elasticsearch")))]
pub mod elasticsearch;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub mod encryption;
#[cfg(any(feature = "compression", feature = "encryption"))]
mod envelope;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub mod http;
#[cfg(feature = "mongodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "mongodb")))]
pub mod mongodb;
pub mod postgres;
pub mod redis;

pub use document::Stamp;

/// A stored record that was read, of either form, with its value borrowed from the stored bytes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document<'a> {
    /// The collection it says it is of.
    pub collection: Option<Cow<'a, str>>,
    /// The key it says it is of.
    pub key: Option<Cow<'a, str>>,
    /// The value: a part of the stored bytes.
    pub value: ValueRef<'a>,
    /// When the record was first written.
    pub created: Option<Timestamp>,
    /// The instant at which it ends; `None` if it is permanent.
    pub expires: Option<Timestamp>,
    /// The number its writer gave this state of the record; 0 if another program wrote it.
    pub revision: u64,
    /// The user's notes.
    pub metadata: Option<Metadata>,
}

impl Document<'_> {
    /// The record.
    pub fn record(&self) -> Record<'_> {
        Record::new(self.value, self.revision)
            .with_created(self.created)
            .with_expires(self.expires)
            .with_metadata(self.metadata.as_ref())
    }

    /// The entry; `stored` are the bytes this was read from.
    pub fn to_entry(&self, stored: &[u8]) -> Entry {
        Entry::of_document(stored, &self.record())
    }

    /// The entry, if it [is of](Self::is_of) this name; `stored` are the bytes this was read from.
    fn to_entry_of(&self, name: Name<'_>, stored: &[u8]) -> Option<Entry> {
        self.is_of(name).then(|| self.to_entry(stored))
    }

    /// Whether it is of this name, as far as it says: a record without names could be.
    pub fn is_of(&self, name: Name<'_>) -> bool {
        self.collection.as_deref().is_none_or(|collection| collection == name.collection)
            && self.key.as_deref().is_none_or(|key| key == name.key)
    }
}

/// Appends the stored form of a record: a [JSON document](document::encode) for a JSON value, a
/// [binary envelope](binary::encode) for bytes.
#[inline]
pub fn encode(name: Name<'_>, record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
    match record.value {
        ValueRef::Json(_) => document::encode(name, record, stamp, out),
        ValueRef::Bytes(_) => binary::encode(name, record, out),
    }
}

/// Reads a stored record of either form.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`] if it is foreign, damaged, or of a format version this library does not know.
#[inline]
pub fn decode(stored: &[u8]) -> Result<Document<'_>> {
    match is_binary(stored) {
        true => binary::decode(stored),
        false => document::decode(stored),
    }
}

/// The entry in a stored record of either form, if that is of this name as far as it says; see
/// [`document::entry_of`].
///
/// # Errors
///
/// Those of [`decode`].
#[inline]
pub fn entry_of(stored: &[u8], name: Name<'_>, stamp: &mut Stamp) -> Result<Option<Entry>> {
    if !is_binary(stored) {
        return document::entry_of(stored, name, stamp);
    }
    Ok(binary::decode(stored)?.to_entry_of(name, stored))
}

fn is_binary(stored: &[u8]) -> bool {
    stored.first() == Some(&binary::MAGIC[0])
}

#[cold]
fn corrupted(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupted, message)
}

#[cold]
fn newer(found: impl std::fmt::Display, known: u8) -> Error {
    corrupted(format!("its format version is {found}, and comes from a newer version; this one reads version {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_form() {
        let name = Name::new("c", "k");
        for value in [ValueRef::Json(b"[1]"), ValueRef::Bytes(b"[1]"), ValueRef::Bytes(b"")] {
            let mut stored = Vec::new();
            encode(name, &Record::new(value, 7), &mut Stamp::default(), &mut stored);
            let document = decode(&stored).unwrap();
            assert_eq!((document.value, document.revision), (value, 7));
            let entry = document.to_entry(&stored);
            assert_eq!(entry.value(), value);
            assert_eq!(entry.revision(), crate::Revision::of_document(&stored, None));
        }
        assert_eq!(decode(b"").unwrap_err().kind(), ErrorKind::Corrupted);
    }

    #[test]
    fn a_document_is_of_the_names_it_carries() {
        let of = |document: &[u8], collection, key| decode(document).unwrap().is_of(Name::new(collection, key));
        let named = br#"{"collection": "c", "key": "k", "value": 1}"#;
        assert!(of(named, "c", "k"));
        assert!(!of(named, "c", "x"));
        assert!(!of(named, "x", "k"));
        assert!(of(br#"{"value": 1}"#, "c", "k"));
        assert!(!of(br#"{"key": "x", "value": 1}"#, "c", "k"));
    }
}

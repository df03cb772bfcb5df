//! The binary envelope of bytes values, for every backend that takes bytes. Python cannot read it.
//!
//! ```text
//! offset  bytes  what (numbers little-endian)
//!      0      3  F5 6B 76: a byte that begins neither UTF-8 nor JSON, then "kv"
//!      3      1  the format's version: 1
//!      4      8  the instant of creation, microseconds since 1970 (i64), or i64::MIN if not known
//!     12      8  the expiry, microseconds since 1970 (i64), or i64::MAX if permanent
//!     20      8  the revision (u64)
//!     28      2  the length of the collection's name (u16)
//!     30      2  the length of the key (u16)
//!     32      4  the length of the metadata (u32)
//!     36         the collection's name, the key, the metadata (a JSON object of text; nothing if there are no notes),
//!                and to the end the value
//! ```
//!
//! An empty name is none.

use std::borrow::Cow;

use super::{Document, corrupted, newer};
use crate::{Metadata, Name, Record, Result, Timestamp, ValueRef};

/// What an envelope begins with, before the format's version.
pub const MAGIC: [u8; 3] = *b"\xF5kv";

/// The version written, and the only one read.
const VERSION: u8 = 1;

const HEADER_LEN: usize = 36;
const UNKNOWN: i64 = i64::MIN;
const NEVER: i64 = i64::MAX;

/// Appends the envelope of a record whose value is bytes.
///
/// Names of more than 65,535 bytes, which no store takes, are left out.
///
/// # Examples
///
/// ```
/// use kv_core::formats::binary;
/// use kv_core::{Name, Record, ValueRef};
///
/// let mut stored = Vec::new();
/// binary::encode(Name::new("c", "k"), &Record::new(ValueRef::Bytes(b"\x00\xff"), 7), &mut stored);
/// assert_eq!(stored.len(), 40);
/// assert!(stored.starts_with(b"\xF5kv\x01"));
///
/// let document = binary::decode(&stored)?;
/// assert_eq!(document.value, ValueRef::Bytes(b"\x00\xff"));
/// assert_eq!(document.key.as_deref(), Some("k"));
/// # Ok::<(), kv_core::Error>(())
/// ```
pub fn encode(name: Name<'_>, record: &Record<'_>, out: &mut Vec<u8>) {
    let value = record.value.as_encoded();
    let (collection, collection_len) = sized(name.collection);
    let (key, key_len) = sized(name.key);
    // A map of text to text always serialises, and a `u32` holds any that a store takes.
    let metadata = record.metadata.and_then(|metadata| serde_json::to_vec(metadata).ok()).unwrap_or_default();
    let (metadata, metadata_len) = u32::try_from(metadata.len()).map_or((&[][..], 0), |len| (&*metadata, len));

    out.reserve(HEADER_LEN + collection.len() + key.len() + metadata.len() + value.len());
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&record.created.map_or(UNKNOWN, Timestamp::as_micros).to_le_bytes());
    out.extend_from_slice(&record.expires.map_or(NEVER, Timestamp::as_micros).to_le_bytes());
    out.extend_from_slice(&record.revision.to_le_bytes());
    out.extend_from_slice(&collection_len.to_le_bytes());
    out.extend_from_slice(&key_len.to_le_bytes());
    out.extend_from_slice(&metadata_len.to_le_bytes());
    for part in [collection.as_bytes(), key.as_bytes(), metadata, value] {
        out.extend_from_slice(part);
    }
}

fn sized(name: &str) -> (&str, u16) {
    u16::try_from(name.len()).map_or(("", 0), |len| (name, len))
}

/// Reads an envelope.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if it is none, is cut short, or is of a newer version.
pub fn decode(stored: &[u8]) -> Result<Document<'_>> {
    let Some((version, rest)) = stored.strip_prefix(&MAGIC).and_then(<[u8]>::split_first) else {
        return Err(corrupted("it is no binary envelope"));
    };
    if *version != VERSION {
        return Err(newer(version, VERSION));
    }
    read(&mut Rest(rest)).ok_or_else(|| corrupted("its binary envelope is cut short"))?
}

/// `None` where it is cut short.
fn read<'a>(rest: &mut Rest<'a>) -> Option<Result<Document<'a>>> {
    let created = i64::from_le_bytes(rest.array()?);
    let expires = i64::from_le_bytes(rest.array()?);
    let revision = u64::from_le_bytes(rest.array()?);
    let collection_len = usize::from(u16::from_le_bytes(rest.array()?));
    let key_len = usize::from(u16::from_le_bytes(rest.array()?));
    let metadata_len = usize::try_from(u32::from_le_bytes(rest.array()?)).ok()?;
    let (collection, key, metadata) = (rest.take(collection_len)?, rest.take(key_len)?, rest.take(metadata_len)?);
    let value = rest.0;
    let document = || {
        Ok(Document {
            collection: name(collection)?,
            key: name(key)?,
            value: ValueRef::Bytes(value),
            created: instant(created, UNKNOWN)?,
            expires: instant(expires, NEVER)?,
            revision,
            metadata: notes(metadata)?,
        })
    };
    Some(document())
}

/// The bytes not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

fn name(bytes: &[u8]) -> Result<Option<Cow<'_, str>>> {
    let name = std::str::from_utf8(bytes).map_err(|_| corrupted("a name in its binary envelope is not UTF-8"))?;
    Ok((!name.is_empty()).then_some(Cow::Borrowed(name)))
}

fn instant(micros: i64, none: i64) -> Result<Option<Timestamp>> {
    match Timestamp::from_micros(micros) {
        None if micros != none => Err(corrupted("an instant in its binary envelope is out of range")),
        instant => Ok(instant),
    }
}

fn notes(json: &[u8]) -> Result<Option<Metadata>> {
    if json.is_empty() {
        return Ok(None);
    }
    // serde's own message can quote the notes.
    let notes: Metadata =
        serde_json::from_slice(json).map_err(|_| corrupted("the metadata in its binary envelope is damaged"))?;
    Ok((!notes.is_empty()).then_some(notes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ErrorKind, Revision};

    /// Released format: this file stays as it is, for ever.
    const GOLDEN: &[u8] = include_bytes!("golden/binary-v1.bin");

    fn encoded(name: Name<'_>, record: &Record<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(name, record, &mut out);
        out
    }

    #[test]
    fn the_golden_envelope() {
        let notes = Metadata::new().with("a", "b");
        let record = Record::new(ValueRef::Bytes(b"\x00\xff{}"), 255)
            .with_created(Timestamp::from_micros(1_795_233_293_481_169))
            .with_expires(Timestamp::from_micros(1_795_233_394_000_000))
            .with_metadata(Some(&notes));
        let name = Name::new("col", "ké");
        assert_eq!(encoded(name, &record), GOLDEN);

        let document = decode(GOLDEN).unwrap();
        assert!(document.is_of(name));
        assert_eq!(document.value, record.value);
        assert_eq!((document.created, document.expires, document.revision), (record.created, record.expires, 255));
        assert_eq!(document.metadata.as_ref(), Some(&notes));
        let entry = document.to_entry(GOLDEN);
        assert_eq!(entry.as_bytes(), Some(&b"\x00\xff{}"[..]));
        assert_eq!(entry.revision(), Revision::of_document(GOLDEN, record.expires));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let changed = |at: usize, byte: u8| {
            let mut bytes = GOLDEN.to_vec();
            bytes[at] = byte;
            let error = decode(&bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted);
            error.message().to_owned()
        };
        assert!(changed(3, 2).contains("version is 2, and comes from a newer version"));
        assert!(changed(1, b'K').contains("no binary envelope"));
        assert!(changed(11, 0x7f).contains("instant"));
        assert!(changed(36, 0xff).contains("not UTF-8"));
        assert!(changed(35, 0xff).contains("cut short"));
        assert!(changed(43, b'!').contains("metadata"));
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            collection in any::<String>(), key in any::<String>(), value in any::<Vec<u8>>(),
            created in any::<Option<u32>>(), expires in any::<Option<u32>>(), revision in any::<u64>(),
            note in any::<Option<(String, String)>>(), cut in any::<prop::sample::Index>(),
        ) {
            let instant = |micros: Option<u32>| micros.and_then(|micros| Timestamp::from_micros(micros.into()));
            let notes: Metadata = note.into_iter().collect();
            let record = Record::new(ValueRef::Bytes(&value), revision)
                .with_created(instant(created))
                .with_expires(instant(expires))
                .with_metadata(Some(&notes));
            let stored = encoded(Name::new(&collection, &key), &record);
            let document = decode(&stored).unwrap();
            prop_assert_eq!(document.collection.as_deref().unwrap_or_default(), collection);
            prop_assert_eq!(document.key.as_deref().unwrap_or_default(), key);
            prop_assert_eq!(document.value, record.value);
            prop_assert_eq!((document.created, document.expires), (record.created, record.expires));
            prop_assert_eq!(document.revision, revision);
            prop_assert_eq!(document.metadata.as_ref(), record.metadata);

            let head = stored.len() - value.len();
            prop_assert!(decode(&stored[..cut.index(head)]).is_err());
        }

        #[test]
        fn nothing_makes_it_panic(bytes in any::<Vec<u8>>(), header in any::<[u8; 16]>()) {
            let _ = decode(&bytes);
            let _ = decode(&[&GOLDEN[..20], &header, &bytes].concat());
        }
    }
}

//! The JSON document that Python's `py-key-value-aio` reads and writes in every store that keeps text.
//!
//! ```json
//! {"collection": "c", "created_at": "2026-11-21T03:54:53.481169+00:00", "expires_at": "2026-11-21T03:56:34+00:00",
//!  "key": "k", "metadata": {"a": "b"}, "revision": "00000000000000ff", "value": {"any":"JSON"}, "version": 1}
//! ```
//!
//! It is one line, with its fields in the order of their names and `", "` and `": "` between them, as Python writes it.
//!
//! | field | what |
//! | --- | --- |
//! | `collection`, `key` | the record's true names |
//! | `created_at`, `expires_at` | in UTC, six fraction digits or at a whole second none; left out if there is none |
//! | `metadata` | the user's notes, a map of text to text; left out if there are none. Python ignores it |
//! | `revision` | 16 lower-case hex digits, fresh for every write. Python ignores it |
//! | `value` | the value, any JSON. Python reads objects only |
//! | `version` | 1 |
//!
//! Text outside ASCII is written as UTF-8 where Python writes `\u` escapes; it reads both.
//!
//! # Reading
//!
//! What [`encode`] wrote is recognised byte by byte, and then trusted: its value is not parsed again, so damage inside
//! the value shows when the value is decoded. Every other document is parsed as JSON:
//!
//! * unknown fields are ignored; of fields of one name the last counts;
//! * instants may be missing, `null` or empty, which is none; may have any offset, or none, which is UTC;
//! * `metadata` that is no map of text and a `revision` of another form are another program's, and ignored;
//! * `version` may be missing, as before Python's 0.3; any but 1 comes from a newer version and is refused;
//! * a value that is a JSON string is that string. Python parses its text once more, since some of its stores write
//!   objects so; where a store has such documents, it unwraps them itself;
//! * `NaN` and `Infinity`, which Python writes, are no JSON, and the record is refused.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Document;
use crate::{Entry, Metadata, Name, Record, Result, Timestamp, ValueRef, time};

pub(super) mod general;
pub(super) mod plain;
#[cfg(test)]
mod tests;

/// The version written, and the only one read.
const VERSION: u8 = 1;

const COLLECTION: &[u8] = b"{\"collection\": \"";
const CREATED: &[u8] = b"\", \"created_at\": \"";
const EXPIRES: &[u8] = b"\", \"expires_at\": \"";
const KEY: &[u8] = b"\", \"key\": \"";
const METADATA: &[u8] = b"\", \"metadata\": ";
const REVISION: &[u8] = b"\", \"revision\": \"";
const REVISION_AFTER_METADATA: &[u8] = b", \"revision\": \"";
const VALUE: &[u8] = b"\", \"value\": ";
const END: &[u8] = b", \"version\": 1}";

/// All that is written in any case, an instant included, and room for the other.
const OVERHEAD: usize = 256;

/// The instants written or read last with their texts, so that a batch formats or parses each once.
#[derive(Debug, Clone, Default)]
pub struct Stamp {
    created: Formatted,
    expires: Formatted,
}

#[derive(Debug, Clone, Default)]
struct Formatted {
    instant: Option<Timestamp>,
    text: time::Text,
}

impl Formatted {
    #[inline]
    fn text(&mut self, instant: Timestamp) -> &[u8] {
        if self.instant != Some(instant) {
            *self = Self { instant: Some(instant), text: instant.to_text() };
        }
        self.text.as_bytes()
    }

    /// The instant of a text that [`text`](Self::text) gave.
    #[inline]
    fn instant(&mut self, text: &[u8]) -> Option<Timestamp> {
        if self.instant.is_none() || !self.text.is(text) {
            *self = Self { instant: Some(Timestamp::parse_fixed(text)?), text: time::Text::written(text) };
        }
        self.instant
    }
}

/// Appends the document of a record whose value is JSON.
///
/// # Examples
///
/// ```
/// use kv_core::formats::{Stamp, document};
/// use kv_core::{Name, Record, ValueRef};
///
/// let mut stored = Vec::new();
/// let record = Record::new(ValueRef::Json(b"[1,2]"), 255);
/// document::encode(Name::new("c", "k"), &record, &mut Stamp::default(), &mut stored);
/// assert_eq!(
///     std::str::from_utf8(&stored).unwrap(),
///     r#"{"collection": "c", "key": "k", "revision": "00000000000000ff", "value": [1,2], "version": 1}"#,
/// );
/// ```
pub fn encode(name: Name<'_>, record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
    let value = record.value.as_encoded();
    out.reserve(OVERHEAD + name.collection.len() + name.key.len() + value.len());
    out.extend_from_slice(COLLECTION);
    plain::escape_into(name.collection, out);
    if let Some(created) = record.created {
        out.extend_from_slice(CREATED);
        out.extend_from_slice(stamp.created.text(created));
    }
    if let Some(expires) = record.expires {
        out.extend_from_slice(EXPIRES);
        out.extend_from_slice(stamp.expires.text(expires));
    }
    out.extend_from_slice(KEY);
    plain::escape_into(name.key, out);
    match record.metadata {
        Some(metadata) if !metadata.is_empty() => {
            out.extend_from_slice(METADATA);
            encode_metadata(metadata, out);
            out.extend_from_slice(REVISION_AFTER_METADATA);
        }
        _ => out.extend_from_slice(REVISION),
    }
    out.extend_from_slice(&plain::hex(record.revision));
    out.extend_from_slice(VALUE);
    out.extend_from_slice(value);
    out.extend_from_slice(END);
}

fn encode_metadata(metadata: &Metadata, out: &mut Vec<u8>) {
    let mut separator = &b"{\""[..];
    for (name, value) in metadata.iter() {
        out.extend_from_slice(separator);
        plain::escape_into(name, out);
        out.extend_from_slice(b"\": \"");
        plain::escape_into(value, out);
        separator = b"\", \"";
    }
    out.extend_from_slice(b"\"}");
}

/// Reads a document, whoever wrote it.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if it is no such document, or of a newer version. The message
/// shows no part of the value.
///
/// # Examples
///
/// ```
/// use kv_core::ErrorKind;
/// use kv_core::formats::document;
///
/// let document = document::decode(br#"{"created_at": null, "value": {"a": 1}, "new": true}"#)?;
/// assert_eq!(document.value.as_json(), Some(r#"{"a": 1}"#));
/// assert_eq!(document.created, None);
///
/// let error = document::decode(br#"{"value": {}, "version": 2}"#).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Corrupted);
/// assert!(error.message().contains("version is 2"));
/// # Ok::<(), kv_core::Error>(())
/// ```
pub fn decode(document: &[u8]) -> Result<Document<'_>> {
    match decode_own(document, Name::new("", ""), &mut Stamp::default()) {
        Some(own) => Ok(own.into_document()),
        None => general::decode(document),
    }
}

/// The entry in a document, if that is of this name as far as it says: what [`decode`] gives, only faster, for one of
/// many. What was learned from those before it is in the stamp.
///
/// # Errors
///
/// Those of [`decode`].
pub fn entry_of(document: &[u8], name: Name<'_>, stamp: &mut Stamp) -> Result<Option<Entry>> {
    let Some(own) = decode_own(document, name, stamp) else {
        return Ok(general::decode(document)?.to_entry_of(name, document));
    };
    if !is_same(own.collection, name.collection) || !is_same(own.key, name.key) {
        return Ok(None);
    }
    Ok(Some(Entry::of_document(document, &own.record.with_metadata(own.metadata.as_ref()))))
}

/// Whether these are equal; most often they are one and the same, where the name was [expected](plain::expected).
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// What [`encode`] wrote.
struct Own<'a> {
    collection: &'a str,
    key: &'a str,
    /// All but the notes.
    record: Record<'a>,
    metadata: Option<Metadata>,
}

impl<'a> Own<'a> {
    fn into_document(self) -> Document<'a> {
        Document {
            collection: Some(Cow::Borrowed(self.collection)),
            key: Some(Cow::Borrowed(self.key)),
            value: self.record.value,
            created: self.record.created,
            expires: self.record.expires,
            revision: self.record.revision,
            metadata: self.metadata.filter(|metadata| !metadata.is_empty()),
        }
    }
}

/// Reads what [`encode`] writes; `None` for all that is not surely that.
///
/// A document of Python's never is: it has no revision.
#[inline(always)]
fn decode_own<'a>(document: &'a [u8], name: Name<'a>, stamp: &mut Stamp) -> Option<Own<'a>> {
    let rest = document.strip_suffix(END)?.strip_prefix(COLLECTION)?;
    let (collection, rest) = plain::expected(name.collection, rest).or_else(|| plain::text(rest))?;
    let (created, rest) = instant(CREATED, rest, &mut stamp.created)?;
    let (expires, rest) = instant(EXPIRES, rest, &mut stamp.expires)?;
    let rest = rest.strip_prefix(KEY)?;
    let (key, rest) = plain::expected(name.key, rest).or_else(|| plain::text(rest))?;
    let (metadata, rest) = match rest.strip_prefix(METADATA) {
        None => (None, rest.strip_prefix(REVISION)?),
        Some(rest) => {
            let mut notes = serde_json::Deserializer::from_slice(rest).into_iter::<Metadata>();
            let metadata = notes.next()?.ok()?;
            (Some(metadata), rest.get(notes.byte_offset()..)?.strip_prefix(REVISION_AFTER_METADATA)?)
        }
    };
    let (digits, rest) = rest.split_first_chunk()?;
    let revision = plain::from_hex(*digits)?;
    let value = rest.strip_prefix(VALUE).filter(|value| is_one_value(value))?;
    let record = Record::new(ValueRef::Json(value), revision).with_created(created).with_expires(expires);
    Some(Own { collection, key, record, metadata })
}

/// The instant after this label, if the label is there.
#[inline]
fn instant<'a>(label: &[u8], text: &'a [u8], last: &mut Formatted) -> Option<(Option<Timestamp>, &'a [u8])> {
    let Some(rest) = text.strip_prefix(label) else {
        return Some((None, text));
    };
    let len = if rest.get(19) == Some(&b'.') { 32 } else { 25 };
    let (instant, rest) = rest.split_at_checked(len)?;
    Some((Some(last.instant(instant)?), rest))
}

/// Whether this is surely all of one value, and not a value with more fields after it, nor a part of one that ends
/// like a document: compact JSON, as ours is, has no `": `, and every further field of such a writer has.
fn is_one_value(value: &[u8]) -> bool {
    match (value.first(), value.last()) {
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => !plain::has_spaced_field(value),
        (Some(b'"'), Some(b'"')) => value.len() > 1 && !plain::has_spaced_field(value),
        _ => serde_json::from_slice::<&RawValue>(value).is_ok_and(|all| all.get().len() == value.len()),
    }
}

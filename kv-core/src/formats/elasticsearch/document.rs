//! Records as documents.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dialect, own};
use crate::formats::document::{general, plain};
use crate::formats::{corrupted, newer};
use crate::{Metadata, Name, Record, Result, Timestamp, ValueRef};

const VERSION: &str = "1";

/// How a value of JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// An object as it is, all else as text.
    Plain,
    /// As text, whatever it is: for a value that the server refused as an object.
    Text,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decoded<'a> {
    /// The collection it says it is of.
    pub collection: Option<Cow<'a, str>>,
    /// The key it says it is of.
    pub key: Option<Cow<'a, str>>,
    /// The value, as JSON or bytes.
    pub value: Content<'a>,
    /// When the record was first written.
    pub created: Option<Timestamp>,
    /// The instant at which it ends; `None` if it is permanent.
    pub expires: Option<Timestamp>,
    /// The number its writer gave it; 0 if another program wrote it.
    pub revision: u64,
    /// The user's notes.
    pub metadata: Option<Metadata>,
}

/// A value as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// JSON text.
    Json(Cow<'a, str>),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Decoded<'_> {
    /// The record.
    pub fn record(&self) -> Record<'_> {
        let value = match &self.value {
            Content::Json(text) => ValueRef::Json(text.as_bytes()),
            Content::Bytes(bytes) => ValueRef::Bytes(bytes),
        };
        Record::new(value, self.revision)
            .with_created(self.created)
            .with_expires(self.expires)
            .with_metadata(self.metadata.as_ref())
    }

    /// Whether it is of this name, as far as it says.
    pub fn is_of(&self, name: Name<'_>) -> bool {
        self.collection.as_deref().is_none_or(|collection| collection == name.collection)
            && self.key.as_deref().is_none_or(|key| key == name.key)
    }
}

/// Appends the document of a record, on one line.
///
/// # Examples
///
/// ```
/// use kv_core::formats::elasticsearch::{Dialect, Form, encode};
/// use kv_core::{Name, Record, ValueRef};
///
/// let mut document = Vec::new();
/// let record = Record::new(ValueRef::Json(br#"{"age":7}"#), 255);
/// encode(Dialect::OpenSearch, Form::Plain, Name::new("c", "k"), &record, &mut document);
/// assert_eq!(
///     std::str::from_utf8(&document).unwrap(),
///     r#"{"collection":"c","key":"k","kv":{"revision":"00000000000000ff"},"value":{"flat":{"age":7}},"version":1}"#,
/// );
/// ```
pub fn encode(dialect: Dialect, form: Form, name: Name<'_>, record: &Record<'_>, out: &mut Vec<u8>) {
    let value = record.value.as_encoded();
    out.reserve(256 + name.collection.len() + name.key.len() + value.len());
    out.extend_from_slice(b"{\"collection\":");
    string(name.collection, out);
    for (field, instant) in [(own::CREATED, record.created), (own::EXPIRES, record.expires)] {
        if let Some(instant) = instant {
            out.extend_from_slice(field);
            out.extend_from_slice(instant.to_text().as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b",\"key\":");
    string(name.key, out);
    out.extend_from_slice(b",\"kv\":{");
    let object = match record.value {
        ValueRef::Bytes(bytes) => {
            // Writing to a `Vec` cannot fail.
            let _ = write!(out, "\"bytes\":\"{}\",", base64::display::Base64Display::new(bytes, &BASE64_STANDARD));
            None
        }
        ValueRef::Json(json) if form == Form::Plain && is_object(json) => Some(json),
        ValueRef::Json(json) => {
            out.extend_from_slice(b"\"text\":");
            match std::str::from_utf8(json) {
                Ok(json) => string(json, out),
                // JSON is UTF-8.
                Err(_) => string(&String::from_utf8_lossy(json), out),
            }
            out.push(b',');
            None
        }
    };
    if let Some(expires) = record.expires {
        let _ = write!(out, "\"expires\":{},", expires.as_micros());
    }
    if let Some(metadata) = record.metadata.filter(|metadata| !metadata.is_empty()) {
        out.extend_from_slice(b"\"metadata\":");
        let mut separator = b'{';
        for (name, value) in metadata.iter() {
            out.push(separator);
            string(name, out);
            out.push(b':');
            string(value, out);
            separator = b',';
        }
        out.extend_from_slice(b"},");
    }
    out.extend_from_slice(own::REVISION);
    out.extend_from_slice(&plain::hex(record.revision));
    out.extend_from_slice(b"\"},\"value\":{");
    if let Some(json) = object {
        out.push(b'"');
        out.extend_from_slice(dialect.field().as_bytes());
        out.extend_from_slice(b"\":");
        let start = out.len();
        out.extend_from_slice(json);
        // A line of a batch ends at the first line feed. In JSON they only stand between tokens.
        for at in memchr::memchr_iter(b'\n', json) {
            out[start + at] = b' ';
        }
    }
    out.extend_from_slice(own::END.as_bytes());
}

pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    plain::escape_into(text, out);
    out.push(b'"');
}

fn is_object(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    collection: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    expires_at: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    kv: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    version: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Ours<'a> {
    #[serde(borrow)]
    bytes: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    revision: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    flattened: Option<&'a RawValue>,
    flat: Option<&'a RawValue>,
}

/// Reads a document, whoever wrote it, and of either dialect. Of one that [`encode`] wrote the value is not looked into:
/// where the text is no JSON, as the server's is, that may show only when the value is decoded.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if it is no record, or of a newer version. The message shows no
/// part of the value.
pub fn decode(source: &str) -> Result<Decoded<'_>> {
    match own::decode(source) {
        Some(decoded) => Ok(decoded),
        None => decode_any(source),
    }
}

pub(super) fn decode_any(source: &str) -> Result<Decoded<'_>> {
    read(source, content)
}

/// Reads a document of which the value was left out; it is given as `null`.
///
/// # Errors
///
/// As those of [`decode`], but for damage in the value.
pub fn decode_head(source: &str) -> Result<Decoded<'_>> {
    read(source, |_, _| Ok(Content::Json("null".into())))
}

fn read<'a>(
    source: &'a str,
    content: impl FnOnce(&Ours<'a>, Option<&'a RawValue>) -> Result<Content<'a>>,
) -> Result<Decoded<'a>> {
    let fields: Fields<'_> = serde_json::from_str(source).map_err(|error| general::refusal(source, &error))?;
    if let Some(version) = fields.version.map(RawValue::get).filter(|version| *version != VERSION) {
        return Err(newer(if version.len() <= 20 { version } else { "no number" }, 1));
    }
    let ours = fields.kv.and_then(|kv| serde_json::from_str::<Ours<'_>>(kv.get()).ok()).unwrap_or_default();
    Ok(Decoded {
        collection: general::name("collection", fields.collection)?,
        key: general::name("key", fields.key)?,
        value: content(&ours, fields.value)?,
        created: general::instant("created_at", fields.created_at)?,
        expires: general::instant("expires_at", fields.expires_at)?,
        revision: ours.revision.and_then(general::revision).unwrap_or(0),
        metadata: ours
            .metadata
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .filter(|metadata: &Metadata| !metadata.is_empty()),
    })
}

fn content<'a>(ours: &Ours<'a>, value: Option<&'a RawValue>) -> Result<Content<'a>> {
    let damaged = |what: &'static str| corrupted(what);
    if let Some(bytes) = ours.bytes {
        let text = general::string(bytes).ok_or_else(|| damaged("its `kv.bytes` is not text"))?;
        let bytes = BASE64_STANDARD.decode(&*text).map_err(|_| damaged("its `kv.bytes` is not base64"))?;
        return Ok(Content::Bytes(bytes));
    }
    if let Some(text) = ours.text {
        let text = general::string(text).ok_or_else(|| damaged("its `kv.text` is not text"))?;
        return json(text).ok_or_else(|| damaged("its `kv.text` is not JSON"));
    }
    let value = value.ok_or_else(|| damaged("it has no `value`"))?;
    let value: Value<'a> = serde_json::from_str(value.get()).map_err(|_| damaged("its `value` is no object"))?;
    let value = value.flattened.or(value.flat).ok_or_else(|| damaged("its `value` has no `flattened` or `flat`"))?;
    if value.get().starts_with('"') {
        // Python takes the text of an object for that object.
        let text = general::string(value).ok_or_else(|| damaged("its value is not text"))?;
        return json(text).ok_or_else(|| damaged("its value is the text of no JSON"));
    }
    Ok(Content::Json(Cow::Borrowed(value.get())))
}

fn json(text: Cow<'_, str>) -> Option<Content<'_>> {
    serde_json::from_str::<&RawValue>(&text).ok()?;
    Some(Content::Json(text))
}

//! Documents of any layout, as JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::VERSION;
use crate::formats::{Document, corrupted, newer};
use crate::{Error, Result, Timestamp, ValueRef};

pub(super) fn decode(document: &[u8]) -> Result<Document<'_>> {
    let text = std::str::from_utf8(document).map_err(|_| corrupted("it is not UTF-8"))?;
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| refusal(text, &error))?;
    if let Some(version) = fields.version.map(RawValue::get).filter(|version| *version != VERSION.to_string()) {
        // Whatever stands there; a number is short.
        let version = if version.len() <= 20 { version } else { "no number" };
        return Err(newer(version, VERSION));
    }
    let value = fields.value.ok_or_else(|| corrupted("it has no `value`"))?;
    Ok(Document {
        collection: name("collection", fields.collection)?,
        key: name("key", fields.key)?,
        value: ValueRef::Json(value.get().as_bytes()),
        created: instant("created_at", fields.created_at)?,
        expires: instant("expires_at", fields.expires_at)?,
        revision: fields.revision.and_then(revision).unwrap_or(0),
        metadata: fields
            .metadata
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .filter(|metadata: &crate::Metadata| !metadata.is_empty()),
    })
}

/// The fields by name, each still as text: of double names the last.
#[derive(Default)]
struct Fields<'a> {
    collection: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    expires_at: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    revision: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    version: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Collection,
    CreatedAt,
    ExpiresAt,
    Key,
    Metadata,
    Revision,
    Value,
    Version,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_key()? {
            let slot = match field {
                Field::Collection => &mut fields.collection,
                Field::CreatedAt => &mut fields.created_at,
                Field::ExpiresAt => &mut fields.expires_at,
                Field::Key => &mut fields.key,
                Field::Metadata => &mut fields.metadata,
                Field::Revision => &mut fields.revision,
                Field::Value => &mut fields.value,
                Field::Version => &mut fields.version,
                Field::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // Not `Option<&RawValue>`, which would take `null` for absence.
            *slot = Some(map.next_value::<&RawValue>()?);
        }
        Ok(fields)
    }
}

/// A JSON string, borrowed if it has no escapes; `None` if it is no string.
pub(in crate::formats) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw.get()).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// A name that is there must be text, or it could not be told whether the record is of the name that was asked for.
pub(in crate::formats) fn name<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    string(raw).map(Some).ok_or_else(|| corrupted(format!("its `{field}` is not text")))
}

pub(in crate::formats) fn instant(field: &'static str, raw: Option<&RawValue>) -> Result<Option<Timestamp>> {
    let Some(raw) = raw.filter(|raw| !["null", "\"\""].contains(&raw.get())) else {
        return Ok(None);
    };
    let instant = string(raw).and_then(|text| parse(&text));
    instant.map(Some).ok_or_else(|| corrupted(format!("its `{field}` is not an instant")))
}

/// With an offset, or in UTC; or a day, which begins at midnight.
fn parse(text: &str) -> Option<Timestamp> {
    let read = |text: &str| text.parse().ok();
    read(text).or_else(|| read(&format!("{text}Z"))).or_else(|| read(&format!("{text}T00:00:00Z")))
}

pub(in crate::formats) fn revision(raw: &RawValue) -> Option<u64> {
    let digits = string(raw).filter(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(&digits, 16).ok()
}

/// serde's own message can quote the document, so only the place and the sort of error go on.
#[cold]
pub(in crate::formats) fn refusal(text: &str, error: &serde_json::Error) -> Error {
    if error.classify() == Category::Data {
        return corrupted("it is not a JSON object");
    }
    match python_number(text) {
        Some(number) => corrupted(format!("it holds {number}, which Python writes and JSON cannot say")),
        None => {
            let (class, line, column) = (error.classify(), error.line(), error.column());
            corrupted(format!("it is not JSON ({class:?} error at line {line} column {column})"))
        }
    }
}

/// The first `NaN` or `Infinity` outside strings.
fn python_number(text: &str) -> Option<&'static str> {
    let (mut in_string, mut escaped) = (false, false);
    text.bytes().enumerate().find_map(|(at, byte)| {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            return None;
        }
        in_string = byte == b'"';
        ["NaN", "Infinity", "-Infinity"].into_iter().find(|number| text.as_bytes()[at..].starts_with(number.as_bytes()))
    })
}

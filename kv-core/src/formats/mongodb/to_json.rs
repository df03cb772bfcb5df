//! BSON documents as JSON objects, as far as JSON has words for what is in them.

use bson::{RawArray, RawBsonRef, RawDocument};

use super::super::corrupted;
use super::no_bson;
use crate::Result;

/// More than a server takes.
const MOST_LEVELS: usize = 200;

pub(super) fn append_object(object: &RawDocument, out: &mut Vec<u8>) -> Result<()> {
    out.reserve(object.as_bytes().len());
    document(object, out, 1)
}

fn document(object: &RawDocument, out: &mut Vec<u8>, level: usize) -> Result<()> {
    out.push(b'{');
    for (at, field) in object.iter().enumerate() {
        let (name, field) = field.map_err(|_| no_bson())?;
        if at > 0 {
            out.push(b',');
        }
        text(name.as_str(), out)?;
        out.push(b':');
        value(field, out, level)?;
    }
    out.push(b'}');
    Ok(())
}

fn array(array: &RawArray, out: &mut Vec<u8>, level: usize) -> Result<()> {
    out.push(b'[');
    for (at, element) in array.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        value(element.map_err(|_| no_bson())?, out, level)?;
    }
    out.push(b']');
    Ok(())
}

fn value(found: RawBsonRef<'_>, out: &mut Vec<u8>, level: usize) -> Result<()> {
    if level > MOST_LEVELS {
        return Err(corrupted("the value is nested deeper than MongoDB takes"));
    }
    match found {
        RawBsonRef::Document(object) => return document(object, out, level + 1),
        RawBsonRef::Array(elements) => return array(elements, out, level + 1),
        RawBsonRef::String(string) => return text(string, out),
        RawBsonRef::Null => out.extend_from_slice(b"null"),
        RawBsonRef::Boolean(true) => out.extend_from_slice(b"true"),
        RawBsonRef::Boolean(false) => out.extend_from_slice(b"false"),
        RawBsonRef::Int32(number) => return written(&number, out),
        RawBsonRef::Int64(number) => return written(&number, out),
        RawBsonRef::Double(number) if number.is_finite() => return written(&number, out),
        RawBsonRef::Double(_) => {
            return Err(corrupted("the value holds a NaN or an infinity, which JSON cannot say"));
        }
        other => {
            let message = format!("the value holds a BSON {:?}, for which JSON has no word", other.element_type());
            return Err(corrupted(message));
        }
    }
    Ok(())
}

fn text(string: &str, out: &mut Vec<u8>) -> Result<()> {
    if string.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(string.as_bytes());
        out.push(b'"');
        return Ok(());
    }
    written(string, out)
}

fn written<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|_| no_bson())
}

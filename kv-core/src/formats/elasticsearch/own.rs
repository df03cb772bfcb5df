//! Documents just as [`encode`](super::encode) writes them, which the server gives back as they were: read without a
//! parser, which would go over the value once more for each level it stands at.

use std::borrow::Cow;

use super::{Content, Decoded};
use crate::Timestamp;
use crate::formats::document::plain;

const COLLECTION: &[u8] = b"{\"collection\":\"";
pub(super) const CREATED: &[u8] = b",\"created_at\":\"";
pub(super) const EXPIRES: &[u8] = b",\"expires_at\":\"";
const KEY: &[u8] = b",\"key\":\"";
const OURS: &[u8] = b"\",\"kv\":{";
const ENDS: &[u8] = b"\"expires\":";
pub(super) const REVISION: &[u8] = b"\"revision\":\"";
const VALUE: [&[u8]; 2] = [b"\"},\"value\":{\"flattened\":", b"\"},\"value\":{\"flat\":"];
pub(super) const END: &[u8] = b"},\"version\":1}";

/// The record of a document of ours whose value is an object, without notes; `None` for all that is not surely that.
pub(super) fn decode(source: &str) -> Option<Decoded<'_>> {
    let rest = source.as_bytes().strip_suffix(END)?.strip_prefix(COLLECTION)?;
    let (collection, rest) = plain::text(rest)?;
    let rest = rest.strip_prefix(b"\"")?;
    let (created, rest) = instant(CREATED, rest)?;
    let (expires, rest) = instant(EXPIRES, rest)?;
    let (key, rest) = plain::text(rest.strip_prefix(KEY)?)?;
    let rest = rest.strip_prefix(OURS)?;
    let rest = match rest.strip_prefix(ENDS) {
        None => rest,
        Some(rest) => {
            let digits = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-')?;
            rest[digits..].strip_prefix(b",")?
        }
    };
    let (digits, rest) = rest.strip_prefix(REVISION)?.split_first_chunk()?;
    let revision = plain::from_hex(*digits)?;
    let value = VALUE.iter().find_map(|field| rest.strip_prefix(*field)).filter(|value| is_one_object(value))?;
    let end = source.len() - END.len();
    Some(Decoded {
        collection: Some(Cow::Borrowed(collection)),
        key: Some(Cow::Borrowed(key)),
        value: Content::Json(Cow::Borrowed(source.get(end - value.len()..end)?)),
        created,
        expires,
        revision,
        metadata: None,
    })
}

/// The instant after this label, if the label is there.
fn instant<'a>(label: &[u8], text: &'a [u8]) -> Option<(Option<Timestamp>, &'a [u8])> {
    let Some(rest) = text.strip_prefix(label) else { return Some((None, text)) };
    let len = if rest.get(19) == Some(&b'.') { 32 } else { 25 };
    let (instant, rest) = rest.split_at_checked(len)?;
    Some((Some(Timestamp::parse_fixed(instant)?), rest.strip_prefix(b"\"")?))
}

/// Whether this part of a JSON text is one object, and not one with more behind it.
fn is_one_object(part: &[u8]) -> bool {
    if part.first() != Some(&b'{') {
        return false;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = part.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at == part.len();
                }
            }
            b'"' => loop {
                at += plain::plain_len(&part[at..]);
                match part.get(at) {
                    Some(b'"') => break at += 1,
                    // What is escaped is one byte, or more that are plain.
                    Some(b'\\') if at + 1 < part.len() => at += 2,
                    _ => return false,
                }
            },
            _ => {}
        }
    }
    false
}

//! Documents just as [`encode`](super::encode) writes them, which the server gives back as they were: read without a
//! parser, which would go over the value once more for each level it stands at. The value is trusted: damage inside it
//! shows when it is decoded.

use std::borrow::Cow;

use super::answers::entry;
use super::{Content, Decoded, Found};
use crate::formats::document::plain;
use crate::{Name, Timestamp};

const COLLECTION: &[u8] = b"{\"collection\":\"";
pub(super) const CREATED: &[u8] = b",\"created_at\":\"";
pub(super) const EXPIRES: &[u8] = b",\"expires_at\":\"";
const KEY: &[u8] = b",\"key\":\"";
const OURS: &[u8] = b"\",\"kv\":{";
const ENDS: &[u8] = b"\"expires\":";
pub(super) const REVISION: &[u8] = b"\"revision\":\"";
const VALUE: [&[u8]; 2] = [b"\"},\"value\":{\"flattened\":", b"\"},\"value\":{\"flat\":"];
pub(super) const END: &str = "},\"version\":1}";

/// The record of a document of ours whose value is an object, without notes; `None` for all that is not surely that.
pub(super) fn decode(source: &str) -> Option<Decoded<'_>> {
    first(source).and_then(|(decoded, rest)| rest.is_empty().then_some(decoded))
}

/// The same of the document that the text begins with, and the text behind it.
fn first(text: &str) -> Option<(Decoded<'_>, &str)> {
    let rest = text.as_bytes().strip_prefix(COLLECTION)?;
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
    let rest = VALUE.iter().find_map(|field| rest.strip_prefix(*field))?;
    let start = text.len() - rest.len();
    let end = start + object_len(rest)?;
    let decoded = Decoded {
        collection: Some(Cow::Borrowed(collection)),
        key: Some(Cow::Borrowed(key)),
        value: Content::Json(Cow::Borrowed(text.get(start..end)?)),
        created,
        expires,
        revision,
        metadata: None,
    };
    Some((decoded, text.get(end..)?.strip_prefix(END)?))
}

/// The answer to a request for these keys, if each document in it is one of ours or missing; `None` for all that is not
/// surely that.
pub(super) fn found(body: &[u8], collection: &str, keys: &[&str]) -> Option<Vec<Found>> {
    let mut rest = std::str::from_utf8(body).ok()?.strip_prefix("{\"docs\":")?;
    let mut all = Vec::with_capacity(keys.len());
    let mut separator = "[{\"_index\":\"";
    for key in keys {
        let one;
        (one, rest) = doc(rest.strip_prefix(separator)?, Name::new(collection, key))?;
        all.push(one);
        separator = ",{\"_index\":\"";
    }
    (rest.trim_ascii_end() == "]}").then_some(all)
}

/// The document under this name, from its index's name on.
fn doc<'a>(text: &'a str, name: Name<'_>) -> Option<(Found, &'a str)> {
    let (_, rest) = plain::text(text.as_bytes())?;
    let rest = rest.strip_prefix(b"\"")?;
    // Of Elasticsearch 7.
    let rest = rest.strip_prefix(b",\"_type\":\"_doc\"").unwrap_or(rest);
    let (_, rest) = plain::text(rest.strip_prefix(b",\"_id\":\"")?)?;
    let rest = text.get(text.len() - rest.len()..)?.strip_prefix('"')?;
    if let Some(rest) = rest.strip_prefix(",\"found\":false}") {
        return Some((Found::Missing, rest));
    }
    let (_, rest) = number(rest.strip_prefix(",\"_version\":")?)?;
    let (seq, rest) = number(rest.strip_prefix(",\"_seq_no\":")?)?;
    let (term, rest) = number(rest.strip_prefix(",\"_primary_term\":")?)?;
    let (decoded, rest) = first(rest.strip_prefix(",\"found\":true,\"_source\":")?)?;
    let found = entry(&decoded, name, seq, term).map_or(Found::Missing, |(entry, state)| Found::Entry(entry, state));
    Some((found, rest.strip_prefix('}')?))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// The instant after this label, if the label is there.
fn instant<'a>(label: &[u8], text: &'a [u8]) -> Option<(Option<Timestamp>, &'a [u8])> {
    let Some(rest) = text.strip_prefix(label) else { return Some((None, text)) };
    let len = if rest.get(19) == Some(&b'.') { 32 } else { 25 };
    let (instant, rest) = rest.split_at_checked(len)?;
    Some((Some(Timestamp::parse_fixed(instant)?), rest.strip_prefix(b"\"")?))
}

/// How long the object is that this part of a JSON text begins with.
fn object_len(part: &[u8]) -> Option<usize> {
    if part.first() != Some(&b'{') {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = part.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => loop {
                at += plain::plain_len(&part[at..]);
                match part.get(at) {
                    Some(b'"') => break at += 1,
                    // What is escaped is one byte, or more that are plain.
                    Some(b'\\') if at + 1 < part.len() => at += 2,
                    _ => return None,
                }
            },
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::answers::found_any;
    use super::super::{Dialect, Form, encode, found as read};
    use super::*;
    use crate::{Record, ValueRef};

    /// What the server answers for `a`, which is there, and `b`, which is not.
    fn answer(value: &str) -> String {
        let mut source = Vec::new();
        let record = Record::new(ValueRef::Json(value.as_bytes()), 7).with_expires(Some(Timestamp::UNIX_EPOCH));
        encode(Dialect::OpenSearch, Form::Plain, Name::new("c", "a"), &record, &mut source);
        r#"{"docs":[{"_index":"kv-c~","_id":"a","_version":3,"_seq_no":21,"_primary_term":4,"found":true,"_source":"#
            .to_owned()
            + std::str::from_utf8(&source).unwrap()
            + r#"},{"_index":"kv-c~","_id":"b","found":false}]}"#
    }

    fn shown(all: &[Found]) -> Vec<String> {
        let value = |found: &Found| match found {
            Found::Entry(entry, _) => entry.as_json().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        all.iter().map(|found| format!("{found:?} {}", value(found))).collect()
    }

    #[test]
    fn answers_of_each_server_are_read_without_a_parser() {
        let answer = answer(r#"{"n":"\""}"#);
        let with_type = answer.replace("\"_id\"", "\"_type\":\"_doc\",\"_id\"");
        for answer in [&answer, &with_type] {
            let all = found(answer.as_bytes(), "c", &["a", "b"]).unwrap();
            let [Found::Entry(entry, state), Found::Missing] = &all[..] else { panic!("{all:?}") };
            assert_eq!((state.seq, state.term, state.number), (21, 4, 7));
            assert_eq!((entry.as_json(), entry.revision()), (Some(r#"{"n":"\""}"#), state.to_revision()));
            assert_eq!(shown(&all), shown(&found_any(answer.as_bytes(), "c", &["a", "b"], false).unwrap()));
        }
    }

    #[test]
    fn other_answers_are_read_by_a_parser() {
        let of_others = answer("[1]");
        let routed = answer("{}").replace("\"found\"", "\"_routing\":\"r\",\"found\"");
        for answer in [&of_others, &routed] {
            assert!(found(answer.as_bytes(), "c", &["a", "b"]).is_none());
            assert!(matches!(&read(answer.as_bytes(), "c", &["a", "b"], false).unwrap()[..], [Found::Entry(..), _]));
        }
        for keys in [&["a"][..], &["a", "b", "c"]] {
            assert!(found(answer("{}").as_bytes(), "c", keys).is_none());
        }
        assert!(matches!(found(answer("{}").as_bytes(), "c", &["x", "b"]).unwrap()[..], [Found::Missing, _]));
    }

    proptest! {
        #[test]
        fn what_is_read_without_a_parser_is_what_a_parser_reads(at in any::<prop::sample::Index>(), cut in 0..2_usize,
            with in "[\\[\\]{}:,a1\"\\\\]{0,3}",
        ) {
            let mut answer = answer(r#"{"n":[{"a":1}]}"#);
            let at = at.index(answer.len() - cut);
            answer.replace_range(at..at + cut, &with);
            // The server gives JSON.
            if serde_json::from_str::<serde::de::IgnoredAny>(&answer).is_ok()
                && let Some(own) = found(answer.as_bytes(), "c", &["a", "b"])
            {
                prop_assert_eq!(shown(&own), shown(&found_any(answer.as_bytes(), "c", &["a", "b"], false).unwrap()));
            }
        }
    }
}

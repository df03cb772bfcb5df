//! JSON as values are written and compared.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::value::RawValue;

use crate::{Error, ErrorKind, Result};

mod finite;
mod number;

/// Appends the compact JSON of `value`.
///
/// # Errors
///
/// [`ErrorKind::InvalidValue`] if it does not serialise, or holds a NaN or an infinity, for which serde_json writes
/// `null`. The buffer may then hold a part.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, text: &mut Vec<u8>) -> Result<()> {
    let mut nulls = false;
    value.serialize(&mut Serializer::with_formatter(text, NotingNulls { seen: &mut nulls })).map_err(refusal)?;
    // Only where there is a `null` can one stand for what JSON cannot say, so the second look is rare.
    if nulls { value.serialize(finite::Check).map_err(refusal) } else { Ok(()) }
}

/// The messages of a type's own `Serialize` may quote the value, so only the type and the sort of failure are told.
fn refusal(error: impl Refusal) -> Error {
    Error::new(ErrorKind::InvalidValue, error.reason())
}

trait Refusal {
    fn reason(&self) -> &'static str;
}

impl Refusal for serde_json::Error {
    fn reason(&self) -> &'static str {
        "the value does not serialise to JSON (a map key that is no text, or an error of its own `Serialize`)"
    }
}

impl Refusal for finite::NotFinite {
    fn reason(&self) -> &'static str {
        "the value holds a NaN or an infinity, which JSON cannot say"
    }
}

/// The compact form, noting whether any `null` was written.
struct NotingNulls<'a> {
    seen: &'a mut bool,
}

impl Formatter for NotingNulls<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.seen = true;
        CompactFormatter.write_null(writer)
    }
}

/// Whether two JSON texts mean the same: objects without order (of double names the last counts), numbers by exact
/// value. A text that is not JSON means nothing, and is the same as no other.
pub(crate) fn means_the_same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    match (serde_json::from_slice(one), serde_json::from_slice(other)) {
        (Ok(one), Ok(other)) => same(one, other),
        _ => false,
    }
}

fn same(one: &RawValue, other: &RawValue) -> bool {
    let (one, other) = (one.get(), other.get());
    let first = |text: &str| text.as_bytes().first().copied().unwrap_or_default();
    if one == other {
        return true;
    }
    match (first(one), first(other)) {
        (b'{', b'{') => {
            let read = serde_json::from_str::<BTreeMap<String, &RawValue>>;
            match (read(one), read(other)) {
                (Ok(one), Ok(other)) => {
                    one.len() == other.len()
                        && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
                }
                _ => false,
            }
        }
        (b'[', b'[') => {
            let read = serde_json::from_str::<Vec<&RawValue>>;
            match (read(one), read(other)) {
                (Ok(one), Ok(other)) => {
                    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(one, other))
                }
                _ => false,
            }
        }
        (b'"', b'"') => {
            let read = serde_json::from_str::<String>;
            matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
        }
        (b'-' | b'0'..=b'9', b'-' | b'0'..=b'9') => number::same(one, other),
        _ => false,
    }
}

/// The elements of a JSON array, as text, unless it is none.
pub(crate) fn elements(text: &[u8]) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<String> {
        let mut text = Vec::new();
        encode_into(value, &mut text)?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn refuses_what_json_cannot_say_and_takes_real_nulls() {
        assert_eq!(encode(&(None::<u8>, (), 1.5)).unwrap(), "[null,null,1.5]");
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(encode(&vec![Some(1.0), None, Some(bad)]).unwrap_err().kind(), ErrorKind::InvalidValue);
            assert!(encode(&BTreeMap::from([("a", Some(bad))])).is_err());
        }
        assert!(encode(&f32::NAN).is_err());
        assert!(encode(&BTreeMap::from([((1, 2), 3)])).is_err(), "a map key that is no text");
    }

    #[test]
    fn compares_by_meaning() {
        let same = |one: &str, other: &str| means_the_same(one.as_bytes(), other.as_bytes());
        assert!(same(r#"{"a":1,"b":[1.0,"\u00e9"]}"#, r#" { "b" : [ 1 , "é" ], "a" : 1e0 } "#));
        assert!(same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#));
        assert!(same("123456789012345678901234567890", "1.2345678901234567890123456789e29"));
        assert!(!same("123456789012345678901234567890", "123456789012345678901234567891"));
        assert!(!same("[1,2]", "[2,1]"));
        assert!(!same("[1]", "[1,1]"));
        assert!(!same("{}", "[]"));
        assert!(!same("null", "0"));
        assert!(!same("NaN", "nan"));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#));
    }
}

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::{Entry, Metadata, Record};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    addresses: Vec<Address>,
    born: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Address {
    city: String,
    number: u8,
}

#[derive(Serialize)]
struct Wrong {
    name: &'static str,
    addresses: Vec<BTreeMap<&'static str, &'static str>>,
    born: Option<i64>,
}

fn person() -> Person {
    let addresses = vec![Address { city: "\u{e9}".into(), number: 3 }, Address { city: "x".into(), number: 255 }];
    Person { name: "hunter2".into(), addresses, born: Some(i64::MIN) }
}

fn wrong() -> Wrong {
    Wrong { name: "hunter2", addresses: vec![[("city", "c"), ("number", "hunter2")].into()], born: None }
}

fn entry(value: ValueRef<'_>, metadata: &Metadata) -> Entry {
    Entry::new(&Record::new(value, 1).with_metadata(Some(metadata)))
}

fn reads_what_it_wrote<C: Codec>(codec: &C) {
    let mut encoded = b"before".to_vec();
    codec.encode(&person(), &mut encoded).unwrap();
    let encoded = &encoded["before".len()..];
    assert_eq!(codec.decode::<Person>(encoded).unwrap(), person());
    assert_eq!(read::<Person, C>(codec, value_of::<C>(encoded)).unwrap(), person());
    // All of it, and nothing more.
    for torn in [&encoded[..encoded.len() - 1], &[encoded, b"\x01"].concat()] {
        let error = read::<Person, C>(codec, value_of::<C>(torn)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupted | ErrorKind::Decode), "{error}");
    }
    let other = if C::JSON { ValueRef::Bytes(encoded) } else { ValueRef::Json(encoded) };
    assert_eq!(read::<Person, C>(codec, other).unwrap_err().kind(), ErrorKind::Decode);
}

fn says_where<C: Codec>(codec: &C) {
    let mut encoded = Vec::new();
    codec.encode(&wrong(), &mut encoded).unwrap();
    let error = read::<Person, C>(codec, value_of::<C>(&encoded)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("`addresses[0].number`"), "{error}");
    assert!(error.message().contains("Person") && !error.message().contains("Located"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn json_reads_what_it_wrote_and_says_where_it_does_not_fit() {
    reads_what_it_wrote(&Json);
    says_where(&Json);
    assert_eq!(Json.encode(&f64::NAN, &mut Vec::new()).unwrap_err().kind(), ErrorKind::InvalidValue);
}

#[cfg(feature = "msgpack")]
#[test]
fn msgpack_reads_what_it_wrote_and_says_where_it_does_not_fit() {
    reads_what_it_wrote(&MsgPack);
    says_where(&MsgPack);
    // The form itself, so that what is stored stays readable: a map with names.
    let mut encoded = Vec::new();
    MsgPack.encode(&Address { city: "c".into(), number: 3 }, &mut encoded).unwrap();
    assert_eq!(encoded, b"\x82\xa4city\xa1c\xa6number\x03");
}

#[cfg(feature = "cbor")]
#[test]
fn cbor_reads_what_it_wrote_and_says_where_it_does_not_fit() {
    reads_what_it_wrote(&Cbor);
    says_where(&Cbor);
    let mut encoded = Vec::new();
    Cbor.encode(&Address { city: "c".into(), number: 3 }, &mut encoded).unwrap();
    assert_eq!(encoded, b"\xa2\x64city\x61c\x66number\x03");
}

#[cfg(feature = "postcard")]
#[test]
fn postcard_reads_what_it_wrote() {
    reads_what_it_wrote(&Postcard);
    let mut encoded = Vec::new();
    Postcard.encode(&Address { city: "c".into(), number: 3 }, &mut encoded).unwrap();
    assert_eq!(encoded, b"\x01c\x03");
}

#[test]
fn a_path_is_cut_and_shows_no_control_characters() {
    let long = "k".repeat(1000);
    let value = crate::Value::encode(&BTreeMap::from([(format!("\n{long}"), "x")])).unwrap();
    let error = read::<BTreeMap<String, u8>, Json>(&Json, value.as_ref()).unwrap_err();
    assert!(error.message().len() < 500, "{error}");
    assert!(error.message().contains("`\\nkkk") && error.message().contains("... (1001 bytes)`"), "{error}");
}

fn versioned() -> Shape<Vec<u32>> {
    let shape = Shape::new().with_version(2, |old| match old.version() {
        0 => Ok(vec![old.decode()?]),
        _ => old.decode::<(u32, u32)>().map(|(one, other)| vec![one, other]),
    });
    shape.unwrap()
}

#[test]
fn an_older_version_is_upgraded_and_a_newer_one_refused() {
    let shape = versioned();
    let noted = |version: &str| Metadata::new().with(SCHEMA_NOTE, version);
    let decode = |json: &str, metadata: &Metadata| shape.decode(&entry(ValueRef::Json(json.as_bytes()), metadata));
    assert_eq!(decode("7", &Metadata::new()).unwrap(), Some(vec![7]));
    assert_eq!(decode("[7,8]", &noted("1")).unwrap(), Some(vec![7, 8]));
    assert_eq!(decode("[7,8,9]", &noted("2")).unwrap(), Some(vec![7, 8, 9]));
    let newer = decode("[7]", &noted("3")).unwrap_err();
    assert_eq!(newer.kind(), ErrorKind::Decode);
    assert!(newer.message().contains("version 3"), "{newer}");
    assert_eq!(decode("[7]", &noted("x")).unwrap_err().kind(), ErrorKind::Corrupted);
    assert!(decode("[7, 8, \"x\"]", &noted("2")).unwrap_err().message().contains("`[2]`"));
    assert!(decode("[7, \"x\"]", &noted("1")).unwrap_err().message().contains("`[1]`"), "the old type's path");
    assert!(Shape::<u8>::new().with_version(0, |old| old.decode()).is_err());
}

#[test]
fn what_does_not_fit_is_missing_if_asked_for() {
    let shape = versioned().with_misfits_missing();
    let decode = |value, metadata: &Metadata| shape.decode(&entry(value, metadata));
    let none = Metadata::new();
    assert_eq!(decode(ValueRef::Json(b"\"x\""), &none).unwrap(), None);
    assert_eq!(decode(ValueRef::Bytes(b"1"), &none).unwrap(), None);
    assert_eq!(decode(ValueRef::Json(b"[1]"), &none.clone().with(SCHEMA_NOTE, "3")).unwrap(), None);
    assert_eq!(
        decode(ValueRef::Json(b"[1"), &Metadata::new().with(SCHEMA_NOTE, "2")).unwrap_err().kind(),
        ErrorKind::Corrupted
    );
}

#[test]
fn the_version_stands_beside_the_user_s_notes() {
    let shape = versioned();
    let notes = Metadata::new().with("a", "b");
    let noted = shape.noted(notes.clone());
    assert_eq!((noted.get(SCHEMA_NOTE), noted.get("a")), (Some("2"), Some("b")));
    assert_eq!(shape.unnoted(noted.clone()), notes);
    let plain = Shape::<u8>::new();
    assert_eq!(plain.noted(notes.clone()), notes);
    assert_eq!(plain.unnoted(noted.clone()), noted, "without versions the note is the user's");
}

//! What is written stays readable, and what anybody else writes is read or refused, and never panics.

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;
use crate::{ErrorKind, Revision};

/// Released format: this file stays as it is, for ever.
const GOLDEN: &[u8] = include_bytes!("../golden/document-v1.json");

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn encoded(name: Name<'_>, record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(name, record, &mut Stamp::default(), &mut out);
    out
}

fn refused(document: &[u8]) -> String {
    let error = decode(document).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    error.message().to_owned()
}

#[test]
fn the_golden_document() {
    let notes = Metadata::new().with("a", "b").with("quote\"", "é");
    let record = Record::new(ValueRef::Json("{\"any\":[1,-2.5e3,\"JSON é \\\" }\",null]}".as_bytes()), 255)
        .with_created(at("2026-11-21T03:54:53.481169Z"))
        .with_expires(at("2026-11-21T03:56:34Z"))
        .with_metadata(Some(&notes));
    let name = Name::new("c::ollection", "k\"\\/\n\u{1}\u{7f}é\u{1F600}");
    assert_eq!(std::str::from_utf8(&encoded(name, &record)).unwrap(), std::str::from_utf8(GOLDEN).unwrap());

    let document = decode(GOLDEN).unwrap();
    assert!(document.is_of(name));
    assert_eq!(document.value, record.value);
    assert_eq!((document.created, document.expires, document.revision), (record.created, record.expires, 255));
    assert_eq!(document.metadata.as_ref(), Some(&notes));
    let entry = document.to_entry(GOLDEN);
    assert_eq!(entry.revision(), Revision::of_document(GOLDEN, record.expires));
}

#[test]
fn a_batch_with_one_stamp_writes_what_single_writes_do() {
    let mut stamp = Stamp::default();
    for (created, expires) in [(None, Some(5)), (Some(5), None), (Some(6), Some(7)), (Some(6), Some(8)), (None, None)] {
        let instant = |micros: Option<i64>| micros.and_then(Timestamp::from_micros);
        let record = Record::new(ValueRef::Json(b"1"), 0).with_created(instant(created)).with_expires(instant(expires));
        let mut out = Vec::new();
        encode(Name::new("c", "k"), &record, &mut stamp, &mut out);
        assert_eq!(out, encoded(Name::new("c", "k"), &record));
    }
}

#[test]
fn reads_what_python_wrote() {
    let newest = br#"{"collection": "c\u00e9", "created_at": "2026-11-21T03:54:53.481169+00:00", "expires_at": "2026-11-21T03:56:34+00:00", "key": "k:1", "value": {"a": 1, "b": "\ud83d\ude00"}, "version": 1}"#;
    let document = decode(newest).unwrap();
    assert!(document.is_of(Name::new("cé", "k:1")));
    assert_eq!(document.value.as_json(), Some(r#"{"a": 1, "b": "\ud83d\ude00"}"#));
    assert_eq!((document.created, document.expires), (at("2026-11-21T03:54:53.481169Z"), at("2026-11-21T03:56:34Z")));
    assert_eq!((document.revision, document.metadata), (0, None));

    let before_0_3 =
        br#"{"value": {"a": 1}, "created_at": "2025-01-01T00:00:00+00:00", "ttl": null, "expires_at": null}"#;
    let document = decode(before_0_3).unwrap();
    assert_eq!((document.collection, document.key, document.expires), (None, None, None));
    assert_eq!(document.created, at("2025-01-01T00:00:00Z"));
}

#[test]
fn dates_as_lenient_as_python() {
    let expires = |json: &str| {
        let document = format!(r#"{{"expires_at": {json}, "value": 1}}"#);
        decode(document.as_bytes()).map(|document| document.expires)
    };
    for none in ["null", r#""""#] {
        assert_eq!(expires(none).unwrap(), None);
    }
    for (text, meant) in [
        ("2026-11-21T03:54:53Z", "2026-11-21T03:54:53Z"),
        ("2026-11-21T03:54:53.5", "2026-11-21T03:54:53.5Z"),
        ("2026-11-21 03:54:53", "2026-11-21T03:54:53Z"),
        ("2026-11-21T03:54:53-01:30", "2026-11-21T05:24:53Z"),
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        ("2026-11-21T03:54:53\\u002b00:00", "2026-11-21T03:54:53Z"),
        ("9999-12-31T23:59:59.999999+00:00", "9998-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(expires(&format!("\"{text}\"")).unwrap(), at(meant), "{text}");
    }
    for bad in [r#""soon""#, "5", "{}", "true", r#""0001-01-01T00:00:00+05:00""#, r#"" ""#] {
        let message = expires(bad).unwrap_err();
        assert_eq!((message.kind(), message.message()), (ErrorKind::Corrupted, "its `expires_at` is not an instant"));
    }
}

#[test]
fn of_double_fields_the_last_counts_and_foreign_ones_are_ignored() {
    let document = decode(
        br#" {"value": 1, "x": [{}], "value":"{\"a\": 1}", "metadata": {"a": 1}, "revision": "+0000000000000ff", "key": "a", "key": null} "#,
    )
    .unwrap();
    assert_eq!(document.value.as_json(), Some(r#""{\"a\": 1}""#), "a string stays a string");
    assert_eq!((document.metadata, document.revision, document.key), (None, 0, None));
    assert_eq!(decode(br#"{"value": null}"#).unwrap().value.as_json(), Some("null"));
    assert_eq!(decode(br#"{"revision": "00000000000000FF", "value": 1}"#).unwrap().revision, 255);
}

#[test]
fn says_why_it_refuses() {
    assert_eq!(refused(b"{\"value\": \"\xff\"}"), "it is not UTF-8");
    assert_eq!(refused(b""), "it is not JSON (Eof error at line 1 column 0)");
    assert_eq!(refused(b"{\"value\": \"hunter2"), "it is not JSON (Eof error at line 1 column 18)");
    assert_eq!(refused(b"garbage"), "it is not JSON (Syntax error at line 1 column 1)");
    assert_eq!(refused(b"[]"), "it is not a JSON object");
    assert_eq!(refused(b"\"hunter2\""), "it is not a JSON object");
    assert_eq!(refused(b"{}"), "it has no `value`");
    assert_eq!(refused(br#"{"key": 5, "value": 1}"#), "its `key` is not text");
    assert_eq!(refused(br#"{"collection": "\ud800", "value": 1}"#), "its `collection` is not text");
    for (number, value) in
        [("NaN", r#"{"a": NaN}"#), ("Infinity", r#"["NaN\" ", Infinity]"#), ("-Infinity", "-Infinity")]
    {
        let message = refused(format!(r#"{{"value": {value}, "version": 1}}"#).as_bytes());
        assert_eq!(message, format!("it holds {number}, which Python writes and JSON cannot say"));
    }
    assert!(refused(br#"{"value": "NaN""#).starts_with("it is not JSON"));
    for version in ["2", "99", "\"x\"", "1.0", "null"] {
        let message = refused(format!(r#"{{"value": 1, "created_at": 5, "version": {version}}}"#).as_bytes());
        assert!(message.contains(&format!("version is {version}, and comes from a newer version")), "{message}");
    }
}

#[test]
fn only_our_own_layout_is_trusted() {
    let ours = |value: &str| {
        format!(r#"{{"collection": "c", "key": "k", "revision": "0000000000000001", "value": {value}, "version": 1}}"#)
    };
    for value in ["{}", "[1]", "\"\"", "0", "-1.5e3", "null", "true", r#"{"a":"b\": "}"#] {
        let document = ours(value);
        assert_eq!(decode(document.as_bytes()).unwrap().value.as_json(), Some(value));
        assert_eq!(
            decode_own(document.as_bytes(), Name::new("c", "k"), &mut Stamp::default()).is_some(),
            !value.contains("\": "),
            "{value}"
        );
    }
    // One more field, or the end of an object inside the value, is not taken for the value's end.
    let document = ours(r#"{"a":1}, "vary": {"b":2}"#);
    assert_eq!(decode(document.as_bytes()).unwrap().value.as_json(), Some(r#"{"a":1}"#));
    assert_eq!(decode(ours(r#"[1], "value": [2]"#).as_bytes()).unwrap().value.as_json(), Some("[2]"));
    for torn in ["", " ", "\"", "1, 2", "{\"a\": {\"b\": {}", "[{\"a\": []", "{\"a\"", "nul"] {
        assert!(decode(ours(torn).as_bytes()).is_err(), "{torn}");
    }
    let foreign = br#"{"collection": "c", "key": "k", "value": {"a":NaN}, "version": 1}"#;
    assert!(refused(foreign).contains("NaN"), "without a revision it may be Python's");
    for (one, other) in [("c", "\\u0063"), ("\"k\"", "\"\\\"\""), ("0001\"", "000g\""), ("0001\"", "001\"")] {
        let document = ours("1").replacen(one, other, 1);
        let own = decode_own(document.as_bytes(), Name::new("c", "k"), &mut Stamp::default());
        assert!(own.is_none(), "{document}");
        decode(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    }
}

/// Names as people give them, with what JSON escapes and what it does not.
fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:/_-]{1,30}", "\\PC{1,12}", any::<String>()]
}

/// The JSON text of any value, compact or with spaces.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#"", \"version\": 1}""#.to_owned()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let fields =
            prop::collection::vec((prop_oneof![Just("version".to_owned()), any::<String>()], inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            (fields, prop_oneof![Just((",", ":")), Just((", ", ": "))]).prop_map(|(fields, (comma, colon))| {
                let field = |(name, value): &(String, String)| serde_json::to_string(name).unwrap() + colon + value;
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(comma))
            }),
        ]
    })
}

fn instants() -> impl Strategy<Value = Option<Timestamp>> {
    let micros = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    prop::option::of(micros.prop_map(|micros| Timestamp::from_micros(micros).unwrap()))
}

proptest! {
    #[test]
    fn every_record_comes_back(
        collection in names(), key in names(), value in values(), created in instants(), expires in instants(),
        notes in btree_map(names(), names(), 0..3), revision in any::<u64>(), cut in any::<prop::sample::Index>(),
        flip in any::<u8>(),
    ) {
        let notes: Metadata = notes.into_iter().collect();
        let record = Record::new(ValueRef::Json(value.as_bytes()), revision)
            .with_created(created)
            .with_expires(expires)
            .with_metadata(Some(&notes));
        let mut stored = encoded(Name::new(&collection, &key), &record);
        let expected = Document {
            collection: Some(Cow::Borrowed(&collection)),
            key: Some(Cow::Borrowed(&key)),
            value: record.value,
            created,
            expires,
            revision,
            metadata: record.metadata.cloned(),
        };
        prop_assert_eq!(decode(&stored).unwrap(), expected.clone());
        prop_assert_eq!(general::decode(&stored).unwrap(), expected.clone());
        // Whatever name was expected, among them such as the document's text goes on with.
        let text = String::from_utf8_lossy(&stored[16..]).into_owned();
        for (from, to) in [(0, collection.len()), (0, 1), (0, text.len() / 2), (1, 9)] {
            let end = text.floor_char_boundary(to);
            let part = &text[text.floor_char_boundary(from.min(end))..end];
            for name in [Name::new(&collection, &key), Name::new(part, &key), Name::new(&collection, part)] {
                let entry = entry_of(&stored, name, &mut Stamp::default()).unwrap();
                let is_this = (name.collection, name.key) == (&*collection, &*key);
                prop_assert_eq!(entry.is_some(), is_this);
                if let Some(entry) = entry {
                    prop_assert_eq!(entry.value(), expected.value);
                    prop_assert_eq!((entry.created(), entry.expires()), (created, expires));
                    prop_assert_eq!(entry.metadata(), record.metadata);
                    prop_assert_eq!(entry.revision(), Revision::of_document(&stored, expires));
                }
            }
        }

        // Torn, it is refused, wherever; and with any byte changed, both ways agree or one of them refuses.
        let cut = cut.index(stored.len());
        prop_assert!(decode(&stored[..cut]).is_err());
        stored[cut] ^= flip;
        let own = decode_own(&stored, Name::new("c", "k"), &mut Stamp::default());
        if let (Some(own), Ok(general)) = (own, general::decode(&stored)) {
            prop_assert_eq!(own.into_document(), general);
        }
    }

    #[test]
    fn nothing_makes_it_panic(bytes in any::<Vec<u8>>(), text in r#"[{}\[\]":, \\NaInfty0-9]{0,60}"#) {
        let _ = decode(&bytes);
        let _ = decode(text.as_bytes());
        let _ = decode(format!(r#"{{"collection": "{text}, "version": 1}}"#).as_bytes());
    }
}

use bson::{Bson, Document as Bsondoc, doc};
use proptest::prelude::*;

use super::*;

const NAME: Name<'static> = Name { collection: "c", key: "k" };

fn stored(document: &Bsondoc) -> Vec<u8> {
    document.to_vec().unwrap()
}

fn written(value: ValueRef<'_>) -> Vec<u8> {
    let mut stored = Vec::new();
    encode(NAME, &Record::new(value, 7), &mut stored).unwrap();
    stored
}

fn object(json: &str) -> Bson {
    let stored = written(ValueRef::Json(json.as_bytes()));
    let document = Bsondoc::from_reader(&*stored).unwrap();
    document.get_document("value").unwrap().get("object").unwrap().clone()
}

fn read_back(value: ValueRef<'_>) -> bool {
    let stored = written(value);
    let mut json = Vec::new();
    decode(&stored, &mut json).unwrap().value.means(value)
}

fn micros(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros)
}

#[test]
fn golden_document() {
    let notes = Metadata::new().with("a", "b");
    let record = Record::new(ValueRef::Json(br#"{"a": [1, 2.5, "x\u00e9"], "b": null}"#), u64::MAX)
        .with_created(micros(1_795_233_445_612_217))
        .with_expires(micros(1_795_233_445_612_217))
        .with_metadata(Some(&notes));
    let mut stored = Vec::new();
    encode(Name::new("users", "alice"), &record, &mut stored).unwrap();
    let expected = doc! {
        "key": "alice", "collection": "users", "version": 1,
        "value": {
            "object": { "a": [1, 2.5, "xé"], "b": null },
            "revision": -1_i64, "created": 1_795_233_445_612_217_i64, "expires": 1_795_233_445_612_217_i64,
            "metadata": r#"{"a":"b"}"#,
        },
        "created_at": bson::DateTime::from_millis(1_795_233_445_612),
        "expires_at": bson::DateTime::from_millis(1_795_233_445_613),
    };
    assert_eq!(stored, self::stored(&expected), "{:?}", Bsondoc::from_reader(&*stored));
    let mut json = Vec::new();
    let document = decode(&stored, &mut json).unwrap();
    assert_eq!((document.collection, document.key), (Some("users"), Some("alice")));
    assert_eq!(document.value, ValueRef::Json(r#"{"a":[1,2.5,"xé"],"b":null}"#.as_bytes()));
    assert_eq!((document.created, document.expires), (record.created, record.expires));
    assert_eq!((document.revision, document.metadata.as_ref()), (Some(u64::MAX), Some(&notes)));
    assert_eq!(document.to_entry(&stored).revision(), Revision::from_number(u64::MAX));
}

#[test]
fn a_head_tells_all_but_the_value() {
    let notes = Metadata::new().with("a", "b");
    for value in [ValueRef::Json(b"{}"), ValueRef::Json(b"[1]"), ValueRef::Bytes(b"x")] {
        let record = Record::new(value, 7).with_created(micros(1)).with_expires(micros(2)).with_metadata(Some(&notes));
        let mut stored = Vec::new();
        encode(NAME, &record, &mut stored).unwrap();
        let mut document = Bsondoc::from_reader(&*stored).unwrap();
        let fields = document.get_document_mut("value").unwrap();
        let taken: Vec<_> =
            VALUE_FIELDS.iter().filter_map(|field| fields.remove(field.strip_prefix("value.")?)).collect();
        assert_eq!(taken.len(), 1);
        let stripped = self::stored(&document);
        let mut json = Vec::new();
        let whole = decode(&stored, &mut json).unwrap();
        let expected = MongoDocument { value: ValueRef::Json(b"null"), ..whole };
        assert_eq!(decode_head(&stripped).unwrap(), Some(expected));
        document.get_document_mut("value").unwrap().remove("revision");
        assert_eq!(decode_head(&self::stored(&document)).unwrap(), None);
    }
    assert!(decode_head(&self::stored(&doc! { "key": "k", "version": 1 })).is_err());
}

#[test]
fn what_bson_holds_exactly_is_a_sub_document_and_the_rest_is_text() {
    for native in [
        "{}",
        r#" { "a" : { "b" : [ [] , {} , true , false , null ] } } "#,
        r#"{"i":2147483648,"j":-9223372036854775808,"k":9223372036854775807,"l":0}"#,
        r#"{"f":1.0,"g":1e300,"h":-0.0,"i":5e-324,"j":0.1,"k":1.7976931348623157e308,"l":-0,"m":0.30000000000000004}"#,
        r#"{"s":"\u0000\ud83d\ude00\n\"\\\/","é":"","a$":1,"with space":2}"#,
    ] {
        assert!(matches!(object(native), Bson::Document(_)), "{native}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    let many = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(2_000_000));
    for text in [
        "null",
        "[1]",
        "\"x\"",
        "7",
        r#"{"a":9223372036854775808}"#,
        r#"{"a":1e400}"#,
        r#"{"a":0.1000000000000000055}"#,
        r#"{"a":1e-400}"#,
        r#"{"a":{"$x":1}}"#,
        r#"{"a.b":1}"#,
        r#"{"":1}"#,
        r#"{"a\u0000":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00\ud800"}"#,
        &deep,
        &many,
    ] {
        assert_eq!(object(text), Bson::String(text.to_owned()), "{}", &text[..text.len().min(60)]);
        assert!(read_back(ValueRef::Json(text.as_bytes())) || text.contains("\\ud800"));
    }
    let json = r#"{"one":1,"float":1.0,"zero":-0.0,"big":9007199254740993}"#;
    let mut out = Vec::new();
    let stored = written(ValueRef::Json(json.as_bytes()));
    assert_eq!(decode(&stored, &mut out).unwrap().value.as_json(), Some(json));
}

#[test]
fn bytes_and_limits() {
    for bytes in [&b""[..], b"\0\xff", b"{}"] {
        assert!(read_back(ValueRef::Bytes(bytes)));
    }
    let mut out = vec![1];
    let long = vec![b' '; MAX_VALUE_BYTES + 1];
    let refused = encode(NAME, &Record::new(ValueRef::Bytes(&long), 1), &mut out).unwrap_err();
    assert_eq!((refused.kind(), out.len()), (ErrorKind::TooLarge, 1));
    let refused = encode(NAME, &Record::new(ValueRef::Json(b"\"\xff\""), 1), &mut out).unwrap_err();
    assert_eq!((refused.kind(), out.len()), (ErrorKind::InvalidValue, 1));
    let key = "k".repeat(crate::MAX_NAME_BYTES);
    let notes = Metadata::new().with("a", "\u{1}".repeat(Metadata::MAX_BYTES - 1));
    let record = Record::new(ValueRef::Bytes(&long[1..]), 1).with_metadata(Some(&notes)).with_created(micros(1));
    encode(Name::new(&key, &key), &record, &mut Vec::new()).unwrap();
    let mut longest = Vec::new();
    encode(Name::new(&key, &key), &record, &mut longest).unwrap();
    assert!(longest.len() <= 16 << 20);
}

#[test]
fn python_s_document_is_read_and_nothing_of_ours_outlives_it() {
    let date = bson::DateTime::from_millis(1_795_233_445_613);
    let pythons = doc! {
        "_id": bson::oid::ObjectId::new(), "version": 1, "value": { "object": { "a": 1, "$b": 2.0 } },
        "key": "k", "collection": "c", "created_at": date, "expires_at": date,
    };
    let stored = stored(&pythons);
    let mut json = Vec::new();
    let document = decode(&stored, &mut json).unwrap();
    assert_eq!(document.value, ValueRef::Json(br#"{"a":1,"$b":2.0}"#));
    assert_eq!((document.revision, document.expires), (None, micros(1_795_233_445_613_000)));
    let entry = document.to_entry(&stored);
    assert_eq!(entry.revision(), Revision::of_document(&stored, entry.expires()));

    // Beside a date that another program set, our exact instant means nothing.
    let mut record = doc! { "value": { "object": {}, "revision": 1_i64, "expires": 1_795_233_445_612_217_i64 } };
    record.insert("expires_at", bson::DateTime::from_millis(5));
    let stored = self::stored(&record);
    assert_eq!(decode(&stored, &mut json).unwrap().expires, micros(5000));
    record.remove("expires_at");
    let stored = self::stored(&record);
    assert_eq!(decode(&stored, &mut json).unwrap().expires, None);
}

#[test]
fn what_cannot_be_read_says_why_and_shows_nothing() {
    let nan = doc! { "value": { "object": { "secret": f64::NAN } } };
    let infinity = doc! { "value": { "object": { "a": [f64::NEG_INFINITY] } } };
    let date = doc! { "value": { "object": { "a": bson::DateTime::from_millis(1) } } };
    let id = doc! { "value": { "object": { "a": bson::oid::ObjectId::new() } } };
    for (document, says) in [
        (doc! {}, "`value`"),
        (doc! { "value": "secret" }, "`value`"),
        (doc! { "value": {} }, "`value.object`"),
        (doc! { "value": { "object": 1 } }, "`value.object`"),
        (doc! { "value": { "object": "{secret" } }, "not JSON"),
        (
            doc! { "value": { "object": {}, "bytes": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![] }) } },
            "`value.object`",
        ),
        (doc! { "value": { "object": {} }, "key": 5 }, "`key`"),
        (doc! { "value": { "object": {} }, "expires_at": "secret" }, "`expires_at`"),
        (doc! { "value": { "object": {} }, "expires_at": bson::DateTime::MAX }, "`expires_at`"),
        (doc! { "value": { "object": {} }, "version": 2 }, "version is 2, and comes from a newer"),
        (doc! { "value": { "object": {} }, "version": "x" }, "newer version"),
        (doc! { "value": { "object": {}, "revision": 1_i64, "metadata": "secret" } }, "`value.metadata`"),
        (nan, "NaN"),
        (infinity, "infinity"),
        (date, "DateTime"),
        (id, "ObjectId"),
    ] {
        let error = decode(&stored(&document), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{document}");
        assert!(error.message().contains(says), "{document}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    assert_eq!(decode(b"", &mut Vec::new()).unwrap_err().kind(), ErrorKind::Corrupted);
}

#[test]
fn a_command_holds_its_statements() {
    let record = Record::new(ValueRef::Json(b"{}"), 1);
    let concern = stored(&doc! { "w": "majority" });
    let mut command = UpdateCommand::new("c", Some(&concern));
    assert!(command.is_empty() && !command.is_full_for(usize::MAX >> 1));
    for at in 0..12 {
        command.push(Name::new("c", &at.to_string()), &record).unwrap();
    }
    assert!(command.push(NAME, &Record::new(ValueRef::Json(b"\xff"), 1)).is_err());
    assert!(!command.is_full_for(1000) && command.is_full_for(UpdateCommand::FULL));
    let command = Bsondoc::from_reader(&*command.finish()).unwrap();
    assert_eq!(command.keys().collect::<Vec<_>>(), ["update", "ordered", "writeConcern", "updates"]);
    let updates = command.get_array("updates").unwrap();
    assert_eq!(updates.len(), 12);
    let last = updates[11].as_document().unwrap();
    assert_eq!(last.get_document("q").unwrap(), &doc! { "key": "11" });
    assert_eq!(last.get_document("u").unwrap().get_str("key").unwrap(), "11");
    assert!(last.get_bool("upsert").unwrap());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-c$.é]{0,3}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_read_equals_what_was_written(
        value in json(), pretty: bool, revision: u64, created in -9_000_000_000_000_i64..9_000_000_000_000_000,
        expires in 1..9_000_000_000_000_000_i64,
    ) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let record = Record::new(ValueRef::Json(&text), revision).with_created(micros(created)).with_expires(micros(expires));
        let mut stored = Vec::new();
        encode(NAME, &record, &mut stored).unwrap();
        // The other implementation reads it too.
        Bsondoc::from_reader(&*stored).unwrap();
        let mut json = Vec::new();
        let document = decode(&stored, &mut json).unwrap();
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(document.value.as_encoded()).unwrap(), value);
        prop_assert_eq!((document.revision, document.created, document.expires), (Some(revision), record.created, record.expires));
        prop_assert_eq!(key_of(&stored), Some("k"));
    }

    #[test]
    fn numbers_are_exact_or_text(text in "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?") {
        let text = format!(r#"{{"n":{text}}}"#);
        prop_assert!(read_back(ValueRef::Json(text.as_bytes())), "{}", text);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize, byte: u8) {
        let _ = decode(&bytes, &mut Vec::new());
        let _ = decode_head(&bytes);
        let notes = Metadata::new().with("a", "b");
        let value = ValueRef::Json(br#"{"a":[1,2.5,{"b":"c"},null,true],"d":"e"}"#);
        let mut stored = Vec::new();
        encode(NAME, &Record::new(value, 1).with_created(micros(5)).with_metadata(Some(&notes)), &mut stored).unwrap();
        let at = at % stored.len();
        stored[at] = byte;
        let _ = decode(&stored, &mut Vec::new());
        let _ = decode_head(&stored);
        stored.truncate(at);
        let _ = decode(&stored, &mut Vec::new());
        let _ = decode_head(&stored);
    }

    #[test]
    fn text_that_is_no_json_does_no_harm(text in ".{0,40}") {
        let text = format!(r#"{{"a":{text}"#);
        let _ = from_json::append_object(&text, &mut Vec::new());
    }

    #[test]
    fn no_two_collections_share_a_name(
        one in "[a-c%$.|~\\x00é]{1,6}|[a.]{240,260}", other in "[a-c%$.|~\\x00é]{1,6}|[a.]{240,260}", spaces in "[a%|~]{0,3}",
    ) {
        let (plain, spaced) = (MongoNames::new("db", None).unwrap(), MongoNames::new("db", Some(&spaces)).unwrap());
        for names in [&plain, &spaced] {
            let stored = names.stored(&one);
            prop_assert_eq!(one == other, stored == names.stored(&other));
            prop_assert!(stored.len() + 3 <= 255 && !stored.contains(['$', '\0']) && !stored.starts_with(['.']) && !stored.ends_with('.'));
            match names.read(&stored) {
                MongoName::Collection(name) => prop_assert!(name == one && !names.is_hashed(&one)),
                read => prop_assert!(read == MongoName::Hashed && names.is_hashed(&one)),
            }
        }
        if !spaces.is_empty() {
            prop_assert_ne!(plain.stored(&one), spaced.stored(&other));
            prop_assert_eq!(plain.read(&spaced.stored(&one)), MongoName::Foreign);
            prop_assert_eq!(spaced.read(&plain.stored(&one)), MongoName::Foreign);
        }
    }
}

#[test]
fn golden_names() {
    let names = MongoNames::new("kv-store-adapter", None).unwrap();
    for (collection, stored) in [
        ("default_collection", "default_collection"),
        ("a b/é:::", "a b/é:::"),
        ("a.b", "a.b"),
        ("A", "A"),
        ("a|b~", "a|b~"),
        (".a", "%%2Ea"),
        ("a..b", "%a%2E%2Eb"),
        ("system.users", "%system%2Eusers"),
        ("a$\0", "%a%24%00"),
        ("%a|b", "%%25a%7Cb"),
    ] {
        assert_eq!(names.stored(collection), stored);
        assert_eq!(names.read(stored), MongoName::Collection(collection.to_owned()));
    }
    assert_eq!(names.stored(&"a".repeat(238)).len(), 238);
    assert_eq!(
        names.stored(&"é".repeat(200)),
        format!("%~{}-{}", "é".repeat(20), "41f11f3d6e8d2ed79e405deb6f43b2387170f7ee").as_str()
    );
    for foreign in ["", "%", "%a", "%2", "%a|b", "%%61", "system.users", ".a", "%~a", "%~a-00", "fs.$x"] {
        assert_eq!(names.read(foreign), MongoName::Foreign, "{foreign}");
    }
    for (database, namespace) in [("", None), ("a.b", None), ("a b", None), ("a", Some("x".repeat(101)))] {
        let refused = MongoNames::new(database, namespace.as_deref()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration);
    }
}

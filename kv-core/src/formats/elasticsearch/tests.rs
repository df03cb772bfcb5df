use proptest::prelude::*;

use super::*;
use crate::formats::http::Response;
use crate::{ErrorKind, Metadata, Name, Record, Timestamp, ValueRef};

fn encoded(dialect: Dialect, form: Form, record: &Record<'_>) -> String {
    let mut document = Vec::new();
    encode(dialect, form, Name::new("c", "k"), record, &mut document);
    String::from_utf8(document).unwrap()
}

#[test]
fn documents_are_as_they_were_released() {
    let notes = Metadata::new().with("a", "b\"c");
    let record = Record::new(ValueRef::Json(b"{\"any\":\n1e300}"), 255)
        .with_created(Some("2026-11-21T03:54:53.481169Z".parse().unwrap()))
        .with_expires(Some("2026-11-21T03:56:34Z".parse().unwrap()))
        .with_metadata(Some(&notes));
    let head = r#"{"collection":"c","created_at":"2026-11-21T03:54:53.481169+00:00","#.to_owned()
        + r#""expires_at":"2026-11-21T03:56:34+00:00","key":"k","kv":{"#;
    let tail = r#""expires":1795233394000000,"metadata":{"a":"b\"c"},"revision":"00000000000000ff"},"#;
    assert_eq!(
        encoded(Dialect::Elasticsearch, Form::Plain, &record),
        format!(r#"{head}{tail}"value":{{"flattened":{{"any": 1e300}}}},"version":1}}"#)
    );
    assert_eq!(
        encoded(Dialect::OpenSearch, Form::Plain, &record),
        format!(r#"{head}{tail}"value":{{"flat":{{"any": 1e300}}}},"version":1}}"#)
    );
    assert_eq!(
        encoded(Dialect::OpenSearch, Form::Text, &record),
        format!(r#"{head}"text":"{{\"any\":\n1e300}}",{tail}"value":{{}},"version":1}}"#)
    );
    let bytes = Record { value: ValueRef::Bytes(b"\xff\0"), ..record };
    assert_eq!(
        encoded(Dialect::OpenSearch, Form::Plain, &bytes),
        format!(r#"{head}"bytes":"/wA=",{tail}"value":{{}},"version":1}}"#)
    );
}

#[test]
fn reads_what_python_wrote_of_either_dialect() {
    for (value, json) in [
        (r#"{"flattened": {"a": 1}}"#, r#"{"a": 1}"#),
        (r#"{"flat": {"a": 1}}"#, r#"{"a": 1}"#),
        (r#"{"flat": "{\"a\": 1}"}"#, r#"{"a": 1}"#),
    ] {
        let document = format!(
            r#"{{"version": 1, "value": {value}, "key": "k", "collection": "c", "new": [],
                "created_at": "2026-11-21T03:54:53+00:00"}}"#
        );
        let decoded = decode(&document).unwrap();
        assert_eq!(decoded.record().value.as_json(), Some(json));
        assert!(decoded.is_of(Name::new("c", "k")) && !decoded.is_of(Name::new("C", "k")));
        assert_eq!((decoded.revision, decoded.expires), (0, None));
    }
}

#[test]
fn a_value_that_has_company_is_parsed() {
    let ours = |value: &str| {
        let head = r#"{"collection":"c","key":"k","kv":{"revision":"00000000000000ff"},"value":{"flat":"#;
        format!(r#"{head}{value}}},"version":1}}"#)
    };
    assert!(own::decode(&ours(r#"{"}\"]":[{},"\\"]}"#)).is_some());
    for (value, json) in [
        (r#"{"a":1},"other":{}"#, r#"{"a":1}"#),
        (r#"{"a":1}},"other":{"a":{}"#, r#"{"a":1}"#),
        (r#"{"a":1},"flat":{"a":2}"#, ""),
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (" {}", "{}"),
    ] {
        assert!(own::decode(&ours(value)).is_none(), "{value}");
        match decode(&ours(value)) {
            Ok(decoded) => assert_eq!(decoded.record().value.as_json(), Some(json), "{value}"),
            Err(_) => assert_eq!(json, "", "{value}"),
        }
    }
}

#[test]
fn damage_is_told() {
    for document in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"value":7}"#,
        r#"{"value":{}}"#,
        r#"{"value":{"flat":null}}"#,
        r#"{"value":{"flat":{}},"version":2}"#,
        r#"{"value":{"flat":{}},"key":7}"#,
        r#"{"value":{"flat":{}},"expires_at":"soon"}"#,
        r#"{"value":{},"kv":{"text":"{"}}"#,
        r#"{"value":{},"kv":{"text":7}}"#,
        r#"{"value":{},"kv":{"bytes":"?"}}"#,
        r#"{"value":{"flat":"x"}}"#,
    ] {
        assert_eq!(decode(document).unwrap_err().kind(), ErrorKind::Corrupted, "{document}");
    }
}

#[test]
fn no_two_collections_or_prefixes_share_an_escaped_index() {
    let name = |prefix: &str, collection: &str| indices(prefix).unwrap().naming(collection);
    assert_eq!(name("a", "b-x").python, name("a-b", "x").python);
    assert!(name("a", "b-x").is_ambiguous && name("a-b", "x").is_ambiguous);
    assert_ne!(name("a", "b-x").escaped, name("a-b", "x").escaped);
    for (collection, python, is_plain, escaped) in [
        ("users", Some("p-users"), true, "p-~users"),
        ("größe", Some("p-größe"), true, "p-~größe"),
        ("Users", Some("p-users"), false, "p-~~55sers"),
        ("GRÖẞE!", Some("p-größe!"), false, "p-~~47~52~c3~96~e1~ba~9e~45~21"),
        ("ΑΣ", Some("p-ας"), false, "p-~~ce~91~ce~a3"),
        ("a~B$", Some("p-a~b$"), false, "p-~a~7e~42~24"),
        ("~users", None, false, "p-~~7eusers"),
        ("users~", None, false, "p-~users~7e"),
        ("a b", None, false, "p-~a~20b"),
        ("a/*", None, false, "p-~a~2f~2a"),
        ("a\0", None, false, "p-~a~00"),
        ("İ", Some("p-i\u{307}"), false, "p-~~c4~b0"),
        (".", Some("p-."), true, "p-~."),
    ] {
        let naming = name("p", collection);
        assert_eq!((naming.python.as_deref(), &*naming.escaped), (python, escaped), "{collection}");
        assert_eq!(naming.is_plain, is_plain, "{collection}");
    }
    let (one, other) = (name("p", &"x".repeat(2000)), name("p", &"x".repeat(2001)));
    assert!(one.python.is_none() && one.escaped.starts_with("p-~=") && one.escaped != other.escaped);
}

#[test]
fn a_server_is_known_by_what_it_says() {
    let of = |body: &str| server(&Response::new(200, Vec::new(), body.into()));
    let open = of(r#"{"version":{"distribution":"opensearch","number":"2.4.1"}}"#).unwrap();
    assert!(open.dialect == Dialect::OpenSearch && open.is_recent());
    for (number, recent) in
        [("7.9.3", false), ("7.10.0", true), ("8.15.1", true), ("9.0.0-beta1", true), ("6.8", false)]
    {
        let elastic = of(&format!(r#"{{"version":{{"number":"{number}"}}}}"#)).unwrap();
        assert_eq!((elastic.dialect, elastic.is_recent()), (Dialect::Elasticsearch, recent), "{number}");
    }
    for other in ["", "<html>", "{}", "[]", r#"{"version":"1"}"#] {
        assert_eq!(of(other).unwrap_err().kind(), ErrorKind::Configuration, "{other}");
    }
}

#[test]
fn steps_are_told_one_by_one() {
    let body = br#"{"took":1,"errors":true,"items":[
        {"update":{"_seq_no":7,"_primary_term":1,"_version":8,"result":"noop","status":200,
            "get":{"found":true,"_source":{"collection":"c","key":"k","expires_at":"2026-11-21T03:56:34+00:00"}}}},
        {"delete":{"_seq_no":8,"_primary_term":1,"_version":9,"result":"deleted","status":200}},
        {"delete":{"_seq_no":9,"_primary_term":1,"_version":1,"result":"not_found","status":404}},
        {"update":{"status":404,"error":{"type":"document_missing_exception","reason":"[k]: document missing"}}},
        {"index":{"status":409,"error":{"type":"version_conflict_engine_exception",
            "reason":"[k]: version conflict, required seqNo [3], primary term [1]. but no document was found"}}},
        {"create":{"status":409,"error":{"type":"version_conflict_engine_exception",
            "reason":"[k]: version conflict, document already exists (current version [8])"}}},
        {"index":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index [x]"}}},
        {"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"hunter2"}}}]}"#;
    let steps = bulk_answer(body, 8).unwrap();
    let done = |seq, version| Step::Done(Done { seq, term: 1, version });
    let looked = steps[0].1.clone().unwrap();
    assert!(looked.is_of(Name::new("c", "k")) && !looked.is_of(Name::new("c", "K")) && looked.expires.is_some());
    let steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps[..2], [done(7, 8), done(8, 9)]);
    assert_eq!(steps[2..4], [Step::Missing, Step::Missing]);
    assert_eq!(steps[4..6], [Step::Conflict { is_missing: true }, Step::Conflict { is_missing: false }]);
    assert!(matches!(&steps[6], Step::Refused(refusal) if refusal.is_missing_index()));
    assert!(!format!("{steps:?}").contains("hunter2"));
    assert!(bulk_answer(body, 7).is_err(), "an answer for each step");
}

#[test]
fn whose_an_index_is() {
    let body =
        br#"{"p-c":{"aliases":{"p-c~":{}},"mappings":{"_meta":{"kv":{"prefix":"p","collection":"c","shared":true,
        "version":1}},"properties":{"collection":{"type":"keyword"},"key":{"type":"keyword"}}}},
        "p-d":{"mappings":{"properties":{"collection":{"type":"text"}}}},"p-e":{}}"#;
    let states = index_states(body).unwrap();
    let ours = &states["p-c"];
    assert!(
        ours.has_alias && ours.has_names && ours.mark.as_ref().is_some_and(|mark| mark.shared && mark.prefix == "p")
    );
    for other in ["p-d", "p-e"] {
        let state = &states[other];
        assert!(!state.has_alias && !state.has_names && state.mark.is_none(), "{other}");
    }
}

#[test]
fn whose_records_stand_in_an_index() {
    let request = other_of("p-users", "Users");
    assert_eq!(request.target, "/p-users/_search?allow_partial_search_results=false");
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["query"]["bool"]["must_not"][0]["term"]["collection"], "Users");
    let hits = |hits: &str| format!(r#"{{"timed_out":false,"_shards":{{"failed":0}},"hits":{{"hits":[{hits}]}}}}"#);
    assert_eq!(other_in(hits("").as_bytes()).unwrap(), None);
    let other = hits(r#"{"_source":{"collection":"users"}}"#);
    assert_eq!(other_in(other.as_bytes()).unwrap().as_deref(), Some("users"));
    let part = other.replace(r#""failed":0"#, r#""failed":1"#);
    assert_eq!(other_in(part.as_bytes()).unwrap_err().kind(), ErrorKind::Connection);

    let body = String::from_utf8(collections_of(["p-a", "p-b"]).body).unwrap();
    assert_eq!(body.lines().count(), 4);
    let body = br#"{"responses":[
        {"hits":{},"aggregations":{"collections":{"buckets":[{"key":"A","doc_count":1},{"key":"a","doc_count":1}]}}},
        {"hits":{}}]}"#;
    assert_eq!(collections_in(body, 2).unwrap(), [vec!["A", "a"], Vec::new()]);
    assert!(collections_in(body, 1).is_err(), "an answer for each index");
    let failed = br#"{"responses":[{"error":{"type":"search_phase_execution_exception"},"status":503}]}"#;
    assert!(collections_in(failed, 1).is_err(), "and not that there is none");
}

#[test]
fn a_count_tells_what_to_look_at() {
    let now: Timestamp = "2030-01-01T00:00:00.000450Z".parse().unwrap();
    let request = count("p-c", &query(Some("c"), "", Which::Live, now), now, Some("k"), 7);
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let millis = &body["post_filter"]["bool"]["filter"][0]["range"]["expires_at"];
    assert_eq!((&millis["gte"], &millis["lte"]), (&1_893_456_000_000_i64.into(), &1_893_456_000_000_i64.into()));
    assert_eq!((&body["size"], &body["search_after"][0]), (&7.into(), &"k".into()));
    let answer = br#"{"hits":{"hits":[{"_source":{"collection":"c","expires_at":"2030-01-01T00:00:00.000450+00:00"},
        "sort":["l"]}]},"aggregations":{"live":{"doc_count":3}}}"#;
    let (live, page) = counted(answer, "c").unwrap();
    assert_eq!((live, page.hits[0].expires, page.last.as_deref()), (3, Some(now), Some("l")));
}

#[test]
fn requests_are_as_they_are_known() {
    let keys = ["k", "a\"b", &"x".repeat(513)];
    let request = mget("p-größe", &keys, false);
    assert_eq!(request.target, "/p-gr%C3%B6%C3%9Fe/_mget");
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.starts_with(r#"{"ids":["k","a\"b","~sha1:"#), "{body}");
    let mut steps = Bulk::default();
    let record = Record::new(ValueRef::Json(b"{}"), 1);
    let state = State { seq: 3, term: 2, number: 0, expires: None };
    steps.put(Dialect::OpenSearch, Form::Plain, Name::new("c", "k"), &record, Some(state));
    steps.create(Dialect::OpenSearch, Form::Plain, Name::new("c", "k"), &record);
    steps.delete("k", Some(state));
    assert_eq!(steps.steps(), 3);
    let body = String::from_utf8(bulk("p-c", steps).body).unwrap();
    let document = encoded(Dialect::OpenSearch, Form::Plain, &record);
    let expected = [
        r#"{"index":{"_id":"k","if_seq_no":3,"if_primary_term":2}}"#,
        &document,
        r#"{"create":{"_id":"k"}}"#,
        &document,
        r#"{"delete":{"_id":"k","if_seq_no":3,"if_primary_term":2}}"#,
        "",
    ];
    assert_eq!(body, expected.join("\n"));
}

proptest! {
    #[test]
    fn every_record_comes_back(json in "[^\\x00]{0,20}", bytes in any::<Vec<u8>>(), number in any::<u64>(),
        collection in ".{1,20}", key in ".{1,20}", expires in proptest::option::of(0..4_000_000_000_000_000_i64),
    ) {
        let name = Name::new(&collection, &key);
        let json = serde_json::json!({ "a": json }).to_string();
        let expires = expires.and_then(Timestamp::from_micros);
        for (form, value) in [
            (Form::Plain, ValueRef::Json(json.as_bytes())),
            (Form::Text, ValueRef::Json(json.as_bytes())),
            (Form::Plain, ValueRef::Json(b"[1]")),
            (Form::Plain, ValueRef::Bytes(&bytes)),
        ] {
            let record = Record::new(value, number).with_expires(expires);
            let mut document = Vec::new();
            encode(Dialect::OpenSearch, form, name, &record, &mut document);
            prop_assert!(!document.contains(&b'\n'));
            let document = String::from_utf8(document).unwrap();
            let decoded = decode(&document).unwrap();
            prop_assert!(decoded.is_of(name));
            prop_assert_eq!(decoded.record().value, value);
            prop_assert_eq!((decoded.revision, decoded.expires), (number, expires));
            prop_assert_eq!(&document::decode_any(&document).unwrap(), &decoded);
            let is_plain = |name: &str| !name.contains(['"', '\\']) && !name.contains(|c: char| c < ' ');
            let is_short = form == Form::Plain && value == ValueRef::Json(json.as_bytes());
            prop_assert_eq!(own::decode(&document).is_some(), is_short && is_plain(&collection) && is_plain(&key));
            let head = decode_head(&document).unwrap();
            prop_assert_eq!(head.record().value, ValueRef::Json(b"null"));
            prop_assert_eq!(Decoded { value: decoded.value.clone(), ..head }, decoded);
        }
    }

    #[test]
    fn what_is_read_without_a_parser_is_what_a_parser_reads(json in "[\\[\\]{}:,a1\"\\\\]{0,8}", at in any::<prop::sample::Index>(),
        with in "[\\[\\]{}:,a1\"\\\\]{0,3}", ends in any::<bool>(),
    ) {
        let json = serde_json::json!({ "a": [{ "b": json }] }).to_string();
        let record = Record::new(ValueRef::Json(json.as_bytes()), 1)
            .with_expires(ends.then_some(Timestamp::UNIX_EPOCH));
        let mut document = encoded(Dialect::OpenSearch, Form::Plain, &record);
        prop_assert!(own::decode(&document).is_some());
        document.insert_str(at.index(document.len()), &with);
        // The server gives JSON.
        if serde_json::from_str::<serde::de::IgnoredAny>(&document).is_ok() && let Some(own) = own::decode(&document) {
            prop_assert_eq!(own, document::decode_any(&document).unwrap(), "{}", document);
        }
    }

    #[test]
    fn names_are_injective(one in ".{1,60}", other in ".{1,60}", prefixes in ("[a-z][a-z-]{0,3}", "[a-z][a-z-]{0,3}")) {
        let of = |prefix: &str, collection: &str| indices(prefix).unwrap().naming(collection);
        let (a, b) = (of(&prefixes.0, &one), of(&prefixes.1, &other));
        let is_same = (&prefixes.0, &one) == (&prefixes.1, &other);
        prop_assert_eq!(a.escaped == b.escaped, is_same);
        prop_assert!(Some(&a.escaped) != b.python.as_ref() && Some(&b.escaped) != a.python.as_ref());
        if a.is_plain && b.is_plain && a.python == b.python && !is_same {
            prop_assert!(a.is_ambiguous && b.is_ambiguous);
        }
        for name in a.python.iter().chain([&a.escaped]) {
            prop_assert!(name.len() <= 254 && name.to_lowercase() == *name, "{}", name);
            prop_assert!(!name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':']));
            // It is the alias of no index.
            prop_assert!(!name.ends_with('~'));
        }
        let ids = (document_id(&one), document_id(&other));
        prop_assert_eq!(ids.0 == ids.1, one == other);
    }

    #[test]
    fn no_answer_makes_a_reader_panic(body in any::<Vec<u8>>(), text in ".{0,200}", cut in any::<prop::sample::Index>()) {
        let known = br#"{"docs":[{"_id":"k","_seq_no":1,"_primary_term":1,"found":true,"_source":{"value":{"flat":{}}}}],
            "items":[{"index":{"status":200,"_seq_no":1,"_primary_term":1,"_version":1}}],"count":1,"deleted":1,
            "hits":{"hits":[{"_seq_no":1,"_primary_term":1,"_source":{},"sort":["k"]}]},"responses":[],"_shards":{"failed":0}}"#;
        let at = cut.index(known.len());
        let mut changed = known.to_vec();
        changed[at] = body.first().copied().unwrap_or(b'{');
        for body in [&body[..], text.as_bytes(), &known[..at], &changed] {
            let _ = found(body, "c", &["k"], false);
            let _ = found(body, "c", &["k"], true);
            let _ = bulk_answer(body, 1);
            let _ = hits(body, "c", true);
            let _ = hits(body, "c", false);
            let _ = searches(body, 0);
            let _ = counted(body, "c");
            let _ = swept(body);
            let _ = index_states(body);
            let _ = collections_in(body, 1);
            let _ = other_in(body);
            let _ = server(&Response::new(200, Vec::new(), body.to_vec()));
            let _ = refusal_of(&Response::new(400, Vec::new(), body.to_vec()));
            if let Ok(text) = std::str::from_utf8(body) {
                let _ = decode(text);
            }
        }
    }

    #[test]
    fn a_revision_is_read_as_it_was_written(seq in any::<u64>(), term in any::<u64>(), number in any::<u64>(), text in ".{0,30}") {
        let expires = Timestamp::from_micros(i64::try_from(number >> 16).unwrap());
        for expires in [None, expires] {
            let state = State { seq, term, number, expires };
            prop_assert_eq!(State::of(&state.to_revision()), Some(state));
        }
        let other = crate::Revision::from_text(&*text);
        if let Some(state) = State::of(&other) {
            prop_assert_eq!(state.to_revision(), other);
        }
    }
}

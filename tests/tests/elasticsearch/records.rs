//! Values and names that hurt, records of others, limits.

use std::time::Duration;

use kv_core::{ErrorKind, KeyFilter, ManualClock, PutOptions, Value};
use kv_tests::need;
use serde_json::json;

use crate::server::{Space, opensearch};
use crate::setup::Setup;
use crate::side::each;

/// Each is an object that some server, mapping or parser refuses or changes.
fn hurting() -> Vec<String> {
    vec![
        r#"{"a":1,"a":2}"#.to_owned(),
        r#"{"":1,".":2,"a.b":3,"a":{"b":4},"a.":5,"..":6}"#.to_owned(),
        r#"{"n":[1e300,-0.0,5e-324,1.0,18446744073709551615,-9223372036854775808]}"#.to_owned(),
        r#"{"text":"\u0000 \u001f \" \\ \u2028 😀"}"#.to_owned(),
        r#"{"\u0000":1}"#.to_owned(),
        "{\n  \"pretty\": [\r\n1\n]\n}".to_owned(),
        format!(r#"{{"leaf":"{}"}}"#, "x".repeat(40_000)),
        format!(r#"{{"deep":{}1{}}}"#, "[".repeat(60), "]".repeat(60)),
        format!("{{\"wide\":{{{}}}}}", (0..2000).map(|n| format!("\"f{n}\":{n}")).collect::<Vec<_>>().join(",")),
        "[1,{\"a\":null}]".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        "{}".to_owned(),
    ]
}

#[test]
fn values_that_hurt_come_back_as_they_were() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    each(&Setup::new(&server.url, &space.prefix), |side| {
        let values: Vec<_> = hurting().into_iter().map(|json| Value::from_json(&json).unwrap()).collect();
        for (number, value) in values.iter().enumerate() {
            let key = number.to_string();
            ask!(side, "c", put_value(&key, value.as_ref(), &PutOptions::default())).unwrap();
            let entry = ask!(side, "c", get_entry(&key)).unwrap().unwrap();
            let read: serde_json::Value = entry.decode().unwrap();
            assert_eq!(read, value.as_ref().decode::<serde_json::Value>().unwrap(), "{}: {number}", side.name());
        }
        let keys: Vec<_> = (0..values.len()).map(|number| format!("m{number}")).collect();
        let items: Vec<_> =
            keys.iter().zip(&values).map(|(key, value)| kv_core::PutItem::new(key, value.as_ref())).collect();
        for answer in ask!(side, "c", put_items(&items, &PutOptions::default())).unwrap() {
            answer.unwrap();
        }
        for (key, value) in keys.iter().zip(&values) {
            let entry = ask!(side, "c", get_entry(key)).unwrap().unwrap();
            let (read, wrote) = (entry.decode::<serde_json::Value>(), value.as_ref().decode::<serde_json::Value>());
            assert_eq!(read.unwrap(), wrote.unwrap(), "{}: {key}", side.name());
        }
    });
    let (_, mapping) = server.ask("GET", &format!("/{}-c/_mapping", space.prefix), "");
    let mapping = mapping.to_string();
    assert!(!mapping.contains("f1999") && !mapping.contains("pretty"), "no value grows the mapping");
}

#[test]
fn prefixes_of_each_other_do_not_overlap() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let (outer, inner) = (&space.prefix, format!("{}-b", space.prefix));
    for turn in 0..2 {
        // Whichever comes first has the plain index, and the other finds a place of its own.
        let (first, second) = (Setup::new(&server.url, outer), Setup::new(&server.url, &inner));
        let collections = if turn == 0 { ["b-x", "x"] } else { ["b-y", "y"] };
        let mut stores = [(first, collections[0]), (second, collections[1])];
        if turn == 1 {
            stores.reverse();
        }
        for (setup, collection) in &stores {
            each(setup, |side| {
                assert_eq!(ask!(side, *collection, get::<String>("k")).unwrap().is_some(), side.name() == "async");
                ask!(side, *collection, put("k", *collection)).unwrap();
            });
        }
        for (setup, collection) in &stores {
            each(setup, |side| {
                assert_eq!(ask!(side, *collection, get::<String>("k")).unwrap().as_deref(), Some(*collection));
                assert_eq!(ask!(side, *collection, all_keys(&KeyFilter::all())).unwrap(), ["k"]);
            });
        }
    }
    each(&Setup::new(&server.url, outer), |side| {
        assert_eq!(ask_store!(side, all_collections()).unwrap(), ["b-x", "b-y"]);
    });
    each(&Setup::new(&server.url, &inner), |side| {
        assert_eq!(ask_store!(side, all_collections()).unwrap(), ["x", "y"]);
    });
    each(&Setup::new(&server.url, outer), |side| {
        assert_eq!(ask_store!(side, destroy()).unwrap(), if side.name() == "blocking" { 2 } else { 0 });
    });
    each(&Setup::new(&server.url, &inner), |side| {
        assert_eq!(ask!(side, "x", get::<String>("k")).unwrap().as_deref(), Some("x"));
        assert_eq!(ask!(side, "y", get::<String>("k")).unwrap().as_deref(), Some("y"));
    });
}

#[test]
fn an_index_that_somebody_dropped_is_made_anew() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let index = format!("{}-c", space.prefix);
    each(&Setup::new(&server.url, &space.prefix), |side| {
        let dropped = || server.ask("DELETE", &format!("/{index}"), "");
        let written = ask!(side, "c", put("k", &1)).unwrap();
        dropped();
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), None, "{}", side.name());
        assert!(ask!(side, "c", put_if_revision("k", &2, &written.revision())).unwrap().is_none());
        ask!(side, "c", put("k", &1)).unwrap();
        dropped();
        ask!(side, "c", put("k", &2)).unwrap();
        let (_, mapping) = server.ask("GET", &format!("/{index}/_mapping"), "");
        assert_eq!(mapping[&index]["mappings"]["dynamic"], "false", "it has our mapping: {mapping}");
        dropped();
        assert_eq!(ask!(side, "c", increment("n", 1)).unwrap(), 1);
        dropped();
        assert!(!ask!(side, "c", delete("n")).unwrap());
        assert_eq!(ask!(side, "c", delete_many(&["n", "k"])).unwrap(), 0);
        ask!(side, "c", put("k", &1)).unwrap();
        dropped();
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 0);
        assert_eq!(ask!(side, "c", all_keys(&KeyFilter::all())).unwrap(), [""; 0]);
        assert_eq!(ask!(side, "c", clear()).unwrap(), 0);
        assert_eq!(ask_store!(side, cull()).unwrap(), 0);
        ask!(side, "c", put_many(&[("a", 1), ("b", 2)], &PutOptions::default())).unwrap();
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 2);
    });
}

#[test]
fn an_index_of_python_s_is_used_as_it_is() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let index = format!("{}-c", space.prefix);
    let mapping = json!({"mappings": {"properties": {
        "created_at": {"type": "date"}, "expires_at": {"type": "date"}, "version": {"type": "integer"},
        "collection": {"type": "keyword"}, "key": {"type": "keyword"},
        // What its `flattened` and `flat_object` refuse too: a leaf of more than 32,766 bytes.
        "value": {"properties": {"flat": {"properties": {"leaf": {"type": "keyword"}}}}},
    }}});
    each(&Setup::new(&server.url, &space.prefix), |side| {
        assert_eq!(server.ask("PUT", &format!("/{index}"), &mapping.to_string()).0, 200);
        let theirs = |collection: &str, expires: &str| {
            let expires = if expires.is_empty() { String::new() } else { format!(r#""expires_at":"{expires}","#) };
            format!(r#"{{"version":1,"key":"k","collection":"{collection}",{expires}"value":{{"flat":{{"a":1}}}}}}"#)
        };
        // Python puts `C` and `c` into one index, and only one of them under a key.
        server.write(&index, "k", &theirs("C", ""));
        assert_eq!(ask!(side, "c", get::<serde_json::Value>("k")).unwrap(), None, "it says it is another's");
        assert!(!ask!(side, "c", delete("k")).unwrap());
        assert!(server.document(&index, "k").is_some(), "and stays");
        server.write(&index, "k", &theirs("c", "2001-01-01T00:00:00.000001+00:00"));
        assert_eq!(ask!(side, "c", get::<serde_json::Value>("k")).unwrap(), None, "ended");
        assert!(!ask!(side, "c", delete("k")).unwrap());
        server.write(&index, "k", &theirs("c", "2101-01-01T00:00:00.000001+00:00"));
        let entry = ask!(side, "c", get_entry("k")).unwrap().unwrap();
        assert_eq!(entry.as_json(), Some(r#"{"a":1}"#));
        assert_eq!(entry.expires().unwrap().to_string(), "2101-01-01T00:00:00.000001+00:00");
        assert_eq!(ask!(side, "c", all_keys(&KeyFilter::all())).unwrap(), ["k"]);
        assert!(ask!(side, "c", touch("k", Duration::from_secs(60))).unwrap());
        assert!(server.document(&index, "k").unwrap()["kv"]["expires"].is_i64());
        // What its mapping refuses is kept beside.
        let leaf = json!({"leaf": "x".repeat(40_000)});
        ask!(side, "c", put("k", &leaf)).unwrap();
        assert_eq!(ask!(side, "c", get::<serde_json::Value>("k")).unwrap(), Some(leaf.clone()));
        ask!(side, "c", put_many(&[("k", &json!(1)), ("l", &leaf)], &PutOptions::default())).unwrap();
        assert_eq!(ask!(side, "c", get::<serde_json::Value>("l")).unwrap(), Some(leaf));
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 2);
        // Python's write leaves nothing of ours, and another revision.
        let before = ask!(side, "c", get_entry("k")).unwrap().unwrap().revision();
        server.write(&index, "k", &theirs("c", ""));
        let after = ask!(side, "c", get_entry("k")).unwrap().unwrap();
        assert!(after.revision() != before && after.metadata().is_none() && after.expires().is_none());
        assert!(ask!(side, "c", put_if_revision("k", &1, &before)).unwrap().is_none());
        assert_eq!(ask!(side, "c", delete_many(&["k", "l", "k"])).unwrap(), 2);
        server.ask("DELETE", &format!("/{index}"), "");
    });
}

#[test]
fn what_python_wrote_ends_to_the_microsecond() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let index = format!("{}-c", space.prefix);
    let clock = ManualClock::new("2030-01-01T00:00:00.000450Z".parse().unwrap());
    let setup = Setup { clock: Some(clock), ..Setup::new(&server.url, &space.prefix) };
    let mapping = json!({"mappings": {"properties": {
        "collection": {"type": "keyword"}, "key": {"type": "keyword"}, "expires_at": {"type": "date"},
    }}});
    assert_eq!(server.ask("PUT", &format!("/{index}"), &mapping.to_string()).0, 200);
    for (key, end) in [
        ("a before", "2029-12-31T23:59:59.999999"),
        ("b in the same millisecond", "2030-01-01T00:00:00.000001"),
        ("c now", "2030-01-01T00:00:00.000450"),
        ("d soon", "2030-01-01T00:00:00.000451"),
        ("e later", "2030-01-01T00:00:00.001000"),
    ] {
        let end = format!("{end}+00:00");
        let theirs = json!({"collection": "c", "key": key, "expires_at": end, "value": {"flat": {}}, "version": 1});
        server.write(&index, key, &theirs.to_string());
    }
    each(&setup, |side| {
        let live = ["d soon", "e later"];
        assert_eq!(ask!(side, "c", all_keys(&KeyFilter::all())).unwrap(), live);
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 2, "{}", side.name());
        assert_eq!(ask!(side, "c", count(&KeyFilter::starting_with("b"))).unwrap(), 0);
        assert_eq!(ask!(side, "c", count(&KeyFilter::starting_with("d"))).unwrap(), 1);
        for key in ["a before", "b in the same millisecond", "c now", live[0], live[1]] {
            assert_eq!(ask!(side, "c", exists(key)).unwrap(), live.contains(&key), "{key}");
        }
    });
}

#[test]
fn a_value_has_a_limit_that_the_server_keeps() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    each(&Setup::new(&server.url, &space.prefix), |side| {
        let most = vec![0xff_u8; 14 << 20];
        ask!(side, "c", put_bytes("k", &most)).unwrap();
        assert!(ask!(side, "c", get_bytes("k")).unwrap().unwrap() == most);
        let over = vec![0_u8; (14 << 20) + 1];
        let error = ask!(side, "c", put_bytes("k", &over)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        // Every character of it is escaped.
        let quotes = "\"".repeat(6 << 20);
        ask!(side, "c", put("k", &quotes)).unwrap();
        assert!(ask!(side, "c", get::<String>("k")).unwrap().unwrap() == quotes);
    });
}

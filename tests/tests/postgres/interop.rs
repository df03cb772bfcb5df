//! One table, shared with the released Python package, in both directions and both flavours.

use std::time::Duration;

use kv_core::{Clock as _, PutOptions, ValueRef};
use kv_tests::need;
use kv_tests::python::{Python, Session};
use serde_json::json;

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::Side;

/// Values that hurt and that Python's store can hold, as objects, for Python's values are dicts.
const VALUES: &[&str] = &[
    r#"{}"#,
    r#"{"text": "Grüße, 世界 \ud83d\ude00 \" \\ / \u007f \u0001"}"#,
    r#"{"é": 1, "": 2, "a b": 3}"#,
    r#"{"big": 1000000000000000000000000000000, "negative": -123456789012345678901234567890}"#,
    r#"{"i64": [9223372036854775807, -9223372036854775808], "u64": 18446744073709551615}"#,
    r#"{"floats": [0.1, 1.0, 123456.789, -2.50]}"#,
    r#"{"nulls": [null, {"a": null, "b": [null, [null]]}], "bools": [true, false]}"#,
    r#"{"version": 99, "value": {"value": 1}, "expires_at": "2001-01-01T00:00:00+00:00", "key": "x"}"#,
    r#"{"nested": {"a": {"b": {"c": {"d": {"e": [[], {}, ""]}}}}}}"#,
];

struct Theirs {
    session: Session,
    url: String,
    table: String,
}

impl Theirs {
    fn call(&mut self, op: &str, mut command: serde_json::Value) -> serde_json::Value {
        let place = json!({
            "store": "postgresql", "op": op, "url": self.url, "collection": "c", "options": {"table_name": self.table},
        });
        command.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        self.session.try_call(&command).unwrap()
    }

    fn put(&mut self, key: &str, json: &str, ttl: Option<f64>) {
        let answer = self.call("put", json!({"key": key, "value_text": json, "ttl": ttl}));
        assert!(answer.get("error").is_none(), "{answer}");
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let answer = self.call("get", json!({"key": key}));
        assert!(answer.get("error").is_none(), "{answer}");
        answer["value_text"].as_str().map(str::to_owned)
    }
}

fn same(one: &str, other: &str) -> bool {
    ValueRef::Json(one.as_bytes()).means(ValueRef::Json(other.as_bytes()))
}

/// Runs the check with both flavours on one table; first on one that Python made, then on one of ours.
fn with_both(check: impl Fn(&Side, &mut Theirs, &TestTable)) {
    let (Some(server), Some(python)) = (need(postgres()), need(Python::find())) else { return };
    for python_first in [true, false] {
        let table = TestTable::new(server.clone());
        let session = python.session().unwrap();
        let mut theirs = Theirs { session, url: server.url.clone(), table: table.name.clone() };
        if python_first {
            theirs.put("first", r#"{"a": 1}"#, None);
        }
        let setup = Setup { table: table.name.clone(), ..Setup::url(&server.url) };
        for side in [Side::blocking(&setup), Side::awaiting(&setup)] {
            check(&side, &mut theirs, &table);
        }
        if python_first {
            assert!(theirs.get("first").is_some());
        }
    }
}

#[test]
fn what_python_writes_we_read() {
    with_both(|side, theirs, _| {
        for (number, json) in VALUES.iter().enumerate() {
            let key = format!("k{number} é::/%");
            theirs.put(&key, json, None);
            let entry = side.entry_in("c", &key).unwrap().unwrap();
            assert!(same(entry.as_json().unwrap(), json), "{json}");
            assert!(entry.created().is_some() && entry.expires().is_none() && entry.metadata().is_none());
        }
        assert_eq!(side.count("c").unwrap(), side.all_keys("c").unwrap().len() as u64);
        assert!(side.all_keys("c").unwrap().len() >= VALUES.len());
    });
}

#[test]
fn what_we_write_python_reads() {
    with_both(|side, theirs, _| {
        for (number, json) in VALUES.iter().enumerate() {
            let key = format!("o{number}");
            side.put_json("c", &key, json).unwrap();
            assert!(same(&theirs.get(&key).unwrap(), json), "{json}");
        }
        // What JSONB would change, Python reads as it reads its own; we read what was written.
        let odd = r#"{"a": [1e300, -0.0, 1e22, 5e-324]}"#;
        side.put_json("c", "odd", odd).unwrap();
        let python = theirs.get("odd").unwrap();
        theirs.put("odd by python", odd, None);
        assert_eq!(Some(python), theirs.get("odd by python"));
        assert_eq!(side.entry_in("c", "odd").unwrap().unwrap().as_json(), Some(odd));
        // What it does not take is an error there, and not another value.
        side.put_json("c", "nul", r#"{"a": "\u0000"}"#).unwrap();
        assert!(theirs.call("get", json!({"key": "nul"})).get("error").is_some());
    });
}

#[test]
fn time_to_live_crosses() {
    with_both(|side, theirs, _| {
        theirs.put("t", r#"{"a": 1}"#, Some(100.5));
        let entry = side.entry_in("c", "t").unwrap().unwrap();
        let (created, expires) = (entry.created().unwrap(), entry.expires().unwrap());
        let _ = created;
        assert!(expires > kv_core::SystemClock.now());
        side.put_json_with("c", "u", r#"{"a": 1}"#, &PutOptions::ttl(Duration::from_secs(100))).unwrap();
        let ttl = theirs.call("ttl", json!({"key": "u"}))["ttl"].as_f64().unwrap();
        assert!((90.0..=100.0).contains(&ttl), "{ttl}");
        theirs.put("short", r#"{"a": 1}"#, Some(0.05));
        std::thread::sleep(Duration::from_millis(80));
        assert!(side.entry_in("c", "short").unwrap().is_none());
        assert!(!side.all_keys("c").unwrap().contains(&"short".to_owned()));
    });
}

#[test]
fn a_write_by_python_is_a_new_revision_and_has_nothing_of_ours() {
    with_both(|side, theirs, table| {
        let options = PutOptions::default().with_metadata(kv_core::Metadata::new().with("a", "b"));
        // With its exact text beside, and then rewritten by Python with the very same value.
        for json in [r#"{"a": 1e300}"#, r#"{"a": 1}"#] {
            side.put_json_with("c", "r", json, &options).unwrap();
            let ours = side.entry_in("c", "r").unwrap().unwrap();
            theirs.put("r", json, None);
            let first = side.entry_in("c", "r").unwrap().unwrap();
            assert_ne!(first.revision(), ours.revision());
            assert!(first.metadata().is_none());
            theirs.put("r", json, None);
            let second = side.entry_in("c", "r").unwrap().unwrap();
            assert_ne!(second.revision(), first.revision(), "every write of its own is another");
            assert_eq!(side.entry_in("c", "r").unwrap().unwrap().revision(), second.revision());
            for stale in [ours.revision(), first.revision()] {
                assert!(!side.put_at("c", "r", r#"{"b": 2}"#, &stale).unwrap());
            }
            assert!(side.put_at("c", "r", r#"{"b": 2}"#, &second.revision()).unwrap());
            assert!(!side.put_at("c", "r", r#"{"b": 3}"#, &second.revision()).unwrap());
            assert!(same(&theirs.get("r").unwrap(), r#"{"b": 2}"#));
        }
        let columns = format!("SELECT kv_revision IS NULL FROM {} WHERE key = 'r'", table.name);
        assert_eq!(table.server.value(&columns).as_deref(), Some("f"));
        // Bytes too.
        side.put_value("bytes", ValueRef::Bytes(b"\0\xff"), &PutOptions::default()).unwrap();
        theirs.put("gone", r#"{"a": 1}"#, None);
        assert!(theirs.call("delete", json!({"key": "gone"}))["deleted"].as_bool().unwrap_or(true));
        assert!(side.entry_in("c", "gone").unwrap().is_none());
    });
}

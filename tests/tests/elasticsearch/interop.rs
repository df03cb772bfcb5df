//! OpenSearch, shared with the released Python package, in both directions and both flavours.

use std::time::Duration;

use kv_core::{KeyFilter, PutOptions, Value};
use kv_tests::need;
use kv_tests::python::{Python, Session};
use serde_json::json;

use crate::server::{Server, Space, opensearch};
use crate::setup::Setup;
use crate::side::each;

/// Values that hurt, as objects, for Python's values are dicts.
const VALUES: &[&str] = &[
    r#"{}"#,
    r#"{"text": "Grüße, 世界 \ud83d\ude00 \u0000 \" \\ / \u007f"}"#,
    r#"{"é": 1, "": 2, "a b": 3, "a.b": 4, ".": 5}"#,
    r#"{"big": 1000000000000000000000000000000, "negative": -123456789012345678901234567890}"#,
    r#"{"i64": [9223372036854775807, -9223372036854775808], "u64": 18446744073709551615}"#,
    r#"{"floats": [0.1, 1e22, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 1e-5, 123456.789]}"#,
    r#"{"nulls": [null, {"a": null, "b": [null, [null]]}], "bools": [true, false]}"#,
    r#"{"version": 99, "value": {"value": 1}, "expires_at": "2001-01-01T00:00:00+00:00", "key": "x"}"#,
    r#"{"nested": {"a": {"b": {"c": {"d": {"e": [[], {}, ""]}}}}}}"#,
];

/// Python's store with the same prefix.
pub(crate) struct Theirs<'a> {
    session: Session,
    server: &'a Server,
    prefix: String,
}

impl<'a> Theirs<'a> {
    pub(crate) fn new(python: &Python, server: &'a Server, prefix: &str) -> Self {
        Self { session: python.session().unwrap(), server, prefix: prefix.to_owned() }
    }

    pub(crate) fn call(&mut self, op: &str, collection: &str, arguments: serde_json::Value) -> serde_json::Value {
        let mut command = json!({
            "store": "opensearch", "op": op, "url": self.server.url, "collection": collection,
            "options": {"index_prefix": self.prefix, "plain_mapping": true},
        });
        command.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        self.session.call(&command).unwrap()
    }

    pub(crate) fn get(&mut self, collection: &str, key: &str) -> Option<serde_json::Value> {
        let answer = self.call("get", collection, json!({"key": key}));
        answer["value_text"].as_str().map(|text| serde_json::from_str(text).unwrap())
    }
}

#[test]
fn python_reads_what_we_write_and_we_read_what_python_writes() {
    let (Some(server), Some(python)) = (need(opensearch()), need(Python::find())) else { return };
    let space = Space::new(&server, "");
    let mut theirs = Theirs::new(&python, &server, &space.prefix);
    let setup = Setup::new(&server.url, &space.prefix);
    each(&setup, |side| {
        // Whoever makes the index.
        for (collection, is_ours) in [("ours", true), ("their-own", false)] {
            let collection = format!("{collection}-{}", side.name());
            if is_ours {
                ask!(side, &*collection, put("made", &json!({}))).unwrap();
            } else {
                theirs.call("put", &collection, json!({"key": "made", "value_text": "{}"}));
            }
            for (number, text) in VALUES.iter().enumerate() {
                let expected: serde_json::Value = serde_json::from_str(text).unwrap();
                let key = format!("o/{number} é");
                let value = Value::from_json(*text).unwrap();
                ask!(side, &*collection, put_value(&key, value.as_ref(), &PutOptions::default())).unwrap();
                assert_eq!(theirs.get(&collection, &key), Some(expected.clone()), "{text}");
                let key = format!("t {number}");
                theirs.call("put", &collection, json!({"key": key, "value_text": text}));
                let read = ask!(side, &*collection, get::<serde_json::Value>(&key)).unwrap();
                assert_eq!(read, Some(expected), "{text}");
            }
            let mut keys = ask!(side, &*collection, all_keys(&KeyFilter::all())).unwrap();
            keys.sort();
            let known = theirs.call("keys", &collection, json!({}));
            assert_eq!(json!(keys), known["keys"]);
            // Expiry, both ways.
            let options = PutOptions::ttl(Duration::from_secs(100));
            ask!(side, &*collection, put_with("ttl", &json!({"a": 1}), &options)).unwrap();
            let ttl = theirs.call("ttl", &collection, json!({"key": "ttl"}))["ttl"].as_f64().unwrap();
            assert!((90.0..=100.0).contains(&ttl), "{ttl}");
            theirs.call("put", &collection, json!({"key": "ttl", "value_text": "{}", "ttl": 50.5}));
            let entry = ask!(side, &*collection, get_entry("ttl")).unwrap().unwrap();
            let left = entry.expires().unwrap().duration_since(entry.created().unwrap());
            assert_eq!(left, Duration::from_millis(50_500));
            // A record that Python changed has another revision and nothing of ours.
            let written = ask!(side, &*collection, put("changed", &json!({"a": 1}))).unwrap();
            theirs.call("put", &collection, json!({"key": "changed", "value_text": "{\"a\": 2}"}));
            let stale = ask!(side, &*collection, put_if_revision("changed", &json!({}), &written.revision())).unwrap();
            assert!(stale.is_none());
            assert_eq!(theirs.call("delete", &collection, json!({"key": "changed"}))["deleted"], true);
            assert!(!ask!(side, &*collection, exists("changed")).unwrap());
            // What Python cannot have is none to it, and not an error.
            ask!(side, &*collection, put("list", &[1, 2])).unwrap();
            ask!(side, &*collection, put_bytes("bytes", b"\xff")).unwrap();
            assert_eq!(theirs.get(&collection, "list"), None);
            assert_eq!(theirs.get(&collection, "bytes"), None);
            let deleted = ask!(side, &*collection, delete_many(&["t 0", "t 1", "nothing"])).unwrap();
            assert_eq!(deleted, 2);
            assert_eq!(theirs.get(&collection, "t 0"), None);
        }
    });
}

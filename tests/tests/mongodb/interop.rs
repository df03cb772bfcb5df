//! The database shared with the released Python package, in both directions and both flavours.

use kv_core::{PutOptions, TimeLeft};
use kv_tests::need;
use kv_tests::python::Python;
use kv_tests::servers;
use serde_json::json;

use crate::setup::Setup;
use crate::shared::{
    Both, Ours, Theirs, a_write_by_python_is_a_new_revision, near, same, time_to_live_crosses,
    what_is_not_json_is_an_error_with_a_name, what_python_writes_we_read, what_we_write_python_reads,
};
use crate::side::Side;

const VALUES: &[&str] = &[
    r#"{}"#,
    r#"{"text": "Grüße, 世界 \ud83d\ude00 \u0000 \" \\ / \u007f"}"#,
    r#"{"é": 1, "": 2, "a b": 3}"#,
    r#"{"i64": [9223372036854775807, -9223372036854775808], "i32": [2147483648, -2147483648, 0, 1.0]}"#,
    r#"{"$set": {"$x": 1}, "a.b": {"c.d": [1]}}"#,
    r#"{"floats": [0.1, 1e22, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 1e-5, 123456.789]}"#,
    r#"{"nulls": [null, {"a": null, "b": [null, [null]]}], "bools": [true, false]}"#,
    r#"{"version": 99, "value": {"value": 1}, "expires_at": "2001-01-01T00:00:00+00:00", "key": "x"}"#,
    r#"{"nested": {"a": {"b": {"c": {"d": {"e": [[], {}, ""]}}}}}}"#,
];

/// Runs the check with both flavours against one server and Python's store for it.
fn with_both(name: &str, check: fn(&mut Both)) {
    let (Some(server), Some(python)) = (need(servers::mongodb()), need(Python::find())) else { return };
    let setup = Setup::url(&server.url);
    for side in [Side::blocking(&setup), Side::awaiting(&setup)] {
        // The process makes the collection its own: the server may be anybody's.
        let collection = format!("interop-{name}-{}-{}", side.name(), std::process::id());
        let place = json!({"store": "mongodb", "url": server.url, "collection": collection});
        let theirs = Theirs { session: python.session().unwrap(), place };
        let mut both = Both { ours: Ours { side, collection }, theirs, values: VALUES };
        check(&mut both);
        both.ours.side.clear(&both.ours.collection).unwrap();
    }
}

macro_rules! checks {
    ($($check:ident)*) => {
        mod checks {
            $(#[test] fn $check() { super::with_both(stringify!($check), super::$check) })*
        }
    };
}

checks! {
    what_python_writes_we_read
    what_we_write_python_reads
    what_python_cannot_hold_it_still_reads
    time_to_live_crosses
    a_put_by_python_without_a_ttl_leaves_the_old_one
    what_is_not_json_is_an_error_with_a_name
    a_write_by_python_is_a_new_revision
    odd_keys
}

/// The server goes by the old expiry too: so it is what we read.
fn a_put_by_python_without_a_ttl_leaves_the_old_one(Both { ours, theirs, .. }: &mut Both) {
    theirs.put("k", r#"{"a": 1}"#, Some(1000.5));
    theirs.put("k", r#"{"a": 2}"#, None);
    let left = theirs.ttl("k").unwrap();
    near(ours.ttl("k").unwrap(), left + 1.0);
    // Ours takes it away.
    ours.put("k", r#"{"a": 3}"#, &PutOptions::default()).unwrap();
    assert_eq!((ours.ttl("k").unwrap(), theirs.ttl("k")), (Some(TimeLeft::Forever), None));
}

/// Integers beyond 64 bits, which its BSON does not take, reach it as text.
fn what_python_cannot_hold_it_still_reads(Both { ours, theirs, .. }: &mut Both) {
    for json in [
        r#"{"big": 1000000000000000000000000000000, "negative": -123456789012345678901234567890}"#,
        r#"{"u64": 18446744073709551615}"#,
    ] {
        let refused = theirs.call_any("put", json!({"key": "k", "value_text": json}));
        assert!(refused["error"].is_string(), "{refused}");
        assert!(ours.put("k", json, &PutOptions::default()).unwrap());
        assert!(same(&theirs.get("k").unwrap(), json), "{json}");
        assert!(same(ours.get("k").unwrap().unwrap().as_json().unwrap(), json));
    }
    // What is no object it does not find, and leaves.
    assert!(ours.put("list", "[1]", &PutOptions::default()).unwrap());
    assert_eq!(theirs.get("list"), None);
    assert!(ours.exists("list").unwrap());
}

fn odd_keys(Both { ours, theirs, .. }: &mut Both) {
    // Within a key they are plain to Python too.
    for key in ["a::b", ":a", "::", "a:", "[x]*?\\", "ключ \u{1F600}"] {
        ours.put(key, r#"{"ours": 1}"#, &PutOptions::default()).unwrap();
        assert_eq!(theirs.get(key).as_deref(), Some(r#"{"ours": 1}"#), "{key}");
        theirs.put(key, r#"{"theirs": 1}"#, None);
        assert_eq!(ours.get(key).unwrap().unwrap().as_json(), Some(r#"{"theirs":1}"#), "{key}");
        assert!(ours.keys().unwrap().contains(&key.to_owned()), "{key}");
    }
}

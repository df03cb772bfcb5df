//! Redis and Valkey, shared with the released Python package, in both directions and both flavours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[macro_use]
#[path = "../shared/side.rs"]
mod side;

#[path = "../shared/interop.rs"]
mod interop;

use std::sync::Arc;

use kv_core::{PutOptions, TimeLeft};
use kv_tests::python::Python;
use kv_tests::servers::{self, Server};
use kv_tests::{Unavailable, need};
use serde_json::json;

use crate::interop::{
    Both, Ours, Theirs, a_write_by_python_is_a_new_revision, time_to_live_crosses,
    what_is_not_json_is_an_error_with_a_name, what_python_writes_we_read, what_we_write_python_reads,
};
use crate::side::{Side, runtime};

const VALUES: &[&str] = &[
    r#"{}"#,
    r#"{"text": "Grüße, 世界 \ud83d\ude00 \u0000 \" \\ / \u007f"}"#,
    r#"{"é": 1, "": 2, "a b": 3}"#,
    r#"{"big": 1000000000000000000000000000000, "negative": -123456789012345678901234567890}"#,
    r#"{"i64": [9223372036854775807, -9223372036854775808], "u64": 18446744073709551615}"#,
    r#"{"floats": [0.1, 1e22, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 1e-5, 123456.789]}"#,
    r#"{"nulls": [null, {"a": null, "b": [null, [null]]}], "bools": [true, false]}"#,
    r#"{"version": 99, "value": {"value": 1}, "expires_at": "2001-01-01T00:00:00+00:00", "key": "x"}"#,
    r#"{"nested": {"a": {"b": {"c": {"d": {"e": [[], {}, ""]}}}}}}"#,
];

/// Python's store there.
fn theirs(kind: &str, server: &Server, python: &Python, collection: &str) -> Theirs {
    let place = json!({"store": kind, "host": server.host, "port": server.port, "collection": collection});
    Theirs { session: python.session().unwrap(), place }
}

/// Runs the check with both flavours against one server and Python's store for it.
fn with_both(kind: &str, server: Result<Server, Unavailable>, name: &str, check: fn(&mut Both)) {
    let (Some(server), Some(python)) = (need(server), need(Python::find())) else { return };
    let blocking = kv_sync::stores::RedisStore::connect(&server.url).unwrap();
    let awaiting = kv_async::stores::RedisStore::connect(&server.url).unwrap();
    let sides = [Side::Sync(kv_sync::Kv::new(blocking)), Side::Async(Arc::new(runtime()), kv_async::Kv::new(awaiting))];
    for side in sides {
        // The process makes the collection its own: the server may be anybody's.
        let collection = format!("interop:{name}:{}:{}", side.name(), std::process::id());
        let theirs = theirs(kind, &server, &python, &collection);
        let mut both = Both { ours: Ours { side, collection }, theirs, values: VALUES };
        check(&mut both);
        both.ours.side.clear(&both.ours.collection).unwrap();
    }
}

macro_rules! on_redis_and_valkey {
    ($($check:ident)*) => {
        mod redis {
            use super::*;
            $(#[test] fn $check() { with_both("redis", servers::redis(), stringify!($check), super::$check) })*
        }
        mod valkey {
            use super::*;
            $(#[test] fn $check() { with_both("valkey", servers::valkey(), stringify!($check), super::$check) })*
        }
    };
}

on_redis_and_valkey! {
    what_python_writes_we_read
    what_we_write_python_reads
    time_to_live_crosses
    a_put_without_a_ttl_is_for_good
    what_is_not_json_is_an_error_with_a_name
    a_write_by_python_is_a_new_revision
    names_with_colons
}

fn a_put_without_a_ttl_is_for_good(Both { ours, theirs, .. }: &mut Both) {
    theirs.put("k", r#"{"a": 1}"#, Some(1000.5));
    theirs.put("k", r#"{"a": 2}"#, None);
    assert_eq!(ours.ttl("k").unwrap(), Some(TimeLeft::Forever));
}

fn names_with_colons(Both { ours, theirs, .. }: &mut Both) {
    // Within a key they are plain to Python too.
    for key in ["a::b", ":a", "::", "a:", "[x]*?\\", "ключ \u{1F600}"] {
        ours.put(key, r#"{"ours": 1}"#, &PutOptions::default()).unwrap();
        assert_eq!(theirs.get(key).as_deref(), Some(r#"{"ours": 1}"#), "{key}");
        theirs.put(key, r#"{"theirs": 1}"#, None);
        assert_eq!(ours.get(key).unwrap().unwrap().as_json(), Some(r#"{"theirs": 1}"#), "{key}");
        assert!(ours.keys().unwrap().contains(&key.to_owned()), "{key}");
    }
}

#[test]
fn a_collection_that_python_s_keys_cannot_tell_from_another() {
    let (Some(server), Some(python)) = (need(servers::redis()), need(Python::find())) else { return };
    let tag = format!("odd{}", std::process::id());
    let (odd, plain) = (format!("{tag}::b"), tag.clone());
    let mut theirs = theirs("redis", &server, &python, &odd);
    theirs.put("c", r#"{"a": 1}"#, None);

    let kv = kv_sync::Kv::new(kv_sync::stores::RedisStore::connect(&server.url).unwrap());
    let ours = kv.collection(odd.as_str());
    assert_eq!(ours.get_entry("c").unwrap().unwrap().as_json(), Some(r#"{"a": 1}"#), "Python's form is read");
    assert!(kv.collection(plain.as_str()).get_entry("b::c").unwrap().is_none(), "and belongs to nobody else");
    ours.put("c", &json!({"a": 2})).unwrap();
    assert_eq!(ours.get::<serde_json::Value>("c").unwrap(), Some(json!({"a": 2})), "our own form counts first");
    let mut keys = ours.all_keys(&kv_core::KeyFilter::all()).unwrap();
    keys.dedup();
    assert_eq!(keys, ["c"]);
    assert!(ours.delete("c").unwrap());
    assert!(!ours.exists("c").unwrap(), "no older form shows through");
    ours.clear().unwrap();
    kv.collection(plain.as_str()).clear().unwrap();
}

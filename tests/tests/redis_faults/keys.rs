//! Keys, namespaces, and what Python's library wrote where its keys are ambiguous.

use kv_core::ListOptions;
use kv_tests::need;
use kv_tests::resp::Reply;
use kv_tests::servers::{Options, Private, private_redis};

use crate::setup::Setup;
use crate::side::{Side, each};

fn exists(server: &Private, key: &str) -> bool {
    server.command(&["EXISTS", key]).unwrap() == Reply::Int(1)
}

/// As Python's library writes it.
fn write_python(server: &Private, collection: &str, key: &str, value: i64) {
    let document = format!(
        r#"{{"collection": "{collection}", "created_at": "2026-01-01T00:00:00+00:00", "key": "{key}", "value": {{"n": {value}}}, "version": 1}}"#
    );
    server.command(&["SET", &format!("{collection}::{key}"), &document]).unwrap();
}

fn python_value(side: &Side, collection: &str, key: &str) -> Option<i64> {
    let value = ask!(side, collection, get::<std::collections::BTreeMap<String, i64>>(key)).unwrap();
    value.map(|value| value["n"])
}

#[test]
fn names_that_python_confuses_are_two_records() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        let names =
            [("a", "b::c"), ("a::b", "c"), ("a:", "k"), ("a", ":k"), ("%a", "x"), ("a[b]*?\\", "y"), ("a\n", "\0")];
        for ((collection, key), value) in names.into_iter().zip(0..) {
            side.put_in(collection, key, value).unwrap();
        }
        for ((collection, key), value) in names.into_iter().zip(0..) {
            assert_eq!(side.get_in(collection, key).unwrap(), Some(value), "{collection:?} {key:?}");
            assert!(side.all_keys(collection).unwrap().contains(&key.to_owned()), "{collection:?}");
        }
        let mut collections = names.map(|(collection, _)| collection.to_owned()).to_vec();
        collections.sort();
        collections.dedup();
        assert_eq!(side.collections().unwrap(), collections);
        assert_eq!(side.count("a[b]*?\\").unwrap(), 1, "a pattern's characters mean themselves");
        assert_eq!(side.all_keys("a").unwrap().len(), 2);
        assert!(exists(&server, "a::b::c") && exists(&server, "%a%3A%3Ab::c"));
        assert_eq!(ask!(side, "a::b", increment("c", 10)).unwrap(), 11);
        assert!(side.delete_in("a", "b::c").unwrap() && !side.delete_in("a", "b::c").unwrap());
        assert_eq!(side.get_in("a::b", "c").unwrap(), Some(11));
        assert_eq!(side.destroy().unwrap(), names.len() as u64 - 1);
        assert_eq!(server.command(&["DBSIZE"]).unwrap(), Reply::Int(0));
    });
}

#[test]
fn python_s_records_of_odd_collections_are_read_changed_and_removed() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        write_python(&server, "a::b", "c", 1);
        assert_eq!(python_value(side, "a::b", "c"), Some(1));
        assert_eq!(python_value(side, "a", "b::c"), None, "it says whose it is");
        assert_eq!(side.all_keys("a").unwrap(), Vec::<String>::new());
        assert_eq!(side.all_keys("a::b").unwrap(), ["c"]);
        assert_eq!(side.collections().unwrap(), ["a::b"]);
        assert!(ask!(side, "a::b", put_if_absent("c", &9)).unwrap().is_none(), "it is there");
        // What is not of this name is not removed with it.
        assert!(!side.delete_in("a", "b::c").unwrap());
        assert_eq!(side.clear("a").unwrap(), 0);
        assert_eq!(python_value(side, "a::b", "c"), Some(1));
        // A write takes its place: it would come back otherwise when ours ends.
        side.put_in("a::b", "c", 2).unwrap();
        assert!(!exists(&server, "a::b::c") && exists(&server, "%a%3A%3Ab::c"));
        assert_eq!(side.get_in("a::b", "c").unwrap(), Some(2));
        write_python(&server, "a::b", "c", 3);
        assert_eq!(side.get_in("a::b", "c").unwrap(), Some(2), "ours stands before it");
        assert_eq!(side.all_keys("a::b").unwrap(), ["c"]);
        assert_eq!(side.count("a::b").unwrap(), 1);
        assert!(side.delete_in("a::b", "c").unwrap());
        assert_eq!(side.get_in("a::b", "c").unwrap(), None, "both are gone");
        write_python(&server, "a::b", "d", 3);
        assert_eq!(side.clear("a::b").unwrap(), 1);
        write_python(&server, "a:", "k", 4);
        assert_eq!(side.destroy().unwrap(), 1);
        assert_eq!(server.command(&["DBSIZE"]).unwrap(), Reply::Int(0));
    });
}

#[test]
fn namespaces_do_not_see_each_other_and_foreign_keys_stay() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    for make in [Side::blocking, Side::awaiting] {
        let of = |namespace| make(&Setup { namespace, ..Setup::url(server.url()) });
        let stores = [of(None), of(Some("one")), of(Some("two|*"))];
        for (side, value) in stores.iter().zip(0..) {
            side.put_in("c", "k", value).unwrap();
            side.put_in("c::d", "k", value).unwrap();
        }
        let foreign = ["plain", "foreign::text", "foreign::json", "c2::list", "%one|", "%three|c::k"];
        for key in foreign {
            server.command(&["SET", key, r#"{"value": 1}"#]).unwrap();
        }
        for (side, value) in stores.iter().zip(0..) {
            assert_eq!(side.get_in("c", "k").unwrap(), Some(value));
            assert_eq!(side.collections().unwrap(), ["c", "c::d"]);
            assert_eq!(side.keys("c", &ListOptions::default()).unwrap().items, ["k"]);
        }
        assert_eq!(stores[0].destroy().unwrap(), 2);
        for (side, value) in stores.iter().zip(0..).skip(1) {
            assert_eq!(side.get_in("c::d", "k").unwrap(), Some(value), "of another namespace");
        }
        assert!(foreign.into_iter().all(|key| exists(&server, key)));
        assert_eq!(stores[1].destroy().unwrap(), 2);
        assert_eq!(stores[2].get_in("c", "k").unwrap(), Some(2));
        assert_eq!(stores[2].destroy().unwrap(), 2);
        assert!(foreign.into_iter().all(|key| exists(&server, key)));
        assert_eq!(server.command(&["DBSIZE"]).unwrap(), Reply::Int(foreign.len() as i64));
        stores[0].put_in("c", "k", 5).unwrap();
        assert_eq!(stores[0].get_in("c", "k").unwrap(), Some(5), "the store works on");
        server.command(&["FLUSHALL"]).unwrap();
    }
}

//! The database shared with the released Python package, in both directions and both flavours.

use std::fmt::Debug;
use std::time::Duration;

use kv_core::{ErrorKind, ListOptions, PutOptions, Result, Revision, TimeLeft, Value, ValueRef};
use kv_tests::need;
use kv_tests::python::{Python, Session};
use kv_tests::servers::{self, Server};
use serde_json::json;

/// Values that hurt, as objects, for Python's values are dicts.
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

/// One collection through one flavour, spoken to alike.
trait Ours: Debug {
    fn get(&self, key: &str) -> Result<Option<kv_core::Entry>>;
    fn put(&self, key: &str, json: &str, options: &PutOptions) -> Result<bool>;
    fn put_many(&self, items: &[(String, serde_json::Value)]) -> Result<()>;
    fn exists(&self, key: &str) -> Result<bool>;
    fn delete(&self, key: &str) -> Result<bool>;
    fn touch(&self, key: &str, ttl: Duration) -> Result<bool>;
    fn ttl(&self, key: &str) -> Result<Option<TimeLeft>>;
    fn put_at(&self, key: &str, json: &str, revision: &Revision) -> Result<bool>;
    fn keys(&self) -> Result<Vec<String>>;
}

fn value(json: &str) -> Value {
    Value::from_json(json).unwrap()
}

impl Ours for kv_sync::Collection {
    fn get(&self, key: &str) -> Result<Option<kv_core::Entry>> {
        self.get_entry(key)
    }

    fn put(&self, key: &str, json: &str, options: &PutOptions) -> Result<bool> {
        Ok(self.put_value(key, value(json).as_ref(), options)?.is_written())
    }

    fn put_many(&self, items: &[(String, serde_json::Value)]) -> Result<()> {
        self.put_many(items, &PutOptions::default())?.into_iter().try_for_each(|answer| answer.map(drop))
    }

    fn exists(&self, key: &str) -> Result<bool> {
        self.exists(key)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.delete(key)
    }

    fn touch(&self, key: &str, ttl: Duration) -> Result<bool> {
        self.touch(key, ttl)
    }

    fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        self.ttl(key)
    }

    fn put_at(&self, key: &str, json: &str, revision: &Revision) -> Result<bool> {
        let options = PutOptions::default().with_condition(kv_core::Condition::IfRevision(revision.clone()));
        Ours::put(self, key, json, &options)
    }

    fn keys(&self) -> Result<Vec<String>> {
        self.key_pages(ListOptions::default()).into_items().collect()
    }
}

#[derive(Debug)]
struct Awaited<'r>(&'r tokio::runtime::Runtime, kv_async::Collection);

impl Ours for Awaited<'_> {
    fn get(&self, key: &str) -> Result<Option<kv_core::Entry>> {
        self.0.block_on(self.1.get_entry(key))
    }

    fn put(&self, key: &str, json: &str, options: &PutOptions) -> Result<bool> {
        Ok(self.0.block_on(self.1.put_value(key, value(json).as_ref(), options))?.is_written())
    }

    fn put_many(&self, items: &[(String, serde_json::Value)]) -> Result<()> {
        let answers = self.0.block_on(self.1.put_many(items, &PutOptions::default()))?;
        answers.into_iter().try_for_each(|answer| answer.map(drop))
    }

    fn exists(&self, key: &str) -> Result<bool> {
        self.0.block_on(self.1.exists(key))
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.0.block_on(self.1.delete(key))
    }

    fn touch(&self, key: &str, ttl: Duration) -> Result<bool> {
        self.0.block_on(self.1.touch(key, ttl))
    }

    fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        self.0.block_on(self.1.ttl(key))
    }

    fn put_at(&self, key: &str, json: &str, revision: &Revision) -> Result<bool> {
        let options = PutOptions::default().with_condition(kv_core::Condition::IfRevision(revision.clone()));
        Ours::put(self, key, json, &options)
    }

    fn keys(&self) -> Result<Vec<String>> {
        self.0.block_on(self.1.all_keys(&kv_core::KeyFilter::all()))
    }
}

/// Python's store on the same server and the same collection.
struct Theirs {
    session: Session,
    server: Server,
    collection: String,
}

impl Theirs {
    fn command(&self, op: &str, arguments: serde_json::Value) -> serde_json::Value {
        let mut command = arguments;
        let place = json!({"store": "mongodb", "op": op, "url": self.server.url, "collection": self.collection});
        command.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        command
    }

    fn call(&mut self, op: &str, arguments: serde_json::Value) -> serde_json::Value {
        let command = self.command(op, arguments);
        self.session.call(&command).unwrap()
    }

    /// The answer, be it an error.
    fn call_any(&mut self, op: &str, arguments: serde_json::Value) -> serde_json::Value {
        let command = self.command(op, arguments);
        self.session.try_call(&command).unwrap()
    }

    fn put(&mut self, key: &str, json: &str, ttl: Option<f64>) {
        self.call("put", json!({"key": key, "value_text": json, "ttl": ttl}));
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let answer = self.call("get", json!({"key": key}));
        answer["value_text"].as_str().map(str::to_owned)
    }

    fn ttl(&mut self, key: &str) -> Option<f64> {
        self.call("ttl", json!({"key": key}))["ttl"].as_f64()
    }
}

fn same(one: &str, other: &str) -> bool {
    ValueRef::Json(one.as_bytes()).means(ValueRef::Json(other.as_bytes()))
}

/// Runs the check with both flavours against one server and Python's store for it.
fn with_both(name: &str, check: fn(&dyn Ours, &mut Theirs)) {
    let (Some(server), Some(python)) = (need(servers::mongodb()), need(Python::find())) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for flavour in ["sync", "async"] {
        // The process makes the collection its own: the server may be anybody's.
        let collection = format!("interop-{name}-{flavour}-{}", std::process::id());
        let session = python.session().unwrap();
        let mut theirs = Theirs { session, server: server.clone(), collection: collection.clone() };
        if flavour == "sync" {
            let kv = kv_sync::Kv::new(kv_sync::stores::MongoStore::connect(&server.url).unwrap());
            check(&kv.collection(collection.as_str()), &mut theirs);
            kv.collection(collection.as_str()).clear().unwrap();
        } else {
            let kv = kv_async::Kv::new(kv_async::stores::MongoStore::connect(&server.url).unwrap());
            let ours = kv.collection(collection.as_str());
            check(&Awaited(&runtime, ours.clone()), &mut theirs);
            runtime.block_on(ours.clear()).unwrap();
        }
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
    what_is_not_json_is_an_error_with_a_name
    a_write_by_python_is_a_new_revision
    odd_keys
}

fn what_python_writes_we_read(ours: &dyn Ours, theirs: &mut Theirs) {
    for (number, json) in VALUES.iter().enumerate() {
        let key = format!("k:{number}");
        theirs.put(&key, json, None);
        let entry = ours.get(&key).unwrap().unwrap_or_else(|| panic!("{json} is missing"));
        assert!(same(entry.as_json().unwrap(), json), "{json} came back as {:?}", entry.as_json());
        assert!(entry.created().is_some());
        assert_eq!(entry.expires(), None);
    }
    let keys: Vec<_> = (0..VALUES.len()).map(|number| format!("many {number}")).collect();
    theirs.call("put_many", json!({"keys": keys, "values_text": VALUES}));
    for (key, json) in keys.iter().zip(VALUES) {
        assert!(same(ours.get(key).unwrap().unwrap().as_json().unwrap(), json), "{json}");
    }
    let mut listed = ours.keys().unwrap();
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 2 * VALUES.len(), "{listed:?}");
    assert!(ours.delete("k:0").unwrap());
    assert_eq!(theirs.get("k:0"), None);
}

fn what_we_write_python_reads(ours: &dyn Ours, theirs: &mut Theirs) {
    for (number, json) in VALUES.iter().enumerate() {
        let key = format!("k:{number}");
        assert!(ours.put(&key, json, &PutOptions::default()).unwrap());
        let text = theirs.get(&key).unwrap_or_else(|| panic!("Python misses {json}"));
        assert!(same(&text, json), "{json} came to Python as {text}");
    }
    let notes = kv_core::Metadata::new().with("a", "b");
    ours.put("noted", r#"{"a": 1}"#, &PutOptions::default().with_metadata(notes)).unwrap();
    assert_eq!(theirs.get("noted").as_deref(), Some(r#"{"a": 1}"#));
    ours.put_many(&[("x".to_owned(), json!({"x": 1})), ("y".to_owned(), json!({"y": [null]}))]).unwrap();
    let answer = theirs.call("get_many", json!({"keys": ["x", "missing", "y"]}));
    assert_eq!(answer["values_text"], json!([r#"{"x": 1}"#, null, r#"{"y": [null]}"#]));
    let deleted = theirs.call("delete", json!({"key": "x"}));
    assert_eq!(deleted["deleted"], json!(true));
    assert!(!ours.exists("x").unwrap());
}

/// Integers beyond 64 bits, which its BSON does not take, reach it as text.
fn what_python_cannot_hold_it_still_reads(ours: &dyn Ours, theirs: &mut Theirs) {
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

fn time_to_live_crosses(ours: &dyn Ours, theirs: &mut Theirs) {
    let near = |left: Option<TimeLeft>, seconds: f64| {
        let left = left.and_then(TimeLeft::duration).map_or(0.0, |left| left.as_secs_f64());
        assert!(left <= seconds && left > seconds - 20.0, "{left} s left of {seconds}");
    };
    theirs.put("theirs", r#"{"a": 1}"#, Some(1000.5));
    near(ours.ttl("theirs").unwrap(), 1000.5);
    ours.put("ours", r#"{"a": 1}"#, &PutOptions::ttl(Duration::from_millis(2_000_500))).unwrap();
    let left = theirs.ttl("ours").unwrap();
    assert!(left <= 2000.5 && left > 1980.0, "{left}");
    assert!(ours.touch("theirs", Duration::from_secs(500)).unwrap());
    let left = theirs.ttl("theirs").unwrap();
    assert!(left <= 500.0 && left > 480.0, "{left}");
    assert_eq!(theirs.get("theirs").as_deref(), Some(r#"{"a": 1}"#));

    // Python leaves the old expiry where it puts without one, and the server goes by that: so it is what we read.
    theirs.put("theirs", r#"{"a": 2}"#, None);
    let left = theirs.ttl("theirs").unwrap();
    near(ours.ttl("theirs").unwrap(), left + 1.0);
    // Ours takes it away.
    ours.put("theirs", r#"{"a": 3}"#, &PutOptions::default()).unwrap();
    assert_eq!((ours.ttl("theirs").unwrap(), theirs.ttl("theirs")), (Some(TimeLeft::Forever), None));
    // Below a second, where Python's own stores round down or fail, ours is exact and Python sees it end.
    ours.put("short", r#"{"a": 1}"#, &PutOptions::ttl(Duration::from_millis(150))).unwrap();
    assert!(ours.exists("short").unwrap());
    std::thread::sleep(Duration::from_millis(200));
    assert!(!ours.exists("short").unwrap());
    assert_eq!(theirs.get("short"), None);
}

fn what_is_not_json_is_an_error_with_a_name(ours: &dyn Ours, theirs: &mut Theirs) {
    for (key, json) in [("nan", r#"{"a": NaN}"#), ("infinity", r#"{"a": [1, -Infinity]}"#)] {
        theirs.put(key, json, None);
        let error = ours.get(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
        assert_eq!(error.key(), Some(key));
        assert!(error.message().contains("NaN"), "{error}");
        assert!(ours.exists(key).is_err(), "whether it is live cannot be known");
        assert!(ours.keys().unwrap().contains(&key.to_owned()), "a listing shows its key");
        assert!(theirs.get(key).is_some(), "it is left in place");
    }
    ours.put("nan", r#"{"a": 1}"#, &PutOptions::default()).unwrap();
    assert!(ours.get("nan").unwrap().is_some(), "a put replaces it");
    assert!(ours.delete("infinity").unwrap(), "a delete removes it");
    assert_eq!(theirs.get("infinity"), None);
}

fn a_write_by_python_is_a_new_revision(ours: &dyn Ours, theirs: &mut Theirs) {
    ours.put("k", r#"{"a": 1}"#, &PutOptions::default()).unwrap();
    let before = ours.get("k").unwrap().unwrap().revision();
    theirs.put("k", r#"{"a": 1}"#, None);
    let after = ours.get("k").unwrap().unwrap().revision();
    assert_ne!(before, after, "equal values, and still another state");
    assert!(!ours.put_at("k", r#"{"a": 2}"#, &before).unwrap());
    assert!(ours.put_at("k", r#"{"a": 2}"#, &after).unwrap());
    assert_eq!(theirs.get("k").as_deref(), Some(r#"{"a": 2}"#));
}

fn odd_keys(ours: &dyn Ours, theirs: &mut Theirs) {
    // Within a key they are plain to Python too.
    for key in ["a::b", ":a", "::", "a:", "[x]*?\\", "ключ \u{1F600}"] {
        ours.put(key, r#"{"ours": 1}"#, &PutOptions::default()).unwrap();
        assert_eq!(theirs.get(key).as_deref(), Some(r#"{"ours": 1}"#), "{key}");
        theirs.put(key, r#"{"theirs": 1}"#, None);
        assert_eq!(ours.get(key).unwrap().unwrap().as_json(), Some(r#"{"theirs":1}"#), "{key}");
        assert!(ours.keys().unwrap().contains(&key.to_owned()), "{key}");
    }
}

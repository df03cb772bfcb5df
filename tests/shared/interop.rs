//! One collection that this library, in either flavour, and the released Python package have in common, and what holds of
//! every store of that kind.

use std::time::Duration;

use kv_core::{Entry, ErrorKind, PutOptions, Result, Revision, TimeLeft, ValueRef};
use kv_tests::python::Session;
use serde_json::{Value as Json, json};

use crate::side::Side;

/// The collection through this library.
pub(crate) struct Ours {
    pub(crate) side: Side,
    pub(crate) collection: String,
}

impl Ours {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.side.entry_in(&self.collection, key)
    }

    pub(crate) fn put(&self, key: &str, json: &str, options: &PutOptions) -> Result<bool> {
        self.side.put_json_with(&self.collection, key, json, options)
    }

    pub(crate) fn put_at(&self, key: &str, json: &str, revision: &Revision) -> Result<bool> {
        self.side.put_at(&self.collection, key, json, revision)
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool> {
        ask!(&self.side, &*self.collection, exists(key))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool> {
        self.side.delete_in(&self.collection, key)
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        ask!(&self.side, &*self.collection, ttl(key))
    }

    pub(crate) fn keys(&self) -> Result<Vec<String>> {
        self.side.all_keys(&self.collection)
    }
}

/// Python's store on the same server and the same collection.
pub(crate) struct Theirs {
    pub(crate) session: Session,
    /// What every command says: the store, where it is, and the collection.
    pub(crate) place: Json,
}

impl Theirs {
    pub(crate) fn call(&mut self, op: &str, arguments: Json) -> Json {
        let answer = self.call_any(op, arguments);
        assert!(answer.get("error").is_none(), "{answer}");
        answer
    }

    /// The answer, be it an error.
    pub(crate) fn call_any(&mut self, op: &str, arguments: Json) -> Json {
        let mut command = arguments;
        command["op"] = json!(op);
        command.as_object_mut().unwrap().extend(self.place.as_object().unwrap().clone());
        self.session.try_call(&command).unwrap()
    }

    pub(crate) fn put(&mut self, key: &str, json: &str, ttl: Option<f64>) {
        self.call("put", json!({"key": key, "value_text": json, "ttl": ttl}));
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<String> {
        let answer = self.call("get", json!({"key": key}));
        answer["value_text"].as_str().map(str::to_owned)
    }

    pub(crate) fn ttl(&mut self, key: &str) -> Option<f64> {
        self.call("ttl", json!({"key": key}))["ttl"].as_f64()
    }
}

/// What a check has in hand.
pub(crate) struct Both {
    pub(crate) ours: Ours,
    pub(crate) theirs: Theirs,
    /// Values that hurt and that Python's store can hold, as objects, for Python's values are dicts.
    pub(crate) values: &'static [&'static str],
}

pub(crate) fn same(one: &str, other: &str) -> bool {
    ValueRef::Json(one.as_bytes()).means(ValueRef::Json(other.as_bytes()))
}

/// So many seconds, or a little less.
pub(crate) fn near(left: Option<TimeLeft>, seconds: f64) {
    let left = left.and_then(TimeLeft::duration).map_or(0.0, |left| left.as_secs_f64());
    assert!(left <= seconds && left > seconds - 20.0, "{left} s left of {seconds}");
}

pub(crate) fn what_python_writes_we_read(Both { ours, theirs, values }: &mut Both) {
    for (number, json) in values.iter().enumerate() {
        let key = format!("k:{number}");
        theirs.put(&key, json, None);
        let entry = ours.get(&key).unwrap().unwrap_or_else(|| panic!("{json} is missing"));
        assert!(same(entry.as_json().unwrap(), json), "{json} came back as {:?}", entry.as_json());
        assert!(entry.created().is_some());
        assert_eq!(entry.expires(), None);
    }
    let keys: Vec<_> = (0..values.len()).map(|number| format!("many {number}")).collect();
    theirs.call("put_many", json!({"keys": keys, "values_text": values}));
    for (key, json) in keys.iter().zip(*values) {
        assert!(same(ours.get(key).unwrap().unwrap().as_json().unwrap(), json), "{json}");
    }
    let mut listed = ours.keys().unwrap();
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 2 * values.len(), "{listed:?}");
    assert!(ours.delete("k:0").unwrap());
    assert_eq!(theirs.get("k:0"), None);
}

pub(crate) fn what_we_write_python_reads(Both { ours, theirs, values }: &mut Both) {
    for (number, json) in values.iter().enumerate() {
        let key = format!("k:{number}");
        assert!(ours.put(&key, json, &PutOptions::default()).unwrap());
        let text = theirs.get(&key).unwrap_or_else(|| panic!("Python misses {json}"));
        assert!(same(&text, json), "{json} came to Python as {text}");
    }
    let notes = kv_core::Metadata::new().with("a", "b");
    ours.put("noted", r#"{"a": 1}"#, &PutOptions::default().with_metadata(notes)).unwrap();
    assert_eq!(theirs.get("noted").as_deref(), Some(r#"{"a": 1}"#));
    let (items, options) = ([("x", json!({"x": 1})), ("y", json!({"y": [null]}))], PutOptions::default());
    let written = ask!(&ours.side, &*ours.collection, put_many(&items, &options)).unwrap();
    assert!(written.iter().all(Result::is_ok));
    let answer = theirs.call("get_many", json!({"keys": ["x", "missing", "y"]}));
    assert_eq!(answer["values_text"], json!([r#"{"x": 1}"#, null, r#"{"y": [null]}"#]));
    let deleted = theirs.call("delete", json!({"key": "x"}));
    assert_eq!(deleted["deleted"], json!(true));
    assert!(!ours.exists("x").unwrap());
}

pub(crate) fn time_to_live_crosses(Both { ours, theirs, .. }: &mut Both) {
    theirs.put("theirs", r#"{"a": 1}"#, Some(1000.5));
    near(ours.ttl("theirs").unwrap(), 1000.5);
    ours.put("ours", r#"{"a": 1}"#, &PutOptions::ttl(Duration::from_millis(2_000_500))).unwrap();
    let left = theirs.ttl("ours").unwrap();
    assert!(left <= 2000.5 && left > 1980.0, "{left}");
    assert!(ask!(&ours.side, &*ours.collection, touch("theirs", Duration::from_secs(500))).unwrap());
    let left = theirs.ttl("theirs").unwrap();
    assert!(left <= 500.0 && left > 480.0, "{left}");
    assert_eq!(theirs.get("theirs").as_deref(), Some(r#"{"a": 1}"#));
    // Below a second, where Python's own stores round down or fail, ours is exact and Python sees it end.
    ours.put("short", r#"{"a": 1}"#, &PutOptions::ttl(Duration::from_millis(150))).unwrap();
    assert!(ours.exists("short").unwrap());
    std::thread::sleep(Duration::from_millis(200));
    assert!(!ours.exists("short").unwrap());
    assert_eq!(theirs.get("short"), None);
}

pub(crate) fn what_is_not_json_is_an_error_with_a_name(Both { ours, theirs, .. }: &mut Both) {
    for (key, json) in [("nan", r#"{"a": NaN}"#), ("infinity", r#"{"a": [1, -Infinity]}"#)] {
        theirs.put(key, json, None);
        let error = ours.get(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
        assert_eq!(error.key(), Some(key));
        assert!(error.message().contains("NaN") || error.message().contains("Infinity"), "{error}");
        assert!(ours.exists(key).is_err(), "whether it is live cannot be known");
        assert!(ours.keys().unwrap().contains(&key.to_owned()), "a listing shows its key");
        assert!(theirs.get(key).is_some(), "it is left in place");
    }
    ours.put("nan", r#"{"a": 1}"#, &PutOptions::default()).unwrap();
    assert!(ours.get("nan").unwrap().is_some(), "a put replaces it");
    assert!(ours.delete("infinity").unwrap(), "a delete removes it");
    assert_eq!(theirs.get("infinity"), None);
}

pub(crate) fn a_write_by_python_is_a_new_revision(Both { ours, theirs, .. }: &mut Both) {
    ours.put("k", r#"{"a": 1}"#, &PutOptions::default()).unwrap();
    let before = ours.get("k").unwrap().unwrap().revision();
    theirs.put("k", r#"{"a": 1}"#, None);
    let after = ours.get("k").unwrap().unwrap().revision();
    assert_ne!(before, after, "equal values, and still another state");
    assert!(!ours.put_at("k", r#"{"a": 2}"#, &before).unwrap());
    assert!(ours.put_at("k", r#"{"a": 2}"#, &after).unwrap());
    assert_eq!(theirs.get("k").as_deref(), Some(r#"{"a": 2}"#));
}

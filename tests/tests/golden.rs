//! Files as earlier versions and Python's package wrote them, kept under `data`: they are read for ever.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use kv_core::{KeyFilter, ManualClock, Metadata, PutOptions, Revision, Revisions, TimeLeft, Timestamp};
use kv_tests::python::Python;
use kv_tests::servers::package;
use serde_json::{Value, json};

/// 2026-11-21T12:00:00Z.
const WRITTEN: i64 = 1_795_262_400_000_000;
/// More than diskcache keeps in its database.
const LONG: usize = 40_000;

fn data(name: &str) -> PathBuf {
    package().join("data").join(name)
}

/// A copy that may be opened, for opening writes.
fn copy(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_all(&data(name), to.path());
    to
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("empty", json!({})),
        ("numbers", json!({"big": u64::MAX, "float": 0.1, "small": 5e-324, "negative": -0.0})),
        ("\u{e9}::*", json!({"\u{1f600}": ["\u{0}", null, true]})),
        ("long", json!({"text": "x".repeat(LONG)})),
    ]
}

/// Writes the files anew: `cargo test -p kv-tests --test golden -- --ignored`. What is there must stay as it is, for it
/// is what earlier versions wrote; a new format gets files of its own.
#[test]
#[ignore = "writes the files that the other tests read"]
fn write() {
    let file = data("disk-v1").join("kv.db");
    if !file.exists() {
        std::fs::create_dir_all(data("disk-v1")).unwrap();
        let clock = ManualClock::new(Timestamp::from_micros(WRITTEN).unwrap());
        let store =
            kv_sync::stores::DiskStore::open(&file).with_clock(clock).with_revisions(Revisions::counting_from(1));
        let kv = kv_sync::Kv::new(store);
        let records = kv.collection("records");
        for (key, value) in values() {
            records.put(key, &value).unwrap();
        }
        records.put_bytes("bytes", b"\x00\xff").unwrap();
        let notes: Metadata = [("by", "me")].into_iter().collect();
        let options = PutOptions::ttl(Duration::from_secs(100 * 365 * 86_400)).with_metadata(notes);
        kv.put_with("ends", &1, &options).unwrap();
        kv.close().unwrap();
    }
    let directory = data("diskcache-py");
    if !directory.exists() {
        let mut session = Python::find().unwrap().session().unwrap();
        for (key, value) in values() {
            let command = json!({
                "store": "disk", "directory": directory.to_str().unwrap(), "op": "put", "collection": "records",
                "key": key, "value_text": value.to_string(),
            });
            session.call(&command).unwrap();
        }
    }
}

macro_rules! reads {
    ($kv:ident, [$($async:ident)?], [$($await:tt)*], $test:meta) => {
        #[$test]
        $($async)? fn disk_of_format_1() {
            let copy = copy("disk-v1");
            let clock = ManualClock::new(Timestamp::from_micros(WRITTEN + 1_000_000).unwrap());
            let kv = $kv::Kv::new($kv::stores::DiskStore::open(copy.path().join("kv.db")).with_clock(clock));
            let records = kv.collection("records");
            for (key, value) in values() {
                let found = records.get::<Value>(key)$($await)*;
                assert_eq!(found.unwrap(), Some(value), "{key}");
            }
            let bytes = records.get_bytes("bytes")$($await)*;
            assert_eq!(bytes.unwrap().as_deref(), Some(&b"\x00\xff"[..]));
            let keys = records.all_keys(&KeyFilter::all())$($await)*;
            assert_eq!(keys.unwrap(), ["bytes", "empty", "long", "numbers", "\u{e9}::*"]);
            let entry = kv.get_entry("ends")$($await)*;
            let entry = entry.unwrap().unwrap();
            assert_eq!(entry.created(), Timestamp::from_micros(WRITTEN));
            assert_eq!(entry.metadata().unwrap().get("by"), Some("me"));
            assert_eq!(entry.revision(), Revision::from_number(6));
            let left = kv.ttl("ends")$($await)*;
            assert_eq!(left.unwrap(), Some(TimeLeft::For(Duration::from_secs(100 * 365 * 86_400 - 1))));
            let written = records.put("new", &1)$($await)*;
            written.unwrap();
        }

        #[$test]
        $($async)? fn diskcache_of_python() {
            let copy = copy("diskcache-py");
            let kv = $kv::Kv::new($kv::stores::DiskStore::diskcache(copy.path()));
            let records = kv.collection("records");
            for (key, value) in values() {
                let found = records.get::<Value>(key)$($await)*;
                assert_eq!(found.unwrap(), Some(value), "{key}");
            }
            let count = records.count(&KeyFilter::all())$($await)*;
            assert_eq!(count.unwrap(), 4);
        }
    };
}

mod blocking {
    use super::*;
    reads!(kv_sync, [], [], test);
}

mod awaiting {
    use super::*;
    reads!(kv_async, [async], [.await], tokio::test);
}

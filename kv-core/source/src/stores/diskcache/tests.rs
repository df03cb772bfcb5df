//! The directory as it is met and left. What Python makes of it is tested with Python.

mod others;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kv_core::formats::diskcache::DATABASE;
use kv_core::{
    Atomicity, Clock as _, DeleteOutcome, ErrorKind, Expiry, KeyFilter, ManualClock, Metadata, PutOptions, Result,
    Timestamp, ValueRef,
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::files::Files;
use super::{DiskcacheDriver, DiskcacheStore};
use crate::kv::Kv;
use crate::stores::{DiskOptions, DiskStore, Durability};

/// A directory, a clock that stands still, and a store in the one that goes by the other.
struct Place {
    parent: tempfile::TempDir,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        let noon = Timestamp::from_micros(1_795_262_400_000_000).unwrap();
        Self { parent: tempfile::tempdir().unwrap(), clock: ManualClock::new(noon) }
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("cache")
    }

    fn store(&self) -> DiskcacheStore {
        DiskStore::diskcache(self.dir()).with_clock(self.clock.clone())
    }

    fn kv(&self) -> Kv {
        Kv::new(self.store())
    }

    fn sql(&self) -> Connection {
        Connection::open(self.dir().join(DATABASE)).unwrap()
    }

    fn number(&self, query: &str) -> i64 {
        self.sql().query_row(query, (), |row| row.get(0)).unwrap()
    }

    /// Writes a row as another program would.
    fn row(&self, key: &str, mode: i64, expires: Option<f64>, filename: Option<&str>, value: impl rusqlite::ToSql) {
        let insert = "INSERT OR REPLACE INTO Cache (key, raw, store_time, access_time, expire_time, mode, filename, value) \
             VALUES (?1, 1, 0, 0, ?2, ?3, ?4, ?5)";
        self.sql().execute(insert, params![key, expires, mode, filename, value]).unwrap();
    }

    /// The files beside the database, and the folders of files.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                    found.push(path);
                } else if !path.file_name().unwrap().to_string_lossy().starts_with(DATABASE) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.dir(), &mut found);
        found
    }
}

#[track_caller]
fn is<T: PartialEq<U> + Debug, U: Debug>(found: Result<T>, expected: U) {
    assert_eq!(found.unwrap(), expected);
}

#[track_caller]
fn fails<T: Debug>(found: Result<T>, kind: ErrorKind) {
    let error = found.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
}

fn document(collection: &str, key: &str, value: &str) -> String {
    format!(
        r#"{{"collection": {}, "created_at": "2026-11-21T03:54:53.481169+00:00", "key": {}, "value": {value}, "version": 1}}"#,
        json!(collection),
        json!(key),
    )
}

fn long(fill: char) -> Value {
    json!({ "text": fill.to_string().repeat(40_000) })
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_long_value_is_in_a_file_as_long_as_it_is_long() {
    let place = Place::new();
    let kv = place.kv();
    kv.put("a", &long('x')).await.unwrap();
    assert_eq!(place.files().len(), 3, "a file in two folders");
    let (mode, size) = (place.number("SELECT mode FROM Cache"), place.number("SELECT size FROM Cache"));
    let in_files: u64 =
        place.files().iter().filter(|path| path.is_file()).map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!((mode, size), (3, in_files.cast_signed()));
    assert_eq!(place.number("SELECT value FROM Settings WHERE key = 'size'"), size);
    is(kv.get::<Value>("a").await, Some(long('x')));
    let answers = kv.get_many::<Value>(&["a", "b"]).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap(), &Some(long('x')));

    kv.put("a", &long('y')).await.unwrap();
    assert_eq!(place.files().len(), 3, "the old file is gone");
    kv.put("a", &json!({"text": "short"})).await.unwrap();
    assert!(place.files().is_empty(), "{:?}", place.files());
    assert_eq!(place.number("SELECT value FROM Settings WHERE key = 'size'"), 0);

    kv.put("a", &json!([1])).await.unwrap();
    kv.append("a", &vec!["x".repeat(40_000)]).await.unwrap();
    assert_eq!(place.files().len(), 3, "a change can make a value long");
    is(kv.touch("a", Duration::from_secs(9)).await, true);
    assert_eq!(place.files().len(), 3, "and each change makes another file");
    let list = kv.get::<Vec<Value>>("a").await.unwrap();
    assert_eq!(list.unwrap().len(), 2);
    is(kv.delete("a").await, true);
    assert!(place.files().is_empty());

    kv.put_bytes("b", &[0xff; 40_000]).await.unwrap();
    assert_eq!(place.number("SELECT mode FROM Cache"), 2);
    is(kv.get_bytes("b").await, Some(vec![0xff; 40_000]));
    is(kv.clear().await, 1);
    assert!(place.files().is_empty());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_write_that_does_not_happen_leaves_no_file() {
    let place = Place::new();
    let kv = place.kv();
    kv.put("a", &1).await.unwrap();
    let written = kv.put_if_absent("a", &long('x')).await.unwrap();
    assert!(written.is_none());
    assert!(place.files().is_empty(), "{:?}", place.files());

    // Somebody else holds the lock.
    let rival = place.sql();
    rival.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hasty = kv.with_timeout(Duration::from_millis(20));
    fails(hasty.put("a", &long('x')).await, ErrorKind::Timeout);
    // Reading waits for nobody.
    is(kv.get::<i32>("a").await, Some(1));
    rival.execute_batch("COMMIT").unwrap();
    assert!(place.files().is_empty(), "{:?}", place.files());
}

/// As when a future is dropped.
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn files_in_doubt_are_looked_after_by_the_next_write() {
    let place = Place::new();
    let store = Arc::new(place.store());
    let kv = Kv::from_arc(store.clone());
    kv.put("kept", &long('x')).await.unwrap();
    let file: String = place.sql().query_row("SELECT filename FROM Cache", (), |row| row.get(0)).unwrap();
    let files = &store.driver().files;
    // A row has this one, and none has that.
    drop(files.create("default_collection::kept", b"nobody's").unwrap());
    let mut changes = super::files::Changes::new(files);
    changes.doom(place.number("SELECT rowid FROM Cache"), Some(file));
    drop(changes);
    assert!(files.are_in_doubt());
    // Two files may share a folder, so only the files themselves are counted.
    let files_alone = || place.files().iter().filter(|path| path.is_file()).count();
    assert_eq!(files_alone(), 2);
    kv.put("other", &1).await.unwrap();
    assert!(!files.are_in_doubt());
    assert_eq!(files_alone(), 1);
    is(kv.get::<Value>("kept").await, Some(long('x')));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_row_tells_when_it_ends() {
    let place = Place::new();
    let kv = place.kv();
    let end = place.clock.now().saturating_add(Duration::from_micros(1_500_001));
    let options = PutOptions::default().with_expiry(Expiry::At(end));
    let outcome = kv.put_with("a", &1, &options).await.unwrap();
    assert!(outcome.is_written());
    let row: f64 = place.sql().query_row("SELECT expire_time FROM Cache", (), |row| row.get(0)).unwrap();
    assert!((row - 1_795_262_401.500_001).abs() < 1e-6);
    let entry = kv.get_entry("a").await.unwrap().unwrap();
    assert_eq!(entry.expires(), Some(end));
    place.clock.advance(Duration::from_micros(1_500_000));
    is(kv.exists("a").await, true);
    is(kv.count(&KeyFilter::all()).await, 1);
    place.clock.advance(Duration::from_micros(1));
    is(kv.exists("a").await, false);
    is(kv.count(&KeyFilter::all()).await, 0);
    is(kv.all_keys(&KeyFilter::all()).await, [""; 0]);
    is(kv.delete("a").await, false);
    assert_eq!(place.number("SELECT count(*) FROM Cache"), 0, "and it is freed");

    // Another program may move the end, as `touch` of diskcache does.
    kv.put("b", &1).await.unwrap();
    let before = kv.get_entry("b").await.unwrap().unwrap().revision();
    place.sql().execute("UPDATE Cache SET expire_time = ?1", [1_795_262_500.25]).unwrap();
    let entry = kv.get_entry("b").await.unwrap().unwrap();
    assert_eq!(entry.expires(), Timestamp::from_micros(1_795_262_500_250_000));
    assert_ne!(entry.revision(), before);
    is(kv.persist("b").await, true);
    assert_eq!(place.number("SELECT expire_time IS NULL FROM Cache"), 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_has_ended_is_freed_with_its_file() {
    let place = Place::new();
    let kv = place.kv();
    let items: Vec<_> = (0..25).map(|number| (format!("k{number}"), long('x'))).collect();
    kv.put_many(&items, &PutOptions::ttl(1.0)).await.unwrap();
    kv.put("permanent", &long('y')).await.unwrap();
    place.clock.advance(Duration::from_secs(1));
    kv.put("one", &1).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM Cache"), 25 + 2 - 10, "ten with a write");
    is(kv.cull().await, 15);
    assert_eq!(place.number("SELECT value FROM Settings WHERE key = 'count'"), 2);
    assert_eq!(place.files().iter().filter(|path| path.is_file()).count(), 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn settings_of_the_directory_are_kept_to() {
    let place = Place::new();
    place.kv().setup().await.unwrap();
    for (key, value) in [("disk_min_file_size", 300), ("cull_limit", 0)] {
        place.sql().execute("UPDATE Settings SET value = ?2 WHERE key = ?1", (key, value)).unwrap();
    }
    let kv = place.kv();
    let outcome = kv.put_with("a", &"x".repeat(300), &PutOptions::ttl(1.0)).await.unwrap();
    assert!(outcome.is_written());
    assert_eq!(place.files().len(), 3);
    place.clock.advance(Duration::from_secs(1));
    kv.put("b", &1).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM Cache"), 2, "a `cull_limit` of 0 frees nothing with writes");
    is(kv.cull().await, 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_bounded_directory_evicts_but_never_what_was_just_written() {
    for policy in ["least-recently-stored", "least-recently-used", "least-frequently-used"] {
        let place = Place::new();
        place.kv().setup().await.unwrap();
        place.sql().execute("UPDATE Settings SET value = ?1 WHERE key = 'eviction_policy'", [policy]).unwrap();
        place.sql().execute("UPDATE Settings SET value = 200000 WHERE key = 'size_limit'", ()).unwrap();
        let kv = place.kv();
        for number in 0..60 {
            let key = format!("k{number}");
            kv.put(&key, &long('x')).await.unwrap();
            let is_there = kv.exists(&key).await.unwrap();
            assert!(is_there, "{policy}: {number}");
            place.clock.advance(Duration::from_secs(1));
        }
        let left = kv.all_keys(&KeyFilter::all()).await.unwrap();
        assert!((1..=15).contains(&left.len()), "{policy}: {}", left.len());
        let files = place.files().iter().filter(|path| path.is_file()).count();
        assert_eq!(files, left.len(), "{policy}");
        let items: Vec<_> = (0..30).map(|number| (format!("b{number}"), json!({"n": number}))).collect();
        kv.put_many(&items, &PutOptions::default()).await.unwrap();
        is(kv.count(&KeyFilter::starting_with("b")).await, 30);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn only_a_directory_of_diskcache_is_used() {
    let place = Place::new();
    let read_only = DiskOptions::default().with_read_only(true);
    let reader = || Kv::new(DiskStore::diskcache_with_options(place.dir(), read_only.clone()));
    fails(reader().get::<i32>("a").await, ErrorKind::Configuration);
    assert!(!place.dir().exists());

    std::fs::create_dir(place.dir()).unwrap();
    place.sql().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = place.kv().get::<i32>("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert_eq!(place.number("SELECT count(*) FROM sqlite_master"), 1);
    std::fs::remove_file(place.dir().join(DATABASE)).unwrap();
    // Python died here while it laid the directory out.
    place.sql().execute_batch("CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)").unwrap();
    place.kv().put("a", &1).await.unwrap();
    is(reader().get::<i32>("a").await, Some(1));
    fails(reader().put("a", &long('x')).await, ErrorKind::ReadOnly);
    assert!(place.files().is_empty());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_fresh_directory_is_laid_out_as_diskcache_does() {
    let place = Place::new();
    let durable = DiskOptions::default().with_durability(Durability::Power);
    let kv = Kv::new(DiskStore::diskcache_with_options(place.dir(), durable));
    kv.put("a", &long('x')).await.unwrap();
    let sql = place.sql();
    let pragma = |name| sql.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    use rusqlite::types::Value::{Integer, Text};
    assert_eq!(pragma("auto_vacuum"), Integer(1));
    assert_eq!(pragma("journal_mode"), Text("wal".to_owned()));
    assert_eq!(pragma("page_size"), Integer(4096));
    assert_eq!(pragma("encoding"), Text("UTF-8".to_owned()));
    assert_eq!(place.number("SELECT count(*) FROM Settings"), 16);
    assert_eq!(place.number("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 5);
    let row =
        "SELECT typeof(key) || raw || typeof(store_time) || access_count || typeof(tag) || typeof(value) FROM Cache";
    let row: String = sql.query_row(row, (), |row| row.get(0)).unwrap();
    assert_eq!(row, "text1real0nullnull");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn two_stores_in_one_directory_see_each_other() {
    let place = Place::new();
    let (one, other) = (place.kv(), place.kv());
    let options = PutOptions::default().with_metadata(Metadata::new().with("n", "v"));
    let written = one.put_with("a", &1, &options).await.unwrap().written().unwrap();
    let entry = other.get_entry("a").await.unwrap().unwrap();
    assert_eq!(entry.revision(), written.revision());
    assert_eq!(entry.metadata().and_then(|notes| notes.get("n")), Some("v"));
    is(other.increment("a", 1).await, 2);
    let stale = one.put_if_revision("a", &9, &written.revision()).await.unwrap();
    assert!(stale.is_none());
    is(one.delete_if_revision("a", &written.revision()).await, DeleteOutcome::Conflict);
    let now = one.get_entry("a").await.unwrap().unwrap().revision();
    let fresh = other.put_if_revision("a", &3, &now).await.unwrap();
    assert!(fresh.is_some());
    assert_eq!(one.describe().capabilities.conditional, Atomicity::Linearizable);
    one.close().await.unwrap();
    is(one.get::<i32>("a").await, Some(3));
    let options = PutOptions::ttl(5.0);
    let put = other.put_value("raw", ValueRef::Bytes(b"\x00"), &options).await.unwrap().written().unwrap();
    let entry = one.get_entry("raw").await.unwrap().unwrap();
    assert_eq!(entry.revision(), put.revision());
}

#[test]
fn constructors_do_no_io() {
    let place = Place::new();
    let store = place.store();
    let _: (&DiskcacheDriver, &Files) = (store.driver(), &store.driver().files);
    assert!(!place.dir().exists());
}

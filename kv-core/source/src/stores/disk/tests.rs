//! Files as they are met, and writers that wait for each other.

use std::path::Path;
use std::time::{Duration, Instant};

use kv_core::{ErrorKind, KeyFilter, ListOptions, ManualClock, Metadata, Pattern, PutOptions, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{DiskOptions, DiskStore};
use crate::Kv;

#[cfg_attr(feature = "is_sync", path = "tests/together_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "tests/together_async.rs")]
mod together;

mod bad_files;
mod groups;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn quick() -> DiskOptions {
    DiskOptions::default().with_busy_timeout(Duration::from_millis(100))
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_written_is_there_after_close_and_in_another_store() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let (one, other) = (Kv::new(DiskStore::open(&path)), Kv::new(DiskStore::open(&path)));
    let notes = Metadata::new().with("a", "\"\0é");
    let options = PutOptions::ttl(Duration::from_secs(60)).with_metadata(notes.clone());
    let written = one.put_with("k", &[1, 2], &options).await.unwrap().written().unwrap();
    one.put_bytes("b", b"\0\xff").await.unwrap();

    let entry = other.get_entry("k").await.unwrap().unwrap();
    assert_eq!((entry.as_json(), entry.metadata()), (Some("[1,2]"), Some(&notes)));
    assert_eq!((entry.revision(), entry.expires()), (written.revision(), written.expires()));
    let found = other.get_bytes("b").await.unwrap();
    assert_eq!(found.as_deref(), Some(&b"\0\xff"[..]));
    let found = other.delete("b").await.unwrap();
    assert!(found);
    let found = one.exists("b").await.unwrap();
    assert!(!found);

    one.close().await.unwrap();
    other.close().await.unwrap();
    assert!(!directory.path().join("a.db-wal").exists(), "the last to close leaves no log");
    let found = one.get::<[u8; 2]>("k").await.unwrap();
    assert_eq!(found, Some([1, 2]));
    one.put("k", &7).await.unwrap();
    let found = other.get::<u8>("k").await.unwrap();
    assert_eq!(found, Some(7));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn any_name_is_a_name() {
    let directory = directory();
    let kv = Kv::new(DiskStore::open(directory.path().join("a.db")));
    let long = "é".repeat(1024);
    let names = ["a", "A", "a\0", "a\0b", "\0", "%", "_", "*", "a::b", "\u{1F600}", "\u{10FFFF}", "\u{10FFFF}x", &long];
    for collection in names {
        for key in names {
            kv.collection(collection).put(key, &(collection, key)).await.unwrap();
        }
    }
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    let found = kv.all_collections().await.unwrap();
    assert_eq!(found, sorted);
    for collection in names {
        let collection = kv.collection(collection);
        let found = collection.all_keys(&KeyFilter::all()).await.unwrap();
        assert_eq!(found, sorted);
        for prefix in ["a", "a\0", "%", "\u{10FFFF}", "x"] {
            let found = collection.all_keys(&KeyFilter::starting_with(prefix)).await.unwrap();
            let expected: Vec<_> = sorted.iter().filter(|name| name.starts_with(prefix)).cloned().collect();
            assert_eq!(found, expected, "{prefix:?}");
            let found = collection.count(&KeyFilter::starting_with(prefix)).await.unwrap();
            assert_eq!(found, expected.len() as u64);
        }
        for key in names {
            let value: Option<(String, String)> = collection.get(key).await.unwrap();
            assert_eq!(value, Some((collection.name().to_owned(), key.to_owned())));
        }
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn pages_follow_each_other_without_gaps() {
    let directory = directory();
    let kv = Kv::new(DiskStore::open(directory.path().join("a.db")));
    for number in 0..25 {
        kv.put(&format!("k{number:02}"), &number).await.unwrap();
    }
    for options in
        [ListOptions::default(), ListOptions::starting_with("k"), ListOptions::pattern(Pattern::new("k*").unwrap())]
    {
        for limit in [1, 5, 24, 25, 26, usize::MAX] {
            let mut pages = kv.entry_pages(options.clone().with_limit(limit));
            let mut found = Vec::new();
            while let Some(page) = pages.next_page().await.unwrap() {
                assert!(page.len() <= limit);
                found.extend(page.into_iter().map(|(_, entry)| entry.unwrap().decode::<u32>().unwrap()));
            }
            assert_eq!(found, (0..25).collect::<Vec<u32>>(), "{limit}");
        }
    }
    let found = kv.delete_matching(&KeyFilter::pattern(Pattern::new("k?[05]").unwrap())).await.unwrap();
    assert_eq!(found, 5);
    let found = kv.count(&KeyFilter::pattern(Pattern::new("*").unwrap())).await.unwrap();
    assert_eq!(found, 20);
    let found = kv.clear().await.unwrap();
    assert_eq!(found, 20);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_has_expired_is_freed_by_writes_and_by_culling() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let kv = Kv::new(DiskStore::open(&path).with_clock(clock.clone()));
    let rows = || raw(&path).query_row("SELECT count(*) FROM entries", (), |row| row.get::<_, i64>(0)).unwrap();
    for number in 0..100 {
        kv.put_with(&format!("k{number}"), &number, &PutOptions::ttl(1.0)).await.unwrap().written().unwrap();
    }
    assert_eq!(rows(), 100);
    clock.advance(Duration::from_secs(1));
    let found = kv.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(found, 0);
    for _ in 0..64 {
        kv.put("other", &1).await.unwrap();
    }
    assert!(rows() <= 101 - 64, "each write frees one at least, on average: {}", rows());
    let found = kv.put_if_absent("k99", &1).await.unwrap();
    assert!(found.is_some(), "expired is absent");
    let left = rows() - 2;
    let found = kv.cull().await.unwrap();
    assert_eq!(found, u64::try_from(left).unwrap());
    assert_eq!(rows(), 2);
    kv.put("large", &"x".repeat(1 << 20)).await.unwrap();
    kv.close().await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 1 << 20);
    let found = kv.destroy().await.unwrap();
    assert_eq!(found, 3);
    kv.put("a", &1).await.unwrap();
    kv.close().await.unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size <= 64 * 1024, "free pages are given back: {size}");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_full_store_says_so_and_works_on_after_deletes() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::with_options(&path, DiskOptions::default().with_max_file_bytes(256 * 1024)));
    let value = "x".repeat(8 * 1024);
    let mut written = 0;
    let error = loop {
        match kv.put(&format!("k{written}"), &value).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 64);
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(written > 10, "{written}");
    let found = kv.exists(&format!("k{written}")).await.unwrap();
    assert!(!found);
    let batch: Vec<_> = (0..5).map(|number| (format!("b{number}"), value.clone())).collect();
    let found = kv.put_many(&batch, &PutOptions::default()).await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Full);
    let found = kv.count(&KeyFilter::starting_with("b")).await.unwrap();
    assert_eq!(found, 0, "a batch is all or nothing");
    for number in 0..6 {
        let found = kv.delete(&format!("k{number}")).await.unwrap();
        assert!(found);
    }
    kv.put_many(&batch, &PutOptions::default()).await.unwrap();
    let found = kv.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(found, written - 6 + 5);
    kv.close().await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() <= 256 * 1024);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_lock_that_another_holds_is_a_time_out_for_writes_and_nothing_for_reads() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::with_options(&path, quick()));
    kv.put("a", &1).await.unwrap();
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let error = kv.put("a", &2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable() && error.message().contains("another process"), "{error}");
    assert!((Duration::from_millis(90)..Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let found = kv.get::<u8>("a").await.unwrap();
    assert_eq!(found, Some(1));

    let patient = Kv::new(DiskStore::open(&path));
    let start = Instant::now();
    let error = patient.with_timeout(Duration::from_millis(50)).put("a", &2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(2), "the call's own time-out counts: {:?}", start.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    patient.put("a", &2).await.unwrap();
    let found = kv.get::<u8>("a").await.unwrap();
    assert_eq!(found, Some(2));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn large_values_and_large_batches_are_read_whole() {
    let directory = directory();
    let kv = Kv::new(DiskStore::open(directory.path().join("a.db")));
    let value = vec![7; 3 * 1024 * 1024];
    for size in [0, 1, 64 * 1024, 64 * 1024 + 1, value.len()] {
        kv.put_bytes(&format!("{size}"), &value[..size]).await.unwrap();
        let found = kv.get_bytes(&format!("{size}")).await.unwrap().unwrap();
        assert_eq!(found.len(), size);
        let found = kv.exists(&format!("{size}")).await.unwrap();
        assert!(found);
    }
    let keys: Vec<_> = (0..500).map(|number| format!("k{number}")).collect();
    let items: Vec<_> = keys.iter().map(|key| (key, key)).collect();
    kv.put_many(&items, &PutOptions::default()).await.unwrap();
    let found: Vec<Option<String>> =
        kv.get_many(&keys).await.unwrap().into_iter().map(|value| value.unwrap()).collect();
    assert_eq!(found, keys.iter().cloned().map(Some).collect::<Vec<_>>());
    // More bytes than fit a page.
    for number in 0..8 {
        kv.collection("large").put_bytes(&format!("{number}"), &value).await.unwrap();
    }
    let page = kv.collection("large").entries(&ListOptions::default()).await.unwrap();
    assert!(page.items.len() < 8 && page.next.is_some(), "{}", page.items.len());
}

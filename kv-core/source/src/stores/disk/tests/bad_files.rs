//! Files that are not, or no longer, what the store wrote.

use std::path::Path;

use kv_core::{Error, ErrorKind, KeyFilter, ListOptions};

use super::{directory, quick, raw};
use crate::Kv;
use crate::stores::{DiskOptions, DiskStore};

/// What reading, then writing, this file answers; the file must not have changed.
#[maybe_async::maybe_async]
async fn refusal(path: &Path) -> Error {
    let before = std::fs::read(path).ok();
    let kv = Kv::new(DiskStore::with_options(path, quick()));
    let error = kv.get_entry("a").await.unwrap_err();
    let found = kv.put("a", &1).await.unwrap_err();
    assert_eq!(found.kind(), error.kind());
    kv.close().await.unwrap();
    assert!(std::fs::read(path).ok() == before, "the file was changed");
    error
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let directory = directory();
    let path = directory.path().join("a.txt");
    std::fs::write(&path, "a letter to a friend, longer than the header of a database is. ".repeat(20)).unwrap();
    let error = refusal(&path).await;
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.message().contains("a.txt"), "{error}");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn another_application_s_database_is_left_as_it_is() {
    let directory = directory();
    let path = directory.path().join("a.db");
    raw(&path).execute_batch("CREATE TABLE entries (id INTEGER PRIMARY KEY, key TEXT)").unwrap();
    let found = refusal(&path).await;
    assert_eq!(found.kind(), ErrorKind::Configuration);
    let path = directory.path().join("b.db");
    raw(&path).execute_batch("PRAGMA application_id = 7; CREATE TABLE a (b)").unwrap();
    let error = refusal(&path).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("another application"), "{error}");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_newer_layout_is_refused() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::open(&path));
    kv.put("a", &1).await.unwrap();
    kv.close().await.unwrap();
    let number: i64 = raw(&path).query_row("PRAGMA application_id", (), |row| row.get(0)).unwrap();
    assert_eq!(number, 0x6b76_4442);
    raw(&path).execute_batch("PRAGMA user_version = 2").unwrap();
    let error = refusal(&path).await;
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.message().contains("newer version"), "{error}");
    raw(&path).execute_batch("PRAGMA user_version = 1").unwrap();
    let found = kv.get::<u8>("a").await.unwrap();
    assert_eq!(found, Some(1), "the set-up is tried again");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_file_of_ours_without_our_table_is_corrupted() {
    let directory = directory();
    let path = directory.path().join("a.db");
    raw(&path)
        .execute_batch("PRAGMA application_id = 0x6b764442; PRAGMA user_version = 1; CREATE TABLE a (b)")
        .unwrap();
    let kv = Kv::new(DiskStore::open(&path));
    let error = kv.get_entry("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    let error = kv.put("a", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_truncated_file_is_corrupted() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::open(&path));
    kv.put("a", &"x".repeat(50_000)).await.unwrap();
    kv.close().await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [50, 4096, whole.len() / 2, whole.len() - 4096] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let found = refusal(&path).await;
        assert_eq!(found.kind(), ErrorKind::Corrupted, "{length} of {} bytes", whole.len());
    }
    std::fs::write(&path, &whole).unwrap();
    let found = kv.exists("a").await.unwrap();
    assert!(found);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_directory_and_a_missing_one_are_said_to_be() {
    let directory = directory();
    let error = refusal(directory.path()).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("is a directory"), "{error}");
    let error = refusal(&directory.path().join("none/a.db")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("does not exist"), "{error}");
    assert!(!directory.path().join("none").exists());
    let no_readers = DiskStore::with_options(directory.path().join("a.db"), DiskOptions::default().with_readers(0));
    let found = Kv::new(no_readers).setup().await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Configuration);
    let found = refusal(Path::new("")).await;
    assert_eq!(found.kind(), ErrorKind::Configuration);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_file_that_is_only_read_takes_no_writes() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let reader = Kv::new(DiskStore::with_options(&path, DiskOptions::default().with_read_only(true)));
    let found = reader.get_entry("a").await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Configuration);
    assert!(!path.exists());
    let writer = Kv::new(DiskStore::open(&path));
    writer.put("a", &1).await.unwrap();
    let found = reader.get::<u8>("a").await.unwrap();
    assert_eq!(found, Some(1));
    writer.close().await.unwrap();
    reader.close().await.unwrap();
    let found = reader.get::<u8>("a").await.unwrap();
    assert_eq!(found, Some(1));
    let found = reader.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(found, 1);
    for error in [
        reader.put("a", &2).await.unwrap_err(),
        reader.put_many(&[("a", 2)], &Default::default()).await.unwrap_err(),
        reader.delete("a").await.unwrap_err(),
        reader.increment("a", 1).await.unwrap_err(),
        reader.clear().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_damaged_record_is_reported_listed_replaced_and_removed() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::open(&path));
    let damages = [
        "value = 5",
        "value = NULL",
        "value = 1.5",
        "value = CAST(x'ff' AS TEXT)",
        "expires = 'soon'",
        "expires = 9223372036854775807",
        "created = x'00'",
        "revision = NULL",
        "metadata = 'no JSON'",
        "metadata = x'7b7d'",
    ];
    for (number, damage) in damages.iter().enumerate() {
        kv.put("a", &1).await.unwrap();
        kv.put("b", &2).await.unwrap();
        raw(&path).execute(&format!("UPDATE entries SET {damage} WHERE key = 'a'"), ()).unwrap();
        let error = kv.get_entry("a").await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some("a")), "{damage}: {error}");
        let mut found = kv.get_many::<u8>(&["b", "a", "none"]).await.unwrap();
        assert_eq!(found.pop().unwrap().unwrap(), None);
        let error = found.pop().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some("a")), "{damage}");
        assert_eq!(found.pop().unwrap().unwrap(), Some(2));
        let mut page = kv.entries(&ListOptions::default()).await.unwrap().items;
        assert_eq!(page.pop().unwrap().1.unwrap().as_json(), Some("2"));
        let (key, entry) = page.pop().unwrap();
        assert_eq!((key.as_str(), entry.unwrap_err().kind()), ("a", ErrorKind::Corrupted), "{damage}");
        let found = kv.all_keys(&KeyFilter::all()).await.unwrap();
        assert_eq!(found, ["a", "b"]);
        if number % 2 == 0 {
            let found = kv.delete("a").await.unwrap();
            assert!(found, "{damage}");
            let found = kv.get_entry("a").await.unwrap();
            assert!(found.is_none());
        } else {
            kv.put("a", &3).await.unwrap();
            let found = kv.get::<u8>("a").await.unwrap();
            assert_eq!(found, Some(3), "{damage}");
        }
    }
}

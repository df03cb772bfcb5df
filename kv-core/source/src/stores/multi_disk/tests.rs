//! Names of collections, and files.

use std::path::Path;

use kv_core::{ErrorKind, KeyFilter, ListOptions};

use super::{MultiDiskOptions, MultiDiskStore};
use crate::Kv;

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect();
    names.sort();
    names
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_neither_collide_nor_leave_the_directory() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("inner");
    let options = MultiDiskOptions::default().with_max_open(3);
    let kv = Kv::new(MultiDiskStore::with_options(&directory, options));
    let (long, longer) = ("x".repeat(2048), format!("{}y", "x".repeat(2047)));
    let (upper, emoji) = ("X".repeat(2048), "\u{1F600}".repeat(512));
    let names =
        ["..", "a/b", "a\\b", "A", "a", "::", "~a", "nul", ".", "\0", "a.db", "/", &long, &longer, &upper, &emoji];
    for name in names {
        kv.collection(name).put("k", name).await.unwrap();
    }
    let found = files(&directory);
    assert_eq!(found.len(), names.len());
    let folded: std::collections::BTreeSet<_> = found.iter().map(|name| name.to_ascii_lowercase()).collect();
    assert_eq!(folded.len(), names.len(), "apart from letter case");
    assert_eq!(files(outer.path()), ["inner"]);
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    let found = kv.all_collections().await.unwrap();
    assert_eq!(found, sorted);
    // Another store has to find out the names.
    let other = Kv::new(MultiDiskStore::open(&directory));
    let found = other.all_collections().await.unwrap();
    assert_eq!(found, sorted);
    for name in names {
        let found = other.collection(name).get::<String>("k").await.unwrap();
        assert_eq!(found.as_deref(), Some(name));
    }
    let mut paged = Vec::new();
    let mut options = ListOptions::default().with_limit(3);
    loop {
        let page = kv.collections(&options).await.unwrap();
        assert!(page.items.len() <= 3);
        paged.extend(page.items);
        options.cursor = page.next;
        if options.cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, sorted);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn reads_make_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let kv = Kv::new(MultiDiskStore::open(directory.path()));
    let none = kv.collection("none");
    let found = none.get::<u8>("a").await.unwrap();
    assert_eq!(found, None);
    let found = none.get_many::<u8>(&["a", "b"]).await.unwrap();
    assert_eq!(found.len(), 2);
    let found = none.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(found, 0);
    let found = none.all_keys(&KeyFilter::all()).await.unwrap();
    assert!(found.is_empty());
    let found = none.delete("a").await.unwrap();
    assert!(!found);
    let found = none.delete_many(&["a"]).await.unwrap();
    assert_eq!(found, 0);
    let found = none.clear().await.unwrap();
    assert_eq!(found, 0);
    let found = none.persist("a").await.unwrap();
    assert!(!found);
    let found = none.take::<u8>("a").await.unwrap();
    assert_eq!(found, None);
    let found = none.put_if_present("a", &1).await.unwrap();
    assert!(found.is_none());
    assert!(files(directory.path()).is_empty());
    let found = none.increment("a", 1).await.unwrap();
    assert_eq!(found, 1);
    assert_eq!(files(directory.path()), ["none.db"]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn destroy_leaves_the_files_of_others_alone() {
    let directory = tempfile::tempdir().unwrap();
    let kv = Kv::new(MultiDiskStore::open(directory.path()));
    for name in ["a", "b", "B"] {
        kv.collection(name).put("k", &1).await.unwrap();
    }
    std::fs::write(directory.path().join("letter.txt"), "dear friend").unwrap();
    std::fs::write(directory.path().join("Not Ours.db"), "dear friend").unwrap();
    let found = kv.destroy().await.unwrap();
    assert_eq!(found, 3);
    let found = kv.all_collections().await.unwrap();
    assert!(found.is_empty());
    assert_eq!(std::fs::read_to_string(directory.path().join("letter.txt")).unwrap(), "dear friend");
    assert_eq!(std::fs::read_to_string(directory.path().join("Not Ours.db")).unwrap(), "dear friend");
    kv.collection("a").put("k", &2).await.unwrap();
    kv.close().await.unwrap();
    let found = kv.all_collections().await.unwrap();
    assert_eq!(found, ["a"]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_file_under_another_s_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let kv = Kv::new(MultiDiskStore::open(directory.path()));
    kv.collection("a").put("k", &1).await.unwrap();
    kv.close().await.unwrap();
    std::fs::copy(directory.path().join("a.db"), directory.path().join("b.db")).unwrap();
    let error = kv.collection("b").get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    let found = kv.collection("a").get::<u8>("k").await.unwrap();
    assert_eq!(found, Some(1));
    std::fs::write(directory.path().join("c.db"), "no database, whatever its name may say").unwrap();
    let found = kv.collection("c").put("k", &1).await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Corrupted);

    let file = directory.path().join("a.db");
    let found = Kv::new(MultiDiskStore::open(&file)).ping().await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Configuration);
    let deep = directory.path().join("x/y");
    let found = Kv::new(MultiDiskStore::open(&deep)).ping().await.unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Configuration);
}

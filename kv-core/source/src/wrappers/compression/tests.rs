use std::sync::Arc;

use kv_core::{
    CallOptions, Change, Condition, DEFAULT_COLLECTION, ErrorKind, GetOptions, KeyFilter, ListOptions, Metadata,
    PutItem, PutOptions,
};

use super::super::testing::{Damaged, Interrupted, Meanwhile, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::{MemoryStore, NullStore, SimpleStore};

/// What is compressed, and the same store bare.
fn compressed(compressor: Compressor) -> (Kv, Kv) {
    let store = Arc::new(stopped().0);
    let bare = Kv::from_arc(Arc::clone(&store) as Arc<dyn Store>);
    (Kv::new(Compression::<Arc<SimpleStore>>::new(store, compressor)), bare)
}

fn gzip() -> Compressor {
    Compressor::new(Algorithm::Gzip)
}

fn long() -> String {
    "a long text ".repeat(200)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_value_alone_is_changed() {
    let (kv, bare) = compressed(gzip());
    let notes = Metadata::new().with("a", "b");
    let options = PutOptions::ttl(secs(60)).with_metadata(notes.clone());
    let written = kv.put_with("k", &long(), &options).await.unwrap().written().unwrap();
    kv.put("short", &1).await.unwrap();

    let (ours, stored) = (kv.get_entry("k").await.unwrap().unwrap(), bare.get_entry("k").await.unwrap().unwrap());
    assert_eq!(ours.decode::<String>().unwrap(), long());
    assert!(stored.as_json().unwrap().starts_with(r#"{"__compressed_data__":""#));
    assert!(stored.as_json().unwrap().len() < 250);
    assert_eq!((ours.revision(), ours.created()), (written.revision(), stored.created()));
    assert_eq!((ours.expires(), ours.metadata()), (stored.expires(), Some(&notes)));
    let short = bare.get_entry("short").await.unwrap().unwrap();
    assert_eq!(short.as_json(), Some("1"));

    // A condition is about the same state for both.
    let at = PutOptions::default().with_condition(Condition::IfRevision(stored.revision()));
    let outcome = kv.put_with("k", &2, &at).await.unwrap();
    assert!(outcome.is_written());
    let outcome = kv.put_with("k", &3, &at).await.unwrap();
    assert!(!outcome.is_written());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_head_has_no_value() {
    let (kv, bare) = compressed(gzip());
    kv.put("k", &long()).await.unwrap();
    bare.put("damaged", &std::collections::BTreeMap::from([("__compressed_data__", 1)])).await.unwrap();
    let options = kv_core::GetOptions::default().head_only();
    let keys = ["k", "damaged", "missing"];
    let heads = kv.store().get_many(DEFAULT_COLLECTION, &keys, &options).await.unwrap();
    let values: Vec<_> = heads.iter().map(|head| head.as_ref().unwrap().as_ref().map(|head| head.as_json())).collect();
    assert_eq!(values, [Some(Some("null")), Some(Some("null")), None]);
    let there = kv.exists("damaged").await.unwrap();
    assert!(there);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_damaged_is_told_where_it_is_and_stays() {
    let (kv, bare) = compressed(gzip());
    for key in ["a", "broken", "z"] {
        kv.put(key, &long()).await.unwrap();
    }
    let stored = bare.get_entry("broken").await.unwrap().unwrap().as_json().unwrap().to_owned();
    let mut damaged = stored.into_bytes();
    // In the middle of the base64.
    damaged[80] ^= 1;
    let damaged = Value::from_json(String::from_utf8(damaged).unwrap()).unwrap();
    let outcome = bare.put_value("broken", damaged.as_ref(), &PutOptions::default()).await.unwrap();
    assert!(outcome.is_written());

    let c = kv.collection(DEFAULT_COLLECTION);
    let mut errors = Vec::from([
        c.get::<String>("broken").await.unwrap_err(),
        c.take::<String>("broken").await.unwrap_err(),
        c.append("broken", "x").await.unwrap_err(),
        c.update("broken", |old: Option<String>| old).await.unwrap_err(),
        c.touch("broken", secs(60)).await.unwrap_err(),
    ]);
    let mut answers = c.get_many::<String>(&["a", "broken", "z"]).await.unwrap();
    errors.push(answers.remove(1).unwrap_err());
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().as_ref() == Some(&long())));
    let page = c.entries(&ListOptions::default()).await.unwrap();
    assert_eq!(page.items.len(), 3);
    errors.extend(page.items.into_iter().filter_map(|(_, entry)| entry.err()));
    assert_eq!(errors.len(), 7);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
        assert_eq!((error.store(), error.collection()), (Some("Compression"), Some(DEFAULT_COLLECTION)));
        assert_eq!(error.key(), Some("broken"));
    }
    let still = bare.get_entry("broken").await.unwrap().unwrap();
    assert_eq!(still.value(), damaged.as_ref());
    kv.put("broken", &1).await.unwrap();
    let replaced = kv.get::<u8>("broken").await.unwrap();
    assert_eq!(replaced, Some(1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_stood_there_before_is_read() {
    let (kv, bare) = compressed(gzip());
    bare.put("json", &long()).await.unwrap();
    bare.put_bytes("bytes", b"before").await.unwrap();
    let read = kv.get::<String>("json").await.unwrap();
    assert_eq!(read, Some(long()));
    let error = kv.get_bytes("bytes").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);

    let (kv, bare) = compressed(gzip().with_plain_bytes());
    bare.put_bytes("bytes", b"before").await.unwrap();
    let read = kv.get_bytes("bytes").await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"before"[..]));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn one_algorithm_reads_what_another_wrote() {
    let store = Arc::new(stopped().0);
    Kv::new(Compression::gzip(Arc::clone(&store))).put("gzip", &long()).await.unwrap();
    Kv::new(Compression::lz4(Arc::clone(&store))).put("lz4", &long()).await.unwrap();
    for kv in [Kv::new(Compression::lz4(Arc::clone(&store))), Kv::new(Compression::gzip(Arc::clone(&store)))] {
        for key in ["gzip", "lz4"] {
            let read = kv.get::<String>(key).await.unwrap();
            assert_eq!(read, Some(long()), "{key}");
        }
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_the_store_has_at_hand_is_what_a_get_finds() {
    let memory = Arc::new(MemoryStore::new());
    let store = Compression::lz4(Arc::clone(&memory));
    let (long, name, none) = (Value::encode(&long()).unwrap(), Name::new("c", "k"), Name::new("c", "none"));
    memory.setup().await.unwrap();
    let outcome = Store::put(&store, name, long.as_ref(), &PutOptions::default()).await.unwrap();
    assert!(outcome.is_written());
    let found = Store::at_hand(&store, name).unwrap().unwrap();
    let got = Store::get(&store, name, &GetOptions::default()).await.unwrap().unwrap();
    assert_eq!((found.value(), found.revision()), (long.as_ref(), got.revision()));
    assert!(Store::at_hand(&store, none).unwrap().is_none());
    // An error is for a get to tell.
    let outcome = memory.put(name, ValueRef::Bytes(b"damaged"), &PutOptions::default()).await.unwrap();
    assert!(outcome.is_written());
    assert!(Store::at_hand(&store, name).is_none());
    let error = Store::get(&store, name, &GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    // What has nothing at hand is asked.
    assert!(Store::at_hand(&Compression::lz4(SimpleStore::new()), name).is_none());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn too_large_is_refused_before_anything_is_asked_of_the_store() {
    // Whatever reaches it fails as `Corrupted`.
    let store = Damaged { collection: "c", keys: &[] };
    let kv = Kv::new(Compression::new(store, gzip().with_limit(10).unwrap()));
    assert_eq!(kv.store().describe().capabilities.max_value_bytes, Some(10));
    let c = kv.collection("c");
    let errors = [
        c.put("k", "0123456789").await.unwrap_err(),
        c.put_many(&[("a", "1"), ("b", "0123456789")], &PutOptions::default()).await.unwrap_err(),
        c.append("k", "0123456789").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(error.store(), Some("Compression"));
    }
    let error = c.put("", "0123456789").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey, "names come first");
    let error = c.put("k", "01234567").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "it came through");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_change_meets_what_somebody_else_wrote_in_between() {
    let store = Arc::new(Interrupted::new(stopped().0, Meanwhile::Put(b"40")));
    let kv = Kv::new(Compression::gzip(Arc::clone(&store)));
    let sum = kv.increment("k", 2).await.unwrap();
    assert!(store.has_happened());
    assert_eq!(sum, 42);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_without_conditions_has_none_here_either() {
    let store = Compression::gzip(NullStore::new());
    let name = Name::new("c", "k");
    for change in [Change::Increment(1), Change::Take, Change::Append(ValueRef::Json(b"[]"))] {
        let error = store.modify(name, &change, &CallOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{change:?}");
    }
    let error = store.modify(Name::new("c", ""), &Change::Take, &CallOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn long_values_take_the_long_way_and_come_back() {
    let (kv, _bare) = compressed(gzip());
    let text = |key: &str| key.repeat(100_000);
    let keys = ["a", "b", "c"];
    let values = keys.map(|key| Value::encode(&text(key)).unwrap());
    let items: Vec<PutItem<'_>> =
        keys.iter().zip(&values).map(|(key, value)| PutItem::new(key, value.as_ref())).collect();
    let written = kv.put_items(&items, &PutOptions::default()).await.unwrap();
    assert!(written.iter().all(Result::is_ok));
    let read = kv.get_many::<String>(&keys).await.unwrap();
    for (key, read) in keys.iter().zip(read) {
        assert_eq!(read.unwrap(), Some(text(key)));
        let read = kv.get::<String>(key).await.unwrap();
        assert_eq!(read, Some(text(key)));
    }
    let page = kv.collection(DEFAULT_COLLECTION).entries(&ListOptions::default()).await.unwrap();
    for (key, entry) in page.items {
        assert_eq!(entry.unwrap().decode::<String>().unwrap(), text(&key));
    }
    let count = kv.collection(DEFAULT_COLLECTION).count(&KeyFilter::all()).await.unwrap();
    assert_eq!(count, 3);
}

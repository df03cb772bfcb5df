use std::sync::Arc;

use kv_core::{CallOptions, KeyFilter, ManualClock, TimeLeft};

use super::super::testing::{Damaged, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

fn defaulting() -> (Kv, DefaultValue<Arc<SimpleStore>>, ManualClock) {
    let (store, clock) = stopped();
    let store = Arc::new(store);
    (Kv::new(Arc::clone(&store)), DefaultValue::new(store, &[7]).unwrap(), clock)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_reading_operation_gives_it_and_nothing_stores_it() {
    let (bare, store, clock) = defaulting();
    let kv = Kv::new(store.with_ttl(secs(5)).unwrap());
    bare.put("there", &[1]).await.unwrap();
    let got = kv.get::<Vec<u8>>("missing").await.unwrap();
    assert_eq!(got, Some(vec![7]));
    let many = kv.get_many::<Vec<u8>>(&["missing", "there", "missing"]).await.unwrap();
    let many: Vec<_> = many.into_iter().map(Result::unwrap).collect();
    assert_eq!(many, [Some(vec![7]), Some(vec![1]), Some(vec![7])]);
    let got = kv.exists("missing").await.unwrap();
    assert!(got);
    clock.advance(secs(3));
    let got = kv.ttl("missing").await.unwrap();
    assert_eq!(got, Some(TimeLeft::For(secs(5))), "whole at every reading");
    let ttls = kv.ttl_many(&["there", "missing"]).await.unwrap();
    let ttls: Vec<_> = ttls.into_iter().map(Result::unwrap).collect();
    assert_eq!(ttls, [Some(TimeLeft::Forever), Some(TimeLeft::For(secs(5)))]);
    let got = kv.metadata("missing").await.unwrap();
    assert!(got.is_none_or(|notes| notes.is_empty()));
    let got = kv.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["there"]);
    let got = bare.exists("missing").await.unwrap();
    assert!(!got);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_expired_entry_is_missing_and_a_null_is_not() {
    let (bare, store, clock) = defaulting();
    let kv = Kv::new(store);
    bare.put_with("k", &[1], &PutOptions::ttl(secs(1))).await.unwrap();
    bare.put("null", &()).await.unwrap();
    clock.advance(secs(1));
    let got = kv.get::<Vec<u8>>("k").await.unwrap();
    assert_eq!(got, Some(vec![7]));
    let got = kv.get_entry("null").await.unwrap().unwrap();
    assert_eq!(got.as_json(), Some("null"));
    let got = kv.ttl("k").await.unwrap();
    assert_eq!(got, Some(TimeLeft::Forever));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn update_begins_from_it_and_loses_no_race() {
    let (bare, store, clock) = defaulting();
    let kv = Kv::new(store.with_ttl(secs(5)).unwrap());
    let more = |old: Option<Vec<u8>>| old.map(|old| [old, vec![8]].concat());
    let got = kv.update("k", more).await.unwrap();
    assert_eq!(got, Some(vec![7, 8]));
    let got = bare.ttl("k").await.unwrap();
    assert_eq!(got, Some(TimeLeft::For(secs(5))));

    let read = kv.get_entry("raced").await.unwrap().unwrap();
    bare.put("raced", &[1]).await.unwrap();
    let got = kv.put_if_revision("raced", &[2], &read.revision()).await.unwrap();
    assert!(got.is_none());
    let got = kv.delete_if_revision("raced", &read.revision()).await.unwrap();
    assert_eq!(got, DeleteOutcome::Conflict);
    let got = bare.get::<Vec<u8>>("raced").await.unwrap();
    assert_eq!(got, Some(vec![1]));

    let got = kv.update("none", |_: Option<Vec<u8>>| None).await.unwrap();
    assert_eq!(got, None, "and not for ever tried again");
    clock.advance(secs(9));
    let got = kv.delete("k").await.unwrap();
    assert!(!got, "there is nothing stored to delete");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn changes_see_what_is_stored() {
    let (_, store, _) = defaulting();
    let kv = Kv::new(store);
    let got = kv.take::<Vec<u8>>("k").await.unwrap();
    assert_eq!(got, None);
    let got = kv.increment("n", 1).await.unwrap();
    assert_eq!(got, 1);
    let got = kv.put_if_absent("new", &[1]).await.unwrap();
    assert!(got.is_some());
    let got = kv.touch("k", secs(1)).await.unwrap();
    assert!(!got);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_error_is_no_miss() {
    let store = DefaultValue::new(Damaged { collection: "c", keys: &[] }, &1).unwrap();
    let error = store.get(Name::new("c", "k"), &GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    let answers = store.get_many("c", &["k"], &GetOptions::default()).await.unwrap();
    assert!(answers[0].is_err());
    let error = store.ping(&CallOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn it_can_be_kept_to_one_collection() {
    let (_, store, _) = defaulting();
    let kv = Kv::new(store.only_in("c"));
    let got = kv.collection("c").get::<Vec<u8>>("k").await.unwrap();
    assert_eq!(got, Some(vec![7]));
    let got = kv.collection("d").get::<Vec<u8>>("k").await.unwrap();
    assert_eq!(got, None);
    let got = kv.collection("d").get_many::<Vec<u8>>(&["k"]).await.unwrap();
    assert!(matches!(got[0], Ok(None)));
}

#[test]
fn nonsense_is_refused_and_no_value_shown() {
    for ttl in [Duration::ZERO, Duration::MAX] {
        let store = DefaultValue::new(SimpleStore::new(), &1).unwrap();
        assert_eq!(store.with_ttl(ttl).unwrap_err().kind(), ErrorKind::Configuration);
    }
    let store = DefaultValue::new(SimpleStore::new(), "hunter2").unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
}

use std::sync::Arc;

use kv_core::{Condition, Metadata};

use super::super::testing::{secs, stopped};
use super::*;
use crate::kv::Kv;

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_write_is_refused_and_none_arrives() {
    let store = Arc::new(stopped().0);
    let bare = Kv::new(Arc::clone(&store));
    bare.put("k", &1).await.unwrap();
    let before = bare.get_entry("k").await.unwrap().unwrap();
    let guarded = Kv::new(ReadOnly::new(store));
    let notes = Metadata::new();
    let refusals = [
        ("put", guarded.put("k", &2).await.err()),
        ("put", guarded.put_if_absent("new", &2).await.err()),
        ("put", guarded.put_if_revision("k", &2, &before.revision()).await.err()),
        ("put_many", guarded.put_many(&[("k", 2), ("new", 2)], &PutOptions::default()).await.err()),
        ("put_many", guarded.put_items(&[], &PutOptions::default()).await.err()),
        ("delete", guarded.delete("k").await.err()),
        ("delete_many", guarded.delete_many(&["k"]).await.err()),
        ("increment", guarded.increment("k", 1).await.err()),
        ("append", guarded.append("new", "x").await.err()),
        ("take", guarded.take::<i64>("k").await.err()),
        ("get_and_put", guarded.get_and_put("k", &2).await.err()),
        ("compare_and_swap", guarded.compare_and_swap("k", Some(&1), Some(&2)).await.err()),
        ("put", guarded.update("k", |_: Option<i64>| Some(2)).await.err()),
        ("delete", guarded.update("k", |_: Option<i64>| None).await.err()),
        ("touch", guarded.touch("k", secs(1)).await.err()),
        ("persist", guarded.persist("k").await.err()),
        ("set_metadata", guarded.set_metadata("k", &notes).await.err()),
        ("clear", guarded.clear().await.err()),
        ("clear", guarded.delete_matching(&KeyFilter::starting_with("k")).await.err()),
        ("destroy", guarded.destroy().await.err()),
        ("cull", guarded.cull().await.err()),
    ];
    for (operation, error) in refusals {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::ReadOnly, Some(operation)), "{error}");
        assert_eq!(error.store(), Some("ReadOnly"));
        assert!(!error.is_retryable() && !error.outcome_unknown());
    }
    let options = DeleteOptions::default().with_condition(Condition::IfPresent);
    let error = guarded.store().delete(Name::new("c", "k"), &options).await.unwrap_err();
    assert_eq!((error.collection(), error.key()), (Some("c"), Some("k")));
    let got = bare.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["k"]);
    let got = guarded.get_entry("k").await.unwrap().unwrap();
    assert_eq!((got.as_json(), got.revision()), (Some("1"), before.revision()));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn it_says_what_is_left() {
    let guarded = ReadOnly::new(stopped().0);
    assert_eq!(guarded.describe().to_string(), "ReadOnly → Simple");
    let asked = guarded.capabilities().await.unwrap();
    for can in [guarded.describe().capabilities, asked] {
        assert_eq!(can.conditional, Atomicity::Unsupported);
        assert!(!can.clear && !can.cull && !can.atomic_batches);
        assert!(can.collections && can.metadata && can.stores);
    }
}

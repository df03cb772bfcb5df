use std::sync::Arc;

use kv_core::{
    Condition, DEFAULT_COLLECTION, DeleteOutcome, GetOptions, KeyFilter, Latency, Metadata, Operation as Op, PutItem,
    PutOptions, Tally, ValueRef,
};

use super::super::testing::{Damaged, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::NullStore;

/// Calls, hits, misses, writes, deletes, errors.
fn counts(tally: Tally) -> [u64; 6] {
    [tally.calls, tally.hits, tally.misses, tally.writes, tally.deletes, tally.errors]
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_operation_is_counted_once_for_each_key() {
    let store = Statistics::new(stopped().0);
    let statistics = store.handle();
    let kv = Kv::new(store);
    let c = kv.collection("c");

    c.put("a", &1).await.unwrap();
    c.put_if_absent("a", &2).await.unwrap();
    c.get::<u8>("a").await.unwrap();
    c.get::<u8>("no").await.unwrap();
    c.exists("a").await.unwrap();
    c.ttl_many(&["a", "no", "no"]).await.unwrap();
    c.put_many(&[("b", 1), ("n", 2), ("n", 3)], &PutOptions::default()).await.unwrap();
    c.get_many::<u8>(&["a", "b", "no"]).await.unwrap();
    c.increment("n", 1).await.unwrap();
    c.increment("m", 1).await.unwrap();
    c.append("s", "x").await.unwrap();
    c.touch("no", secs(1)).await.unwrap();
    c.touch("n", secs(1)).await.unwrap();
    c.persist("n").await.unwrap();
    c.set_metadata("n", &Metadata::new()).await.unwrap();
    c.get_and_put("n", &9).await.unwrap();
    c.compare_and_swap("n", Some(&8), Some(&1)).await.unwrap();
    c.compare_and_swap("n", Some(&9), None).await.unwrap();
    c.take::<u8>("m").await.unwrap();
    c.take::<u8>("m").await.unwrap();
    c.delete("s").await.unwrap();
    c.delete("s").await.unwrap();
    let outcome = c.delete_if_revision("a", &kv_core::Revision::from_number(0)).await.unwrap();
    assert_eq!(outcome, DeleteOutcome::Conflict);
    c.delete_many(&["b", "b", "no"]).await.unwrap();
    c.all_keys(&KeyFilter::all()).await.unwrap();
    c.count(&KeyFilter::all()).await.unwrap();
    c.clear().await.unwrap();

    let snapshot = statistics.snapshot();
    let known = &snapshot.collections["c"];
    let expected = [
        (Op::Get, [2, 1, 1, 0, 0, 0]),
        (Op::Head, [1, 1, 0, 0, 0, 0]),
        (Op::GetMany, [3, 2, 1, 0, 0, 0]),
        (Op::HeadMany, [3, 1, 2, 0, 0, 0]),
        (Op::Put, [2, 0, 0, 1, 0, 0]),
        (Op::PutMany, [3, 0, 0, 3, 0, 0]),
        (Op::Delete, [3, 2, 1, 0, 1, 0]),
        (Op::DeleteMany, [3, 1, 2, 0, 1, 0]),
        (Op::Increment, [2, 1, 1, 2, 0, 0]),
        (Op::Append, [1, 0, 1, 1, 0, 0]),
        (Op::Take, [2, 1, 1, 0, 1, 0]),
        (Op::GetAndPut, [1, 1, 0, 1, 0, 0]),
        (Op::Touch, [2, 1, 1, 1, 0, 0]),
        (Op::Persist, [1, 1, 0, 1, 0, 0]),
        (Op::SetMetadata, [1, 1, 0, 1, 0, 0]),
        (Op::CompareAndSwap, [2, 2, 0, 0, 1, 0]),
        (Op::List, [1, 0, 0, 0, 0, 0]),
        (Op::Count, [1, 0, 0, 0, 0, 0]),
        (Op::Clear, [1, 0, 0, 0, 1, 0]),
    ];
    for (operation, expected) in expected {
        assert_eq!(counts(known.tally(operation)), expected, "{operation}");
        let latency = known.latency(operation);
        assert!(latency.count >= 1 && latency.p50 <= latency.p99, "{operation}: {latency:?}");
    }
    assert_eq!(known.operations.len(), expected.len());
    assert_eq!(known.latency(Op::GetMany).count, 1, "a bulk call is timed once");
    assert_eq!(snapshot.collections.len(), 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn operations_on_no_one_collection_stand_apart() {
    let store = Statistics::new(stopped().0);
    let statistics = store.handle();
    let kv = Kv::new(store);
    kv.put("a", &1).await.unwrap();
    kv.setup().await.unwrap();
    kv.ping().await.unwrap();
    kv.all_collections().await.unwrap();
    kv.capabilities().await.unwrap();
    kv.cull().await.unwrap();
    kv.destroy().await.unwrap();
    kv.close().await.unwrap();
    let snapshot = statistics.snapshot();
    let operations: Vec<Op> = snapshot.store.operations.keys().copied().collect();
    let expected = [Op::Collections, Op::Destroy, Op::Cull, Op::Ping, Op::Setup, Op::Close, Op::Capabilities];
    assert_eq!(operations, expected);
    assert_eq!(counts(snapshot.store.tally(Op::Destroy)), [1, 0, 0, 0, 1, 0]);
    assert_eq!(snapshot.collections.keys().collect::<Vec<_>>(), [DEFAULT_COLLECTION]);
    assert_eq!(kv.describe().to_string(), "Statistics → Simple");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn failures_are_errors_and_nothing_else() {
    let store = Statistics::new(Damaged { collection: "c", keys: &["a"] });
    let statistics = store.handle();
    let kv = Kv::new(store);
    let c = kv.collection("c");
    c.get::<u8>("a").await.unwrap_err();
    c.put("a", &1).await.unwrap_err();
    c.delete("a").await.unwrap_err();
    c.increment("a", 1).await.unwrap_err();
    c.get_many::<u8>(&["a", "b"]).await.unwrap();
    c.put_many(&[("a", 1), ("b", 1)], &PutOptions::default()).await.unwrap();
    c.delete_many(&["a", "b"]).await.unwrap_err();
    c.clear().await.unwrap_err();
    kv.ping().await.unwrap_err();
    let snapshot = statistics.snapshot();
    for operation in [Op::Get, Op::Put, Op::Delete, Op::Increment, Op::Clear] {
        assert_eq!(counts(snapshot.tally("c", operation)), [1, 0, 0, 0, 0, 1], "{operation}");
    }
    for operation in [Op::GetMany, Op::PutMany, Op::DeleteMany] {
        assert_eq!(counts(snapshot.tally("c", operation)), [2, 0, 0, 0, 0, 2], "{operation}");
    }
    assert_eq!(counts(snapshot.store.tally(Op::Ping)), [1, 0, 0, 0, 0, 1]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_bulk_call_that_fails_whole_is_an_error_for_each_key() {
    let store = Statistics::new(stopped().0);
    store.get_many("c", &["a", ""], &GetOptions::default()).await.unwrap_err();
    assert_eq!(counts(store.snapshot().tally("c", Op::GetMany)), [2, 0, 0, 0, 0, 2]);
    let conditional = PutOptions::default().with_condition(Condition::IfAbsent);
    let item = PutItem::new("a", ValueRef::Json(b"1"));
    store.put_many("c", &[item, item], &conditional).await.unwrap_err();
    assert_eq!(counts(store.snapshot().tally("c", Op::PutMany)), [2, 0, 0, 0, 0, 2]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn collections_beyond_the_most_are_counted_together() {
    let store = Statistics::new(NullStore::new());
    let statistics = store.handle();
    let store: Arc<dyn Store> = Arc::new(store.with_max_collections(2));
    let kv = Kv::from_arc(store);
    for collection in ["a", "b", "c", "d", "b"] {
        kv.collection(collection).get::<u8>("k").await.unwrap();
    }
    let snapshot = statistics.snapshot();
    assert_eq!(snapshot.collections.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(snapshot.tally("b", Op::Get).misses, 2);
    assert_eq!(snapshot.other.tally(Op::Get).misses, 2);
    statistics.reset();
    assert_eq!(statistics.snapshot(), StatisticsSnapshot::default());
    assert_eq!(statistics.snapshot().latency("b", Op::Get), Latency::default());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn several_wrappers_can_count_together() {
    let counters = StatisticsHandle::new();
    let one = Kv::new(Statistics::new(NullStore::new()).with_handle(counters.clone()));
    let other = Kv::new(Statistics::new(NullStore::new()).with_handle(counters.clone()));
    one.put("k", &1).await.unwrap();
    other.put("k", &1).await.unwrap();
    assert_eq!(counters.snapshot().tally(DEFAULT_COLLECTION, Op::Put).calls, 2);
}

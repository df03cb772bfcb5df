use std::sync::Arc;

use super::*;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::{Fault, Faults};

#[tokio::test]
async fn so_many_are_within_and_the_others_have_their_turn() {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let store = Arc::new(ConcurrencyLimit::new(store, 2).unwrap().with_max_wait(Duration::from_secs(60)));
    let kv = Kv::from_arc(store.clone());
    faults.inject(Fault::held().times(2));
    let pings = [0, 1].map(|_| {
        tokio::spawn({
            let kv = kv.clone();
            async move { kv.ping().await }
        })
    });
    while faults.held() < 2 {
        tokio::task::yield_now().await;
    }
    let mut calls = Vec::new();
    for number in 0..20_i64 {
        let kv = kv.clone();
        calls.push(tokio::spawn(async move { (number, kv.increment("n", 1).await.unwrap()) }));
        while store.waiting() < usize::try_from(number).unwrap() + 1 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(faults.calls(), 0, "nobody gets past those that hang");
    // Who gives up leaves the queue.
    calls.remove(7).abort();
    faults.clear();
    for (place, call) in calls.into_iter().enumerate() {
        let (number, count) = call.await.unwrap();
        assert_eq!(count, i64::try_from(place).unwrap() + 1, "call {number} in its turn");
    }
    for ping in pings {
        ping.await.unwrap().unwrap();
    }
    assert_eq!(store.waiting(), 0);
}

#[tokio::test]
async fn who_waits_too_long_or_is_one_too_many_is_told() {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let store = ConcurrencyLimit::new(store, 1).unwrap().with_max_wait(Duration::from_millis(10)).with_max_queue(1);
    let store = Arc::new(store);
    let kv = Kv::from_arc(store.clone());
    faults.inject(Fault::held());
    let ping = tokio::spawn({
        let kv = kv.clone();
        async move { kv.ping().await }
    });
    while faults.held() < 1 {
        tokio::task::yield_now().await;
    }
    let late = tokio::spawn({
        let kv = kv.clone();
        async move { kv.put("k", &1).await }
    });
    while store.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    let crowded = kv.put("k", &1).await;
    let late = late.await.unwrap();
    let (late, crowded) = (late.unwrap_err(), crowded.unwrap_err());
    assert!(late.message().contains("within 10ms"), "{late}");
    assert!(crowded.message().contains("so is the queue"), "{crowded}");
    assert_eq!((late.kind(), late.outcome_unknown()), (ErrorKind::Timeout, false));
    assert_eq!((late.operation(), late.collection(), late.key()), (Some("put"), Some("default_collection"), Some("k")));
    kv.close().await.unwrap();
    faults.clear();
    ping.await.unwrap().unwrap();
    kv.put("k", &1).await.unwrap();
    assert_eq!(store.waiting(), 0);
}

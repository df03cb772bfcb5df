use std::sync::Arc;

use kv_core::Operation as Op;

use super::*;
use crate::flavour;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::{Fault, FaultHandle, Faults};

fn breaker(failures: u32, pause: Duration) -> (Arc<CircuitBreaker<Faults<MemoryStore>>>, FaultHandle) {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let store = CircuitBreaker::new(store).with_failures(failures).unwrap().with_pause(pause).unwrap();
    (Arc::new(store), faults)
}

fn broken(failures: u32, pause: Duration) -> (Kv, FaultHandle) {
    let (store, faults) = breaker(failures, pause);
    (Kv::from_arc(store), faults)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_outage_is_asked_about_once_in_a_while() {
    let (kv, faults) = broken(3, Duration::from_millis(30));
    kv.put("k", &1).await.unwrap();
    faults.inject(Fault::refused(ErrorKind::Connection).times(3));
    for _ in 0..3 {
        kv.get::<i32>("k").await.unwrap_err();
    }
    for _ in 0..10 {
        let error = kv.get::<i32>("k").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false));
        assert!(error.is_retryable() && error.message().contains("the next try is in"), "{error}");
    }
    assert_eq!(faults.calls_of(Op::Get), 0, "the store was left alone");
    flavour::sleep(Duration::from_millis(31)).await;
    let found = kv.get::<i32>("k").await.unwrap();
    assert_eq!((found, faults.calls_of(Op::Get)), (Some(1), 1), "it is closed again");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_an_answer_does_not_open_it() {
    let (kv, faults) = broken(1, Duration::from_secs(60));
    for kind in [ErrorKind::Corrupted, ErrorKind::Full, ErrorKind::PermissionDenied, ErrorKind::Contended] {
        faults.inject(Fault::refused(kind));
        let error = kv.get::<i32>("k").await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    kv.get::<i32>("k").await.unwrap();
}

const OURS: [ErrorKind; 9] = [
    ErrorKind::InvalidKey,
    ErrorKind::InvalidCollection,
    ErrorKind::InvalidValue,
    ErrorKind::InvalidTtl,
    ErrorKind::InvalidArgument,
    ErrorKind::TooLarge,
    ErrorKind::Unsupported,
    ErrorKind::ReadOnly,
    ErrorKind::Configuration,
];

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_the_store_refuses_unasked_says_nothing_about_the_backend() {
    for kind in OURS {
        let (store, faults) = breaker(2, Duration::from_millis(1));
        let kv = Kv::from_arc(store.clone());
        for kind in [ErrorKind::Timeout, kind, ErrorKind::Timeout] {
            assert!(store.is_closed());
            faults.inject(Fault::refused(kind));
            let error = kv.get::<i32>("k").await.unwrap_err();
            assert_eq!(error.kind(), kind);
        }
        assert!(!store.is_closed(), "{kind} is no success between two failures");

        flavour::sleep(Duration::from_millis(2)).await;
        faults.inject(Fault::refused(kind));
        let error = kv.get::<i32>("k").await.unwrap_err();
        assert_eq!((error.kind(), store.is_closed()), (kind, false), "and none of a probe");
        kv.ping().await.unwrap();
        assert!(store.is_closed(), "the next probe is not refused");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_answer_that_is_an_error_ends_the_row() {
    let (store, faults) = breaker(2, Duration::from_secs(60));
    let kv = Kv::from_arc(store.clone());
    for kind in [ErrorKind::Timeout, ErrorKind::Corrupted, ErrorKind::Timeout] {
        faults.inject(Fault::refused(kind));
        kv.get::<i32>("k").await.unwrap_err();
    }
    assert!(store.is_closed());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_refusal_names_what_was_asked_for_and_close_is_not_refused() {
    let (kv, faults) = broken(1, Duration::from_secs(60));
    faults.inject(Fault::refused(ErrorKind::Connection));
    kv.ping().await.unwrap_err();
    let users = kv.collection("users");
    let error = users.get::<i32>("alice").await.unwrap_err();
    assert_eq!((error.operation(), error.collection(), error.key()), (Some("get"), Some("users"), Some("alice")));
    let error = users.clear().await.unwrap_err();
    assert_eq!((error.operation(), error.collection(), error.key()), (Some("clear"), Some("users"), None));
    assert_eq!(error.store(), Some("CircuitBreaker"));
    kv.close().await.unwrap();
    assert_eq!(faults.calls_of(Op::Close), 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let error = CircuitBreaker::new(MemoryStore::new()).with_failures(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for pause in [Duration::ZERO, Duration::MAX] {
        let error = CircuitBreaker::new(MemoryStore::new()).with_pause(pause).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

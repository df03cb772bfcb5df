use kv_core::Operation as Op;

use super::*;
use crate::flavour;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::{Fault, FaultHandle, Faults};

fn broken(failures: u32, pause: Duration) -> (Kv, FaultHandle) {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let store = CircuitBreaker::new(store).with_failures(failures).unwrap().with_pause(pause).unwrap();
    (Kv::new(store), faults)
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

#[test]
fn what_cannot_be_is_refused() {
    let error = CircuitBreaker::new(MemoryStore::new()).with_failures(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for pause in [Duration::ZERO, Duration::MAX] {
        let error = CircuitBreaker::new(MemoryStore::new()).with_pause(pause).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

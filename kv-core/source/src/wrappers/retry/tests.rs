use std::sync::Arc;

use kv_core::{Operation as Op, PutOptions};
use parking_lot::Mutex;

use super::*;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::{Fault, FaultHandle, Faults, RandomFaults};

fn retried(retries: usize) -> (Kv, FaultHandle) {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let pauses = Duration::from_micros(1)..=Duration::from_micros(10);
    (Kv::new(Retry::new(store).with_retries(retries).with_pauses(pauses).unwrap()), faults)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_may_help_is_tried_again_so_often() {
    let (kv, faults) = retried(2);
    for kind in [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Contended] {
        faults.inject(Fault::refused(kind).times(2));
        kv.increment("n", 1).await.unwrap();
        faults.inject(Fault::refused(kind).times(3));
        let error = kv.get::<i64>("n").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (kind, false));
    }
    let found = kv.get::<i64>("n").await.unwrap();
    assert_eq!((found, faults.calls_of(Op::Increment)), (Some(3), 3));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_cannot_help_is_not_tried_again() {
    let (kv, faults) = retried(5);
    for kind in [ErrorKind::Corrupted, ErrorKind::PermissionDenied, ErrorKind::Full, ErrorKind::Backend] {
        faults.inject(Fault::refused(kind));
        let error = kv.get::<i64>("n").await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    assert_eq!(faults.calls(), 0, "one attempt each");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_write_of_unknown_outcome_is_repeated_only_where_that_changes_nothing() {
    let (kv, faults) = retried(5);
    faults.inject(Fault::lost_answer(ErrorKind::Connection).on(Op::Put).on(Op::PutMany).times(4));
    kv.put("k", &1).await.unwrap();
    faults.inject(Fault::lost_answer(ErrorKind::Timeout).on(Op::PutMany).times(2));
    kv.put_many(&[("n", 1), ("l", 2)], &PutOptions::default()).await.unwrap();
    assert_eq!((faults.calls_of(Op::Put), faults.calls_of(Op::PutMany)), (5, 3));

    faults.inject(Fault::lost_answer(ErrorKind::Connection).times(7));
    let errors = [
        kv.increment("n", 1).await.unwrap_err(),
        kv.append("list", &1).await.unwrap_err(),
        kv.delete("k").await.unwrap_err(),
        kv.put_if_absent("new", &1).await.unwrap_err(),
        kv.take::<i64>("l").await.unwrap_err(),
        kv.clear().await.unwrap_err(),
        kv.destroy().await.unwrap_err(),
    ];
    assert!(errors.iter().all(Error::outcome_unknown), "{errors:?}");
    assert_eq!((faults.calls_of(Op::Increment), faults.calls_of(Op::Append), faults.calls_of(Op::Delete)), (1, 1, 1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_may_be_many_steps_is_not_repeated() {
    let (kv, faults) = retried(5);
    faults.inject(Fault::refused(ErrorKind::Connection).times(3));
    let errors = [kv.clear().await.unwrap_err(), kv.destroy().await.unwrap_err(), kv.cull().await.unwrap_err()];
    assert!(errors.iter().all(|error| error.store() == Some("Faults")), "{errors:?}");
    assert_eq!(faults.calls(), 0, "one attempt each");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_attempt_of_unknown_outcome_is_not_forgotten() {
    let (kv, faults) = retried(1);
    faults.inject(Fault::lost_answer(ErrorKind::Connection));
    faults.inject(Fault::refused(ErrorKind::Connection));
    let error = kv.put("k", &1).await.unwrap_err();
    assert!(error.outcome_unknown(), "the first attempt wrote: {error}");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn nothing_is_counted_twice_or_lost_whatever_happens() {
    for seed in 0..20 {
        let (kv, faults) = retried(50);
        faults.at_random(RandomFaults::seeded(seed).refused(0.3).lost_answers(0.2));
        let (mut sure, mut unsure) = (0, 0);
        for _ in 0..50 {
            match kv.increment("n", 1).await {
                Ok(_) => sure += 1,
                Err(error) => unsure += i64::from(error.outcome_unknown()),
            }
        }
        faults.clear();
        let found = kv.get::<i64>("n").await.unwrap().unwrap_or_default();
        assert_eq!(found, sure + unsure, "each lost answer is of an increment that happened");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_budget_ends_it() {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    faults.inject(Fault::refused(ErrorKind::Connection).always());
    let long = Duration::from_secs(3600);
    let store = Retry::new(store).with_retries(5).with_pauses(long..=long).unwrap().with_budget(Duration::from_secs(1));
    let error = Kv::new(store).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "at once");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_calls_own_time_ends_it() {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let long = Duration::from_secs(3600);
    let store = Retry::new(store).with_pauses(long..=long).unwrap().with_budget(long * 10);
    let hurried = Kv::new(store).collection("c").with_timeout(Duration::from_secs(1));
    faults.inject(Fault::refused(ErrorKind::Connection));
    let error = hurried.get::<i32>("k").await.unwrap_err();
    assert_eq!((error.kind(), faults.calls()), (ErrorKind::Connection, 0), "at once, and no second attempt");
}

/// Remembers the time-outs that it is handed.
#[derive(Debug)]
struct Remembering<S> {
    store: S,
    timeouts: Arc<Mutex<Vec<Option<Duration>>>>,
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for Remembering<S> {
    type Inner = S;
    const NAME: &'static str = "Remembering";

    fn inner(&self) -> &S {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        self.timeouts.lock().push(request.call().timeout);
        request.send(&self.store).await
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_attempt_has_a_calls_own_time() {
    let store = Faults::new(MemoryStore::new());
    store.handle().inject(Fault::refused(ErrorKind::Connection).times(2));
    let timeouts = Arc::new(Mutex::new(Vec::new()));
    let store = Remembering { store, timeouts: Arc::clone(&timeouts) };
    let pauses = Duration::from_micros(1)..=Duration::from_micros(10);
    let kv = Kv::new(Retry::new(store).with_retries(2).with_pauses(pauses).unwrap());
    let own = Duration::from_secs(60);
    kv.collection("c").with_timeout(own).get::<i32>("k").await.unwrap();
    assert_eq!(timeouts.lock()[..], [Some(own); 3]);
}

#[test]
fn pauses_that_cannot_be_are_refused() {
    for (least, most) in [(0, 1), (2, 1)] {
        let pauses = Duration::from_secs(least)..=Duration::from_secs(most);
        let error = Retry::new(MemoryStore::new()).with_pauses(pauses).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_backend_that_asks_for_a_pause_gets_it() {
    let (kv, faults) = retried(1);
    let asked = Duration::from_millis(30);
    faults.inject(Fault::refused(ErrorKind::Connection).asking_for(asked));
    let began = Instant::now();
    kv.put("k", &1).await.unwrap();
    assert!(began.elapsed() >= asked);
    // Longer than the budget of the whole call.
    faults.inject(Fault::refused(ErrorKind::Connection).asking_for(Duration::from_secs(3600)));
    let error = kv.put("k", &1).await.unwrap_err();
    assert_eq!((error.retry_after(), faults.calls_of(Op::Put)), (Some(Duration::from_secs(3600)), 1));
}

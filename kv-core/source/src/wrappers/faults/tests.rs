use std::time::Instant;

use kv_core::{Operation as Op, PutOptions};

use super::*;
use crate::kv::Kv;
use crate::stores::MemoryStore;

fn faulty() -> (Kv, FaultHandle) {
    let store = Faults::new(MemoryStore::new());
    let handle = store.handle();
    (Kv::new(store), handle)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_fault_happens_to_the_calls_it_is_about() {
    let (kv, faults) = faulty();
    faults.inject(Fault::refused(ErrorKind::Timeout).on(Op::Get).on(Op::Head).on_key("b").after(1).times(2));
    kv.put("b", &1).await.unwrap();
    kv.get::<i32>("a").await.unwrap();
    kv.get::<i32>("b").await.unwrap();
    let error = kv.get::<i32>("b").await.unwrap_err();
    assert_eq!((error.kind(), error.key(), error.outcome_unknown()), (ErrorKind::Timeout, Some("b"), false));
    kv.get::<i32>("a").await.unwrap();
    let error = kv.exists("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let found = kv.get::<i32>("b").await.unwrap();
    assert_eq!(found, Some(1));
    assert_eq!((faults.calls_of(Op::Get), faults.calls_of(Op::Head), faults.calls()), (4, 0, 5));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_lost_answer_is_of_a_write_that_happened() {
    let (kv, faults) = faulty();
    faults.inject(Fault::lost_answer(ErrorKind::Connection).times(3));
    let errors = [
        kv.increment("n", 1).await.unwrap_err(),
        kv.put_many(&[("a", 1)], &PutOptions::default()).await.unwrap_err(),
        kv.get::<i32>("n").await.unwrap_err(),
    ];
    assert_eq!(errors.map(|error| error.outcome_unknown()), [true, true, false]);
    let found = [kv.get::<i32>("n").await.unwrap(), kv.get::<i32>("a").await.unwrap()];
    assert_eq!(found, [Some(1), Some(1)]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn faults_last_until_they_are_taken_back() {
    let (kv, faults) = faulty();
    faults.inject(Fault::refused(ErrorKind::Connection).always());
    for _ in 0..3 {
        let error = kv.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
    }
    faults.clear();
    kv.ping().await.unwrap();
    faults.inject(Fault::slow(Duration::from_millis(20)));
    let began = Instant::now();
    kv.ping().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(20));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_seed_brings_the_same_faults_again() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let (kv, faults) = faulty();
        faults.at_random(RandomFaults::seeded(seed).refused(0.3).lost_answers(0.3).slow(0.1, Duration::from_nanos(1)));
        let mut fates = Vec::new();
        for key in 0..200 {
            let answer = kv.put(&key.to_string(), &1).await;
            fates.push(answer.map(drop).map_err(|error| error.outcome_unknown()));
        }
        let count = |fate| fates.iter().filter(|one| **one == fate).count();
        let (refused, lost) = (count(Err(false)), count(Err(true)));
        assert!((30..90).contains(&refused) && (30..90).contains(&lost), "{refused} {lost}");
        assert_eq!(faults.calls(), 200 - refused as u64);
        runs.push(fates);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;

use super::*;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::{Fault, FaultHandle, Faults};

fn limited(calls: usize) -> (Arc<ConcurrencyLimit<Faults<MemoryStore>>>, FaultHandle) {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    (Arc::new(ConcurrencyLimit::new(store, calls).unwrap().with_max_wait(Duration::from_secs(60))), faults)
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn so_many_are_within_and_the_others_have_their_turn() {
    let (store, faults) = limited(1);
    faults.inject(Fault::held());
    let kv = Kv::from_arc(store.clone());
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| kv.ping().unwrap());
        until(|| faults.held() == 1);
        for number in 0..20 {
            let (kv, order) = (&kv, &order);
            scope.spawn(move || {
                let count = kv.increment("n", 1).unwrap();
                order.lock().push((number, count));
            });
            until(|| store.waiting() == usize::try_from(number).unwrap() + 1);
        }
        assert_eq!(faults.calls(), 0, "nobody gets past the one that hangs");
        faults.clear();
    });
    let order = order.into_inner();
    assert!(order.iter().all(|(number, count)| number + 1 == *count), "{order:?}");
    assert_eq!((kv.get::<i64>("n").unwrap(), store.waiting()), (Some(20), 0));
}

#[test]
fn who_waits_too_long_or_is_one_too_many_is_told() {
    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let limit = ConcurrencyLimit::new(store, 1).unwrap().with_max_wait(Duration::from_millis(10)).with_max_queue(1);
    let limit = Arc::new(limit);
    let kv = Kv::from_arc(limit.clone());
    faults.inject(Fault::held());
    std::thread::scope(|scope| {
        scope.spawn(|| kv.ping().unwrap());
        until(|| faults.held() == 1);
        let (late, closed) = (kv.put("k", &1).unwrap_err(), kv.close());
        assert!(late.message().contains("within 10ms"), "{late}");
        assert_eq!((late.kind(), late.outcome_unknown()), (ErrorKind::Timeout, false));
        assert_eq!(
            (late.operation(), late.collection(), late.key()),
            (Some("put"), Some("default_collection"), Some("k"))
        );
        let answers = [0, 1].map(|_| scope.spawn(|| kv.put("k", &1).unwrap_err()));
        let answers = answers.map(|answer| answer.join().unwrap().message().to_owned());
        assert!(answers.iter().any(|message| message.contains("within")), "{answers:?}");
        faults.clear();
        closed.unwrap();
    });
    kv.put("k", &1).unwrap();
    assert_eq!(limit.waiting(), 0);
}

#[test]
fn under_a_storm_no_place_is_lost() {
    let (store, _) = limited(3);
    let kv = Kv::from_arc(Arc::new(
        ConcurrencyLimit::new(Arc::clone(&store), 2).unwrap().with_max_wait(Duration::from_micros(50)),
    ));
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    if kv.increment("n", 1).is_err() {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let done = kv.get::<usize>("n").unwrap().unwrap();
    assert_eq!(done + refused.into_inner(), 4000);
    assert!(kv.ping().is_ok() && store.waiting() == 0);
}

use super::*;

#[test]
fn there_are_only_so_many_and_then_calls_are_refused_unsent() {
    let slow = Arc::new(Slow::default());
    let store = Timeout::new(Arc::clone(&slow), SHORT).unwrap().with_max_stragglers(2).unwrap();
    let kv = Kv::new(store);
    for _ in 0..2 {
        assert!(kv.put("k", &1).unwrap_err().outcome_unknown());
    }
    for _ in 0..5 {
        let error = kv.put("k", &1).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false), "{error}");
        assert!(error.message().contains("2 earlier calls"), "{error}");
    }
    assert_eq!(slow.under_way.load(Ordering::SeqCst), 2);
    slow.open.store(true, Ordering::SeqCst);
    // The stragglers end, and their threads take on calls again.
    while slow.under_way.load(Ordering::SeqCst) > 0 {
        std::thread::yield_now();
    }
    let kv = kv.with_timeout(LONG);
    while kv.put("k", &2).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(kv.get::<u8>("k").unwrap(), Some(2));
}

#[test]
fn callers_wait_for_a_thread() {
    let store = Timeout::new(Slow::opened(), LONG).unwrap().with_max_stragglers(2).unwrap();
    let kv = Kv::new(store);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    kv.increment("k", 1).unwrap();
                }
            });
        }
    });
    assert_eq!(kv.get::<u32>("k").unwrap(), Some(1600));
}

#[test]
fn who_waits_in_vain_for_a_thread_has_sent_nothing() {
    let slow = Arc::new(Slow::default());
    let store = Timeout::new(Arc::clone(&slow), LONG).unwrap().with_max_stragglers(1).unwrap();
    let kv = Kv::new(store);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| kv.put("k", &1).unwrap());
        while slow.under_way.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let error = kv.with_timeout(SHORT).put("k", &2).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false), "{error}");
        assert!(error.message().contains("none of the 1 threads"), "{error}");
        slow.open.store(true, Ordering::SeqCst);
        first.join().unwrap();
    });
    assert_eq!(kv.get::<u8>("k").unwrap(), Some(1));
}

/// A store that panics.
#[derive(Debug)]
struct Panics(MemoryStore);

impl crate::wrappers::Around for Panics {
    type Inner = MemoryStore;
    const NAME: &'static str = "Panics";

    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        assert!(request.operation() != Operation::Get, "a panic of the store");
        request.send(&self.0)
    }
}

#[test]
fn a_panic_is_the_caller_s_and_no_thread_is_lost() {
    let kv = Kv::new(Timeout::new(Panics(MemoryStore::new()), LONG).unwrap().with_max_stragglers(1).unwrap());
    for _ in 0..3 {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| kv.get::<u8>("k")));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"a panic of the store"));
        kv.put("k", &1).unwrap();
    }
}

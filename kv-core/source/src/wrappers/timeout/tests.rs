use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kv_core::{KeyFilter, PutItem, PutOptions, ValueRef};
use parking_lot::Mutex;

use super::*;
use crate::flavour;
use crate::kv::Kv;
use crate::stores::MemoryStore;

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(60);

/// A store whose every call waits until the gate opens, and notes what it was given.
#[derive(Debug, Default)]
struct Slow {
    store: MemoryStore,
    open: AtomicBool,
    under_way: AtomicUsize,
    given: Mutex<Vec<Option<Duration>>>,
}

impl Slow {
    fn opened() -> Self {
        let slow = Self::default();
        slow.open.store(true, Ordering::SeqCst);
        slow
    }
}

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Around for Slow {
    type Inner = MemoryStore;
    const NAME: &'static str = "Slow";

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        self.given.lock().push(request.call().timeout);
        self.under_way.fetch_add(1, Ordering::SeqCst);
        while !self.open.load(Ordering::SeqCst) {
            flavour::sleep(Duration::from_millis(1)).await;
        }
        let answer = request.send(&self.store).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

#[test]
fn nonsense_is_refused() {
    let refused = |result: Result<Timeout<MemoryStore>>| {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Configuration);
    };
    refused(Timeout::new(MemoryStore::new(), Duration::ZERO));
    let store = || Timeout::new(MemoryStore::new(), LONG).unwrap();
    refused(store().with_limit(Operation::Get, Duration::ZERO));
    refused(store().with_max_stragglers(0));
    assert_eq!(store().describe().to_string(), format!("Timeout({LONG:?}) → Memory"));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_that_hangs_is_left_in_time_and_writes_say_so() {
    let slow = Arc::new(Slow::default());
    let all = Kv::new(Timeout::new(Arc::clone(&slow), SHORT).unwrap());
    let kv = all.collection("c");
    let notes = kv_core::Metadata::new();
    let writes = [
        ("put", kv.put("k", &1).await.err()),
        ("put_many", kv.put_many(&[("k", 1)], &PutOptions::default()).await.err()),
        ("delete", kv.delete("k").await.err()),
        ("delete_many", kv.delete_many(&["k"]).await.err()),
        ("increment", kv.increment("k", 1).await.err()),
        ("set_metadata", kv.set_metadata("k", &notes).await.err()),
        ("clear", kv.clear().await.err()),
    ];
    for (operation, error) in writes {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some(operation)), "{error}");
        assert_eq!((error.store(), error.collection()), (Some("Timeout"), Some("c")));
        assert!(error.outcome_unknown() && error.is_retryable(), "{error}");
    }
    let reads = [
        ("get", kv.get::<u8>("k").await.err()),
        ("get_many", kv.get_many::<u8>(&["k"]).await.err()),
        ("head", kv.exists("k").await.err()),
        ("list", kv.all_keys(&KeyFilter::all()).await.err()),
        ("count", kv.count(&KeyFilter::all()).await.err()),
    ];
    for (operation, error) in reads {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some(operation)), "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    }
    slow.open.store(true, Ordering::SeqCst);
    let other = all.collection("what is late does not reach").with_timeout(LONG);
    while other.put("k", &2).await.is_err() {}
    let got = other.exists("k").await;
    assert!(got.is_ok(), "it works on");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_call_arrives_as_it_was_made() {
    let kv = Kv::new(Timeout::new(Slow::opened(), LONG).unwrap()).collection("c");
    let notes = kv_core::Metadata::new().with("a", "b");
    let options = PutOptions::ttl(LONG).with_metadata(notes.clone());
    let got = kv.put_with("k", "x", &options).await.unwrap();
    assert!(got.is_written());
    kv.append("k", "y").await.unwrap();
    let entry = kv.get_entry("k").await.unwrap().unwrap();
    assert_eq!((entry.as_json(), entry.metadata()), (Some("\"xy\""), Some(&notes)));
    assert!(entry.expires().is_some());
    let items = [
        PutItem::new("a", ValueRef::Json(b"1")).with_expiry(kv_core::Expiry::after(LONG)),
        PutItem::new("b", ValueRef::Bytes(b"2")),
    ];
    let written = kv.put_items(&items, &PutOptions::default()).await.unwrap();
    assert!(written[0].as_ref().unwrap().expires().is_some() && written[1].as_ref().unwrap().expires().is_none());
    let got = kv.get_bytes("b").await.unwrap();
    assert_eq!(got.as_deref(), Some(&b"2"[..]));
    let got = kv.increment("a", 4).await.unwrap();
    assert_eq!(got, 5);
    let got = kv.compare_and_swap("a", Some(&5), Some(&6)).await.unwrap();
    assert!(got);
    let got = kv.get_and_put("a", &7).await.unwrap();
    assert_eq!(got, Some(6));
    let got = kv.take::<i32>("a").await.unwrap();
    assert_eq!(got, Some(7));
    let got = kv.delete_many(&["a", "b"]).await.unwrap();
    assert_eq!(got, 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_store_is_given_the_shorter_limit() {
    let slow = Arc::new(Slow::opened());
    let store = Timeout::new(Arc::clone(&slow), LONG).unwrap().with_limit(Operation::Delete, 2 * LONG).unwrap();
    let kv = Kv::new(store);
    kv.get::<u8>("k").await.unwrap();
    kv.delete("k").await.unwrap();
    kv.with_timeout(LONG / 2).get::<u8>("k").await.unwrap();
    kv.with_timeout(3 * LONG).put("k", &1).await.unwrap();
    assert_eq!(*slow.given.lock(), [Some(LONG), Some(2 * LONG), Some(LONG / 2), Some(LONG)]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_longest_limit_is_no_overflow() {
    let kv = Kv::new(Timeout::new(Slow::opened(), Duration::MAX).unwrap());
    kv.put("k", &1).await.unwrap();
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_short_limit_of_the_caller_is_kept() {
    let kv = Kv::new(Timeout::new(Slow::default(), LONG).unwrap()).with_timeout(SHORT);
    let error = kv.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[cfg_attr(feature = "is_sync", path = "tests/stragglers_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "tests/stragglers_async.rs")]
mod stragglers;

#[cfg(feature = "faults")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn only_what_hangs_is_late() {
    use crate::wrappers::{Fault, Faults};

    let store = Faults::new(MemoryStore::new());
    let faults = store.handle();
    let kv = Kv::new(Timeout::new(store, LONG).unwrap().with_limit(Operation::Put, SHORT).unwrap());
    faults.inject(Fault::held().on(Operation::Put));
    let error = kv.put("k", &1).await.unwrap_err();
    assert_eq!((error.store(), error.outcome_unknown()), (Some("Timeout"), true));
    let got = kv.increment("other", 1).await.unwrap();
    assert_eq!(got, 1);
    faults.inject(Fault::lost_answer(ErrorKind::Connection).on(Operation::Increment));
    let error = kv.increment("other", 1).await.unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::Connection, Some("Faults")), "an answer is passed on");
    faults.clear();
}

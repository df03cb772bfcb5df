//! Who computes, how often, and what the others get.

use std::sync::atomic::{AtomicUsize, Ordering};

use kv_core::{Condition, ManualClock, TimeLeft, Timestamp};

use super::*;
use crate::Kv;
use crate::stores::{NullStore, SimpleStore};
use crate::testing::{CAN_DROP, Task, dropped_midway, start};

const TICK: Duration = Duration::from_millis(5);

/// Many who miss the same key. The computation lasts until all are there.
struct Crowd {
    kv: Kv,
    options: InsertOptions,
    expected: usize,
    arrived: AtomicUsize,
    computed: AtomicUsize,
    panics_left: AtomicUsize,
    fails: bool,
}

impl Crowd {
    fn of(expected: usize, kv: Kv) -> Self {
        let zero = AtomicUsize::default;
        let (arrived, computed, panics_left) = (zero(), zero(), zero());
        Self { kv, options: InsertOptions::default(), expected, arrived, computed, panics_left, fails: false }
    }

    fn computed(&self) -> usize {
        self.computed.load(Ordering::SeqCst)
    }
}

#[maybe_async::maybe_async]
impl Crowd {
    async fn compute(&self, number: usize) -> Result<usize> {
        while self.arrived.load(Ordering::SeqCst) < self.expected {
            flavour::sleep(TICK).await;
        }
        let panics = self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(panics.is_err(), "a leader panics on purpose");
        // Those who have arrived have all but joined.
        flavour::sleep(10 * TICK).await;
        self.computed.fetch_add(1, Ordering::SeqCst);
        if self.fails { Err(Error::new(ErrorKind::Backend, "it fails on purpose")) } else { Ok(number) }
    }
}

#[maybe_async::maybe_async]
impl Task for Crowd {
    type Output = Result<usize>;

    async fn run(&self, number: usize) -> Result<usize> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        // A handle of its own each, of the same store.
        let items = Kv::from_arc(Arc::clone(self.kv.store())).collection("items");
        items.get_or_insert_with("k", &self.options, || self.compute(number)).await
    }
}

#[maybe_async::maybe_async]
async fn answers(crowd: &Arc<Crowd>) -> Vec<Option<Result<usize>>> {
    let running: Vec<_> = (0..crowd.expected).map(|number| start(crowd, number)).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.output().await);
    }
    answers
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_thousand_who_miss_one_key_compute_once() {
    let crowd = Arc::new(Crowd::of(1000, Kv::new(SimpleStore::new())));
    let answers = answers(&crowd).await;
    let first = *answers[0].as_ref().unwrap().as_ref().unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap().unwrap() == first));
    assert_eq!(crowd.computed(), 1);
    let stored: Option<usize> = crowd.kv.collection("items").get("k").await.unwrap();
    assert_eq!(stored, Some(first));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_that_keeps_nothing_does_not_make_followers_compute() {
    let crowd = Arc::new(Crowd::of(50, Kv::new(NullStore::new())));
    let answers = answers(&crowd).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_ok()));
    assert_eq!(crowd.computed(), 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_leader_that_panics_hands_over() {
    let mut crowd = Crowd::of(20, Kv::new(SimpleStore::new()));
    crowd.panics_left = AtomicUsize::new(3);
    let crowd = Arc::new(crowd);
    let answers = answers(&crowd).await;
    let panicked = answers.iter().filter(|answer| answer.is_none()).count();
    assert_eq!((panicked, crowd.computed()), (3, 1));
    assert!(answers.into_iter().flatten().all(|answer| answer.is_ok()));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_failure_is_told_to_all_and_nothing_is_written() {
    let mut crowd = Crowd::of(20, Kv::new(SimpleStore::new()));
    crowd.fails = true;
    let crowd = Arc::new(crowd);
    for answer in answers(&crowd).await {
        assert_eq!(answer.unwrap().unwrap_err().message(), "it fails on purpose");
    }
    assert_eq!(crowd.computed(), 1);
    let exists = crowd.kv.collection("items").exists("k").await.unwrap();
    assert!(!exists);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_dropped_leader_holds_nobody_up() {
    // It is dropped before all have arrived, if it can be.
    let crowd = Arc::new(Crowd::of(2, Kv::new(SimpleStore::new())));
    if CAN_DROP {
        let dropped = dropped_midway(&crowd, 0).await;
        assert!(dropped);
        crowd.arrived.store(0, Ordering::SeqCst);
    }
    let answers = answers(&crowd).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_ok()));
    assert_eq!(crowd.computed(), 1);
}

#[maybe_async::maybe_async]
async fn seven() -> Result<u32> {
    Ok(7)
}

/// Computes 7 after somebody else has put 8.
#[maybe_async::maybe_async]
async fn overtaken(kv: &Kv) -> Result<u32> {
    kv.put("k", &8).await?;
    Ok(7)
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_put_meanwhile_is_not_overwritten() {
    let kv = Kv::new(SimpleStore::new());
    let value: u32 = kv.get_or_insert_with("k", &InsertOptions::default(), || overtaken(&kv)).await.unwrap();
    assert_eq!(value, 8);
    let stored: Option<u32> = kv.get("k").await.unwrap();
    assert_eq!(stored, Some(8));
}

#[maybe_async::maybe_async]
async fn not_asked() -> Result<u32> {
    panic!("the value is there")
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn it_is_written_as_the_options_say_and_then_read() {
    let kv = Kv::new(SimpleStore::new().with_clock(ManualClock::new(Timestamp::UNIX_EPOCH)));
    let options = InsertOptions::ttl(60.0);
    let value: u32 = kv.get_or_insert_with("k", &options, seven).await.unwrap();
    assert_eq!(value, 7);
    let left = kv.ttl("k").await.unwrap();
    assert_eq!(left, Some(TimeLeft::For(Duration::from_secs(60))));
    let value: u32 = kv.get_or_insert_with("k", &options, not_asked).await.unwrap();
    assert_eq!(value, 7);

    let versioned = kv.typed::<u32>().with_version(2, |old| Ok(old.decode::<u32>()? + 1)).unwrap();
    let value = versioned.get_or_insert_with("k", &options, not_asked).await.unwrap();
    assert_eq!(value, 8, "an older version is a hit");
    let value = versioned.get_or_insert_with("new", &options, seven).await.unwrap();
    assert_eq!(value, 7);
    let value = versioned.get("new").await.unwrap();
    assert_eq!(value, Some(7));

    let conditional = InsertOptions::default().with_put(PutOptions::default().with_condition(Condition::IfAbsent));
    let error = kv.get_or_insert_with("other", &conditional, seven).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidArgument, Some("other")));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_misfit_that_counts_as_missing_is_computed_anew() {
    let kv = Kv::new(SimpleStore::new());
    kv.put("k", "text").await.unwrap();
    let error = kv.get_or_insert_with("k", &InsertOptions::default(), seven).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let typed = kv.typed::<u32>().with_misfits_missing();
    let value = typed.get_or_insert_with("k", &InsertOptions::default(), seven).await.unwrap();
    assert_eq!(value, 7);
    let stored: Option<u32> = kv.get("k").await.unwrap();
    assert_eq!(stored, Some(7));
}

/// A collection whose lease on `k` is somebody else's, and the clock that ends it.
#[maybe_async::maybe_async]
async fn leased_by_another() -> (Kv, ManualClock, String) {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let kv = Kv::new(SimpleStore::new().with_clock(clock.clone()));
    let lease = lease_key(kv.at("k"));
    let minute = PutOptions::ttl(60.0);
    let _ = kv.collection(LEASES).put_with(&lease, &true, &minute).await.unwrap();
    (kv, clock, lease)
}

/// One who waits for a lease, and one who lets something happen meanwhile.
struct Waiting {
    kv: Kv,
    meanwhile: Box<dyn Fn() + Send + Sync>,
    writes: bool,
}

#[maybe_async::maybe_async]
impl Task for Waiting {
    type Output = Option<u32>;

    async fn run(&self, number: usize) -> Option<u32> {
        if number == 0 {
            let options = InsertOptions::default().with_lease(Duration::from_secs(60));
            return Some(self.kv.get_or_insert_with("k", &options, seven).await.unwrap());
        }
        flavour::sleep(10 * TICK).await;
        if self.writes {
            self.kv.put("k", &8).await.unwrap();
        }
        (self.meanwhile)();
        None
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_lease_whose_holder_died_ends_by_its_ttl() {
    let (kv, clock, lease) = leased_by_another().await;
    let meanwhile = Box::new(move || clock.advance(Duration::from_secs(61)));
    let answers = crate::testing::together(2, Waiting { kv: kv.clone(), meanwhile, writes: false }).await;
    assert_eq!(answers[0], Some(7));
    let kept = kv.collection(LEASES).exists(&lease).await.unwrap();
    assert!(!kept, "a lease is freed after use");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_the_holder_of_a_lease_writes_is_found() {
    let (kv, _clock, lease) = leased_by_another().await;
    let answers =
        crate::testing::together(2, Waiting { kv: kv.clone(), meanwhile: Box::new(|| {}), writes: true }).await;
    assert_eq!(answers[0], Some(8));
    let kept = kv.collection(LEASES).exists(&lease).await.unwrap();
    assert!(kept, "another's lease is left alone");
}

#[maybe_async::maybe_async]
async fn fails() -> Result<u32> {
    Err(Error::new(ErrorKind::Backend, "it fails on purpose"))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_failure_frees_the_lease_and_a_store_without_conditions_has_none() {
    let kv = Kv::new(SimpleStore::new());
    let options = InsertOptions::default().with_lease(Duration::from_secs(3600));
    let error = kv.get_or_insert_with("k", &options, fails).await.unwrap_err();
    assert_eq!(error.message(), "it fails on purpose");
    let value = kv.get_or_insert_with("k", &options, seven).await.unwrap();
    assert_eq!(value, 7);

    let error = Kv::new(NullStore::new()).get_or_insert_with("k", &options, seven).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("k")));
}

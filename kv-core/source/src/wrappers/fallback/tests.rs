use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use kv_core::{KeyFilter, ListOptions, ManualClock};

use super::super::request::{Effect, Request};
use super::super::testing::{secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

const UP: u8 = 0;
/// Nothing arrives.
const DOWN: u8 = 1;
/// Everything arrives, and no answer to a write comes back.
const MUTE: u8 = 2;

/// A store whose backend comes and goes.
#[derive(Debug)]
struct Moody {
    store: SimpleStore,
    mood: Arc<AtomicU8>,
}

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Around for Moody {
    type Inner = SimpleStore;
    const NAME: &'static str = "Moody";

    fn inner(&self) -> &SimpleStore {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        let mood = self.mood.load(Ordering::SeqCst);
        if mood == DOWN {
            return Err(Error::new(ErrorKind::Connection, "down"));
        }
        let answer = request.send(&self.store).await;
        if mood == MUTE && request.effect() != Effect::None {
            return Err(Error::new(ErrorKind::Timeout, "mute").with_outcome_unknown());
        }
        answer
    }
}

struct Pair {
    kv: Kv,
    stack: Arc<Fallback<Arc<Moody>, Arc<Moody>>>,
    one: Kv,
    two: Kv,
    first: Arc<AtomicU8>,
    second: Arc<AtomicU8>,
    known: DivergenceHandle,
    clock: ManualClock,
}

fn pair(most: usize, through: bool) -> Pair {
    let (store, clock) = stopped();
    let (first, second) = (Arc::<AtomicU8>::default(), Arc::<AtomicU8>::default());
    let other = SimpleStore::new().with_clock(clock.clone());
    let one = Arc::new(Moody { store, mood: Arc::clone(&first) });
    let two = Arc::new(Moody { store: other, mood: Arc::clone(&second) });
    let stack = Fallback::new(Arc::clone(&one), Arc::clone(&two)).with_max_diverged(most);
    let stack = Arc::new(if through { stack.with_write_through() } else { stack });
    let known = stack.handle();
    let kv = Kv::new(Arc::clone(&stack));
    Pair { kv, stack, one: Kv::new(one), two: Kv::new(two), first, second, known, clock }
}

impl Pair {
    fn set(&self, first: u8, second: u8) {
        self.first.store(first, Ordering::SeqCst);
        self.second.store(second, Ordering::SeqCst);
    }

    #[maybe_async::maybe_async]
    async fn holds(&self, key: &str, first: Option<i64>, second: Option<i64>) {
        self.set(UP, UP);
        let one = self.one.get::<i64>(key).await.unwrap();
        let two = self.two.get::<i64>(key).await.unwrap();
        assert_eq!((one, two), (first, second), "{key}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_outage_is_bridged_and_a_miss_is_an_answer() {
    let pair = pair(9, false);
    pair.two.put("k", &2).await.unwrap();
    let got = pair.kv.get::<i64>("k").await.unwrap();
    assert_eq!(got, None, "a miss of the first is a miss");
    pair.set(DOWN, UP);
    let got = pair.kv.get::<i64>("k").await.unwrap();
    assert_eq!(got, Some(2));
    let got = pair.kv.get_many::<i64>(&["k", "no"]).await.unwrap();
    assert!(matches!((&got[0], &got[1]), (Ok(Some(2)), Ok(None))));
    let got = pair.kv.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["k"]);
    let got = pair.kv.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 1);
    let got = pair.kv.all_collections().await.unwrap();
    assert_eq!(got.len(), 1);
    pair.kv.ping().await.unwrap();
    assert_eq!(pair.known.report().second_reads, 6);
    let error = pair.kv.put("k", &3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "writes need the first");
    pair.set(DOWN, DOWN);
    let error = pair.kv.get::<i64>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    pair.holds("k", None, Some(2)).await;
    assert!(pair.known.report().is_empty());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_written_is_in_both() {
    let pair = pair(9, true);
    let kv = &pair.kv;
    kv.put_with("ttl", &1, &PutOptions::ttl(secs(5))).await.unwrap();
    kv.put_many(&[("a", 1), ("b", 2)], &PutOptions::default()).await.unwrap();
    kv.put_if_absent("c", &3).await.unwrap().unwrap();
    let got = kv.put_if_absent("c", &4).await.unwrap();
    assert!(got.is_none());
    kv.increment("a", 4).await.unwrap();
    kv.take::<i64>("b").await.unwrap();
    kv.delete("no").await.unwrap();
    pair.holds("a", Some(5), Some(5)).await;
    pair.holds("b", None, None).await;
    pair.holds("c", Some(3), Some(3)).await;
    kv.delete_many(&["a", "c"]).await.unwrap();
    pair.holds("a", None, None).await;
    pair.clock.advance(secs(5));
    pair.holds("ttl", None, None).await;
    kv.put("x", &1).await.unwrap();
    kv.clear().await.unwrap();
    pair.holds("x", None, None).await;
    assert!(pair.known.report().is_empty());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_was_written_and_deleted_in_an_outage_is_so_afterwards() {
    for bulk in [false, true] {
        let pair = pair(9, true);
        let kv = &pair.kv;
        kv.put_many(&[("gone", 1), ("changed", 1), ("counter", 1)], &PutOptions::default()).await.unwrap();
        pair.set(DOWN, UP);
        if bulk {
            kv.delete_many(&["gone"]).await.unwrap();
            kv.put_many(&[("changed", 2), ("counter", 7)], &PutOptions::default()).await.unwrap();
        } else {
            kv.delete("gone").await.unwrap();
            kv.put("changed", &2).await.unwrap();
            kv.put("counter", &7).await.unwrap();
        }
        let got = kv.get::<i64>("changed").await.unwrap();
        assert_eq!(got, Some(2));
        let got = kv.get_many::<i64>(&["gone", "changed"]).await.unwrap();
        assert!(matches!((&got[0], &got[1]), (Ok(None), Ok(Some(2)))));
        let error = kv.increment("counter", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "what depends on what is there needs the first");
        let error = kv.put_if_absent("gone", &3).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let report = pair.known.report();
        let names: Vec<_> = report.names.iter().map(|name| (name.key.as_str(), name.newer)).collect();
        assert_eq!(names, [("changed", Newer::Second), ("counter", Newer::Second), ("gone", Newer::Second)]);

        // The first is back with what it had.
        pair.set(UP, UP);
        let got = pair.one.get::<i64>("gone").await.unwrap();
        assert_eq!(got, Some(1));
        let got = kv.get::<i64>("gone").await.unwrap();
        assert_eq!(got, None, "not resurrected");
        let got = kv.increment("counter", 1).await.unwrap();
        assert_eq!(got, 8);
        let got = kv.all_keys(&KeyFilter::all()).await.unwrap();
        assert_eq!(got, ["changed", "counter"]);
        assert!(pair.known.report().is_empty());
        pair.holds("gone", None, None).await;
        pair.holds("changed", Some(2), Some(2)).await;
        pair.holds("counter", Some(8), Some(8)).await;
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_the_second_missed_it_is_not_asked_for() {
    let pair = pair(9, true);
    let kv = &pair.kv;
    kv.put_many(&[("gone", 1), ("changed", 1), ("same", 1)], &PutOptions::default()).await.unwrap();
    pair.set(UP, DOWN);
    kv.delete("gone").await.unwrap();
    kv.increment("changed", 1).await.unwrap();
    let names = pair.known.report().names;
    assert!(names.len() == 2 && names.iter().all(|name| name.newer == Newer::First));

    pair.set(DOWN, UP);
    for key in ["gone", "changed"] {
        let error = kv.get::<i64>(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{key}");
    }
    let got = kv.get_many::<i64>(&["gone", "same"]).await.unwrap();
    assert!(got[0].is_err() && matches!(got[1], Ok(Some(1))));
    let error = kv.all_keys(&KeyFilter::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);

    // A write that reaches only the second makes that one right.
    kv.put("changed", &9).await.unwrap();
    let got = kv.get::<i64>("changed").await.unwrap();
    assert_eq!(got, Some(9));
    pair.set(UP, UP);
    let got = pair.stack.reconcile().await.unwrap();
    assert_eq!(got, 2);
    pair.holds("gone", None, None).await;
    pair.holds("changed", Some(9), Some(9)).await;
    assert!(pair.known.report().is_empty());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_write_that_failed_in_both_makes_neither_right() {
    let pair = pair(9, true);
    let kv = &pair.kv;
    kv.put("k", &1).await.unwrap();
    pair.set(UP, DOWN);
    kv.put("k", &2).await.unwrap();
    pair.set(DOWN, DOWN);
    let error = kv.put("k", &3).await.unwrap_err();
    assert!(!error.outcome_unknown());
    kv.delete("k").await.unwrap_err();
    kv.put_many(&[("new", 3)], &PutOptions::default()).await.unwrap_err();
    kv.delete_many(&["other"]).await.unwrap_err();
    let names = pair.known.report().names;
    assert_eq!((names.len(), names[0].key.as_str(), names[0].newer), (1, "k", Newer::First));
    pair.set(UP, UP);
    pair.stack.reconcile().await.unwrap();
    pair.holds("k", Some(2), Some(2)).await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_lost_answer_leaves_no_older_value_behind() {
    let pair = pair(9, true);
    let kv = &pair.kv;
    kv.put("k", &1).await.unwrap();
    kv.put("n", &1).await.unwrap();
    pair.set(MUTE, UP);
    kv.put("k", &2).await.unwrap();
    let error = kv.increment("n", 1).await.unwrap_err();
    assert!(error.outcome_unknown());
    pair.set(DOWN, UP);
    let error = kv.get::<i64>("n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "the second may be behind");
    pair.set(UP, UP);
    pair.stack.reconcile().await.unwrap();
    pair.holds("k", Some(2), Some(2)).await;
    pair.holds("n", Some(2), Some(2)).await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_full_list_takes_no_more_and_trusts_the_second_no_more() {
    let pair = pair(1, true);
    let kv = &pair.kv;
    kv.put("same", &1).await.unwrap();
    pair.set(DOWN, UP);
    kv.put("k", &1).await.unwrap();
    let error = kv.put("other", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    kv.put_many(&[("k2", 1), ("k3", 1)], &PutOptions::default()).await.unwrap_err();
    kv.delete_many(&["k2"]).await.unwrap_err();
    pair.holds("other", None, None).await;
    pair.holds("k2", None, None).await;
    pair.set(UP, DOWN);
    kv.put("a", &1).await.unwrap();
    kv.put("b", &1).await.unwrap();
    assert!(pair.known.report().unnamed > 0);
    pair.set(DOWN, UP);
    let error = kv.get::<i64>("same").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    pair.known.forget();
    let got = kv.get::<i64>("same").await.unwrap();
    assert_eq!(got, Some(1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_clear_that_the_second_missed_is_not_undone_by_it() {
    let pair = pair(9, true);
    pair.kv.put("k", &1).await.unwrap();
    pair.set(UP, DOWN);
    pair.kv.clear().await.unwrap();
    assert_eq!(pair.known.report().unnamed, 1);
    pair.set(DOWN, UP);
    let error = pair.kv.get::<i64>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let error = pair.kv.clear().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_listing_goes_on_where_it_began() {
    let pair = pair(9, true);
    pair.kv.put_many(&[("a", 1), ("b", 1), ("c", 1)], &PutOptions::default()).await.unwrap();
    let page = pair.kv.keys(&ListOptions::default().with_limit(2)).await.unwrap();
    assert_eq!(page.items, ["a", "b"]);
    let rest = ListOptions::default().with_cursor(page.next);
    pair.set(DOWN, UP);
    let error = pair.kv.keys(&rest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let page = pair.kv.keys(&ListOptions::default().with_limit(2)).await.unwrap();
    pair.set(UP, UP);
    let page = pair.kv.keys(&ListOptions::default().with_cursor(page.next)).await.unwrap();
    assert_eq!(page.items, ["c"]);
    let bad = ListOptions::default().with_cursor(Some(kv_core::Cursor::new("x")));
    let error = pair.kv.keys(&bad).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn it_says_what_both_can_do() {
    let pair = pair(9, true);
    assert_eq!(pair.kv.describe().to_string(), "Fallback(Moody → Simple) → Moody → Simple");
    let can = pair.kv.capabilities().await.unwrap();
    assert_eq!((can.conditional, can.atomic_batches), (Atomicity::ProcessLocal, false));
    pair.kv.setup().await.unwrap();
    pair.set(DOWN, UP);
    pair.kv.setup().await.unwrap();
    pair.kv.capabilities().await.unwrap();
    pair.set(DOWN, DOWN);
    pair.kv.setup().await.unwrap_err();
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn turns_are_taken_once_and_in_order() {
    let keys: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let turns = turns_of("c", keys.iter().map(String::as_str));
    assert_eq!(turns, (0..TURNS).collect::<Vec<_>>(), "all of them, for so many keys");
    let pair = pair(9, true);
    // One that took a turn twice would wait for itself.
    let items: Vec<(&str, i64)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    pair.kv.put_many(&items, &PutOptions::default()).await.unwrap();
    let got = pair.kv.delete_many(&keys).await.unwrap();
    assert_eq!(got, 1000);
}

#[cfg(feature = "faults")]
mod random;

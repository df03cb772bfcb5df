//! What a cache must never do, and when it asks whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kv_core::{Condition, DEFAULT_COLLECTION, ManualClock, Metadata, Operation, TimeLeft};

use super::super::request::Request;
use super::super::testing::{secs, stopped};
use super::*;
use crate::Kv;
use crate::stores::SimpleStore;
use crate::testing::{CAN_DROP, Task, dropped_midway, start};

#[cfg(feature = "faults")]
mod faults;

const TICK: Duration = Duration::from_millis(5);

/// A store that can be cut off, counts its calls, and can be held up between what it does and its answer.
#[derive(Debug)]
struct Stage {
    store: SimpleStore,
    is_off: AtomicBool,
    calls: AtomicUsize,
    /// How many calls are yet to be held up, and whether they are let go.
    to_hold: AtomicUsize,
    held: AtomicUsize,
    is_open: AtomicBool,
}

impl Stage {
    fn new() -> (Arc<Self>, ManualClock) {
        let (store, clock) = stopped();
        let (calls, to_hold, held) = Default::default();
        let (is_off, is_open) = Default::default();
        (Arc::new(Self { store, is_off, calls, to_hold, held, is_open }), clock)
    }

    fn cut(&self, is_off: bool) {
        self.is_off.store(is_off, Ordering::SeqCst);
    }

    /// Calls since this was last asked.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    fn hold_next(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.to_hold.store(1, Ordering::SeqCst);
    }

    #[maybe_async::maybe_async]
    async fn until_held(&self) {
        while self.held.load(Ordering::SeqCst) == 0 {
            flavour::sleep(TICK).await;
        }
    }

    fn let_go(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Around for Stage {
    type Inner = SimpleStore;
    const NAME: &'static str = "Stage";

    fn inner(&self) -> &SimpleStore {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_off.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Connection, "cut off"));
        }
        let answer = request.send(&self.store).await;
        if self.to_hold.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            self.held.fetch_add(1, Ordering::SeqCst);
            while !self.is_open.load(Ordering::SeqCst) {
                flavour::sleep(TICK).await;
            }
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
        answer
    }
}

type Cache = PassthroughCache<Arc<Stage>, Arc<Stage>>;

/// Near, far, the far store's clock and the near store's.
struct Scene {
    near: Arc<Stage>,
    far: Arc<Stage>,
    clock: ManualClock,
    near_clock: ManualClock,
}

impl Scene {
    fn new() -> Self {
        let ((near, near_clock), (far, clock)) = (Stage::new(), Stage::new());
        Self { near, far, clock, near_clock }
    }

    fn cache(&self) -> Cache {
        PassthroughCache::new(Arc::clone(&self.near), Arc::clone(&self.far))
    }

    fn pass(&self, secs_passed: u64) {
        self.clock.advance(secs(secs_passed));
        self.near_clock.advance(secs(secs_passed));
    }

    /// Past the cache.
    fn behind(&self) -> Kv {
        Kv::from_arc(Arc::clone(&self.far) as Arc<dyn Store>)
    }
}

#[maybe_async::maybe_async]
async fn get(kv: &Kv, key: &str) -> Result<Option<u64>> {
    kv.get(key).await
}

/// Reads one key, or several, through a handle.
struct Read(Kv, &'static [&'static str]);

#[maybe_async::maybe_async]
impl Task for Read {
    type Output = Result<Option<u64>>;

    async fn run(&self, _number: usize) -> Result<Option<u64>> {
        match self.1 {
            [key] => self.0.get(key).await,
            keys => self.0.get_many(keys).await?.swap_remove(0),
        }
    }
}

struct Write(Kv);

#[maybe_async::maybe_async]
impl Task for Write {
    type Output = ();

    async fn run(&self, number: usize) {
        self.0.put("k", &number).await.unwrap();
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_read_that_began_before_a_write_leaves_no_stale_copy() {
    for keys in [&["k"][..], &["k", "other"]] {
        let scene = Scene::new();
        let kv = Kv::new(scene.cache());
        kv.put("k", &1).await.unwrap();
        scene.far.hold_next();
        // It has read the old entry, and is held up before it can keep it.
        let reader = start(&Arc::new(Read(kv.clone(), keys)), 0);
        scene.far.until_held().await;
        kv.put("k", &2).await.unwrap();
        let meanwhile = get(&kv, "k").await.unwrap();
        assert_eq!(meanwhile, Some(2), "nobody who comes after the write waits for what was read before it");
        scene.far.let_go();
        let old = reader.output().await.unwrap().unwrap();
        assert_eq!(old, Some(1));
        let after = get(&kv, "k").await.unwrap();
        assert_eq!(after, Some(2), "{keys:?}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn reads_during_a_write_see_what_is_there_and_copy_nothing() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    kv.put("k", &1).await.unwrap();
    get(&kv, "k").await.unwrap();
    scene.far.hold_next();
    // It is done, and has not been answered.
    let writer = start(&Arc::new(Write(kv.clone())), 2);
    scene.far.until_held().await;
    scene.near.calls();
    let one = get(&kv, "k").await.unwrap();
    let many = kv.get_many::<u64>(&["k"]).await.unwrap().remove(0).unwrap();
    let copy = scene.near.store.get(Name::new(DEFAULT_COLLECTION, "k"), &GetOptions::default()).await.unwrap();
    assert_eq!((one, many), (Some(2), Some(2)));
    let copied = copy.map(|copy| kv_core::cache::Copied::read(copy.as_bytes().unwrap()).unwrap().entry().unwrap());
    let copied = copied.flatten().map(|entry| entry.decode::<u64>().unwrap());
    assert_eq!(copied, Some(1), "as it was before, and no good");
    scene.far.let_go();
    writer.output().await.unwrap();
    let after = get(&kv, "k").await.unwrap();
    assert_eq!(after, Some(2));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_copy_that_lands_after_a_write_is_no_good() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    kv.put("k", &1).await.unwrap();
    // The look, and then the fill: held up after it was done, so that the write's own delete comes before nothing.
    let first = get(&kv, "k").await.unwrap();
    assert_eq!(first, Some(1));
    let copy = scene.near.store.get(Name::new(DEFAULT_COLLECTION, "k"), &GetOptions::default()).await.unwrap().unwrap();
    kv.put("k", &2).await.unwrap();
    let late = PutOptions::of_record(&copy.record());
    scene.near.store.put(Name::new(DEFAULT_COLLECTION, "k"), copy.value(), &late).await.unwrap();
    let after = get(&kv, "k").await.unwrap();
    assert_eq!(after, Some(2));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_write_makes_copies_stale_even_if_the_near_store_is_gone() {
    let all = kv_core::KeyFilter::all();
    for number in 0..9 {
        let scene = Scene::new();
        let kv = Kv::new(scene.cache());
        kv.put("k", &1).await.unwrap();
        kv.get::<u64>("k").await.unwrap();
        scene.near.cut(true);
        let expected = match number {
            0 => kv.put("k", &2).await.map(|_| Some(2)),
            1 => kv.put_many(&[("k", 2), ("l", 2)], &PutOptions::default()).await.map(|_| Some(2)),
            2 => kv.delete("k").await.map(|_| None),
            3 => kv.delete_many(&["k", "l"]).await.map(|_| None),
            4 => kv.increment("k", 1).await.map(|_| Some(2)),
            5 => kv.clear().await.map(|_| None),
            6 => kv.destroy().await.map(|_| None),
            7 => kv.compare_and_swap("k", Some(&1), Some(&2)).await.map(|_| Some(2)),
            _ => kv.take::<u64>("k").await.map(|_| None),
        };
        scene.near.cut(false);
        let expected = expected.unwrap();
        let after = get(&kv, "k").await.unwrap();
        assert_eq!(after, expected, "write {number}");
        let count = kv.count(&all).await.unwrap();
        assert_eq!(count > 0, expected.is_some(), "write {number}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_write_that_is_dropped_midway_counts() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    kv.put("k", &1).await.unwrap();
    kv.get::<u64>("k").await.unwrap();
    if CAN_DROP {
        scene.far.hold_next();
    }
    // It is done, and nobody hears of it.
    let dropped = dropped_midway(&Arc::new(Write(kv.clone())), 2).await;
    assert_eq!(dropped, CAN_DROP);
    let after = get(&kv, "k").await.unwrap();
    assert_eq!(after, Some(if CAN_DROP { 2 } else { 1 }));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_hit_asks_the_near_store_alone_and_is_the_whole_entry() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    let notes = Metadata::new().with("a", "b");
    let options = PutOptions::ttl(secs(60)).with_metadata(notes);
    let written = kv.put_with("k", &1, &options).await.unwrap().written().unwrap();
    let miss = kv.get_entry("k").await.unwrap().unwrap();
    scene.far.calls();
    scene.pass(20);
    let hit = kv.get_entry("k").await.unwrap().unwrap();
    for entry in [&miss, &hit] {
        assert_eq!((entry.as_json(), entry.revision()), (Some("1"), written.revision()));
        assert_eq!((entry.expires(), entry.created()), (written.expires(), miss.created()));
        assert_eq!(entry.metadata().and_then(|notes| notes.get("a")), Some("b"));
    }
    let exists = kv.exists("k").await.unwrap();
    let left = kv.ttl("k").await.unwrap().and_then(TimeLeft::duration);
    assert_eq!((exists, left), (true, Some(secs(40))), "of the entry, not of the copy");
    assert_eq!(scene.far.calls(), 0);
    // A condition on the revision of a copy is one on the entry.
    let on_it = PutOptions::default().with_condition(Condition::IfRevision(hit.revision()));
    let first = kv.put_with("k", &2, &on_it).await.unwrap();
    let again = kv.put_with("k", &3, &on_it).await.unwrap();
    assert!(first.is_written() && !again.is_written());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_hit_of_a_near_store_that_has_it_at_hand_is_as_any_other() {
    let scene = Scene::new();
    let near = Arc::new(crate::stores::MemoryStore::new().with_clock(scene.near_clock.clone()));
    let kv = Kv::new(PassthroughCache::new(near, Arc::clone(&scene.far)));
    kv.put_with("k", &1, &PutOptions::ttl(secs(60))).await.unwrap();
    let miss = kv.get_entry("k").await.unwrap().unwrap();
    scene.far.calls();
    let hit = kv.get_entry("k").await.unwrap().unwrap();
    assert_eq!((hit.as_json(), hit.revision(), hit.expires()), (Some("1"), miss.revision(), miss.expires()));
    assert_eq!(scene.far.calls(), 0);
    kv.put_with("k", &2, &PutOptions::ttl(secs(60))).await.unwrap();
    for expected in [Some(2), Some(2)] {
        let read = get(&kv, "k").await.unwrap();
        assert_eq!(read, expected);
    }
    // The near store's clock stands still.
    scene.clock.advance(secs(60));
    let read = get(&kv, "k").await.unwrap();
    assert_eq!(read, None);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_change_that_was_built_on_an_old_copy_is_tried_on_the_new_entry() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    kv.put("k", &1).await.unwrap();
    kv.get::<u64>("k").await.unwrap();
    scene.behind().put("k", &10).await.unwrap();
    let seen = get(&kv, "k").await.unwrap();
    assert_eq!(seen, Some(1), "what others write is seen when the copy ends");
    kv.update("k", |old: Option<u64>| old.map(|old| old + 1)).await.unwrap();
    let after = get(&scene.behind(), "k").await.unwrap();
    assert_eq!(after, Some(11));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_value_is_a_hit_and_nothing_is_one_if_wished() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    for json in ["{}", "null", "\"\"", "[]", "false", "0"] {
        let value = ValueRef::Json(json.as_bytes());
        kv.collection(DEFAULT_COLLECTION).put_value("k", value, &PutOptions::default()).await.unwrap();
        kv.get_entry("k").await.unwrap();
        scene.far.calls();
        let hit = kv.get_entry("k").await.unwrap();
        assert_eq!((hit.is_some(), scene.far.calls()), (true, 0), "{json}");
    }
    for expected in [1, 1] {
        kv.get_entry("none").await.unwrap();
        assert_eq!(scene.far.calls(), expected, "not remembered unless wished");
    }
    let kv = Kv::new(scene.cache().with_missing_ttl(secs(5)).unwrap());
    for expected in [1, 0] {
        let none = kv.get_entry("none").await.unwrap();
        assert_eq!((none.is_none(), scene.far.calls()), (true, expected));
    }
    scene.pass(5);
    kv.get_entry("none").await.unwrap();
    assert_eq!(scene.far.calls(), 1);
    kv.put("none", &1).await.unwrap();
    let there = get(&kv, "none").await.unwrap();
    assert_eq!(there, Some(1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_copy_ends_with_its_entry_by_whichever_clock_and_with_the_longest_ttl() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache().with_max_ttl(Some(secs(30))).unwrap());
    kv.put_with("short", &1, &PutOptions::ttl(secs(10))).await.unwrap();
    kv.put("long", &1).await.unwrap();
    kv.get_many::<u64>(&["short", "long"]).await.unwrap();
    // The near store's clock stands still.
    scene.clock.advance(secs(10));
    let short = get(&kv, "short").await.unwrap();
    assert_eq!(short, None);
    scene.near_clock.advance(secs(10));
    scene.behind().put("long", &2).await.unwrap();
    for (passing, expected) in [(19, 1), (1, 2)] {
        scene.pass(passing);
        let long = get(&kv, "long").await.unwrap();
        assert_eq!(long, Some(expected));
    }
    let endless = Kv::new(scene.cache().with_max_ttl(None).unwrap());
    endless.get::<u64>("long").await.unwrap();
    scene.pass(1_000_000);
    scene.far.calls();
    let long = get(&endless, "long").await.unwrap();
    assert_eq!((long, scene.far.calls()), (Some(2), 0));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn reads_and_writes_do_without_the_near_store() {
    let scene = Scene::new();
    let kv = Kv::new(scene.cache());
    scene.near.cut(true);
    kv.setup().await.unwrap();
    kv.put("k", &1).await.unwrap();
    let one = get(&kv, "k").await.unwrap();
    let many = kv.get_many::<u64>(&["k", "none"]).await.unwrap();
    assert_eq!(one, Some(1));
    assert_eq!(many.into_iter().collect::<Result<Vec<_>>>().unwrap(), [Some(1), None]);
    let deleted = kv.delete_many(&["k"]).await.unwrap();
    assert_eq!(deleted, 1);
    // What is no copy is none.
    scene.near.cut(false);
    kv.put("k", &2).await.unwrap();
    Kv::from_arc(Arc::clone(&scene.near) as Arc<dyn Store>).put("k", &9).await.unwrap();
    let one = get(&kv, "k").await.unwrap();
    assert_eq!(one, Some(2));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_outage_of_the_far_store_is_an_error_unless_a_stale_copy_may_stand_in() {
    let scene = Scene::new();
    let cache = |stale| {
        let cache = scene.cache().with_max_ttl(Some(secs(10))).unwrap();
        Kv::new(if stale { cache.with_stale_on_error(secs(100)).unwrap() } else { cache })
    };
    for (stale, kv) in [(false, cache(false)), (true, cache(true))] {
        kv.put("k", &1).await.unwrap();
        kv.put_with("ends", &1, &PutOptions::ttl(secs(20))).await.unwrap();
        kv.put("written", &1).await.unwrap();
        kv.get_many::<u64>(&["k", "ends", "written"]).await.unwrap();
        scene.far.cut(true);
        let good = get(&kv, "k").await.unwrap();
        assert_eq!(good, Some(1), "a good copy needs no far store");
        kv.put("written", &2).await.unwrap_err();
        scene.pass(15);
        let one = get(&kv, "k").await;
        let exists = kv.exists("k").await;
        let many = kv.get_many::<u64>(&["k", "ends"]).await;
        assert_eq!((one.is_ok(), exists.is_ok(), many.is_ok()), (stale, stale, stale));
        let error = kv.get::<u64>("written").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "its fate is not known");
        kv.get_many::<u64>(&["k", "written"]).await.unwrap_err();
        scene.pass(5);
        kv.get::<u64>("ends").await.unwrap_err();
        scene.pass(90);
        kv.get::<u64>("k").await.unwrap_err();
        scene.far.cut(false);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_far_store_is_asked_once_for_what_is_missed() {
    let scene = Scene::new();
    let far = super::super::Statistics::new(Arc::clone(&scene.far));
    let asked = far.handle();
    let kv = Kv::new(PassthroughCache::new(Arc::clone(&scene.near), far));
    kv.put_many(&[("a", 1), ("b", 2), ("c", 3)], &PutOptions::default()).await.unwrap();
    kv.get::<u64>("b").await.unwrap();
    scene.near.calls();
    let read = kv.get_many::<u64>(&["a", "b", "none", "c", "a"]).await.unwrap();
    let read: Vec<_> = read.into_iter().collect::<Result<_>>().unwrap();
    assert_eq!(read, [Some(1), Some(2), None, Some(3), Some(1)]);
    assert_eq!(scene.near.calls(), 2, "one read, one write");
    let snapshot = asked.snapshot();
    let tally = |operation| snapshot.tally(DEFAULT_COLLECTION, operation).calls;
    assert_eq!((tally(Operation::Get), tally(Operation::GetMany)), (1, 4));
    assert_eq!(snapshot.latency(DEFAULT_COLLECTION, Operation::GetMany).count, 1);
    scene.far.calls();
    kv.get_many::<u64>(&["a", "b", "c"]).await.unwrap();
    assert_eq!(scene.far.calls(), 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_thousand_who_miss_are_one_read() {
    let scene = Scene::new();
    scene.behind().put("k", &7).await.unwrap();
    let task = Arc::new(Read(Kv::new(scene.cache()), &["k"]));
    scene.far.calls();
    scene.far.hold_next();
    let readers: Vec<_> = (0..1000).map(|number| start(&task, number)).collect();
    scene.far.until_held().await;
    flavour::sleep(10 * TICK).await;
    scene.far.let_go();
    for reader in readers {
        let read = reader.output().await.unwrap().unwrap();
        assert_eq!(read, Some(7));
    }
    assert_eq!(scene.far.calls(), 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn those_who_wait_for_a_read_that_fails_are_told_why() {
    let scene = Scene::new();
    let task = Arc::new(Read(Kv::new(scene.cache()), &["k"]));
    scene.far.cut(true);
    let readers: Vec<_> = (0..8).map(|number| start(&task, number)).collect();
    for reader in readers {
        let error = reader.output().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Connection, "cut off"));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn copies_of_another_cache_are_good_only_if_shared() {
    for is_shared in [false, true] {
        let scene = Scene::new();
        let cache = || if is_shared { scene.cache().with_shared_near() } else { scene.cache() };
        let (one, other) = (Kv::new(cache()), Kv::new(cache()));
        one.put("k", &1).await.unwrap();
        one.get::<u64>("k").await.unwrap();
        scene.far.calls();
        let read = get(&other, "k").await.unwrap();
        assert_eq!((read, scene.far.calls()), (Some(1), usize::from(!is_shared)));
        one.put("k", &2).await.unwrap();
        let read = get(&one, "k").await.unwrap();
        assert_eq!(read, Some(2));
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let cache = || Scene::new().cache();
    for refused in [
        cache().with_max_ttl(Some(Duration::ZERO)),
        cache().with_max_ttl(Some(Duration::MAX)),
        cache().with_missing_ttl(Duration::ZERO),
        cache().with_stale_on_error(Duration::ZERO),
        cache().with_max_ttl(None).and_then(|cache| cache.with_stale_on_error(secs(1))),
        cache().with_stale_on_error(secs(1)).and_then(|cache| cache.with_max_ttl(None)),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
    }
    let description = Store::describe(&cache());
    assert_eq!(description.to_string(), "PassthroughCache(Stage → Simple) → Stage → Simple");
}

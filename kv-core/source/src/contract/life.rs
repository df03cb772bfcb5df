//! L1, L3, L4, L6: life of a store and its handles.

use kv_core::{KeyFilter, Listing, PutOptions};

use super::case::{Case, Held, MINUTE, is, needs, ok, set_of};
use super::side;
use super::subject::Setting;
use super::tasks::Task;
use crate::collection::Collection;
use crate::kv::Kv;

struct FirstUse;

#[maybe_async::maybe_async]
impl Task for FirstUse {
    type Output = ();

    async fn run(&self, kv: Kv, number: usize) {
        let c = kv.collection("c");
        ok(c.put(&number.to_string(), &number).await, "L1: the first use");
        is(c.get::<usize>(&number.to_string()).await, Some(number), "L1: the first use");
    }
}

/// L1: a store that was only made has done nothing that others would see; the first use sets up, also when many are
/// first at the same time.
#[maybe_async::maybe_async]
pub async fn l1_concurrent_first_uses_work(case: &Case<'_>) -> Held {
    case.keeps()?;
    for round in 0..5 {
        let setting = case.setting.in_space(format!("{}-{round}", case.setting.space));
        // Made, described, and let go of.
        let unused = case.subject.open(&setting);
        let _ = (unused.describe(), unused.clone());
        drop(unused);
        let kv = case.subject.open(&setting);
        side::together(std::slice::from_ref(&kv), 8, FirstUse).await;
        if case.can.listing != Listing::Unsupported {
            is(kv.collection("c").count(&KeyFilter::all()).await, 8, "L1: after concurrent first uses");
        }
        Case::open_in(case.subject, setting).await.finish().await;
    }
    Ok(())
}

/// L1: setup, ping and close may be called at any time; after close the next use opens again, and nothing is lost but
/// what lives in the process alone.
#[maybe_async::maybe_async]
pub async fn l1_a_store_can_be_closed_and_used_again(case: &Case<'_>) -> Held {
    let kv = &case.kv;
    ok(kv.ping().await, "L1: ping");
    ok(kv.setup().await, "L1: setup");
    ok(kv.setup().await, "L1: setup again");
    ok(kv.put("k", &1).await, "L1: put");
    ok(kv.close().await, "L1: close");
    ok(kv.close().await, "L1: close again");
    ok(kv.ping().await, "L1: ping after close");
    if case.can.stores && case.can.persistent {
        is(kv.get::<i64>("k").await, Some(1), "L1: get after close");
    }
    ok(kv.close().await, "L1: close");
    ok(kv.put("k", &2).await, "L1: put after close");
    case.keeps()?;
    is(kv.get::<i64>("k").await, Some(2), "L1: get after close");
    Ok(())
}

/// Where entries outlive their handles, another handle in the same space has the same records, in every part.
#[maybe_async::maybe_async]
pub async fn l1_entries_outlive_their_handle(case: &Case<'_>) -> Held {
    case.persists()?;
    let c = case.collection();
    ok(c.put_with("ttl", &[1], &PutOptions::ttl(MINUTE)).await, "L1: put").written().unwrap();
    ok(c.put("k", &2).await, "L1: put");
    ok(c.put_bytes("bytes", b"\0\xff").await, "L1: put_bytes");
    let keys = ["ttl", "k", "bytes"];
    let before = super::case::each(c.get_entries(&keys).await, "L1: get_many");
    ok(case.kv.close().await, "L1: close");
    let other = case.subject.open(&case.setting);
    let after = super::case::each(other.collection("c").get_entries(&keys).await, "L1: get_many");
    for ((before, after), key) in before.iter().zip(&after).zip(keys) {
        let (before, after) = (before.as_ref().unwrap(), after.as_ref().expect("L1: it is there for another handle"));
        assert_eq!(after.value(), before.value(), "L1: the value of {key}");
        assert_eq!(after.revision(), before.revision(), "L1: the revision of {key}");
        assert_eq!(
            (after.expires(), after.created()),
            (before.expires(), before.created()),
            "L1: the instants of {key}"
        );
    }
    case.advance(MINUTE);
    case.reach(case.now());
    is(other.collection("c").exists("ttl").await, false, "T2: through another handle");
    ok(other.close().await, "L1: close");
    Ok(())
}

/// Where the store is shared, two handles that are open at the same time see each other's writes.
#[maybe_async::maybe_async]
pub async fn l3_handles_see_each_other_s_writes(case: &Case<'_>) -> Held {
    case.keeps()?;
    let clone = case.kv.clone();
    let mut others = vec![clone];
    if case.can.shared {
        others.push(case.subject.open(&case.setting));
    }
    for other in &others {
        let (here, there) = (case.collection(), other.collection("c"));
        ok(here.put("k", &1).await, "L3: put");
        is(there.get::<i64>("k").await, Some(1), "L3: a write is seen");
        ok(there.put("k", &2).await, "L3: put");
        is(here.get::<i64>("k").await, Some(2), "L3: a write is seen");
        is(there.delete("k").await, true, "L3: delete");
        is(here.exists("k").await, false, "L3: a delete is seen");
    }
    if let Some(other) = others.get(1) {
        ok(other.close().await, "L3: close");
    }
    ok(case.kv.ping().await, "L3: closing another handle closes not this one");
    Ok(())
}

/// L3: handles are `Send + Sync + Clone + 'static`, and cheap: a pointer and a name.
#[maybe_async::maybe_async]
pub async fn l3_handles_go_anywhere(case: &Case<'_>) -> Held {
    fn goes_anywhere<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}
    goes_anywhere(&case.kv);
    goes_anywhere(&case.collection());
    assert!(size_of::<Kv>() <= 64 && size_of::<Collection>() <= 64, "L3: a handle is small");
    let described = case.kv.describe();
    assert!(!described.name.is_empty(), "L3: a store says what it is");
    Ok(())
}

struct Several;

#[maybe_async::maybe_async]
impl Task for Several {
    type Output = ();

    async fn run(&self, kv: Kv, _number: usize) {
        let c = kv.collection("c");
        let text = "new".repeat(10_000);
        ok(c.put("k", &text).await, "L4: put");
        ok(c.put_many(&[("a", &text), ("b", &text)], &PutOptions::default()).await, "L4: put_many");
        ok(c.get::<String>("k").await, "L4: get");
        // Those that a store may not have answer so.
        drop(c.increment("number", 1).await);
        drop(c.touch("k", MINUTE).await);
        drop(c.all_keys(&KeyFilter::all()).await);
        drop(kv.cull().await);
        drop(c.delete("b").await);
        drop(c.take::<String>("a").await);
        drop(c.clear().await);
    }
}

/// L4: wherever an operation is dropped, the store works on and no record is torn.
#[maybe_async::maybe_async]
pub async fn l4_a_dropped_operation_leaves_the_store_usable(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let (old, new) = ("old".repeat(10_000), "new".repeat(10_000));
    let kv = case.kv.clone();
    for polls in 0..40 {
        for key in ["k", "a", "b"] {
            ok(c.put(key, &old).await, "L4: put");
        }
        let dropped = side::abandoned(&kv, polls, &Several).await;
        for key in ["k", "a", "b"] {
            let read = ok(c.get::<String>(key).await, "L4: get after an operation was dropped");
            let whole = read.as_ref().is_none_or(|read| *read == old || *read == new);
            assert!(whole, "L4: {key} is torn after an operation was dropped at poll {polls}");
        }
        ok(c.put("k", &1).await, "L4: put after an operation was dropped");
        is(c.get::<i64>("k").await, Some(1), "L4: get after an operation was dropped");
        if !dropped {
            break;
        }
    }
    // The first use of all, dropped.
    for polls in 0..10 {
        let setting = case.setting.in_space(format!("{}-{polls}", case.setting.space));
        let kv = case.subject.open(&setting);
        let dropped = side::abandoned(&kv, polls, &Several).await;
        ok(kv.put("k", &1).await, "L4: put after the first use was dropped");
        Case::open_in(case.subject, setting).await.finish().await;
        if !dropped {
            break;
        }
    }
    Ok(())
}

/// L6: seeds are there from the first use; they write only what is absent, by this handle or another.
#[maybe_async::maybe_async]
pub async fn l6_seeds_write_only_what_is_absent(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let mut setting = Setting::fresh();
    setting.seeds = vec![("c".to_owned(), "a".to_owned(), 1), ("d".to_owned(), "b".to_owned(), 2)];
    let seeded = Case::open_in(case.subject, setting).await;
    let (c, d) = (seeded.kv.collection("c"), seeded.kv.collection("d"));
    let first = ok(c.get::<i64>("a").await, "L6: get of a seed");
    needs(first.is_some(), "the subject does not apply a setting's seeds")?;
    assert_eq!(first, Some(1), "L6: a seed is there");
    is(d.get::<i64>("b").await, Some(2), "L6: a seed is there");
    ok(c.put("a", &7).await, "L6: put over a seed");
    is(d.delete("b").await, true, "L6: delete of a seed");
    ok(seeded.kv.close().await, "L6: close");
    is(c.get::<i64>("a").await, Some(7), "L6: set up again, what is there is left");
    if seeded.can.persistent {
        let other = seeded.subject.open(&seeded.setting);
        is(other.collection("c").get::<i64>("a").await, Some(7), "L6: another handle leaves what is there");
        is(other.collection("d").get::<i64>("b").await, Some(2), "L6: another handle writes what is absent");
        ok(other.close().await, "L6: close");
    }
    if seeded.can.collections {
        let collections = ok(seeded.kv.all_collections().await, "L6: collections");
        assert_eq!(set_of(collections), ["c", "d"], "L6: nothing else is written");
    }
    seeded.finish().await;
    Ok(())
}

use std::sync::Arc;

use kv_core::{DEFAULT_COLLECTION, KeyFilter, ManualClock, Metadata, TimeLeft};

use super::super::testing::{Interrupted, Meanwhile, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

type Clamp = TtlClamp<Arc<SimpleStore>>;

/// TTLs of 10 to 100 s, the store within, and the clock of both.
fn clamp() -> (Clamp, Kv, ManualClock) {
    let (store, clock) = stopped();
    let store = Arc::new(store);
    let clamp = TtlClamp::new(Arc::clone(&store), Some(secs(10)), Some(secs(100))).unwrap();
    (clamp, Kv::from_arc(store), clock)
}

fn key(key: &str) -> Name<'_> {
    Name::new(DEFAULT_COLLECTION, key)
}

fn at(secs: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(secs))
}

/// The seconds that an entry has, of one that there must be.
#[maybe_async::maybe_async]
async fn left(kv: &Kv, key: &str) -> Option<f64> {
    match kv.ttl(key).await.unwrap().unwrap() {
        TimeLeft::Forever => None,
        TimeLeft::For(left) => Some(left.as_secs_f64()),
    }
}

#[test]
fn bounds_that_cannot_hold_are_refused() {
    let refused = |min: Option<u64>, max: Option<u64>| {
        let bound = |secs: Option<u64>| secs.map(Duration::from_secs);
        TtlClamp::new(stopped().0, bound(min), bound(max)).err().map(|error| error.kind())
    };
    for (min, max) in [(Some(2), Some(1)), (Some(0), None), (None, Some(0)), (Some(u64::MAX), None), (Some(0), Some(0))]
    {
        assert_eq!(refused(min, max), Some(ErrorKind::Configuration), "{min:?} {max:?}");
    }
    for (min, max) in [(None, None), (Some(1), Some(1)), (None, Some(u64::MAX))] {
        assert_eq!(refused(min, max), None, "{min:?} {max:?}");
    }
    for ttl in [Duration::ZERO, Duration::MAX] {
        let error = clamp().0.with_missing_ttl(ttl).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_way_to_give_a_ttl_is_clamped() {
    let (clamp, inner, _clock) = clamp();
    let kv = Kv::new(clamp);
    let cases = [(1.0, 10.0), (1e-9, 10.0), (10.0, 10.0), (55.5, 55.5), (100.0, 100.0), (1e9, 100.0)];
    for (ttl, clamped) in cases {
        let got = kv.put_with("k", &1, &PutOptions::ttl(ttl)).await.unwrap();
        assert!(got.is_written());
        let got = left(&inner, "k").await;
        assert_eq!(got, Some(clamped), "put with {ttl}");

        let instant = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs_f64(ttl));
        let got = kv.put_with("k", &1, &PutOptions::default().with_expiry(Expiry::At(instant))).await.unwrap();
        assert!(got.is_written());
        let got = left(&inner, "k").await;
        assert_eq!(got, Some(clamped), "put at {instant}");

        kv.put("k", &1).await.unwrap();
        let got = kv.touch("k", ttl).await.unwrap();
        assert!(got);
        let got = left(&inner, "k").await;
        assert_eq!(got, Some(clamped), "touch with {ttl}");
        kv.put("k", &1).await.unwrap();
        let got = kv.expire_at("k", instant).await.unwrap();
        assert!(got);
        let got = left(&inner, "k").await;
        assert_eq!(got, Some(clamped), "expire at {instant}");

        let change = Change::Replace { value: ValueRef::Json(b"2"), expiry: Expiry::after(ttl), metadata: None };
        let modified = kv.store().modify(key("k"), &change, &CallOptions::default()).await.unwrap();
        assert_eq!(modified.after.unwrap().expires(), Some(at(0).saturating_add(Duration::from_secs_f64(clamped))));
        let got = left(&inner, "k").await;
        assert_eq!(got, Some(clamped), "get_and_put with {ttl}");

        let value = ValueRef::Json(b"3");
        let items = [
            PutItem::new("of the batch", value),
            PutItem::new("its own", value).with_expiry(Expiry::after(50.0)),
            PutItem::new("forever", value).with_expiry(Expiry::Never),
            PutItem::new("too long", value).with_expiry(Expiry::after(1e6)),
        ];
        let written = kv.put_items(&items, &PutOptions::ttl(ttl)).await.unwrap();
        assert_eq!(written.len(), 4);
        let got = left(&inner, "of the batch").await;
        assert_eq!(got, Some(clamped));
        let got = left(&inner, "its own").await;
        assert_eq!(got, Some(50.0));
        let got = left(&inner, "forever").await;
        assert_eq!(got, None);
        let got = left(&inner, "too long").await;
        assert_eq!(got, Some(100.0));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_invalid_ttl_is_refused_and_not_clamped() {
    let (clamp, inner, clock) = clamp();
    clock.set(at(1000));
    let kv = Kv::new(clamp.with_missing_ttl(secs(50)).unwrap());
    inner.put("k", &0).await.unwrap();
    let past = [Expiry::At(at(1000)), Expiry::At(at(999))];
    let bad = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12].map(Expiry::after);
    for expiry in bad.into_iter().chain(past) {
        let options = PutOptions::default().with_expiry(expiry);
        let error = kv.put_with("k", &1, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTtl, "{expiry:?}");
        let error = kv.put_many(&[("k", 1), ("new", 1)], &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTtl, "{expiry:?}");
        let item = [PutItem::new("k", ValueRef::Json(b"1")).with_expiry(expiry)];
        let error = kv.put_items(&item, &PutOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTtl, "{expiry:?}");
        let replace = Change::Replace { value: ValueRef::Json(b"1"), expiry, metadata: None };
        for change in [Change::Touch(expiry), replace] {
            let error = kv.store().modify(key("k"), &change, &CallOptions::default()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidTtl, "{change:?}");
        }
        // Names come first, as everywhere.
        let error = kv.put_with("", &1, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
    }
    let got = inner.get::<u8>("k").await.unwrap();
    assert_eq!(got, Some(0));
    let got = !inner.exists("new").await.unwrap();
    assert!(got);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn without_a_missing_ttl_what_has_none_is_permanent() {
    let (clamp, inner, _clock) = clamp();
    let kv = Kv::new(clamp);
    kv.put("put", &1).await.unwrap();
    kv.put_many(&[("many", 1)], &PutOptions::default()).await.unwrap();
    kv.increment("sum", 1).await.unwrap();
    let got = kv.put_with("k", &1, &PutOptions::ttl(20.0)).await.unwrap();
    assert!(got.is_written());
    let got = kv.persist("k").await.unwrap();
    assert!(got);
    for key in ["put", "many", "sum", "k"] {
        let got = left(&inner, key).await;
        assert_eq!(got, None, "{key}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_missing_ttl_is_given_wherever_there_is_none() {
    for (missing, given) in [(50, 50.0), (1, 10.0), (1000, 100.0)] {
        let (clamp, inner, _clock) = clamp();
        let kv = Kv::new(clamp.with_missing_ttl(secs(missing)).unwrap());
        kv.put("put", &1).await.unwrap();
        let got = kv.put_if_absent("absent", &1).await.unwrap();
        assert!(got.is_some());
        kv.put_many(&[("many", 1)], &PutOptions::default()).await.unwrap();
        let mixed = [PutItem::new("item", ValueRef::Json(b"1")).with_expiry(Expiry::Never)];
        kv.put_items(&mixed, &PutOptions::ttl(20.0)).await.unwrap();
        let got = kv.increment("sum", 7).await.unwrap();
        assert_eq!(got, 7);
        kv.append("text", "a").await.unwrap();
        kv.append_bytes("bytes", b"a").await.unwrap();
        let got = kv.compare_and_swap("swap", None, Some(&1)).await.unwrap();
        assert!(got);
        let got = kv.get_and_put("replaced", &1).await.unwrap();
        assert_eq!(got, None);
        let got = kv.update::<i32>("update", |_| Some(1)).await.unwrap();
        assert_eq!(got, Some(1));
        inner.put("persist", &1).await.unwrap();
        let got = kv.persist("persist").await.unwrap();
        assert!(got);
        let all = ["put", "absent", "many", "item", "sum", "text", "bytes", "swap", "replaced", "update", "persist"];
        for key in all {
            let got = left(&inner, key).await;
            assert_eq!(got, Some(given), "{key}");
        }
        let modified = kv.store().modify(key("new"), &Change::Increment(1), &CallOptions::default()).await.unwrap();
        let after = modified.after.unwrap();
        assert_eq!((after.as_json(), after.expires()), (Some("1"), Some(at(given as u64))));
        let got = inner.get_entry("new").await.unwrap();
        assert_eq!(got.unwrap().revision(), after.revision());
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_there_keeps_its_end() {
    // Written past the clamp: below, above, and without.
    for end in [Some(1.0), Some(5000.0), None] {
        let (clamp, inner, _clock) = clamp();
        let kv = Kv::new(clamp.with_missing_ttl(secs(50)).unwrap());
        let options = end.map_or_else(PutOptions::default, PutOptions::ttl);
        let got = inner.put_with("n", &1, &options).await.unwrap();
        assert!(got.is_written());
        let got = inner.put_with("t", "a", &options).await.unwrap();
        assert!(got.is_written());

        let got = kv.increment("n", 1).await.unwrap();
        assert_eq!(got, 2);
        let got = left(&inner, "n").await;
        assert_eq!(got, end, "increment");
        kv.append("t", "b").await.unwrap();
        let got = left(&inner, "t").await;
        assert_eq!(got, end, "append");
        let got = kv.compare_and_swap("n", Some(&2), Some(&3)).await.unwrap();
        assert!(got);
        let got = !kv.compare_and_swap("n", None, Some(&9)).await.unwrap();
        assert!(got);
        let got = left(&inner, "n").await;
        assert_eq!(got, end, "compare_and_swap");
        let got = kv.update::<i32>("n", |old| old.map(|n| n + 1)).await.unwrap();
        assert_eq!(got, Some(4));
        let got = left(&inner, "n").await;
        assert_eq!(got, end, "update");
        let got = kv.set_metadata("n", &Metadata::new().with("a", "b")).await.unwrap();
        assert!(got);
        let got = left(&inner, "n").await;
        assert_eq!(got, end, "set_metadata");
        let got = inner.get::<i32>("n").await.unwrap();
        assert_eq!(got, Some(4));
        let got = inner.get::<String>("t").await.unwrap();
        assert_eq!(got.as_deref(), Some("ab"));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_new_ttl_on_the_condition_of_a_revision_is_clamped() {
    let (clamp, inner, _clock) = clamp();
    let kv = Kv::new(clamp);
    let written = kv.put_with("k", &1, &PutOptions::ttl(50.0)).await.unwrap().written().unwrap();
    let condition = Condition::IfRevision(written.revision());
    let options = PutOptions::default().with_condition(condition).with_expiry(Expiry::At(at(5)));
    let outcome = kv.put_with("k", &2, &options).await.unwrap();
    assert!(outcome.is_written());
    let got = left(&inner, "k").await;
    assert_eq!(got, Some(10.0));
    let got = !kv.put_with("k", &3, &options).await.unwrap().is_written();
    assert!(got);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_change_is_one_step_with_the_missing_ttl_too() {
    let (store, _clock) = stopped();
    let store = Arc::new(Interrupted::new(store, Meanwhile::Put(b"40")));
    let clamp = TtlClamp::new(Arc::clone(&store), None, None).unwrap().with_missing_ttl(secs(50)).unwrap();
    let kv = Kv::new(clamp);
    let got = kv.increment("k", 2).await.unwrap();
    assert_eq!(got, 42);
    assert!(store.has_happened());
    let got = left(&kv, "k").await;
    assert_eq!(got, None, "the other writer's entry is permanent, and keeps that");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_entry_that_ends_during_a_change_is_made_anew() {
    let (store, clock) = stopped();
    let name = key("k");
    let _ = store.put(name, ValueRef::Json(b"40"), &PutOptions::ttl(1.0)).await.unwrap();
    let store = Arc::new(Interrupted::new(store, Meanwhile::Pass(clock, secs(1))));
    let clamp = TtlClamp::new(Arc::clone(&store), None, None).unwrap().with_missing_ttl(secs(50)).unwrap();
    let kv = Kv::new(clamp);
    let got = kv.increment("k", 2).await.unwrap();
    assert_eq!(got, 2);
    assert!(store.has_happened());
    let got = left(&kv, "k").await;
    assert_eq!(got, Some(50.0));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn errors_name_the_caller_s_operation_and_record() {
    let (clamp, _inner, _clock) = clamp();
    let kv = Kv::new(clamp.with_missing_ttl(secs(50)).unwrap());
    kv.put("text", "a").await.unwrap();
    let error = kv.increment("text", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert_eq!((error.store(), error.operation(), error.key()), (Some("TtlClamp"), Some("increment"), Some("text")));
    let got = kv.increment("", 1).await.unwrap_err();
    assert_eq!(got.kind(), ErrorKind::InvalidKey);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_rest_is_forwarded() {
    let (clamp, inner, _clock) = clamp();
    let kv = Kv::new(clamp);
    kv.put_many(&[("a", 1), ("b", 2), ("c", 3)], &PutOptions::default()).await.unwrap();
    let got = kv.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["a", "b", "c"]);
    let got = kv.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 3);
    let got = kv.delete_many(&["a", "a"]).await.unwrap();
    assert_eq!(got, 1);
    let got = kv.take::<i32>("b").await.unwrap();
    assert_eq!(got, Some(2));
    let got = kv.all_collections().await.unwrap();
    assert_eq!(got, [DEFAULT_COLLECTION]);
    let got = kv.clear().await.unwrap();
    assert_eq!(got, 1);
    let got = (kv.destroy().await.unwrap(), kv.cull().await.unwrap());
    assert_eq!(got, (0, 0));
    assert_eq!(kv.describe().to_string(), "TtlClamp(10s..100s) → Simple");
    let got = kv.capabilities().await.unwrap();
    let want = inner.capabilities().await.unwrap();
    assert_eq!(got, want);
    kv.ping().await.unwrap();
    kv.close().await.unwrap();
}

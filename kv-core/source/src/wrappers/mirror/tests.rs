use std::sync::Arc;

use kv_core::{Atomicity, ErrorKind, KeyFilter, Newer, PutOptions};

use super::super::testing::{Damaged, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

type Both = Arc<Mirror<Arc<SimpleStore>, Arc<SimpleStore>>>;

fn mirrored() -> (Kv, Kv, Both, Kv) {
    let (store, clock) = stopped();
    let (one, two) = (Arc::new(store), Arc::new(SimpleStore::new().with_clock(clock)));
    let mirror = Arc::new(Mirror::new(Arc::clone(&one), Arc::clone(&two)).with_comparison());
    (Kv::new(one), Kv::new(two), Arc::clone(&mirror), Kv::new(mirror))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_write_is_in_both() {
    let (one, two, mirror, kv) = mirrored();
    kv.put_with("a", &1, &PutOptions::ttl(secs(9))).await.unwrap();
    kv.put_many(&[("b", 2), ("c", 3), ("b", 4)], &PutOptions::default()).await.unwrap();
    kv.increment("n", 5).await.unwrap();
    kv.touch("b", secs(3)).await.unwrap();
    kv.delete("c").await.unwrap();
    for key in ["a", "b", "c", "n"] {
        let (first, second) = (one.get::<i64>(key).await.unwrap(), two.get::<i64>(key).await.unwrap());
        assert_eq!(first, second, "{key}");
        let (first, second) = (one.ttl(key).await.unwrap(), two.ttl(key).await.unwrap());
        assert_eq!(first, second, "{key}");
    }
    kv.get_many::<i64>(&["a", "b", "c", "n", "no"]).await.unwrap();
    kv.get::<i64>("a").await.unwrap();
    assert!(mirror.handle().report().is_empty(), "{:?}", mirror.handle().report());
    kv.destroy().await.unwrap();
    let got = two.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn comparison_finds_what_differs_and_reconcile_mends_it() {
    let (one, two, mirror, kv) = mirrored();
    one.put("missing", &1).await.unwrap();
    two.put("extra", &1).await.unwrap();
    one.put("value", &1).await.unwrap();
    two.put("value", &2).await.unwrap();
    one.put_with("expiry", &1, &PutOptions::ttl(secs(5))).await.unwrap();
    two.put("expiry", &1).await.unwrap();
    one.put("same", &1.0).await.unwrap();
    two.put("same", &1).await.unwrap();
    let got = kv.get::<i64>("extra").await.unwrap();
    assert_eq!(got, None, "the first is read");
    kv.get_many::<f64>(&["missing", "value", "expiry", "same", "no"]).await.unwrap();
    let report = mirror.handle().report();
    let names: Vec<_> = report.names.iter().map(|name| name.key.as_str()).collect();
    assert_eq!(names, ["expiry", "extra", "missing", "value"]);
    assert!(report.names.iter().all(|name| name.newer == Newer::First));
    let got = mirror.reconcile().await.unwrap();
    assert_eq!(got, 4);
    kv.get_many::<f64>(&["missing", "value", "expiry", "same", "extra"]).await.unwrap();
    assert!(mirror.handle().report().is_empty());
    let got = two.get::<i64>("value").await.unwrap();
    assert_eq!(got, Some(1));
    let got = two.exists("extra").await.unwrap();
    assert!(!got);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_second_that_fails_is_no_error_and_a_first_that_fails_is() {
    let broken = || Damaged { collection: "default_collection", keys: &[] };
    let mirror = Mirror::new(stopped().0, broken()).with_comparison().with_max_diverged(2);
    let handle = mirror.handle();
    let kv = Kv::new(mirror);
    kv.put("a", &1).await.unwrap();
    let got = kv.get::<i64>("a").await.unwrap();
    assert_eq!(got, Some(1));
    kv.put_many(&[("b", 1), ("c", 1)], &PutOptions::default()).await.unwrap();
    let report = handle.report();
    assert_eq!((report.names.len(), report.unnamed), (2, 1));

    let kv = Kv::new(Mirror::new(broken(), stopped().0).with_comparison());
    let error = kv.get::<i64>("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    let error = kv.put("a", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    let error = kv.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "the second never stands in");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn it_says_what_it_is() {
    let (one, _two, mirror, _kv) = mirrored();
    let description = mirror.describe();
    assert_eq!(description.to_string(), "Mirror(Simple) → Simple");
    assert_eq!(description.capabilities.conditional, one.describe().capabilities.conditional);
    assert!(
        description.capabilities.conditional >= Atomicity::ProcessLocal && !description.capabilities.atomic_batches
    );
}

use std::sync::Arc;

use super::super::testing::stopped;
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

/// A store, and the same within bounds.
fn limited(min: Option<usize>, max: Option<usize>) -> (Kv, Kv) {
    let store = Arc::new(stopped().0);
    (Kv::new(Arc::clone(&store)), Kv::new(LimitSize::new(store, min, max).unwrap()))
}

#[test]
fn bounds_that_nothing_fits_are_refused() {
    for (min, max) in [(Some(2), Some(1)), (None, Some(0)), (Some(0), Some(0))] {
        let error = LimitSize::new(SimpleStore::new(), min, max).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    let store = LimitSize::new(SimpleStore::new(), Some(1), Some(1)).unwrap();
    assert_eq!(store.describe().capabilities.max_value_bytes, Some(1));
    let outer = LimitSize::new(store, None, Some(9)).unwrap();
    assert_eq!(outer.describe().capabilities.max_value_bytes, Some(1));
    let unbound = LimitSize::new(SimpleStore::new(), Some(1), None).unwrap();
    assert_eq!(unbound.describe().capabilities.max_value_bytes, None);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_way_to_write_a_value_is_bound() {
    let (bare, kv) = limited(Some(3), Some(5));
    kv.put("k", "123").await.unwrap();
    let before = kv.get_entry("k").await.unwrap().unwrap();
    for (value, kind) in [("1234", ErrorKind::TooLarge), ("", ErrorKind::InvalidValue)] {
        let refusals = [
            ("put", kv.put("k", value).await.err()),
            ("put", kv.put_if_absent("new", value).await.err()),
            ("put", kv.put_if_revision("k", value, &before.revision()).await.err()),
            ("put_many", kv.put_many(&[("new", "123"), ("k", value)], &PutOptions::default()).await.err()),
            ("get_and_put", kv.get_and_put("k", &value.to_owned()).await.err()),
            ("compare_and_swap", kv.compare_and_swap("k", Some("123"), Some(value)).await.err()),
            ("put", kv.update("k", |_: Option<String>| Some(value.to_owned())).await.err()),
        ];
        for (operation, error) in refusals {
            let error = error.unwrap();
            assert_eq!((error.kind(), error.operation()), (kind, Some(operation)), "{error}");
            assert_eq!(error.store(), Some("LimitSize"));
            assert!(matches!(error.key(), Some("k" | "new")), "{error}");
            assert!(!error.to_string().contains("1234"), "no value is shown: {error}");
        }
    }
    let got = bare.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["k"]);
    let got = bare.get_entry("k").await.unwrap().unwrap();
    assert_eq!(got.revision(), before.revision());
    let swapped = kv.compare_and_swap("k", Some("123"), None::<&str>).await.unwrap();
    assert!(swapped, "removing has no size");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_a_change_comes_to_is_measured() {
    let (bare, kv) = limited(None, Some(5));
    bare.put("text", "12").await.unwrap();
    kv.append("text", "3").await.unwrap();
    let error = kv.append("text", "4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let got = bare.get::<String>("text").await.unwrap();
    assert_eq!(got.as_deref(), Some("123"));

    bare.put("number", &99_998).await.unwrap();
    let got = kv.increment("number", 1).await.unwrap();
    assert_eq!(got, 99_999);
    let error = kv.increment("number", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let got = bare.get::<i64>("number").await.unwrap();
    assert_eq!(got, Some(99_999));

    let (_, kv) = limited(Some(2), None);
    let error = kv.increment("new", 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn bytes_are_measured_as_bytes_and_what_is_there_is_read() {
    let (bare, kv) = limited(None, Some(4));
    kv.put_bytes("k", b"1234").await.unwrap();
    let error = kv.put_bytes("k", b"12345").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    bare.put("large", "12345").await.unwrap();
    let got = kv.get::<String>("large").await.unwrap();
    assert_eq!(got.as_deref(), Some("12345"));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_name_is_refused_before_a_size() {
    let (_, kv) = limited(None, Some(4));
    let error = kv.put("", "12345").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
}

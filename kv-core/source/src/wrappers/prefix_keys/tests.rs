use std::sync::Arc;

use kv_core::{DEFAULT_COLLECTION, Expiry, MAX_NAME_BYTES, Timestamp};

use super::super::testing::{Damaged, collections, keys, matching, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

type Prefixed = PrefixKeys<Arc<SimpleStore>>;

/// One store, under two prefixes and bare.
fn shared() -> (Prefixed, Prefixed, Kv) {
    let store = Arc::new(stopped().0);
    let prefixed = |prefix| PrefixKeys::new(Arc::clone(&store), prefix).unwrap();
    (prefixed("a"), prefixed("a_b"), Kv::from_arc(Arc::clone(&store) as Arc<dyn Store>))
}

/// Both prefixes and a stranger with the same keys, in two collections.
#[maybe_async::maybe_async]
async fn filled() -> (Prefixed, Prefixed, Kv) {
    let (one, two, bare) = shared();
    for collection in ["c", "d"] {
        for key in ["x", "xy", "z", "_z", "*"] {
            let name = Name::new(collection, key);
            let _ = one.put(name, ValueRef::Json(b"1"), &PutOptions::default()).await.unwrap();
            let _ = two.put(name, ValueRef::Json(b"2"), &PutOptions::default()).await.unwrap();
            bare.collection(collection).put(key, &3).await.unwrap();
        }
        // Nearly the prefix.
        for key in ["a_", "a_x", "A__x"] {
            bare.collection(collection).put(key, &3).await.unwrap();
        }
    }
    bare.collection("e").put("x", &3).await.unwrap();
    (one, two, bare)
}

#[test]
fn ambiguous_and_long_prefixes_are_refused() {
    for prefix in ["", "a__b", "a_", "_", &"p".repeat(MAX_NAME_BYTES - 2)] {
        let error = PrefixKeys::new(SimpleStore::new(), prefix).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{prefix}");
    }
    assert_eq!(PrefixKeys::new(SimpleStore::new(), "a").unwrap().prefix(), "a");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_stored_is_what_python_stores() {
    let (one, _two, bare) = shared();
    let kv = Kv::new(one);
    kv.collection("c").put("k__l", &1).await.unwrap();
    kv.put("k", &2).await.unwrap();
    let got = bare.collection("c").get::<u8>("a__k__l").await.unwrap();
    assert_eq!(got, Some(1));
    let got = bare.get::<u8>("a__k").await.unwrap();
    assert_eq!(got, Some(2));
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, ["c", DEFAULT_COLLECTION]);
    bare.put("a__from python", &3).await.unwrap();
    let got = kv.get::<u8>("from python").await.unwrap();
    assert_eq!(got, Some(3));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn prefixes_side_by_side_never_meet() {
    let (one, two, bare) = shared();
    let (one, two) = (Kv::new(one), Kv::new(two));
    // Each key of the one would be a key of the other, were a prefix read too long or too short.
    for key in ["k", "_b__k", "b__k", "_k", "a__k"] {
        one.put(key, "one").await.unwrap();
        let got = two.get::<String>(key).await.unwrap();
        assert_eq!(got, None, "{key}");
        two.put(key, "two").await.unwrap();
        let got = one.get::<String>(key).await.unwrap();
        assert_eq!(got.as_deref(), Some("one"), "{key}");
    }
    let got = bare.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 10);
    let got = one.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["_b__k", "_k", "a__k", "b__k", "k"]);
    let got = one.delete_many(&["k", "_k", "k"]).await.unwrap();
    assert_eq!(got, 2);
    let got = two.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 5);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_operation_on_keys_is_about_the_caller_s() {
    let (one, _two, bare) = filled().await;
    let kv = Kv::new(one).collection("c");
    let got = kv.exists("x").await.unwrap();
    assert!(got);
    let found = kv.get_many::<u8>(&["x", "no", "x", "_z"]).await.unwrap();
    let found: Vec<Option<u8>> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [Some(1), None, Some(1), Some(1)]);
    let items = [
        PutItem::new("x", ValueRef::Json(b"5")).with_expiry(Expiry::after(secs(9))),
        PutItem::new("new", ValueRef::Json(b"6")),
    ];
    let written = kv.put_items(&items, &PutOptions::default()).await.unwrap();
    assert_eq!(written[0].as_ref().unwrap().expires(), Some(Timestamp::UNIX_EPOCH.saturating_add(secs(9))));
    let got = kv.increment("new", 1).await.unwrap();
    assert_eq!(got, 7);
    let got = kv.take::<u8>("z").await.unwrap();
    assert_eq!(got, Some(1));
    let got = kv.delete("xy").await.unwrap() && !kv.delete("xy").await.unwrap();
    assert!(got);
    let bare = bare.collection("c");
    let got = bare.get::<u8>("a__x").await.unwrap();
    assert_eq!(got, Some(5));
    let got = bare.get::<u8>("a__new").await.unwrap();
    assert_eq!(got, Some(7));
    for key in ["x", "xy", "z", "a_b__x", "a_b__xy", "a_b__z"] {
        let got = bare.get::<u8>(key).await.unwrap() > Some(1);
        assert!(got, "{key}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn listings_give_the_caller_s_keys_and_no_others() {
    let (one, two, _bare) = filled().await;
    let cases = [
        (KeyFilter::all(), vec!["*", "_z", "x", "xy", "z"]),
        (KeyFilter::starting_with("x"), vec!["x", "xy"]),
        (KeyFilter::starting_with("_"), vec!["_z"]),
        (KeyFilter::starting_with("a__"), vec![]),
        (matching("x*"), vec!["x", "xy"]),
        (matching("*y"), vec!["xy"]),
        (matching("?"), vec!["*", "x", "z"]),
        (matching(r"\*"), vec!["*"]),
        (matching("**/x"), vec!["x"]),
        (matching("{x,_}*"), vec!["_z", "x", "xy"]),
        (matching("a__*"), vec![]),
        (KeyFilter::starting_with("x").and_pattern(kv_core::Pattern::new("*y").unwrap()), vec!["xy"]),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 1000] {
            let options = ListOptions::default().with_filter(filter.clone()).with_limit(limit);
            let got = keys(&one, "c", options.clone()).await;
            assert_eq!(got, expected, "{filter:?} by {limit}");
            let got = keys(&two, "d", options).await;
            assert_eq!(got, expected, "{filter:?} by {limit}");
        }
        let count = one.count("c", &filter, &CallOptions::default()).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{filter:?}");
    }
    let page = one.list("c", &ListOptions::starting_with("x").with_entries()).await.unwrap();
    let values: Vec<_> = page.items.into_iter().map(|line| (line.key, line.entry.unwrap().unwrap())).collect();
    assert_eq!((values[1].0.as_str(), values[1].1.as_json()), ("xy", Some("1")));
    let error = one.list("c", &ListOptions::default().with_limit(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn clear_removes_only_what_is_asked_for() {
    for (filter, cleared) in
        [(KeyFilter::starting_with("x"), 2), (matching("?"), 3), (matching("*z"), 2), (matching("no*"), 0)]
    {
        let (one, two, bare) = filled().await;
        let before = bare.collection("c").count(&KeyFilter::all()).await.unwrap();
        let got = one.clear("c", &filter, &CallOptions::default()).await.unwrap();
        assert_eq!(got, cleared, "{filter:?}");
        let got = bare.collection("c").count(&KeyFilter::all()).await.unwrap();
        assert_eq!(got, before - cleared, "{filter:?}");
        let got = one.count("c", &filter, &CallOptions::default()).await.unwrap();
        assert_eq!(got, 0, "{filter:?}");
        let got = two.count("c", &KeyFilter::all(), &CallOptions::default()).await.unwrap();
        assert_eq!(got, 5);
        let got = one.count("d", &KeyFilter::all(), &CallOptions::default()).await.unwrap();
        assert_eq!(got, 5);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_pattern_clears_many_pages() {
    let (one, _two, bare) = shared();
    let kv = Kv::new(one);
    let items: Vec<(String, u32)> = (0..2500).map(|number| (format!("{number}"), number)).collect();
    kv.put_many(&items, &PutOptions::default()).await.unwrap();
    bare.put("0", &0).await.unwrap();
    let got = kv.count(&matching("*[05]")).await.unwrap();
    assert_eq!(got, 500);
    let got = kv.delete_matching(&matching("*[05]")).await.unwrap();
    assert_eq!(got, 500);
    let got = bare.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 2001);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn destroy_removes_every_key_of_the_prefix_and_no_other() {
    let (one, two, bare) = filled().await;
    one.put(Name::new("own", "k"), ValueRef::Json(b"1"), &PutOptions::default()).await.unwrap().written().unwrap();
    let got = collections(&one, ListOptions::default()).await;
    assert_eq!(got, ["c", "d", "own"]);
    let got = collections(&two, ListOptions::default().with_limit(1)).await;
    assert_eq!(got, ["c", "d"]);
    let got = collections(&two, ListOptions::starting_with("d")).await;
    assert_eq!(got, ["d"]);
    let got = two.destroy(&CallOptions::default()).await.unwrap();
    assert_eq!(got, 10);
    let got = collections(&two, ListOptions::default()).await;
    assert!(got.is_empty());
    let got = collections(&one, ListOptions::default()).await;
    assert_eq!(got, ["c", "d", "own"]);
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, ["c", "d", "e", "own"]);
    let left = bare.collection("c").all_keys(&KeyFilter::starting_with("a")).await.unwrap();
    assert_eq!(left, ["a_", "a__*", "a___z", "a__x", "a__xy", "a__z", "a_x"]);
    let written = two.put(Name::new("c", "x"), ValueRef::Json(b"4"), &PutOptions::default()).await.unwrap();
    assert!(written.is_written(), "the store works on");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn destroy_takes_many_pages() {
    let (one, _two, bare) = shared();
    let kv = Kv::new(one);
    for number in 0..1500 {
        kv.collection(format!("c{number}")).put("k", &number).await.unwrap();
    }
    bare.put("k", &1).await.unwrap();
    let got = kv.destroy().await.unwrap();
    assert_eq!(got, 1500);
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, [DEFAULT_COLLECTION]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_bare_prefix_is_no_caller_s_key() {
    let (one, _two, bare) = shared();
    bare.put("a__", &3).await.unwrap();
    for options in [ListOptions::default(), ListOptions::default().with_filter(matching("*"))] {
        let got = keys(&one, DEFAULT_COLLECTION, options).await;
        assert!(got.is_empty(), "{got:?}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn an_expired_key_makes_no_collection() {
    let (store, clock) = stopped();
    let store = PrefixKeys::new(store, "a").unwrap();
    let kv = Kv::new(store);
    let got = kv.put_with("k", &1, &PutOptions::ttl(secs(1))).await.unwrap();
    assert!(got.is_written());
    let got = kv.all_collections().await.unwrap();
    assert_eq!(got, [DEFAULT_COLLECTION]);
    clock.advance(secs(1));
    let got = kv.all_collections().await.unwrap();
    assert!(got.is_empty());
    let got = kv.cull().await.unwrap();
    assert_eq!(got, 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_are_checked_before_the_prefix_hides_them() {
    let (one, _two, bare) = shared();
    let room = MAX_NAME_BYTES - 3;
    assert_eq!(one.describe().capabilities.max_key_bytes, room);
    let got = one.capabilities().await.unwrap();
    assert_eq!(got.max_key_bytes, room);
    let kv = Kv::new(one);
    let longest = "k".repeat(room);
    kv.put(&longest, &1).await.unwrap();
    let got = bare.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, [format!("a__{longest}")]);

    let long = "k".repeat(room + 1);
    for (key, says) in [("", "empty"), (&long, "2045")] {
        let options = PutOptions::default();
        let errors = [
            kv.get::<u8>(key).await.unwrap_err(),
            kv.put(key, &1).await.unwrap_err(),
            kv.delete(key).await.unwrap_err(),
            kv.increment(key, 1).await.unwrap_err(),
            kv.get_many::<u8>(&["k", key]).await.unwrap_err(),
            kv.put_many(&[("k", 1), (key, 1)], &options).await.unwrap_err(),
            kv.delete_many(&["k", key]).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidKey, Some(key)), "{error}");
            assert!(error.message().contains(says), "{error}");
        }
    }
    let got = kv.collection("").get_many::<u8>(&["k"]).await.unwrap_err();
    assert_eq!(got.kind(), ErrorKind::InvalidCollection);
    let got = kv.collection("").all_keys(&KeyFilter::all()).await.unwrap_err();
    assert_eq!(got.kind(), ErrorKind::InvalidCollection);
    let got = bare.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 1, "nothing was written");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn errors_name_the_caller_s_key() {
    let store = PrefixKeys::new(Damaged { collection: "c", keys: &["a__k", "a__kk", "a_b__k"] }, "a").unwrap();
    let options = CallOptions::default();
    let mut errors = Vec::from([
        store.get(Name::new("c", "k"), &GetOptions::default()).await.unwrap_err(),
        store.put(Name::new("c", "k"), ValueRef::Json(b"1"), &PutOptions::default()).await.unwrap_err(),
        store.delete(Name::new("c", "k"), &DeleteOptions::default()).await.unwrap_err(),
        store.modify(Name::new("c", "k"), &Change::Take, &options).await.unwrap_err(),
    ]);
    let read = store.get_many("c", &["k"], &GetOptions::default()).await.unwrap();
    errors.extend(read.into_iter().map(Result::unwrap_err));
    let items = [PutItem::new("k", ValueRef::Json(b"1"))];
    let written = store.put_many("c", &items, &PutOptions::default()).await.unwrap();
    errors.extend(written.into_iter().map(Result::unwrap_err));
    errors.extend(store.delete_many("c", &["k"], &options).await.unwrap().into_iter().map(Result::unwrap_err));
    let page = store.list("c", &ListOptions::default().with_entries()).await.unwrap();
    errors.extend(page.items.into_iter().map(|line| line.entry.unwrap().unwrap_err()));
    assert_eq!(errors.len(), 8);
    for error in errors {
        assert_eq!((error.collection(), error.key()), (Some("c"), Some("k")), "{error}");
        assert_eq!(error.store(), Some("Damaged"));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_that_lists_keys_twice_is_counted_right() {
    let store = PrefixKeys::new(Damaged { collection: "c", keys: &["a__k", "a__kk", "a_b__k"] }, "a").unwrap();
    let got = store.count("c", &matching("k*"), &CallOptions::default()).await.unwrap();
    assert_eq!(got, 2);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_without_collections_cannot_destroy() {
    let store = PrefixKeys::new(Damaged { collection: "c", keys: &[] }, "a").unwrap();
    let capabilities = store.describe().capabilities;
    assert!(!capabilities.collections && !capabilities.clear);
    let error = store.destroy(&CallOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, Some("destroy")));
    let error = store.collections(&ListOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_rest_is_forwarded() {
    let (one, _two, bare) = shared();
    let outer = Kv::new(PrefixKeys::new(one, "b").unwrap());
    outer.put("k", &1).await.unwrap();
    let got = bare.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["a__b__k"]);
    let got = outer.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["k"]);
    assert_eq!(outer.describe().to_string(), "PrefixKeys(b) → PrefixKeys(a) → Simple");
    assert_eq!(outer.name(), DEFAULT_COLLECTION);
    outer.ping().await.unwrap();
    outer.setup().await.unwrap();
    outer.close().await.unwrap();
    let got = outer.destroy().await.unwrap();
    assert_eq!(got, 1);
}

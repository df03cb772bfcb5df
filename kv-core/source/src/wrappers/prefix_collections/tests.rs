use std::sync::Arc;

use kv_core::{DEFAULT_COLLECTION, MAX_NAME_BYTES};

use super::super::testing::{Damaged, collections, matching, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

type Prefixed = PrefixCollections<Arc<SimpleStore>>;

/// One store, under two prefixes and bare.
fn shared() -> (Prefixed, Prefixed, Kv) {
    let store = Arc::new(stopped().0);
    let prefixed = |prefix| PrefixCollections::new(Arc::clone(&store), prefix).unwrap();
    (prefixed("a"), prefixed("a_b"), Kv::from_arc(Arc::clone(&store) as Arc<dyn Store>))
}

/// Both prefixes and a stranger with the same collections.
#[maybe_async::maybe_async]
async fn filled() -> (Prefixed, Prefixed, Kv) {
    let (one, two, bare) = shared();
    for collection in ["x", "xy", "z", "_z", "*"] {
        let name = Name::new(collection, "k");
        let _ = one.put(name, ValueRef::Json(b"1"), &PutOptions::default()).await.unwrap();
        let _ = two.put(name, ValueRef::Json(b"2"), &PutOptions::default()).await.unwrap();
        bare.collection(collection).put("k", &3).await.unwrap();
    }
    // Nearly the prefix, and nothing but it.
    for collection in ["a_", "a_x", "A__x", "a__"] {
        bare.collection(collection).put("k", &3).await.unwrap();
    }
    (one, two, bare)
}

#[test]
fn ambiguous_and_long_prefixes_are_refused() {
    for prefix in ["", "a__b", "a_", "_", &"p".repeat(MAX_NAME_BYTES - 2)] {
        let error = PrefixCollections::new(SimpleStore::new(), prefix).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{prefix}");
    }
    assert_eq!(PrefixCollections::new(SimpleStore::new(), "a").unwrap().prefix(), "a");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_stored_is_what_python_stores() {
    let store = Arc::new(stopped().0.with_default_collection("main").unwrap());
    let bare = Kv::from_arc(Arc::clone(&store) as Arc<dyn Store>);
    let kv = Kv::new(PrefixCollections::new(store, "a").unwrap());
    kv.collection("c__d").put("k", &1).await.unwrap();
    assert_eq!(kv.name(), "main");
    kv.put("k", &2).await.unwrap();
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, ["a__c__d", "a__main"]);
    let got = kv.all_collections().await.unwrap();
    assert_eq!(got, ["c__d", "main"]);
    bare.collection("a__python").put("k", &3).await.unwrap();
    let got = kv.collection("python").get::<u8>("k").await.unwrap();
    assert_eq!(got, Some(3));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn prefixes_side_by_side_never_meet() {
    let (one, two, bare) = shared();
    let (one, two) = (Kv::new(one), Kv::new(two));
    for collection in ["c", "_b__c", "b__c", "_c", "a__c"] {
        one.collection(collection).put("k", "one").await.unwrap();
        let got = two.collection(collection).get::<String>("k").await.unwrap();
        assert_eq!(got, None, "{collection}");
        two.collection(collection).put("k", "two").await.unwrap();
        let read = one.collection(collection).get::<String>("k").await.unwrap();
        assert_eq!(read.as_deref(), Some("one"), "{collection}");
    }
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got.len(), 10);
    let got = one.all_collections().await.unwrap();
    assert_eq!(got, ["_b__c", "_c", "a__c", "b__c", "c"]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_operation_is_about_the_caller_s_collection() {
    let (one, two, bare) = shared();
    let c = Kv::new(one).collection("c");
    let other = Kv::new(two).collection("c");
    other.put("k", &9).await.unwrap();
    c.put_many(&[("k", 1), ("l", 2), ("m", 3)], &PutOptions::default()).await.unwrap();
    let got = bare.collection("a__c").all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["k", "l", "m"]);
    let got = c.all_keys(&matching("[kl]")).await.unwrap();
    assert_eq!(got, ["k", "l"]);
    let got = c.count(&matching("[kl]")).await.unwrap();
    assert_eq!(got, 2);
    let got = c.exists("m").await.unwrap();
    assert!(got);
    let got = c.get_many::<u8>(&["k", "no"]).await.unwrap();
    assert_eq!(got[0].as_ref().unwrap(), &Some(1));
    let got = c.increment("k", 1).await.unwrap();
    assert_eq!(got, 2);
    let got = c.take::<u8>("l").await.unwrap();
    assert_eq!(got, Some(2));
    let got = c.delete("k").await.unwrap();
    assert!(got);
    let got = c.delete_many(&["m", "k"]).await.unwrap();
    assert_eq!(got, 1);
    c.put("k", &1).await.unwrap();
    let got = c.clear().await.unwrap();
    assert_eq!(got, 1);
    let got = other.get::<u8>("k").await.unwrap();
    assert_eq!(got, Some(9));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn listings_give_the_caller_s_collections_and_no_others() {
    let (one, two, _bare) = filled().await;
    let cases = [
        (KeyFilter::all(), vec!["*", "_z", "x", "xy", "z"]),
        (KeyFilter::starting_with("x"), vec!["x", "xy"]),
        (KeyFilter::starting_with("a__"), vec![]),
        (matching("*y"), vec!["xy"]),
        (matching(r"\*"), vec!["*"]),
        (matching("**/x"), vec!["x"]),
        (matching("{x,_}*"), vec!["_z", "x", "xy"]),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 1000] {
            let options = ListOptions::default().with_filter(filter.clone()).with_limit(limit);
            let got = collections(&one, options.clone()).await;
            assert_eq!(got, expected, "{filter:?} by {limit}");
            let got = collections(&two, options).await;
            assert_eq!(got, expected, "{filter:?} by {limit}");
        }
    }
    let error = one.collections(&ListOptions::default().with_limit(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn destroy_removes_the_collections_of_the_prefix_and_no_other() {
    let (one, two, bare) = filled().await;
    let before = bare.all_collections().await.unwrap();
    let got = one.destroy(&CallOptions::default()).await.unwrap();
    assert_eq!(got, 5);
    let got = collections(&one, ListOptions::default()).await;
    assert!(got.is_empty());
    let mut after = before;
    after.retain(|name| !name.starts_with("a__") || name == "a__");
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, after);
    let got = collections(&two, ListOptions::default()).await;
    assert_eq!(got.len(), 5);
    let written = one.put(Name::new("x", "k"), ValueRef::Json(b"4"), &PutOptions::default()).await.unwrap();
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
async fn names_are_checked_before_the_prefix_hides_them() {
    let (one, _two, bare) = shared();
    let room = MAX_NAME_BYTES - 3;
    assert_eq!(one.describe().capabilities.max_collection_bytes, room);
    let got = one.capabilities().await.unwrap();
    assert_eq!(got.max_collection_bytes, room);
    assert_eq!(one.describe().capabilities.max_key_bytes, MAX_NAME_BYTES);
    let kv = Kv::new(one);
    kv.collection("c".repeat(room)).put("k", &1).await.unwrap();
    for (name, says) in [(String::new(), "empty"), ("c".repeat(room + 1), "2045")] {
        let c = kv.collection(name.as_str());
        let all = KeyFilter::all();
        let errors = [
            c.get::<u8>("k").await.unwrap_err(),
            c.put("k", &1).await.unwrap_err(),
            c.delete("k").await.unwrap_err(),
            c.increment("k", 1).await.unwrap_err(),
            c.get_many::<u8>(&["k"]).await.unwrap_err(),
            c.put_many(&[("k", 1)], &PutOptions::default()).await.unwrap_err(),
            c.delete_many(&["k"]).await.unwrap_err(),
            c.all_keys(&all).await.unwrap_err(),
            c.count(&all).await.unwrap_err(),
            c.clear().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                (error.kind(), error.collection()),
                (ErrorKind::InvalidCollection, Some(name.as_str())),
                "{error}"
            );
            assert!(error.message().contains(says), "{error}");
        }
    }
    let got = kv.get::<u8>("").await.unwrap_err();
    assert_eq!(got.kind(), ErrorKind::InvalidKey);
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got.len(), 1, "nothing was written");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn errors_name_the_caller_s_collection() {
    let store = PrefixCollections::new(Damaged { collection: "a__c", keys: &["k"] }, "a").unwrap();
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
    }
    let errors = [
        store.list("d", &ListOptions::default()).await.unwrap_err(),
        store.count("d", &KeyFilter::all(), &options).await.unwrap_err(),
        store.clear("d", &KeyFilter::all(), &options).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.collection(), error.key()), (Some("d"), None), "{error}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_store_without_collections_cannot_destroy() {
    let store = PrefixCollections::new(Damaged { collection: "c", keys: &[] }, "a").unwrap();
    assert!(!store.describe().capabilities.clear);
    let error = store.destroy(&CallOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, Some("destroy")));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_rest_is_forwarded() {
    let (one, _two, bare) = shared();
    let outer = Kv::new(PrefixCollections::new(one, "b").unwrap());
    outer.collection("c").put("k", &1).await.unwrap();
    let got = bare.all_collections().await.unwrap();
    assert_eq!(got, ["a__b__c"]);
    let got = outer.all_collections().await.unwrap();
    assert_eq!(got, ["c"]);
    assert_eq!(outer.describe().to_string(), "PrefixCollections(b) → PrefixCollections(a) → Simple");
    outer.ping().await.unwrap();
    outer.setup().await.unwrap();
    outer.close().await.unwrap();
    let got = (outer.cull().await.unwrap(), outer.destroy().await.unwrap());
    assert_eq!(got, (0, 1));
}

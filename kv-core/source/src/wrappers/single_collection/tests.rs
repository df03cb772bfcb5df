use std::collections::HashMap;
use std::sync::Arc;

use kv_core::MAX_NAME_BYTES;

use super::super::testing::{Damaged, collections, keys, matching, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::SimpleStore;

fn single() -> (Kv, SingleCollection<Arc<SimpleStore>>) {
    let store = Arc::new(stopped().0);
    (Kv::new(Arc::clone(&store)), SingleCollection::new(store, "all").unwrap())
}

/// Every text of these characters with at least one and at most so many.
fn texts(characters: &[char], most: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut last = vec![String::new()];
    for _ in 0..most {
        last = last.iter().flat_map(|text| characters.iter().map(move |c| format!("{text}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

#[test]
fn no_two_names_are_one_record() {
    let (collections, keys) = (texts(&['a', '_', '-'], 5), texts(&['a', '_', '-'], 3));
    let mut stored = HashMap::new();
    for collection in &collections {
        for key in &keys {
            let joined = Prefix::before(&escaped(collection), 100).join(key);
            let names = names_of(&joined);
            assert_eq!(names.as_ref().map(|(c, k)| (&**c, *k)), Some((collection.as_str(), key.as_str())), "{joined}");
            let other = stored.insert(joined, (collection, key));
            assert!(other.is_none(), "{other:?} and {:?}", (collection, key));
        }
    }
    // And what is no such name is nobody's.
    for key in texts(&['a', '_', '-'], 7) {
        assert_eq!(
            names_of(&key).is_some(),
            stored.contains_key(&key)
                || names_of(&key).is_some_and(|(c, k)| { Prefix::before(&escaped(&c), 100).join(k) == key }),
            "{key}"
        );
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_unambiguous_is_stored_as_python_stores_it() {
    let (bare, store) = single();
    let kv = Kv::new(store);
    kv.collection("a").put("b__k", &1).await.unwrap();
    kv.collection("a__b").put("k", &2).await.unwrap();
    kv.collection("_a").put("_k", &3).await.unwrap();
    kv.collection("a_").put("k", &4).await.unwrap();
    kv.put("k", &5).await.unwrap();
    let bare = bare.collection("all");
    let got = bare.all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, ["__a_-_-b__k", "__a_-__k", "_a___k", "a__b__k", "default_collection__k"]);
    bare.put("python__k", &6).await.unwrap();
    let got = kv.collection("python").get::<u8>("k").await.unwrap();
    assert_eq!(got, Some(6));
    let got = kv.collection("a__b").get::<u8>("k").await.unwrap();
    assert_eq!(got, Some(2));
    let got = kv.collection("a").get_many::<u8>(&["k", "b__k"]).await.unwrap();
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert_eq!(got, [None, Some(1)]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn strangers_are_never_listed_cleared_or_destroyed() {
    let (bare, store) = single();
    let kv = Kv::new(Arc::new(store.clone()));
    let strangers = ["stranger", "_", "____", "__a", "__a_-__", "__a__k", "__a_-b", "a_k", "__"];
    for key in strangers {
        bare.collection("all").put(key, &0).await.unwrap();
    }
    bare.collection("other").put("a__k", &0).await.unwrap();
    for collection in ["a", "a__", "b", "a__b"] {
        for key in ["k", "kk", "_"] {
            kv.collection(collection).put(key, &1).await.unwrap();
        }
    }
    for limit in [1, 2, 1000] {
        let got = collections(&store, ListOptions::default().with_limit(limit)).await;
        assert_eq!(got, ["a", "a__", "a__b", "b"], "by {limit}");
        let got = collections(&store, ListOptions::starting_with("a__").with_limit(limit)).await;
        assert_eq!(got, ["a__", "a__b"]);
        let got = keys(&store, "a__", ListOptions::default().with_filter(matching("k*")).with_limit(limit)).await;
        assert_eq!(got, ["k", "kk"]);
    }
    let got = kv.collection("a").delete_matching(&matching("?")).await.unwrap();
    assert_eq!(got, 2);
    let got = kv.collection("a").clear().await.unwrap();
    assert_eq!(got, 1);
    let got = kv.collection("a__").count(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, 3);
    let got = kv.destroy().await.unwrap();
    assert_eq!(got, 9);
    let mut left = bare.collection("all").all_keys(&KeyFilter::all()).await.unwrap();
    let mut strangers = strangers.to_vec();
    left.sort_unstable();
    strangers.sort_unstable();
    assert_eq!(left, strangers);
    let got = bare.collection("other").exists("a__k").await.unwrap();
    assert!(got);
    kv.collection("a").put("k", &1).await.unwrap();
    let got = kv.all_collections().await.unwrap();
    assert_eq!(got, ["a"], "it works on");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_share_the_room_of_a_key() {
    let (_, store) = single();
    let can = store.describe().capabilities;
    assert_eq!((can.max_collection_bytes, can.max_key_bytes), (256, 1532));
    let kv = Kv::new(store);
    // The longest of both, escaped.
    let (collection, key) = ("_".repeat(256), "_".repeat(1532));
    kv.collection(collection.as_str()).put(&key, &1).await.unwrap();
    let got = kv.collection(collection.as_str()).all_keys(&KeyFilter::all()).await.unwrap();
    assert_eq!(got, [key]);
    let error = kv.collection("c".repeat(257)).get::<u8>("k").await.unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::InvalidCollection, Some("SingleCollection")));
    let error = kv.collection("c").get::<u8>(&"k".repeat(1533)).await.unwrap_err();
    assert_eq!((error.kind(), error.collection()), (ErrorKind::InvalidKey, Some("c")));
    let error = kv.collection("").all_keys(&KeyFilter::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCollection);

    let store = SingleCollection::new(SimpleStore::new(), "all").unwrap();
    let store = store.with_max_collection_bytes(1000).unwrap();
    assert_eq!(store.describe().capabilities.max_key_bytes, MAX_NAME_BYTES - 2004);
    for most in [0, 1022, usize::MAX] {
        let store = SingleCollection::new(SimpleStore::new(), "all").unwrap();
        assert_eq!(store.with_max_collection_bytes(most).unwrap_err().kind(), ErrorKind::Configuration, "{most}");
    }
    for name in [String::new(), "x".repeat(MAX_NAME_BYTES + 1)] {
        let error = SingleCollection::new(SimpleStore::new(), name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn errors_name_the_caller_s_record() {
    let store = SingleCollection::new(Damaged { collection: "all", keys: &["__a_-__k"] }, "all").unwrap();
    let call = CallOptions::default();
    let mut errors = Vec::from([
        store.get(Name::new("a_", "k"), &GetOptions::default()).await.unwrap_err(),
        store.modify(Name::new("a_", "k"), &Change::Take, &call).await.unwrap_err(),
        store.destroy(&call).await.unwrap_err(),
    ]);
    let read = store.get_many("a_", &["k"], &GetOptions::default()).await.unwrap();
    errors.extend(read.into_iter().map(Result::unwrap_err));
    let page = store.list("a_", &ListOptions::default().with_entries()).await.unwrap();
    errors.extend(page.items.into_iter().map(|line| line.entry.unwrap().unwrap_err()));
    assert!(errors.len() >= 5);
    for error in errors {
        assert_eq!((error.collection(), error.key()), (Some("a_"), Some("k")), "{error}");
    }
    let error = store.clear("a_", &KeyFilter::all(), &call).await.unwrap_err();
    assert_eq!(error.collection(), Some("a_"));
    let names = store.collections(&ListOptions::default()).await.unwrap();
    assert_eq!(names.items, ["a_"], "a store that repeats itself does not make two of one");
}

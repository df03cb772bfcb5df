//! Where calls go, and what spans all stores.

use std::sync::atomic::{AtomicBool, Ordering};

use kv_core::{ErrorKind, ManualClock, Pattern, PutOptions, Ttl};

use super::super::request::Request;
use super::super::testing::{collections, keys, stopped};
use super::*;
use crate::Kv;
use crate::stores::{NullStore, SimpleStore};

/// A store that can be cut off, and notes that it was closed.
#[derive(Debug)]
struct Watched {
    store: SimpleStore,
    is_off: AtomicBool,
    is_closed: AtomicBool,
}

impl Watched {
    fn new() -> Arc<Self> {
        let (is_off, is_closed) = Default::default();
        Arc::new(Self { store: SimpleStore::new(), is_off, is_closed })
    }
}

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Around for Watched {
    type Inner = SimpleStore;
    const NAME: &'static str = "Watched";

    fn inner(&self) -> &SimpleStore {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        if request.operation() == kv_core::Operation::Close {
            self.is_closed.store(true, Ordering::SeqCst);
        }
        if self.is_off.load(Ordering::SeqCst) {
            return Err(Error::new(kv_core::ErrorKind::Connection, "cut off"));
        }
        request.send(&self.store).await
    }
}

/// `a.` goes to the first, `b.` to the second, `lost.` nowhere, the rest to the third.
fn routing(one: &Arc<SimpleStore>, two: &Arc<SimpleStore>, rest: &Arc<SimpleStore>) -> Routing {
    let by_letter = |collection: &str| collection.split_once('.').map(|(letter, _)| letter.to_owned());
    let routing = Routing::new(Arc::clone(rest), by_letter).with_store("a", Arc::clone(one)).unwrap();
    routing.with_store("b", Arc::clone(two)).unwrap()
}

#[maybe_async::maybe_async]
async fn put(store: &(impl Store + ?Sized), collection: &str, key: &str) {
    let outcome = store.put(Name::new(collection, key), ValueRef::Json(b"1"), &PutOptions::default()).await;
    assert!(outcome.unwrap().is_written());
}

fn three() -> [Arc<SimpleStore>; 3] {
    [(); 3].map(|()| Arc::new(SimpleStore::new()))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_about_a_collection_goes_to_its_store_alone() {
    let [one, two, rest] = three();
    let store = routing(&one, &two, &rest);
    for (collection, home) in [("a.x", &one), ("b.x", &two), ("x", &rest)] {
        put(&store, collection, "k").await;
        let there = keys(&**home, collection, ListOptions::default()).await;
        assert_eq!(there, ["k"]);
        let everywhere = [&one, &two, &rest];
        for other in everywhere.into_iter().filter(|other| !Arc::ptr_eq(other, home)) {
            let there = keys(&**other, collection, ListOptions::default()).await;
            assert!(there.is_empty(), "{collection}");
        }
    }
    let c = Kv::new(store).collection("a.x");
    c.put_many(&[("l", 1), ("m", 2)], &PutOptions::default()).await.unwrap();
    let read = c.get_many::<u8>(&["l", "no", "m"]).await.unwrap();
    assert_eq!(read.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    let sum = c.increment("l", 1).await.unwrap();
    let deleted = c.delete_many(&["k", "m"]).await.unwrap();
    let count = c.count(&KeyFilter::all()).await.unwrap();
    let cleared = c.clear().await.unwrap();
    assert_eq!((sum, deleted, count, cleared), (2, 2, 1, 1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn collections_span_the_stores_and_show_each_once() {
    let [one, two, rest] = three();
    let store = routing(&one, &two, &rest);
    for collection in ["a.1", "a.2", "b.1", "x", "y", "z"] {
        put(&store, collection, "k").await;
    }
    // What stands where it is not routed to is no part of this store.
    put(&*two, "x", "k").await;
    put(&*rest, "a.1", "k").await;
    put(&*rest, "a.9", "k").await;
    put(&*rest, "lost.1", "k").await;
    for limit in [1, 2, 100] {
        let mut listed = collections(&store, ListOptions::default().with_limit(limit)).await;
        listed.sort();
        assert_eq!(listed, ["a.1", "a.2", "b.1", "x", "y", "z"], "{limit}");
    }
    let mut listed = collections(&store, ListOptions::starting_with("a.")).await;
    listed.sort();
    assert_eq!(listed, ["a.1", "a.2"]);
    for cursor in ["", "3", "-1", "x", "x:y", ":"] {
        let options = ListOptions::default().with_cursor(Some(Cursor::new(cursor)));
        let error = store.collections(&options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{cursor:?}");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn care_goes_to_all_stores() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let simple = || Arc::new(SimpleStore::new().with_clock(clock.clone()));
    let (one, two, rest) = (simple(), simple(), simple());
    let kv = Kv::new(routing(&one, &two, &rest));
    for collection in ["a.1", "b.1", "x"] {
        let c = kv.collection(collection);
        c.put("k", &1).await.unwrap();
        c.put_with("short", &1, &PutOptions::ttl(Ttl::from(1.0))).await.unwrap();
    }
    clock.advance(std::time::Duration::from_secs(1));
    let culled = kv.cull().await.unwrap();
    let destroyed = kv.destroy().await.unwrap();
    assert_eq!((culled, destroyed), (3, 3));
    kv.setup().await.unwrap();
    kv.ping().await.unwrap();
    for store in [&one, &two, &rest] {
        let left = collections(&**store, ListOptions::default()).await;
        assert!(left.is_empty());
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn one_store_that_is_gone_is_told_and_does_not_keep_the_others_open() {
    let stores = [(); 3].map(|()| Watched::new());
    let [one, two, rest] = stores.clone();
    let kv = Kv::new(
        CollectionRouting::new(rest)
            .with_collections(["one"], one)
            .unwrap()
            .with_pattern(Pattern::new("two*").unwrap(), two),
    );
    stores[1].is_off.store(true, Ordering::SeqCst);
    kv.collection("one").put("k", &1).await.unwrap();
    kv.put("k", &1).await.unwrap();
    let errors = [
        kv.collection("twofold").put("k", &1).await.map(drop),
        kv.ping().await,
        kv.setup().await,
        kv.cull().await.map(drop),
        kv.all_collections().await.map(drop),
        kv.close().await,
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Connection);
    }
    assert!(stores.iter().all(|store| store.is_closed.load(Ordering::SeqCst)));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_function_that_names_no_store_is_an_error_and_reaches_none() {
    let [one, two, rest] = three();
    let kv = Kv::new(routing(&one, &two, &rest));
    let error = kv.collection("lost.1").put("k", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!((error.store(), error.operation(), error.collection()), (Some("Routing"), Some("put"), Some("lost.1")));
    assert!(error.message().contains("\"lost\""));
    let error = routing(&one, &two, &rest).with_store("a", NullStore::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    // The rest is called so for people; no function can name it by accident.
    let kv = Kv::new(Routing::new(NullStore::new(), |_| Some("rest")));
    let error = kv.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_come_before_patterns_and_patterns_in_their_order() {
    let [one, two, rest] = three();
    let pattern = |glob| Pattern::new(glob).unwrap();
    let table = || CollectionRouting::new(Arc::clone(&rest)).with_pattern(pattern("ab*"), Arc::clone(&one));
    let store = table().with_pattern(pattern("a*"), Arc::clone(&two));
    let store = store.with_collections(["abc", "x"], Arc::clone(&rest)).unwrap();
    for (collection, home) in [("ab", &one), ("a", &two), ("abc", &rest), ("x", &rest), ("y", &rest)] {
        put(&store, collection, "k").await;
        let listed = collections(&**home, ListOptions::default()).await;
        assert!(listed.iter().any(|name| name == collection), "{collection}");
    }
    let mut listed = collections(&store, ListOptions::default()).await;
    listed.sort();
    // Two routes lead to one store, and yet each collection shows once.
    assert_eq!(listed, ["a", "ab", "abc", "x", "y"]);
    assert_eq!(
        store.describe().name,
        "CollectionRouting(ab*: Simple, a*: Simple, abc and 1 more: Simple, rest: Simple)"
    );

    let twice = table().with_collections(["x", "x"], NullStore::new()).unwrap_err();
    let none = table().with_collections(Vec::<String>::new(), NullStore::new()).unwrap_err();
    let invalid = table().with_collections([""], NullStore::new()).unwrap_err();
    let kinds = [twice, none, invalid].map(|error| error.kind());
    assert_eq!(kinds, [ErrorKind::Configuration, ErrorKind::Configuration, ErrorKind::InvalidCollection]);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn together_they_can_what_each_can() {
    let (rest, _) = stopped();
    let rest = Arc::new(rest);
    let kv = Kv::new(CollectionRouting::new(Arc::clone(&rest)).with_collections(["c"], NullStore::new()).unwrap());
    let (told, null) = (kv.capabilities().await.unwrap(), NullStore::new().describe().capabilities);
    assert_eq!(told, kv.describe().capabilities);
    assert_eq!(told, both(rest.describe().capabilities, &null));
    assert_eq!((told.stores, told.conditional), (null.stores, null.conditional));

    let mut narrow = rest.describe().capabilities;
    (narrow.max_key_bytes, narrow.max_value_bytes) = (100, Some(5));
    for (one, other) in [(narrow.clone(), rest.describe().capabilities), (rest.describe().capabilities, narrow)] {
        let both = both(one, &other);
        assert_eq!((both.max_key_bytes, both.max_value_bytes), (100, Some(5)));
    }
}

/// A store that cannot list its collections, free what has expired, or destroy.
#[derive(Debug)]
struct Plain(SimpleStore);

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Wrapper for Plain {
    type Inner = SimpleStore;
    const NAME: &'static str = "Plain";

    fn inner(&self) -> &SimpleStore {
        &self.0
    }

    fn describe(&self) -> Description {
        let mut description = self.0.describe();
        let can = &mut description.capabilities;
        (can.collections, can.clear, can.cull) = (false, false, false);
        description
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_one_store_cannot_do_is_done_on_none() {
    let kv =
        Kv::new(CollectionRouting::new(SimpleStore::new()).with_collections(["c"], Plain(SimpleStore::new())).unwrap());
    kv.put("k", &1).await.unwrap();
    let errors = [
        kv.destroy().await.map(drop).unwrap_err(),
        kv.cull().await.map(drop).unwrap_err(),
        kv.all_collections().await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.store()), (ErrorKind::Unsupported, Some("CollectionRouting")));
    }
    let exists = kv.exists("k").await.unwrap();
    assert!(exists);
}

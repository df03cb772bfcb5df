//! The policy, over a driver whose set-up fails when told to.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use kv_core::ManualClock;

use super::*;
use crate::Kv;
use crate::stores::{MemoryStore, NullStore, SimpleDriver, SimpleStore};

#[derive(Debug, Default)]
struct Flaky {
    inner: SimpleDriver,
    failures_left: AtomicUsize,
    setups: AtomicUsize,
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for Flaky {
    const KIND: &'static str = "Flaky";

    fn describe(&self) -> Description {
        self.inner.describe()
    }

    async fn setup(&self) -> Result<()> {
        self.setups.fetch_add(1, Ordering::SeqCst);
        let left = self.failures_left.load(Ordering::SeqCst);
        if left > 0 {
            self.failures_left.store(left - 1, Ordering::SeqCst);
            return Err(Error::new(ErrorKind::Connection, "refused"));
        }
        Ok(())
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        self.inner.get(name, head, call).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.inner.get_many(collection, keys, head, call).await
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        self.inner.put(name, record, condition, cx).await
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        self.inner.put_many(collection, records, cx).await
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        self.inner.delete(name, condition, cx).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        self.inner.delete_many(collection, keys, cx).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        self.inner.ping(cx).await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_failed_set_up_is_tried_again_by_the_next_use_and_then_not_any_more() {
    let driver = Flaky { failures_left: AtomicUsize::new(2), ..Flaky::default() };
    let store = std::sync::Arc::new(Managed::from_driver(driver));
    let kv = Kv::from_arc(store.clone());
    assert_eq!(store.driver().setups.load(Ordering::SeqCst), 0, "making a store does nothing");
    for _ in 0..2 {
        let error = kv.get::<u8>("k").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.store(), error.operation()),
            (ErrorKind::Connection, Some("Flaky"), Some("get"))
        );
        assert_eq!((error.collection(), error.key()), (Some(DEFAULT_COLLECTION), Some("k")));
    }
    for _ in 0..3 {
        let answer = kv.get::<u8>("k").await.unwrap();
        assert_eq!(answer, None);
    }
    assert_eq!(store.driver().setups.load(Ordering::SeqCst), 3);
    kv.close().await.unwrap();
    kv.ping().await.unwrap();
    assert_eq!(store.driver().setups.load(Ordering::SeqCst), 4, "after closing, the next use sets up again");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn bad_names_are_refused_before_set_up() {
    let store = std::sync::Arc::new(Managed::from_driver(Flaky::default()));
    let kv = Kv::from_arc(store.clone());
    let answer = kv.put("", &1).await.unwrap_err().kind();
    assert_eq!(answer, ErrorKind::InvalidKey);
    let answer = kv.collection("").get::<u8>("k").await.unwrap_err().kind();
    assert_eq!(answer, ErrorKind::InvalidCollection);
    assert_eq!(store.driver().setups.load(Ordering::SeqCst), 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn seeds_write_only_what_is_absent() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let store = SimpleStore::new().with_clock(clock).with_seed("c", "a", &1).unwrap().with_seed("c", "b", &2).unwrap();
    let c = Kv::new(store).collection("c");
    let answer = c.get::<u8>("a").await.unwrap();
    assert_eq!(answer, Some(1));
    c.put("a", &7).await.unwrap();
    c.store().close().await.unwrap();
    let answer = c.get::<u8>("a").await.unwrap();
    assert_eq!(answer, Some(7), "set up again, it is left as it is");
    let answer = c.get::<u8>("b").await.unwrap();
    assert_eq!(answer, Some(2));
    assert!(SimpleStore::new().with_seed("", "a", &1).is_err());
    assert!(SimpleStore::new().with_default_collection("").is_err());
    let refused = NullStore::new().with_seed("c", "a", &1).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_batch_with_one_bad_item_writes_nothing() {
    let kv = Kv::new(SimpleStore::new());
    let long = "x".repeat(2049);
    let value = Value::encode(&1).unwrap();
    for (key, expiry, kind) in [
        ("", Expiry::Never, ErrorKind::InvalidKey),
        (long.as_str(), Expiry::Never, ErrorKind::InvalidKey),
        ("b", Expiry::after(Duration::ZERO), ErrorKind::InvalidTtl),
    ] {
        let items = [PutItem::new("a", value.as_ref()), PutItem::new(key, value.as_ref()).with_expiry(expiry)];
        let error = kv.put_items(&items, &PutOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let answer = kv.exists("a").await.unwrap();
        assert!(!answer);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_put_at_hand_is_put() {
    let store = MemoryStore::new();
    let (name, always) = (Name::new("c", "k"), PutOptions::default());
    let put = |name, value| store.put_at_hand(name, ValueRef::Json(value), &always);
    assert!(put(name, b"1").is_none(), "before set-up");
    let before = store.get(name, &GetOptions::default()).await.unwrap();
    assert!(before.is_none());
    let written = put(name, b"1").unwrap().unwrap().written().unwrap();
    let found = store.get(name, &GetOptions::default()).await.unwrap().unwrap();
    assert_eq!((found.as_json(), found.revision()), (Some("1"), written.revision()));
    let absent = PutOptions::default().with_condition(Condition::IfAbsent);
    let conflict = store.put_at_hand(name, ValueRef::Json(b"2"), &absent).unwrap().unwrap();
    assert!(conflict.written().is_none());
    assert!(put(Name::new("c", ""), b"1").is_none(), "an error, which a put tells");
    let wrapped = crate::wrappers::Statistics::new(std::sync::Arc::new(store));
    assert!(Store::put_at_hand(&wrapped, name, ValueRef::Json(b"2"), &always).is_none());
    assert!(SimpleStore::new().put_at_hand(name, ValueRef::Json(b"2"), &always).is_none());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_memory_has_at_hand_is_what_a_get_finds() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let store = MemoryStore::new().with_clock(clock.clone()).with_seed("c", "seed", &1).unwrap();
    let (name, none) = (Name::new("c", "k"), Name::new("c", "none"));
    assert!(store.at_hand(Name::new("c", "seed")).is_none(), "before set-up");
    let options = PutOptions::ttl(Duration::from_secs(1));
    store.put(name, ValueRef::Json(b"1"), &options).await.unwrap();
    let found = store.at_hand(name).unwrap().unwrap();
    assert_eq!((found.as_json(), store.has_come(found.expires().unwrap())), (Some("1"), false));
    assert!(store.at_hand(Name::new("c", "seed")).unwrap().is_some());
    assert!(store.at_hand(none).unwrap().is_none());
    assert!(store.at_hand(Name::new("c", "")).is_none(), "an error, which a get tells");
    clock.advance(Duration::from_secs(1));
    assert!(store.at_hand(name).unwrap().is_none(), "it has ended");
    assert!(store.has_come(found.expires().unwrap()));
    // A wrapper may do something around a get.
    let wrapped = crate::wrappers::Statistics::new(std::sync::Arc::new(store));
    assert!(Store::at_hand(&wrapped, none).is_none());
    let other = SimpleStore::new();
    other.put(name, ValueRef::Json(b"1"), &PutOptions::default()).await.unwrap();
    assert!(other.at_hand(name).is_none());
}

//! Ours, over any store, in both flavours.

use std::hint::black_box;
use std::sync::Arc;

use kv_core::{PutItem, PutOptions, PutOutcome, ValueRef};

use super::{Awaiting, Blocking};
use crate::data::{TTL, User, VALUE};

/// What both have.
pub struct Ours<K> {
    kv: K,
    options: PutOptions,
    value: &'static [u8],
    user: User,
}

impl<K> Ours<K> {
    fn new(kv: K, value: &'static [u8]) -> Arc<Self> {
        Arc::new(Self { kv, options: PutOptions::ttl(TTL), value, user: User::sample() })
    }

    fn items<'a>(&self, keys: &'a [String]) -> Vec<PutItem<'a>> {
        keys.iter().map(|key| PutItem::new(key, ValueRef::Json(self.value))).collect()
    }
}

pub fn blocking(store: impl kv_sync::Store) -> Arc<Ours<kv_sync::Kv>> {
    blocking_of(store, VALUE)
}

pub fn awaiting(store: impl kv_async::Store) -> Arc<Ours<kv_async::Kv>> {
    awaiting_of(store, VALUE)
}

/// With another value, which is not that of the typed operations.
pub fn blocking_of(store: impl kv_sync::Store, value: &'static [u8]) -> Arc<Ours<kv_sync::Kv>> {
    Ours::new(kv_sync::Kv::new(store), value)
}

/// With another value, which is not that of the typed operations.
pub fn awaiting_of(store: impl kv_async::Store, value: &'static [u8]) -> Arc<Ours<kv_async::Kv>> {
    Ours::new(kv_async::Kv::new(store), value)
}

const FAILED: &str = "the operation succeeds";

impl Blocking for Ours<kv_sync::Kv> {
    const TYPED: bool = true;

    #[inline]
    fn get(&self, key: &str) -> bool {
        self.kv.get_entry(key).expect(FAILED).is_some_and(|entry| !entry.value().as_encoded().is_empty())
    }

    fn put(&self, key: &str) {
        let outcome = self.kv.put_value(key, ValueRef::Json(self.value), &self.options).expect(FAILED);
        debug_assert!(matches!(black_box(outcome), PutOutcome::Written(_)));
    }

    fn delete(&self, key: &str) -> bool {
        self.kv.delete(key).expect(FAILED)
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let found = self.kv.get_entries(keys).expect(FAILED);
        black_box(found).into_iter().filter(|entry| matches!(entry, Ok(Some(_)))).count()
    }

    fn put_many(&self, keys: &[String]) {
        let written = self.kv.put_items(&self.items(keys), &self.options).expect(FAILED);
        assert!(written.iter().all(Result::is_ok));
    }

    fn get_typed(&self, key: &str) -> bool {
        black_box(self.kv.get::<User>(key).expect(FAILED)).is_some()
    }

    fn put_typed(&self, key: &str) {
        let outcome = self.kv.put_with(key, &self.user, &self.options).expect(FAILED);
        debug_assert!(matches!(black_box(outcome), PutOutcome::Written(_)));
    }
}

impl Awaiting for Ours<kv_async::Kv> {
    const TYPED: bool = true;

    #[inline]
    async fn get(&self, key: &str) -> bool {
        self.kv.get_entry(key).await.expect(FAILED).is_some_and(|entry| !entry.value().as_encoded().is_empty())
    }

    async fn put(&self, key: &str) {
        let outcome = self.kv.put_value(key, ValueRef::Json(self.value), &self.options).await.expect(FAILED);
        debug_assert!(matches!(black_box(outcome), PutOutcome::Written(_)));
    }

    async fn delete(&self, key: &str) -> bool {
        self.kv.delete(key).await.expect(FAILED)
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let found = self.kv.get_entries(keys).await.expect(FAILED);
        black_box(found).into_iter().filter(|entry| matches!(entry, Ok(Some(_)))).count()
    }

    async fn put_many(&self, keys: &[String]) {
        let written = self.kv.put_items(&self.items(keys), &self.options).await.expect(FAILED);
        assert!(written.iter().all(Result::is_ok));
    }

    async fn get_typed(&self, key: &str) -> bool {
        black_box(self.kv.get::<User>(key).await.expect(FAILED)).is_some()
    }

    async fn put_typed(&self, key: &str) {
        let outcome = self.kv.put_with(key, &self.user, &self.options).await.expect(FAILED);
        debug_assert!(matches!(black_box(outcome), PutOutcome::Written(_)));
    }
}

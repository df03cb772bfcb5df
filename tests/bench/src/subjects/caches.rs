//! The caches that hold entries in this process: the same key, the same bytes, the same end.

use std::sync::Arc;

use super::memory::{Held, now};
use super::{Awaiting, Blocking};
use crate::data::{TTL, VALUE};

/// More than anybody puts, so that nothing is evicted.
pub const CAPACITY: usize = 1 << 22;

/// moka, with its own expiry.
pub struct Moka(moka::sync::Cache<String, Arc<[u8]>>);

impl Moka {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(moka::sync::Cache::builder().time_to_live(TTL).build()))
    }

    pub fn insert(&self, key: &str, bytes: &[u8]) {
        self.0.insert(key.to_owned(), bytes.into());
    }
}

impl Blocking for Moka {
    fn get(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|bytes| !bytes.is_empty())
    }

    fn put(&self, key: &str) {
        self.insert(key, VALUE);
    }

    fn delete(&self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }
}

/// moka's async twin.
pub struct AsyncMoka(moka::future::Cache<String, Arc<[u8]>>);

impl AsyncMoka {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(moka::future::Cache::builder().time_to_live(TTL).build()))
    }
}

impl Awaiting for AsyncMoka {
    async fn get(&self, key: &str) -> bool {
        self.0.get(key).await.is_some_and(|bytes| !bytes.is_empty())
    }

    async fn put(&self, key: &str) {
        self.0.insert(key.to_owned(), VALUE.into()).await;
    }

    async fn delete(&self, key: &str) -> bool {
        self.0.remove(key).await.is_some()
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let mut count = 0;
        for key in keys {
            count += usize::from(self.get(key).await);
        }
        count
    }

    async fn put_many(&self, keys: &[String]) {
        for key in keys {
            self.put(key).await;
        }
    }
}

/// foyer's cache in memory, which knows no TTL: the reader checks.
pub struct Foyer(foyer::Cache<String, Arc<Held>>);

impl Foyer {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(foyer::CacheBuilder::new(CAPACITY).build()))
    }

    pub fn insert(&self, key: &str, bytes: &[u8]) {
        self.0.insert(key.to_owned(), Held::new(bytes));
    }
}

impl Blocking for Foyer {
    fn get(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|entry| entry.value().is_there())
    }

    fn put(&self, key: &str) {
        self.insert(key, VALUE);
    }

    fn delete(&self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }
}

/// quick_cache, which knows no TTL: the reader checks.
pub struct QuickCache(quick_cache::sync::Cache<String, Arc<Held>>);

impl QuickCache {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(quick_cache::sync::Cache::new(CAPACITY)))
    }

    pub fn insert(&self, key: &str, bytes: &[u8]) {
        self.0.insert(key.to_owned(), Held::new(bytes));
    }
}

impl Blocking for QuickCache {
    fn get(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|held| held.is_there())
    }

    fn put(&self, key: &str) {
        self.insert(key, VALUE);
    }

    fn delete(&self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }
}

/// cached, in shards, with its own check of each value's end.
pub struct Cached(cached::ShardedExpiringCache<String, Ending>);

#[derive(Clone)]
struct Ending(Arc<Held>);

impl cached::Expires for Ending {
    fn is_expired(&self) -> bool {
        self.0.expires <= now()
    }
}

impl Cached {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(cached::ShardedExpiringCache::new()))
    }

    pub fn insert(&self, key: &str, bytes: &[u8]) {
        self.0.set(key.to_owned(), Ending(Held::new(bytes)));
    }
}

impl Blocking for Cached {
    fn get(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|ending| !ending.0.bytes.is_empty())
    }

    fn put(&self, key: &str) {
        self.insert(key, VALUE);
    }

    fn delete(&self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }
}

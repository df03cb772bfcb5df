//! Caches.

use std::time::Duration;

use kv_source::Kv;
use kv_source::contract::Setting;
use kv_source::stores::{MemoryStore, NullStore};
use kv_source::wrappers::PassthroughCache;

use crate::{Stack, memory};

/// Near, with the setting's clock and nothing else of it.
fn near(setting: &Setting) -> MemoryStore {
    MemoryStore::new().with_clock(setting.clock.clone())
}

fn plain(setting: &Setting) -> Kv {
    Kv::new(PassthroughCache::new(near(setting), memory(setting)))
}

/// With all that can be set.
fn full(setting: &Setting) -> Kv {
    let minute = Duration::from_secs(60);
    let cache = PassthroughCache::new(near(setting), memory(setting)).with_shared_near();
    let cache = cache.with_max_ttl(Some(minute)).and_then(|cache| cache.with_missing_ttl(minute));
    Kv::new(cache.and_then(|cache| cache.with_stale_on_error(minute)).unwrap())
}

/// Before a near store that keeps nothing.
fn useless(setting: &Setting) -> Kv {
    Kv::new(PassthroughCache::new(NullStore::new(), memory(setting)))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn passthrough_cache_holds() {
    Stack::new(plain).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn passthrough_cache_with_all_options_holds() {
    Stack::new(full).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn passthrough_cache_without_a_near_store_to_speak_of_holds() {
    Stack::new(useless).holds().await;
}

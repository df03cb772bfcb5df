//! Wrappers that stand before a store and let through what they are told to.

use std::sync::Arc;
use std::time::Duration;

use kv_source::contract::Setting;
use kv_source::wrappers::{DefaultValue, Fallback, LimitSize, Mirror, ReadOnly, Timeout};
use kv_source::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, KeyFilter, Kv, Modified, Name,
    PutItem, PutOptions, PutOutcome, Result, Store, ValueRef, Written,
};

use crate::{Stack, memory};

/// A store that is read through the guard under test, and written past it.
#[derive(Debug)]
struct WrittenPast<S> {
    guard: ReadOnly<S>,
    store: S,
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> kv_source::wrappers::Wrapper for WrittenPast<S> {
    type Inner = ReadOnly<S>;
    const NAME: &'static str = "WrittenPast";

    fn inner(&self) -> &Self::Inner {
        &self.guard
    }

    fn describe(&self) -> Description {
        self.store.describe()
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.store.put(name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.store.put_many(collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.store.delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.store.delete_many(collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        self.store.modify(name, change, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.store.clear(collection, filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.store.destroy(options).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.store.cull(options).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.store.capabilities().await
    }
}

/// Reads and listings are untouched; that every write is refused is tested with the wrapper.
fn read_only(setting: &Setting) -> Kv {
    let store = Arc::new(memory(setting));
    Kv::new(WrittenPast { guard: ReadOnly::new(Arc::clone(&store)), store })
}

fn limit_size(setting: &Setting) -> Kv {
    Kv::new(LimitSize::new(memory(setting), None, Some(20_000_000)).unwrap())
}

/// Another collection's default changes nothing; what it changes is tested with the wrapper.
fn default_value(setting: &Setting) -> Kv {
    Kv::new(DefaultValue::new(memory(setting), &1).unwrap().only_in("a collection with a default"))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn read_only_holds() {
    Stack::new(read_only).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn limit_size_holds() {
    Stack::new(limit_size).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn default_value_holds() {
    Stack::new(default_value).holds().await;
}

fn timeout(setting: &Setting) -> Kv {
    Kv::new(Timeout::new(memory(setting), Duration::from_secs(60)).unwrap())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn timeout_holds() {
    Stack::new(timeout).holds().await;
}

fn fallback(setting: &Setting) -> Kv {
    Kv::new(Fallback::new(memory(setting), memory(setting)).with_write_through())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn fallback_holds() {
    Stack::new(fallback).holds().await;
}

fn mirror(setting: &Setting) -> Kv {
    Kv::new(Mirror::new(memory(setting), memory(setting)).with_comparison())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn mirror_holds() {
    Stack::new(mirror).holds().await;
}

#[cfg(feature = "tracing")]
fn logging(setting: &Setting) -> Kv {
    Kv::new(kv_source::wrappers::Logging::new(memory(setting)))
}

#[cfg(feature = "tracing")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn logging_holds() {
    Stack::new(logging).holds().await;
}

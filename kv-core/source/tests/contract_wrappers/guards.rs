//! Wrappers that stand before a store and let through what they are told to.

use std::sync::Arc;
use std::time::Duration;

use kv_source::Kv;
use kv_source::contract::{Setting, WrittenPast};
use kv_source::wrappers::{DefaultValue, Fallback, LimitSize, Mirror, ReadOnly, Statistics, Timeout};

use crate::{Stack, memory};

/// Reads and listings are untouched; that every write is refused is tested with the wrapper.
fn read_only(setting: &Setting) -> Kv {
    let store = Arc::new(memory(setting));
    Kv::new(WrittenPast::new(ReadOnly::new(Arc::clone(&store)), store))
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

fn statistics(setting: &Setting) -> Kv {
    Kv::new(Statistics::new(memory(setting)))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn statistics_holds() {
    Stack::new(statistics).holds().await;
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

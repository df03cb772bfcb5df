//! Wrappers for stores that fail.

use kv_source::Kv;
use kv_source::contract::Setting;
use kv_source::wrappers::{CircuitBreaker, ConcurrencyLimit, Retry};

use crate::{Stack, memory};

fn retry(setting: &Setting) -> Kv {
    Kv::new(Retry::new(memory(setting)))
}

fn circuit_breaker(setting: &Setting) -> Kv {
    Kv::new(CircuitBreaker::new(memory(setting)).with_failures(1).unwrap())
}

fn concurrency_limit(setting: &Setting) -> Kv {
    Kv::new(ConcurrencyLimit::new(memory(setting), 1).unwrap())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn retry_holds() {
    Stack::new(retry).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn circuit_breaker_holds() {
    Stack::new(circuit_breaker).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn concurrency_limit_holds() {
    Stack::new(concurrency_limit).holds().await;
}

/// With nothing to inject; what it injects is tested with the wrapper.
#[cfg(feature = "faults")]
fn faults(setting: &Setting) -> Kv {
    Kv::new(kv_source::wrappers::Faults::new(memory(setting)))
}

#[cfg(feature = "faults")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn faults_holds() {
    Stack::new(faults).holds().await;
}

//! A store that fails when told to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Operation, Result};
use parking_lot::Mutex;

use super::request::{Effect, Request};
use crate::flavour;
use crate::store::Store;

mod plan;

pub use plan::{Fault, RandomFaults};

use plan::Plan;

/// Fails, waits, or loses answers, as it is told: for tests of whatever stands around a store.
///
/// Faults are told through a [`FaultHandle`], one by one ([`inject`](FaultHandle::inject)) or at random with a seed,
/// which makes a run that failed run again ([`at_random`](FaultHandle::at_random)). Without any it hands on all calls.
///
/// ```
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Fault, Faults, Operation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Faults::new(MemoryStore::new());
/// let faults = store.handle();
/// let kv = Kv::new(store);
///
/// // The write happens, and its answer is lost.
/// faults.inject(Fault::lost_answer(ErrorKind::Connection).on(Operation::Put));
/// let error = kv.put("k", &1).await.unwrap_err();
/// assert!(error.outcome_unknown());
/// assert_eq!(kv.get::<i32>("k").await?, Some(1));
///
/// faults.inject(Fault::refused(ErrorKind::Timeout).times(2));
/// assert_eq!(kv.get::<i32>("k").await.unwrap_err().kind(), ErrorKind::Timeout);
/// assert_eq!(kv.get::<i32>("k").await.unwrap_err().kind(), ErrorKind::Timeout);
/// assert_eq!(kv.get::<i32>("k").await?, Some(1));
/// assert_eq!(faults.calls(), 3, "those that reached the store");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It fails what stands within it, for what stands around it: right below the wrapper under test.
#[derive(Debug, Clone)]
pub struct Faults<S> {
    store: S,
    handle: FaultHandle,
}

impl<S: Store> Faults<S> {
    /// This store, without faults until there are some.
    pub fn new(store: S) -> Self {
        Self { store, handle: FaultHandle::default() }
    }

    /// What steers it, wherever it goes.
    pub fn handle(&self) -> FaultHandle {
        self.handle.clone()
    }
}

/// Steers a [`Faults`]; clones steer the same.
#[derive(Clone, Default)]
pub struct FaultHandle(Arc<Mutex<Plan>>);

impl fmt::Debug for FaultHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultHandle").field(&*self.0.lock()).finish()
    }
}

impl FaultHandle {
    /// Adds a fault. Of those that a call meets, the first that was added happens.
    pub fn inject(&self, fault: Fault) {
        self.0.lock().inject(fault);
    }

    /// From now on faults happen at random too, the same ones for the same seed and the same calls in the same order.
    pub fn at_random(&self, faults: RandomFaults) {
        self.0.lock().at_random(faults);
    }

    /// Takes all faults back, and lets the calls that [hang](Fault::held) go on.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// How many calls hang now.
    pub fn held(&self) -> usize {
        self.0.lock().held
    }

    /// How many calls reached the store.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls.values().sum()
    }

    /// How many calls of this operation reached the store.
    pub fn calls_of(&self, operation: Operation) -> u64 {
        self.0.lock().calls.get(&operation).copied().unwrap_or_default()
    }

    /// Waits until it is let go on.
    #[maybe_async::maybe_async]
    async fn hang(&self) {
        let held = Held::new(self);
        while held.holds() {
            flavour::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A call that hangs, until [`FaultHandle::clear`] or the end of the call.
struct Held<'a> {
    handle: &'a FaultHandle,
    since: u64,
}

impl<'a> Held<'a> {
    fn new(handle: &'a FaultHandle) -> Self {
        let mut plan = handle.0.lock();
        plan.held += 1;
        Self { handle, since: plan.clears }
    }

    fn holds(&self) -> bool {
        self.handle.0.lock().clears == self.since
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.handle.0.lock().held -= 1;
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for Faults<S> {
    type Inner = S;
    const NAME: &'static str = "Faults";

    fn inner(&self) -> &S {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        let step = self.handle.0.lock().next(request.operation(), request.key());
        if let Some(delay) = step.delay {
            flavour::sleep(delay).await;
        }
        if step.hangs {
            self.handle.hang().await;
        }
        let told = |kind| match step.asks {
            Some(pause) => told(kind, request).with_retry_after(pause),
            None => told(kind, request),
        };
        if let Some(kind) = step.refused {
            return Err(told(kind));
        }
        *self.handle.0.lock().calls.entry(request.operation()).or_default() += 1;
        let answer = request.send(&self.store).await;
        match step.lost {
            None => answer,
            Some(kind) if request.effect() == Effect::None => Err(told(kind)),
            Some(kind) => Err(told(kind).with_outcome_unknown()),
        }
    }
}

fn told<R: Request>(kind: ErrorKind, request: &R) -> Error {
    let error = Error::new(kind, "a fault that was asked for").in_store("Faults").during(request.operation().as_str());
    match (request.collection(), request.key()) {
        (Some(collection), Some(key)) => error.at(kv_core::Name::new(collection, key)),
        (Some(collection), None) => error.in_collection(collection),
        _ => error,
    }
}

#[cfg(test)]
mod tests;

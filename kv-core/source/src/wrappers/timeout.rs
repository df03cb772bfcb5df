//! A deadline for every call.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{CallOptions, Description, Error, ErrorKind, Operation, Result};

use super::request::{self, Effect, Request};
use crate::store::Store;

#[cfg_attr(feature = "is_sync", path = "timeout/calls_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "timeout/calls_async.rs")]
mod calls;

#[cfg_attr(feature = "is_sync", path = "timeout/workers_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "timeout/workers_async.rs")]
mod workers;

/// Ends every call in time, whether the store answers or not.
///
/// A call that has no answer within the limit answers [`Timeout`](kv_core::ErrorKind::Timeout). For a write the error
/// says that its fate is [unknown](kv_core::Error::outcome_unknown): it may have happened, or happen yet. The limit is
/// also handed to the store as the call's own [time-out](kv_core::CallOptions), where the caller's is not shorter; a
/// shorter one of the caller's is kept here too. What the first use takes to set the store up counts as part of that
/// call.
///
/// ```
/// use std::time::Duration;
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Operation, Timeout};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Timeout::new(MemoryStore::new(), Duration::from_secs(2))?
///     .with_limit(Operation::Clear, Duration::from_secs(60))?;
/// let kv = Kv::new(store);
/// kv.put("k", &1).await?;
/// assert_eq!(kv.get::<i32>("k").await?, Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Stragglers
///
/// In kv-async a call that is late is dropped, and nothing is left of it here. In kv-sync nobody can end a call from
/// outside; it goes on in a thread of its own after its caller was answered. There are at most
/// [so many](Self::with_max_stragglers) threads, 64 unless told otherwise. When all are taken, a call waits for one,
/// within its limit; when all are taken by calls that nobody waits for any more, it is refused at once. A call that was
/// refused or waited in vain was never sent, so that its error does not say that its fate is unknown.
///
/// # Cost
///
/// In kv-async a timer. In kv-sync a copy of what is sent, and the way to another thread and back, some 10 to 20 us:
/// put it around stores that are far away, and prefer their own time-outs where they have them. Threads end when they
/// had nothing to do for ten seconds, and when the wrapper is dropped.
///
/// # Order
///
/// * right: a retrying wrapper around `Timeout`: every attempt has its limit;
/// * `Timeout` around a retrying wrapper limits all attempts together, and is right too, if its limit has room for
///   them. Wrong is the limit of one attempt there: the first that hangs is the last.
///
/// # Different from Python
///
/// Python's cannot end a call of a store that blocks, and does not say that a write's fate is unknown. Its limit is 5
/// seconds unless told otherwise; here it is always told.
#[derive(Debug)]
pub struct Timeout<S> {
    store: Arc<S>,
    limit: Duration,
    limits: Vec<(Operation, Duration)>,
    workers: workers::Workers,
}

impl<S: Store> Timeout<S> {
    fn describe_limit(&self) -> Description {
        self.store.describe().wrapped_in("Timeout").with_parameters(format!("{:?}", self.limit))
    }

    const DEFAULT_MAX_STRAGGLERS: usize = 64;

    /// This store with so long for every call. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero.
    pub fn new(store: S, limit: Duration) -> Result<Self> {
        check(limit)?;
        let workers = workers::Workers::new(Self::DEFAULT_MAX_STRAGGLERS);
        Ok(Self { store: Arc::new(store), limit, limits: Vec::new(), workers })
    }

    /// With so long for calls of this operation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero.
    pub fn with_limit(mut self, operation: Operation, limit: Duration) -> Result<Self> {
        check(limit)?;
        self.limits.retain(|(other, _)| *other != operation);
        self.limits.push((operation, limit));
        Ok(self)
    }

    /// With at most so many threads, and so at most so many calls that nobody waits for any more. In kv-async, which
    /// leaves none behind, it says nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero.
    pub fn with_max_stragglers(mut self, most: usize) -> Result<Self> {
        if most == 0 {
            return Err(Error::new(ErrorKind::Configuration, "without a thread there is no call; it takes 1 or more"));
        }
        self.workers = workers::Workers::new(most);
        Ok(self)
    }

    /// What this call is to be given.
    fn call<R: Request>(&self, request: &R) -> CallOptions {
        let operation = request.operation();
        let own = self.limits.iter().find(|(other, _)| *other == operation).map_or(self.limit, |(_, limit)| *limit);
        let call = request.call();
        call.with_timeout(call.timeout.map_or(own, |asked| asked.min(own)))
    }
}

fn check(limit: Duration) -> Result<()> {
    if limit.is_zero() {
        return Err(Error::new(ErrorKind::Configuration, "the time limit is zero; it takes a positive time"));
    }
    Ok(())
}

/// The error of a call that was sent and not answered in time.
#[cold]
fn late<R: Request>(request: &R, limit: Duration) -> Error {
    let error = named(Error::new(ErrorKind::Timeout, format!("no answer within {limit:?}")), request);
    if request.effect() == Effect::None { error } else { error.with_outcome_unknown() }
}

fn named<R: Request>(error: Error, request: &R) -> Error {
    request::named(error.in_store("Timeout"), request)
}

#[cfg(test)]
mod tests;

//! Trying again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use kv_core::{Description, Error, ErrorKind, Operation, Result};

use super::request::{Effect, Request};
use crate::flavour;
use crate::store::Store;

/// Repeats calls that failed where that can help and cannot harm.
///
/// * Only errors that say a retry can help ([`Error::is_retryable`](kv_core::Error::is_retryable)): no connection, no
///   answer in time, too many rivals.
/// * A write whose outcome is unknown is repeated only if that changes neither what is stored nor what is answered: a
///   put without a condition, and put_many. Conditional writes, deletes and changes (increment, take, ...) are then
///   told to the caller, since a repeated one might answer for the first.
/// * clear, destroy and cull are never repeated: they may be many steps, some of which were taken before the one that
///   failed, so that a repeated one would count only what was left.
/// * The error of the last attempt is given, marked as of unknown outcome if one of the attempts was.
///
/// A backend that asks to be left alone for longer ([`Error::retry_after`](kv_core::Error::retry_after)) is, within the
/// budget. Pauses grow by half to twice, up to a limit, each with chance in it, so that many clients do not come back at once.
/// By default there are 3 retries, with pauses from 50 ms to 2 s, and no new attempt after 10 s.
///
/// A call's own time-out ([`CallOptions::timeout`](kv_core::CallOptions::timeout)) is for the call: no pause begins
/// that would end later than so long after the first attempt, whatever the budget. Each attempt is handed it whole, so
/// that the call takes less than twice as long where the store keeps it. It follows that a call is not repeated that
/// took all of its own time: what is to be the limit of an attempt is given to the store, or to a
/// [`Timeout`](super::Timeout) within.
///
/// ```
/// use std::time::Duration;
///
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Fault, Faults, Retry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Faults::new(MemoryStore::new());
/// store.handle().inject(Fault::refused(ErrorKind::Connection).times(2));
/// let pauses = Duration::from_millis(1)..=Duration::from_millis(10);
/// let kv = Kv::new(Retry::new(store).with_retries(2).with_pauses(pauses)?);
/// kv.put("k", &1).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Batches
///
/// A batch that fails whole is repeated whole. Errors of single positions are left as they are.
///
/// # Cost
///
/// None while calls succeed. A put that is repeated counts its TTL from the attempt that succeeded.
///
/// # Order
///
/// * around [`CircuitBreaker`](super::CircuitBreaker) it waits for the breaker to let calls through again; within it,
///   the breaker sees a failure only when all attempts failed: mostly what is wanted;
/// * around a wrapper that times calls out, each attempt has that time; within it, all attempts together;
/// * around [`Statistics`](super::Statistics) every attempt is counted, within it every call;
/// * right: within a wrapper that writes to two stores ([`Mirror`](super::Mirror), [`Fallback`](super::Fallback)),
///   around each of the two. Wrong: around such a wrapper. An error of the first store has then been dealt with: the
///   second was asked, or may have taken the write, and is written again with every repetition; an error of the second
///   is noted there and never seen here, so that it is not repeated at all.
///
/// # Different from Python
///
/// Python repeats every operation on any of the given exception types (by default connection and time-out errors),
/// also a put_many or a delete that may have happened, and pauses without chance. It has no total budget.
#[derive(Debug, Clone)]
pub struct Retry<S> {
    store: S,
    retries: usize,
    backoff: ExponentialBuilder,
    budget: Duration,
}

impl<S: Store> Retry<S> {
    /// Repeats this store's calls.
    pub fn new(store: S) -> Self {
        let backoff = ExponentialBuilder::new().with_factor(2.0).with_jitter();
        let backoff = backoff.with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_secs(2));
        Self { store, retries: 3, backoff, budget: Duration::from_secs(10) }
    }

    /// With at most so many further attempts; 0 for none.
    #[must_use]
    pub fn with_retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// With pauses that begin at the least and grow to the most; chance may double each.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the least is zero, or more than the most.
    pub fn with_pauses(mut self, pauses: std::ops::RangeInclusive<Duration>) -> Result<Self> {
        let (least, most) = pauses.into_inner();
        if least.is_zero() || least > most {
            let message =
                format!("pauses begin at more than zero and at most at their limit, not at {least:?} of {most:?}");
            return Err(Error::new(ErrorKind::Configuration, message).in_store("Retry"));
        }
        self.backoff = self.backoff.with_min_delay(least).with_max_delay(most);
        Ok(self)
    }

    /// With no attempt that would begin later than so long after the first. A call's own time-out can make it shorter.
    #[must_use]
    pub fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }
}

/// Whether to repeat a call that failed so.
fn may_repeat<R: Request>(request: &R, error: &Error) -> bool {
    let is_many_steps = matches!(request.operation(), Operation::Clear | Operation::Destroy | Operation::Cull);
    let may_double = request.effect() == Effect::Change && error.outcome_unknown();
    error.is_retryable() && !is_many_steps && !may_double
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for Retry<S> {
    type Inner = S;
    const NAME: &'static str = "Retry";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        self.store.describe().wrapped_in("Retry").with_parameters(self.retries.to_string())
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        let began = Instant::now();
        let budget = request.call().timeout.map_or(self.budget, |timeout| timeout.min(self.budget));
        let mut pauses = None;
        let mut is_unknown = false;
        loop {
            let error = match request.send(&self.store).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            is_unknown |= error.outcome_unknown();
            let pause = match may_repeat(request, &error) {
                true => pauses.get_or_insert_with(|| self.backoff.with_max_times(self.retries).build()).next(),
                false => None,
            };
            // A backend that asks for a longer pause gets it, within the budget.
            let pause = pause.map(|pause| error.retry_after().map_or(pause, |asked| asked.max(pause)));
            match pause.filter(|pause| began.elapsed() + *pause < budget) {
                Some(pause) => flavour::sleep(pause).await,
                None if is_unknown => return Err(error.with_outcome_unknown()),
                None => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;

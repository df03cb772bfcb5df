//! So many calls at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kv_core::{Description, Error, ErrorKind, Operation, Result};

use super::request::{Request, named};
use crate::store::Store;

#[cfg_attr(feature = "is_sync", path = "concurrency_limit/places_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "concurrency_limit/places_async.rs")]
mod places;

use places::Places;

/// Lets so many calls into the store at a time; the others wait for their turn, in the order in which they came.
///
/// A call that waited too long (5 s by default) fails as [`Timeout`](ErrorKind::Timeout), and one that would be one too
/// many in the queue fails at once, likewise. Neither reached the store, so that no write of unknown outcome is among
/// them. A call's own time-out ([`CallOptions::timeout`](kv_core::CallOptions::timeout)) bounds the waiting too.
/// `close` takes no place and never waits.
///
/// ```
/// use std::time::Duration;
///
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::ConcurrencyLimit;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = ConcurrencyLimit::new(MemoryStore::new(), 8)?.with_max_wait(Duration::from_secs(1)).with_max_queue(100);
/// let kv = Kv::new(store);
/// kv.put("k", &1).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// Taking and giving back a place: a short lock each, and nothing more while places are free.
///
/// # Order
///
/// * within a cache, or hits wait for the calls that miss;
/// * within [`Retry`](super::Retry), so that a call that pauses between attempts holds no place. Around it, it does;
/// * around [`CircuitBreaker`](super::CircuitBreaker), which takes a time-out for an outage. Within it, calls that the
///   full queue turns away open the circuit of a backend that is only busy.
///
/// # Different from Python
///
/// Python has none.
#[derive(Debug)]
pub struct ConcurrencyLimit<S> {
    store: S,
    places: Places,
    calls: usize,
    max_wait: Duration,
    max_queue: usize,
    waiting: AtomicUsize,
}

impl<S: Store> ConcurrencyLimit<S> {
    /// This store, with at most so many calls in it at a time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for none, and for more than a million.
    pub fn new(store: S, calls: usize) -> Result<Self> {
        if calls == 0 || calls > 1_000_000 {
            let message = format!("it lets in 1 to 1,000,000 calls at a time, not {calls}");
            return Err(Error::new(ErrorKind::Configuration, message).in_store("ConcurrencyLimit"));
        }
        let (max_wait, max_queue, waiting) = (Duration::from_secs(5), usize::MAX, AtomicUsize::new(0));
        Ok(Self { store, places: Places::new(calls), calls, max_wait, max_queue, waiting })
    }

    /// With calls that wait at most so long.
    #[must_use]
    pub fn with_max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// With at most so many calls that wait.
    #[must_use]
    pub fn with_max_queue(mut self, calls: usize) -> Self {
        self.max_queue = calls;
        self
    }

    /// How many calls wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    #[cold]
    fn refusal<R: Request>(&self, request: &R, what: &str) -> Error {
        let message = format!("all {} places are taken, and {what}", self.calls);
        named(Error::new(ErrorKind::Timeout, message).in_store("ConcurrencyLimit"), request)
    }
}

/// A call in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// One more, unless that is too many.
    fn one_of(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |now: usize| (now < most).then_some(now + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for ConcurrencyLimit<S> {
    type Inner = S;
    const NAME: &'static str = "ConcurrencyLimit";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        self.store.describe().wrapped_in("ConcurrencyLimit").with_parameters(self.calls.to_string())
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        if request.operation() == Operation::Close {
            return request.send(&self.store).await;
        }
        let place = match self.places.free() {
            Some(place) => place,
            None => {
                let queued = Waiting::one_of(&self.waiting, self.max_queue);
                let queued = queued.ok_or_else(|| self.refusal(request, "so is the queue"))?;
                let wait = request.call().timeout.map_or(self.max_wait, |timeout| timeout.min(self.max_wait));
                let place = self.places.wait(wait).await;
                drop(queued);
                place.ok_or_else(|| self.refusal(request, &format!("none became free within {wait:?}")))?
            }
        };
        let answer = request.send(&self.store).await;
        drop(place);
        answer
    }
}

#[cfg(test)]
#[cfg_attr(feature = "is_sync", path = "concurrency_limit/tests_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "concurrency_limit/tests_async.rs")]
mod tests;

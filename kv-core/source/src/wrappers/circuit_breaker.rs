//! Leaving alone what fails.

use std::time::{Duration, Instant};

use kv_core::breaker::{Breaker, Pass};
use kv_core::{Description, Error, ErrorKind, Operation, Result};
use parking_lot::Mutex;

use super::request::{Request, named};
use crate::store::Store;

/// Refuses calls for a while after the store failed several times in a row, so that nobody waits for a backend that is
/// down, and it is not held down by those who wait.
///
/// Closed, it hands on all calls. After so many failures in a row it is open: calls fail at once, as
/// [`Connection`](ErrorKind::Connection), and say when to try again. After its pause it is half open: the next call is
/// handed on as a probe, and closes it or opens it again by its fate; all others are refused meanwhile.
///
/// A failure is an error of kind [`Connection`](ErrorKind::Connection) or [`Timeout`](ErrorKind::Timeout). What a store
/// refuses without asking its backend (an invalid argument, a value too large, what is unsupported or read-only) says
/// nothing about the backend: it ends no row of failures and closes nothing. Whatever else the store answers, it has
/// answered. A refused write did not happen. `close` always passes. By default 5 failures open it, for 10 s.
///
/// ```
/// use std::time::Duration;
///
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{CircuitBreaker, Fault, Faults};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Faults::new(MemoryStore::new());
/// let faults = store.handle();
/// faults.inject(Fault::refused(ErrorKind::Timeout).times(2));
/// let kv = Kv::new(CircuitBreaker::new(store).with_failures(2)?.with_pause(Duration::from_secs(60))?);
/// for _ in 0..2 {
///     assert_eq!(kv.get::<i32>("k").await.unwrap_err().kind(), ErrorKind::Timeout);
/// }
/// let error = kv.get::<i32>("k").await.unwrap_err();
/// assert!(error.message().starts_with("the circuit is open"));
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A short lock before and after each call, which is not held while the store works.
///
/// # Order
///
/// * right: around what fails together, which is one backend. Wrong: around a routing wrapper, where one backend's
///   outage closes the way to the others;
/// * within a fallback, so that the second store is asked at once while the first is down;
/// * within [`ConcurrencyLimit`](super::ConcurrencyLimit). Around it, calls that the full queue turns away, or that
///   wait there too long, are time-outs, and so failures of a backend that is only busy;
/// * for the order with [`Retry`](super::Retry), see there.
///
/// # Different from Python
///
/// Python has none.
#[derive(Debug)]
pub struct CircuitBreaker<S> {
    store: S,
    failures: u32,
    pause: Duration,
    breaker: Mutex<Breaker>,
}

impl<S: Store> CircuitBreaker<S> {
    /// Around this store.
    pub fn new(store: S) -> Self {
        Self::of(store, 5, Duration::from_secs(10))
    }

    fn of(store: S, failures: u32, pause: Duration) -> Self {
        Self { store, failures, pause, breaker: Mutex::new(Breaker::new(failures, pause)) }
    }

    /// Opens after so many failures in a row.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for none.
    pub fn with_failures(self, failures: u32) -> Result<Self> {
        if failures == 0 {
            return Err(refusal("it opens after 1 or more failures, not after 0"));
        }
        Ok(Self::of(self.store, failures, self.pause))
    }

    /// Stays open for so long before it lets a probe through.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for zero, and for more than a day.
    pub fn with_pause(self, pause: Duration) -> Result<Self> {
        if pause.is_zero() || pause > Duration::from_secs(86_400) {
            return Err(refusal("its pause is more than zero and at most a day"));
        }
        Ok(Self::of(self.store, self.failures, pause))
    }

    /// Whether it hands on calls; open or half open it does not.
    pub fn is_closed(&self) -> bool {
        self.breaker.lock().is_closed()
    }
}

fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::Configuration, message).in_store("CircuitBreaker")
}

/// A call under way. Dropped without an answer, it is abandoned.
struct Call<'a> {
    breaker: &'a Mutex<Breaker>,
    pass: Option<Pass>,
}

impl Call<'_> {
    fn ended<T>(mut self, answer: &Result<T>) {
        let Some(pass) = self.pass.take() else { return };
        let mut breaker = self.breaker.lock();
        match answer.as_ref().err().map(Error::kind) {
            Some(ErrorKind::Connection | ErrorKind::Timeout) => breaker.failed(pass, Instant::now()),
            Some(kind) if is_ours(kind) => breaker.abandoned(pass, Instant::now()),
            _ => breaker.succeeded(pass),
        }
    }
}

/// Whether the store gives such an error without asking its backend.
fn is_ours(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidKey
            | ErrorKind::InvalidCollection
            | ErrorKind::InvalidValue
            | ErrorKind::InvalidTtl
            | ErrorKind::InvalidArgument
            | ErrorKind::TooLarge
            | ErrorKind::Unsupported
            | ErrorKind::ReadOnly
            | ErrorKind::Configuration
    )
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass {
            self.breaker.lock().abandoned(pass, Instant::now());
        }
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for CircuitBreaker<S> {
    type Inner = S;
    const NAME: &'static str = "CircuitBreaker";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let parameters = format!("{} failures, {:?}", self.failures, self.pause);
        self.store.describe().wrapped_in("CircuitBreaker").with_parameters(parameters)
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        if request.operation() == Operation::Close {
            return request.send(&self.store).await;
        }
        let admitted = self.breaker.lock().admit(Instant::now());
        let pass = admitted.map_err(|wait| is_open(wait, request))?;
        let call = Call { breaker: &self.breaker, pass: Some(pass) };
        let answer = request.send(&self.store).await;
        call.ended(&answer);
        answer
    }
}

#[cold]
fn is_open<R: Request>(wait: Duration, request: &R) -> Error {
    let message = match wait.is_zero() {
        true => "the circuit is open, and a probe is under way".to_owned(),
        false => format!("the circuit is open, and the next try is in {wait:?}"),
    };
    named(Error::new(ErrorKind::Connection, message).in_store("CircuitBreaker"), request)
}

#[cfg(test)]
mod tests;

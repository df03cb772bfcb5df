//! What a call to a server is allowed: how long it may take, and whether it may be sent again.

use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};

/// What a request does if it is sent again because the connection broke before its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it only reads.
    Read,
    /// It writes the same bytes once more. Where another writer was in between, its write would be undone, so this is
    /// repeated only on a connection that had been idle, which was most likely broken before the request was sent.
    Put,
    /// It would answer something else: a delete, a conditional write.
    Change,
}

impl Effect {
    /// The error for a request of this effect that was sent and got no answer.
    pub(crate) fn unanswered(self, error: Error) -> Error {
        let lost = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
        if lost && self != Self::Read { error.with_outcome_unknown() } else { error }
    }
}

/// The error for an answer that did not come in time.
#[cold]
pub(crate) fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "no answer from the server in time")
}

/// A connection that was idle for so long may have been closed by the server without anybody having noticed.
#[cfg(any(feature = "http", feature = "postgres", feature = "redis"))]
pub(crate) const STALE: Duration = Duration::from_millis(100);

/// The end of a call, if its caller set one: it holds for all that the call sends and waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within(Option<Instant>);

impl Within {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        // What ends after the end of time does not end.
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// How long the next step may take: as long as steps usually may, and not beyond the end of the call.
    #[cfg(any(feature = "mongodb", feature = "postgres", feature = "redis"))]
    pub(crate) fn at_most(self, usual: Duration) -> Result<Duration> {
        let Some(end) = self.0 else { return Ok(usual) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out()) } else { Ok(left.min(usual)) }
    }

    /// How long the answer to a command may take: a caller who set a time-out meant it, be it longer than usual.
    pub(crate) fn for_answer(self, usual: Duration) -> Result<Duration> {
        let Some(end) = self.0 else { return Ok(usual) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out()) } else { Ok(left) }
    }
}

//! How long a call may take.

use std::time::{Duration, Instant};

use kv_core::Result;

use super::failure::timed_out;

/// A connection that was idle for so long may have been closed by the server without anybody having noticed.
pub(super) const STALE: Duration = Duration::from_millis(100);

/// The end of a call, if its caller set one: it holds for all that the call sends and waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within(Option<Instant>);

impl Within {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        // What ends after the end of time does not end.
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// How long the next step may take: as long as steps usually may, and not beyond the end of the call.
    pub(super) fn at_most(self, usual: Duration) -> Result<Duration> {
        let Some(end) = self.0 else { return Ok(usual) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out()) } else { Ok(left.min(usual)) }
    }

    /// How long the answer to a command may take: a caller who set a time-out meant it, be it longer than usual.
    pub(super) fn for_answer(self, usual: Duration) -> Result<Duration> {
        let Some(end) = self.0 else { return Ok(usual) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out()) } else { Ok(left) }
    }
}

//! When to leave a backend alone that fails.

use std::time::{Duration, Instant};

/// A circuit breaker: closed, it lets calls through; after failures in a row it opens, and refuses them for a while; then it
/// is half open, and lets one through as a probe, whose success closes it and whose failure opens it again.
///
/// It reads no clock and takes no lock: a pure machine, for wrappers of both flavours.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use kv_core::breaker::Breaker;
///
/// let second = Duration::from_secs(1);
/// let mut breaker = Breaker::new(2, second);
/// let now = Instant::now();
/// for _ in 0..2 {
///     let pass = breaker.admit(now).unwrap();
///     breaker.failed(pass, now);
/// }
/// assert_eq!(breaker.admit(now).unwrap_err(), second);
/// let probe = breaker.admit(now + second).unwrap();
/// assert!(breaker.admit(now + second).is_err(), "one at a time");
/// breaker.succeeded(probe);
/// assert!(breaker.admit(now + second).is_ok());
/// ```
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    pause: Duration,
    state: State,
    /// Counts openings and closings, so that what a call of an earlier time comes to is told from one of now.
    era: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failed: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// A call that was let through; it must be told what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the breaker must be told what became of the call"]
pub struct Pass {
    era: u64,
}

impl Breaker {
    /// Opens after so many failures in a row (0 is taken as 1), for so long.
    pub fn new(failures: u32, pause: Duration) -> Self {
        Self { failures: failures.max(1), pause, state: State::Closed { failed: 0 }, era: 0 }
    }

    /// Lets a call through, or tells how long it is until the next try (zero while a probe is under way).
    ///
    /// # Errors
    ///
    /// That time, where the call is refused.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until } if now < until => return Err(until - now),
            State::Open { .. } => self.change(State::HalfOpen),
            State::HalfOpen => return Err(Duration::ZERO),
        }
        Ok(Pass { era: self.era })
    }

    /// The backend answered, whatever it answered.
    pub fn succeeded(&mut self, pass: Pass) {
        match self.state {
            _ if pass.era != self.era => {}
            State::Closed { .. } => self.state = State::Closed { failed: 0 },
            State::Open { .. } | State::HalfOpen => self.change(State::Closed { failed: 0 }),
        }
    }

    /// The backend did not answer.
    pub fn failed(&mut self, pass: Pass, now: Instant) {
        match self.state {
            _ if pass.era != self.era => {}
            State::Closed { failed } if failed + 1 < self.failures => self.state = State::Closed { failed: failed + 1 },
            _ => self.change(State::Open { until: now + self.pause }),
        }
    }

    /// The call was given up on before there was an answer: a probe's place is free again.
    pub fn abandoned(&mut self, pass: Pass, now: Instant) {
        if pass.era == self.era && self.state == State::HalfOpen {
            self.change(State::Open { until: now });
        }
    }

    /// Whether calls are let through without further ado.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(failures: u32, now: Instant) -> Breaker {
        let mut breaker = Breaker::new(failures, SECOND);
        for _ in 0..failures {
            let pass = breaker.admit(now).unwrap();
            breaker.failed(pass, now);
        }
        assert!(!breaker.is_closed());
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, SECOND);
        for _ in 0..10 {
            for _ in 0..2 {
                let pass = breaker.admit(now).unwrap();
                breaker.failed(pass, now);
            }
            let pass = breaker.admit(now).unwrap();
            breaker.succeeded(pass);
        }
        assert!(breaker.is_closed());
        assert_eq!(opened(3, now).admit(now), Err(SECOND));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_is_abandoned_leaves_its_place() {
        let start = Instant::now();
        let mut breaker = opened(1, start);
        let probe = breaker.admit(start + SECOND).unwrap();
        breaker.failed(probe, start + SECOND * 2);
        assert_eq!(breaker.admit(start + SECOND * 2), Err(SECOND));
        let probe = breaker.admit(start + SECOND * 3).unwrap();
        assert_eq!(breaker.admit(start + SECOND * 3), Err(Duration::ZERO));
        breaker.abandoned(probe, start + SECOND * 3);
        let probe = breaker.admit(start + SECOND * 3).unwrap();
        breaker.succeeded(probe);
        assert!(breaker.is_closed());
    }

    #[test]
    fn what_comes_late_changes_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND);
        let (slow, slower, quick) = (breaker.admit(now), breaker.admit(now), breaker.admit(now));
        breaker.failed(quick.unwrap(), now);
        breaker.succeeded(slow.unwrap());
        assert!(!breaker.is_closed(), "a success of before the failure does not close it");
        let probe = breaker.admit(now + SECOND).unwrap();
        breaker.succeeded(probe);
        breaker.failed(slower.unwrap(), now);
        assert!(breaker.is_closed(), "a failure of before the probe does not open it");
    }
}

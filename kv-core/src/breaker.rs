//! When to leave a backend alone that fails.

use std::time::{Duration, Instant};

/// A circuit breaker: closed, it lets calls through; after failures in a row it opens, and refuses them for a while;
/// then it is half open, and lets one through as a probe, whose success closes it and whose failure opens it again.
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

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

    /// The same with no eras: it knows each call whose end still matters. Times are in milliseconds.
    #[derive(Default)]
    struct Model {
        row: u32,
        open_until: Option<u64>,
        probe: Option<usize>,
        matter: BTreeSet<usize>,
    }

    impl Model {
        fn admit(&mut self, call: usize, now: u64) -> Result<(), u64> {
            match self.open_until {
                _ if self.probe.is_some() => return Err(0),
                Some(until) if now < until => return Err(until - now),
                Some(_) => self.probe = Some(call),
                None => {}
            }
            self.matter.insert(call);
            Ok(())
        }

        fn end(&mut self, call: usize, end: End, now: u64, failures: u32, pause: u64) {
            if !self.matter.remove(&call) {
                return;
            }
            let was_probe = self.probe.take().is_some();
            match end {
                End::Succeeded => *self = Self { matter: std::mem::take(&mut self.matter), ..Self::default() },
                End::Failed if was_probe || self.row + 1 == failures => {
                    *self = Self { open_until: Some(now + pause), ..Self::default() };
                }
                End::Failed => self.row += 1,
                End::Abandoned if was_probe => self.open_until = Some(now),
                End::Abandoned => {}
            }
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum End {
        Succeeded,
        Failed,
        Abandoned,
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        End(prop::sample::Index, End),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let end = prop_oneof![2 => Just(End::Succeeded), 4 => Just(End::Failed), 1 => Just(End::Abandoned)];
        prop_oneof![
            4 => Just(Step::Admit),
            4 => (any::<prop::sample::Index>(), end).prop_map(|(which, end)| Step::End(which, end)),
            2 => (1..=12_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_a_naive_one_does(failures in 1..4_u32, steps in prop::collection::vec(step(), 1..200)) {
            const PAUSE: u64 = 10;
            let start = Instant::now();
            let mut breaker = Breaker::new(failures, Duration::from_millis(PAUSE));
            let (mut model, mut calls, mut now, mut under_way) = (Model::default(), 0, 0, Vec::new());
            for step in steps {
                let instant = start + Duration::from_millis(now);
                match step {
                    Step::Wait(millis) => now += millis,
                    Step::Admit => {
                        calls += 1;
                        let admitted = breaker.admit(instant);
                        let expected = model.admit(calls, now).map_err(Duration::from_millis);
                        prop_assert_eq!(admitted.map(drop), expected);
                        under_way.extend(admitted.map(|pass| (calls, pass)));
                    }
                    Step::End(..) if under_way.is_empty() => {}
                    Step::End(which, end) => {
                        let (call, pass) = under_way.swap_remove(which.index(under_way.len()));
                        model.end(call, end, now, failures, PAUSE);
                        match end {
                            End::Succeeded => breaker.succeeded(pass),
                            End::Failed => breaker.failed(pass, instant),
                            End::Abandoned => breaker.abandoned(pass, instant),
                        }
                    }
                }
                prop_assert_eq!(breaker.is_closed(), model.open_until.is_none());
            }
        }
    }
}

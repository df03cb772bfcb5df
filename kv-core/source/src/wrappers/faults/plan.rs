//! What is to fail, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use kv_core::{ErrorKind, Operation};

/// One thing to go wrong, once unless it is said [otherwise](Self::times), on the next call of any operation unless
/// others are [named](Self::on).
///
/// ```
/// use std::time::Duration;
///
/// use kv_source::ErrorKind;
/// use kv_source::wrappers::{Fault, Operation};
///
/// // The second and the third get of the key `k` take a second longer.
/// let slow = Fault::slow(Duration::from_secs(1)).on(Operation::Get).on_key("k").after(1).times(2);
/// // An outage until it is taken back.
/// let outage = Fault::refused(ErrorKind::Connection).always();
/// ```
#[derive(Debug, Clone)]
#[must_use = "a fault happens when it is injected"]
pub struct Fault {
    what: What,
    operations: Vec<Operation>,
    key: Option<String>,
    after: u64,
    times: u64,
    asks: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Refused(ErrorKind),
    Lost(ErrorKind),
    Slow(Duration),
    Held,
}

impl Fault {
    fn new(what: What) -> Self {
        Self { what, operations: Vec::new(), key: None, after: 0, times: 1, asks: None }
    }

    /// The call fails so, and does not reach the store. [`ErrorKind::Corrupted`] is damage.
    pub fn refused(kind: ErrorKind) -> Self {
        Self::new(What::Refused(kind))
    }

    /// The store does what it is asked, and the call fails so; of a write it says that its outcome is unknown.
    pub fn lost_answer(kind: ErrorKind) -> Self {
        Self::new(What::Lost(kind))
    }

    /// The call waits so long before it goes on.
    pub fn slow(by: Duration) -> Self {
        Self::new(What::Slow(by))
    }

    /// The call hangs until [`FaultHandle::clear`](super::FaultHandle::clear), and then goes on.
    pub fn held() -> Self {
        Self::new(What::Held)
    }

    /// The error asks for so long a pause before a retry, as a server that has too much to do may.
    pub fn asking_for(mut self, pause: Duration) -> Self {
        self.asks = Some(pause);
        self
    }

    /// Only to calls of this operation; said again, to those of either.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Only to calls about this one key.
    pub fn on_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Not to the first so many calls that it is about.
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// To so many calls.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// To all calls, until it is taken back.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn is_about(&self, operation: Operation, key: Option<&str>) -> bool {
        (self.operations.is_empty() || self.operations.contains(&operation))
            && self.key.as_deref().is_none_or(|wanted| key == Some(wanted))
    }
}

/// Faults by chance, with a seed by which they happen again. Each share is of all calls, from 0 to 1.
///
/// ```
/// use std::time::Duration;
///
/// use kv_source::wrappers::RandomFaults;
///
/// let faults = RandomFaults::seeded(7).refused(0.1).lost_answers(0.05).slow(0.2, Duration::from_millis(1));
/// ```
#[derive(Debug, Clone)]
#[must_use = "they happen when they are handed to the handle"]
pub struct RandomFaults {
    chance: fastrand::Rng,
    refused: f64,
    lost: f64,
    slow: f64,
    by: Duration,
}

impl RandomFaults {
    /// None yet.
    pub fn seeded(seed: u64) -> Self {
        Self { chance: fastrand::Rng::with_seed(seed), refused: 0.0, lost: 0.0, slow: 0.0, by: Duration::ZERO }
    }

    /// This share of calls is refused with [`ErrorKind::Connection`], and does not reach the store.
    pub fn refused(mut self, share: f64) -> Self {
        self.refused = share;
        self
    }

    /// This share of calls reaches the store, and its answer is lost with [`ErrorKind::Connection`].
    pub fn lost_answers(mut self, share: f64) -> Self {
        self.lost = share;
        self
    }

    /// This share of calls waits for a time up to `by`.
    pub fn slow(mut self, share: f64, by: Duration) -> Self {
        (self.slow, self.by) = (share, by);
        self
    }

    /// Draws as often for every call, so that one call's fate does not depend on another's.
    fn draw(&mut self) -> Step {
        let (slow, by, fate) = (self.chance.f64(), self.chance.f64(), self.chance.f64());
        let (refused, lost) = (fate < self.refused, fate < self.refused + self.lost);
        Step {
            delay: (slow < self.slow).then(|| self.by.mul_f64(by)),
            refused: refused.then_some(ErrorKind::Connection),
            lost: (lost && !refused).then_some(ErrorKind::Connection),
            ..Step::default()
        }
    }
}

/// What is to happen to one call.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) delay: Option<Duration>,
    pub(super) hangs: bool,
    pub(super) refused: Option<ErrorKind>,
    pub(super) lost: Option<ErrorKind>,
    /// The pause that the error asks for.
    pub(super) asks: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    faults: Vec<Fault>,
    random: Option<RandomFaults>,
    pub(super) calls: BTreeMap<Operation, u64>,
    pub(super) held: usize,
    pub(super) clears: u64,
}

impl Plan {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn at_random(&mut self, faults: RandomFaults) {
        self.random = Some(faults);
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
        self.random = None;
        self.clears += 1;
    }

    /// What is to happen to this call.
    pub(super) fn next(&mut self, operation: Operation, key: Option<&str>) -> Step {
        let mut met = None;
        for (at, fault) in self.faults.iter_mut().enumerate().filter(|(_, fault)| fault.is_about(operation, key)) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 && met.is_none() {
                met = Some(at);
            }
        }
        let Some(at) = met else { return self.random.as_mut().map(RandomFaults::draw).unwrap_or_default() };
        let fault = &mut self.faults[at];
        fault.times = if fault.times == u64::MAX { u64::MAX } else { fault.times - 1 };
        let step = match fault.what {
            What::Refused(kind) => Step { refused: Some(kind), asks: fault.asks, ..Step::default() },
            What::Lost(kind) => Step { lost: Some(kind), asks: fault.asks, ..Step::default() },
            What::Slow(by) => Step { delay: Some(by), ..Step::default() },
            What::Held => Step { hangs: true, ..Step::default() },
        };
        self.faults.retain(|fault| fault.times > 0);
        step
    }
}

//! Where a store takes the time from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::Timestamp;

/// The time by which a store judges expiry.
///
/// It may go backwards, as a machine's clock may; an entry that is freed stays freed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().as_micros(), 60_000_000);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// Whether that instant has come. Answers as [`now`](Self::now) would; a clock may have a cheaper way.
    #[inline]
    fn has_come(&self, instant: Timestamp) -> bool {
        instant <= self.now()
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        read(Precision::Exact).unwrap_or_else(|| SystemTime::now().into())
    }

    #[inline]
    fn has_come(&self, instant: Timestamp) -> bool {
        let Some(coarse) = read(Precision::Coarse) else { return instant <= self.now() };
        // The coarse clock is the exact one as of the last tick: it lags by milliseconds and never leads.
        let lag = 1_000_000;
        if instant <= coarse {
            true
        } else if instant.as_micros() > coarse.as_micros() + lag {
            false
        } else {
            instant <= self.now()
        }
    }
}

enum Precision {
    Exact,
    /// As of the last tick.
    Coarse,
}

/// The system's clock, without what `SystemTime` does around it.
#[cfg(target_os = "linux")]
#[inline]
fn read(precision: Precision) -> Option<Timestamp> {
    let time = rustix::time::clock_gettime(match precision {
        Precision::Exact => rustix::time::ClockId::Realtime,
        Precision::Coarse => rustix::time::ClockId::RealtimeCoarse,
    });
    Timestamp::from_micros(time.tv_sec.checked_mul(1_000_000)?.checked_add(time.tv_nsec / 1000)?)
}

#[cfg(not(target_os = "linux"))]
#[inline]
fn read(_precision: Precision) -> Option<Timestamp> {
    None
}

/// A clock that stands still until it is moved: for tests. Clones share the time.
///
/// Where expiry is the backend's own (Redis), move it only forward.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows this instant.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Moves it to this instant.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        // Only instants are stored.
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The clock of a store: the system's, called directly, or one that was set. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedClock(Option<Arc<dyn Clock>>);

impl SharedClock {
    /// This clock instead of the system's.
    pub fn new(clock: impl Clock) -> Self {
        Self(Some(Arc::new(clock)))
    }
}

impl Clock for SharedClock {
    #[inline]
    fn now(&self) -> Timestamp {
        match &self.0 {
            None => SystemClock.now(),
            Some(clock) => clock.now(),
        }
    }

    #[inline]
    fn has_come(&self, instant: Timestamp) -> bool {
        match &self.0 {
            None => SystemClock.has_come(instant),
            Some(clock) => clock.has_come(instant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_answer_is_the_exact_one() {
        let clock = SystemClock;
        for offset in [-10_000_000, -1_000, 0, 5_000_000, 10_000_000_000] {
            let now = clock.now();
            let instant = Timestamp::from_micros(now.as_micros() + offset).unwrap();
            assert_eq!(clock.has_come(instant), offset <= 0, "{offset}");
        }
        let soon = clock.now().saturating_add(Duration::from_millis(20));
        assert!(!clock.has_come(soon));
        while clock.now() < soon {
            std::hint::spin_loop();
        }
        assert!(clock.has_come(soon));
    }

    #[test]
    fn clones_of_a_manual_clock_share_the_time() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let shared = SharedClock::new(clock.clone());
        clock.advance(Duration::from_secs(1));
        assert_eq!(shared.now().as_micros(), 1_000_000);
        assert!(shared.has_come(shared.now()));
    }
}

//! Time to live.

use std::fmt;
use std::time::Duration;

use crate::{Error, ErrorKind, Result, Timestamp};

/// How long an entry lives: a positive time that ends before year 9999, from a [`Duration`] or from seconds.
///
/// It is checked when an operation uses it, so that zero, negative, NaN and endless ones all end in the same
/// [`ErrorKind::InvalidTtl`], and nothing is written.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::{Timestamp, Ttl};
///
/// let now = Timestamp::UNIX_EPOCH;
/// assert_eq!(Ttl::from(1.5).expires_at(now)?.as_micros(), 1_500_000);
/// assert_eq!(Ttl::from(Duration::from_nanos(1)).expires_at(now)?.as_micros(), 1);
/// for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12] {
///     assert!(Ttl::from(bad).expires_at(now).is_err());
/// }
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ttl(Span);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Span {
    Duration(Duration),
    Seconds(f64),
}

impl Ttl {
    /// The instant at which an entry written `now` with this TTL ends. Part microseconds are rounded up.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTtl`].
    pub fn expires_at(self, now: Timestamp) -> Result<Timestamp> {
        let too_long = || Error::new(ErrorKind::InvalidTtl, format!("the TTL of {self} does not end before year 9999"));
        now.checked_add(self.duration()?).ok_or_else(too_long)
    }

    /// The TTL as a duration.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTtl`] if it is not positive or is no number.
    pub fn duration(self) -> Result<Duration> {
        let duration = match self.0 {
            Span::Duration(duration) => Some(duration),
            // Rounded up to microseconds here, where the float's own error of below one nanosecond cannot add one.
            Span::Seconds(seconds) if seconds > 0.0 => {
                let nanos = (seconds * 1e9).round();
                // Below one nanosecond is still positive, and rounds up like every part of a microsecond.
                Some(if nanos < 1.0 {
                    Duration::from_nanos(1)
                } else {
                    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
                })
            }
            Span::Seconds(_) => None,
        };
        duration
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| Error::new(ErrorKind::InvalidTtl, format!("the TTL must be a positive time, and is {self}")))
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Span::Duration(duration) => write!(f, "{duration:?}"),
            Span::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

impl From<Duration> for Ttl {
    fn from(duration: Duration) -> Self {
        Self(Span::Duration(duration))
    }
}

/// From seconds.
impl From<f64> for Ttl {
    fn from(seconds: f64) -> Self {
        Self(Span::Seconds(seconds))
    }
}

/// When an entry ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::{Expiry, Timestamp};
///
/// let now = Timestamp::UNIX_EPOCH;
/// assert_eq!(Expiry::Never.resolve(now)?, None);
/// assert_eq!(Expiry::after(Duration::from_secs(1)).resolve(now)?, Timestamp::from_micros(1_000_000));
/// assert!(Expiry::At(now).resolve(now).is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Expiry {
    /// It is permanent.
    #[default]
    Never,
    /// So long after it is written.
    After(Ttl),
    /// At this instant.
    At(Timestamp),
}

impl Expiry {
    /// So long after it is written: a [`Duration`], or a number of seconds.
    pub fn after(ttl: impl Into<Ttl>) -> Self {
        Self::After(ttl.into())
    }

    /// The instant meant, for an entry written `now`; `None` for a permanent one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTtl`] for a TTL that is not positive or too long, and for an instant that has passed.
    #[inline]
    pub fn resolve(self, now: Timestamp) -> Result<Option<Timestamp>> {
        match self {
            Self::Never => Ok(None),
            Self::After(ttl) => ttl.expires_at(now).map(Some),
            Self::At(instant) if instant > now => Ok(Some(instant)),
            Self::At(instant) => {
                Err(Error::new(ErrorKind::InvalidTtl, format!("the expiry {instant} has passed; it is {now}")))
            }
        }
    }
}

/// How much longer a live entry is there.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::TimeLeft;
///
/// assert_eq!(TimeLeft::Forever.duration(), None);
/// assert_eq!(TimeLeft::For(Duration::from_secs(3)).duration(), Some(Duration::from_secs(3)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLeft {
    /// It has no TTL.
    Forever,
    /// So long.
    For(Duration),
}

impl TimeLeft {
    /// How long, unless for ever.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::For(duration) => Some(duration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls_round_up_and_have_bounds() {
        let at = |ttl: Ttl| ttl.expires_at(Timestamp::UNIX_EPOCH).map(Timestamp::as_micros);
        assert_eq!(at(Duration::from_nanos(1).into()).unwrap(), 1);
        assert_eq!(at(Duration::from_nanos(1_001).into()).unwrap(), 2);
        assert_eq!(at(1e-300.into()).unwrap(), 1);
        assert_eq!(at(0.1.into()).unwrap(), 100_000);
        assert_eq!(at(0.3.into()).unwrap(), 300_000);
        let longest = Timestamp::MAX.duration_since(Timestamp::UNIX_EPOCH);
        assert_eq!(at(longest.into()).unwrap(), Timestamp::MAX.as_micros());
        for bad in [Ttl::from(Duration::ZERO), Duration::MAX.into(), (longest + Duration::from_nanos(1)).into()] {
            assert_eq!(at(bad).unwrap_err().kind(), ErrorKind::InvalidTtl, "{bad:?}");
        }
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 10_000.0 * 366.0 * 86_400.0] {
            assert_eq!(at(bad.into()).unwrap_err().kind(), ErrorKind::InvalidTtl, "{bad}");
        }
    }
}

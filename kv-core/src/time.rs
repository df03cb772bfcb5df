//! Instants and time to live.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Result};

/// An instant, in whole microseconds since 1970-01-01T00:00:00Z, before year 9999.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::Timestamp;
///
/// let noon: Timestamp = "2026-11-21T12:00:00Z".parse()?;
/// assert_eq!(noon.to_string(), "2026-11-21T12:00:00+00:00");
/// assert_eq!(noon.saturating_add(Duration::from_secs(1)).duration_since(noon), Duration::from_secs(1));
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the earliest that every format of ours can write.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9998-12-31T23:59:59.999999Z, the latest.
    pub const MAX: Self = Self(253_370_764_799_999_999);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The instant so many microseconds after the epoch, if it is between [`MIN`](Self::MIN) and [`MAX`](Self::MAX).
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Self(micros)) }
    }

    /// Microseconds after the epoch.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to this instant; zero if it is not earlier.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        let micros = self.0 - earlier.0;
        if micros <= 0 { Duration::ZERO } else { Duration::from_micros(micros.unsigned_abs()) }
    }

    /// The instant that much later, with part microseconds rounded up, and never after [`MAX`](Self::MAX).
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_nanos().div_ceil(1000)).ok()?;
        self.0.checked_add(micros).and_then(Self::from_micros)
    }

    fn to_jiff(self) -> jiff::Timestamp {
        // Every instant between MIN and MAX is one of jiff's.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// The present instant, from the system's clock.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let distance = Duration::from_micros(time.0.unsigned_abs());
        if time.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// RFC 3339 in UTC as Python's `isoformat` writes it: offset `+00:00`, six fraction digits or, at a whole second, none.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let (date, clock) = (time.date(), time.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        )?;
        let micros = self.0.rem_euclid(1_000_000);
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("+00:00")
    }
}

/// Reads RFC 3339 with any offset; digits after the microsecond are rounded up. Year 9999, which Python can write, reads
/// as [`Timestamp::MAX`].
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::new(ErrorKind::InvalidArgument, "not an RFC 3339 instant of the years 1 to 9999");
        // jiff's last instant lies a day before that year's end.
        let text = if text.starts_with("9999-") { "9998-12-31T23:59:59.999999Z" } else { text };
        let time: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        let nanos = time.as_nanosecond();
        let micros = i64::try_from(nanos.div_euclid(1000) + i128::from(nanos.rem_euclid(1000) != 0));
        micros.ok().and_then(Self::from_micros).ok_or_else(invalid)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

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
    fn writes_what_python_writes() {
        let text = |micros| Timestamp::from_micros(micros).unwrap().to_string();
        assert_eq!(text(1_795_233_293_481_169), "2026-11-21T03:54:53.481169+00:00");
        assert_eq!(text(1_735_689_600_000_000), "2025-01-01T00:00:00+00:00");
        assert_eq!(text(1), "1970-01-01T00:00:00.000001+00:00");
        assert_eq!(Timestamp::MAX.to_string(), "9998-12-31T23:59:59.999999+00:00");
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00+00:00");
    }

    #[test]
    fn reads_offsets_and_rounds_up() {
        let read = |text: &str| text.parse::<Timestamp>().unwrap().as_micros();
        assert_eq!(read("1970-01-01T01:00:00+01:00"), 0);
        assert_eq!(read("1970-01-01T00:00:00.0000001Z"), 1);
        assert_eq!(read("1969-12-31T23:59:59.9999991Z"), 0);
        assert_eq!(read("9999-12-31T23:59:59.999999+00:00"), Timestamp::MAX.as_micros());
        for bad in ["", "yesterday", "2026-11-21T03:54:53", "+010000-01-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

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

    #[test]
    fn system_time_there_and_back() {
        for micros in [-1, 0, 1, 1_795_233_293_481_169, Timestamp::MIN.0, Timestamp::MAX.0] {
            let time = Timestamp::from_micros(micros).unwrap();
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
    }
}

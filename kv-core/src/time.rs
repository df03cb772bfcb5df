//! Instants.

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

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_nanos().div_ceil(1000)).ok()?;
        self.0.checked_add(micros).and_then(Self::from_micros)
    }

    fn to_jiff(self) -> jiff::Timestamp {
        // Every instant between MIN and MAX is one of jiff's.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The text that `Display` gives, for those who write it many times.
    pub(crate) fn to_text(self) -> Text {
        let time = jiff::tz::Offset::UTC.to_datetime(self.to_jiff());
        let mut text = Text::default();
        // The years are 1 to 9998, and no part of a date or time is negative.
        text.push_number::<4>(u32::from(time.year().unsigned_abs()));
        let parts = [
            (b'-', time.month()),
            (b'-', time.day()),
            (b'T', time.hour()),
            (b':', time.minute()),
            (b':', time.second()),
        ];
        for (separator, part) in parts {
            text.push(&[separator]);
            text.push_number::<2>(u32::from(part.unsigned_abs()));
        }
        let nanos = time.subsec_nanosecond().unsigned_abs();
        if nanos != 0 {
            text.push(b".");
            text.push_number::<6>(nanos / 1000);
        }
        text.push(b"+00:00");
        text
    }

    /// Reads the one form that `Display` writes, many times faster than `parse`, and gives `None` for every other.
    pub(crate) fn parse_fixed(text: &[u8]) -> Option<Self> {
        let mut full = *b"0000-00-00T00:00:00.000000+00:00";
        match text.len() {
            32 => full.copy_from_slice(text),
            // Whole seconds have no fraction.
            25 => {
                full[..19].copy_from_slice(&text[..19]);
                full[26..].copy_from_slice(&text[19..]);
            }
            _ => return None,
        }
        let digits = digits(full)?;
        // Places that are known when this is built need no check of bounds.
        let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
        let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
        let (hour, minute, second) = (two(11), two(14), two(17));
        let micros = (two(20) * 100 + two(22)) * 100 + two(24);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_to(year, month, day)? * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
        Self::from_micros(seconds * 1_000_000 + i64::from(micros))
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
        f.write_str(std::str::from_utf8(self.to_text().as_bytes()).unwrap_or_default())
    }
}

/// The text of an instant, as `Display` gives it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Text {
    bytes: [u8; 32],
    len: usize,
}

impl Text {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// A text that `Display` gave.
    #[inline]
    pub(crate) fn written(text: &[u8]) -> Self {
        if let Ok(bytes) = <[u8; 32]>::try_from(text) {
            return Self { bytes, len: 32 };
        }
        let mut written = Self::default();
        written.push(text);
        written
    }

    /// Whether it is this text. Most have all of the places, which compares at once.
    #[inline]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        match <&[u8; 32]>::try_from(text) {
            Ok(text) => self.len == 32 && self.bytes == *text,
            Err(_) => self.as_bytes() == text,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn push_number<const DIGITS: usize>(&mut self, mut number: u32) {
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            // The remainder is a digit.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.push(&digits);
    }
}

/// The days from 1970-01-01 to this date, if it is one of the years from 1 on.
#[inline]
fn days_to(year: u32, month: u32, day: u32) -> Option<i64> {
    let leap = u32::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let days_in_month = match month {
        2 => 28 + leap,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > days_in_month {
        return None;
    }
    // Years begin in March here, so that the leap day is a year's last; 153 days are five months of 31 and 30 in turn.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // From 0000-03-01 to 1970-01-01.
    Some(i64::from(days) - 719_468)
}

/// The digits of a text of the form that `Display` writes, at their places; eight of its bytes at a time.
#[inline]
fn digits(text: [u8; 32]) -> Option<[u8; 32]> {
    const FORM: [u8; 32] = *b"0000-00-00T00:00:00.000000+00:00";
    // Added to what may stand at a place, it leaves a byte's highest bit alone: to at most 9 for a digit, else to 0.
    const ROOM: [u8; 32] = {
        let mut room = [0x7f; 32];
        let mut at = 0;
        while at < 26 {
            if FORM[at] == b'0' {
                room[at] = 0x76;
            }
            at += 1;
        }
        room
    };
    let mut digits = [0; 32];
    let mut strange = 0;
    let words = text.as_chunks::<8>().0.iter().zip(FORM.as_chunks().0).zip(ROOM.as_chunks().0);
    for (((text, form), room), digits) in words.zip(digits.as_chunks_mut::<8>().0) {
        // What is as in the form becomes 0, and a digit what it stands for.
        let word = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*form);
        strange |= (word | word.wrapping_add(u64::from_le_bytes(*room))) & 0x8080_8080_8080_8080;
        *digits = word.to_le_bytes();
    }
    (strange == 0).then_some(digits)
}

/// Reads RFC 3339 with any offset; digits after the microsecond are rounded up. Year 9999, which Python can write,
/// reads as [`Timestamp::MAX`].
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(time) = Self::parse_fixed(text.as_bytes()) {
            return Ok(time);
        }
        let invalid = || Error::new(ErrorKind::InvalidArgument, "not an RFC 3339 instant of the years 1 to 9999");
        // jiff's last instant lies a day before that year's end, so its dates are read as those of the year before.
        if let Some(rest) = text.strip_prefix("9999-") {
            format!("9998-{rest}").parse::<jiff::Timestamp>().map_err(|_| invalid())?;
            return Ok(Self::MAX);
        }
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
        for bad in ["", "yesterday", "9999-garbage", "2026-11-21T03:54:53", "+010000-01-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_fixed_form_is_that_of_display_and_no_other() {
        for micros in [Timestamp::MIN.0, -1, 0, 1, 951_782_400_000_000, 1_795_233_293_481_169, Timestamp::MAX.0] {
            let text = Timestamp(micros).to_string();
            assert_eq!(Timestamp::parse_fixed(text.as_bytes()), Some(Timestamp(micros)), "{text}");
        }
        for other in [
            "2026-11-21T03:54:53Z",
            "2026-11-21 03:54:53+00:00",
            "2026-11-21T03:54:53+01:00",
            "2026-11-21T03:54:53.48+00:00",
            "2026-11-21T03:54:53.4811699+00:00",
            "2026-02-29T03:54:53+00:00",
            "2026-11-21T24:00:00+00:00",
            "2026-11-21T03:54:60+00:00",
            "2026-11-21T03:54:5x+00:00",
            "0000-11-21T03:54:53+00:00",
            "9999-11-21T03:54:53+00:00",
            "",
        ] {
            assert_eq!(Timestamp::parse_fixed(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_fixed_form_reads_every_day() {
        // The calendar repeats after 400 years; with another hour and second of every day.
        for day in 0..400 * 366 {
            let time = Timestamp(Timestamp::MIN.0 + day * (86_400_000_000 + 3_601_000_000));
            assert_eq!(Timestamp::parse_fixed(time.to_text().as_bytes()), Some(time), "{time}");
        }
        for bad in ["2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-00-01", "2024-13-01", "2024-01-00"] {
            assert_eq!(Timestamp::parse_fixed(format!("{bad}T00:00:00+00:00").as_bytes()), None, "{bad}");
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

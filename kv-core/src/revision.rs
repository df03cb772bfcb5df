//! What tells one state of a record from the next.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Timestamp};

/// One state of a record: every write, touch and metadata change gives the record a fresh one.
///
/// It is opaque: compare it for equality, hand it back in a condition, or carry it as text (an HTTP ETag, say).
///
/// # Examples
///
/// ```
/// use kv_core::Revision;
///
/// let revision = Revision::from_number(7);
/// let text = revision.to_string();
/// assert_eq!(text.parse::<Revision>()?, revision);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Repr {
    Number(u64),
    Document { sha1: [u8; 20], expires: Option<Timestamp> },
    Text(Arc<str>),
}

impl Revision {
    /// A revision that the store keeps as a number beside the record.
    pub const fn from_number(number: u64) -> Self {
        Self(Repr::Number(number))
    }

    /// A revision that the backend gives as text (an ETag, a version).
    pub fn from_text(text: impl Into<Arc<str>>) -> Self {
        Self(Repr::Text(text.into()))
    }

    /// The revision of a stored document: a digest of its bytes, so that a change by any program shows. The
    /// document's expiry travels along, so that a condition can tell that the record has ended without reading it.
    pub fn of_document(document: &[u8], expires: Option<Timestamp>) -> Self {
        use sha1::Digest as _;
        Self(Repr::Document { sha1: sha1::Sha1::digest(document).into(), expires })
    }

    /// Writes it in few bytes.
    pub(crate) fn write_to(&self, bytes: &mut Vec<u8>) {
        match &self.0 {
            Repr::Number(number) => {
                bytes.push(b'n');
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Repr::Document { sha1, expires } => {
                bytes.push(b'd');
                bytes.extend_from_slice(sha1);
                if let Some(expires) = expires {
                    bytes.extend_from_slice(&expires.as_micros().to_le_bytes());
                }
            }
            Repr::Text(text) => Self::write_text(text, bytes),
        }
    }

    /// Writes the revision of this text as [`write_to`](Self::write_to) does.
    pub(crate) fn write_text(text: impl fmt::Display, bytes: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a `Vec` cannot fail.
        let _ = write!(bytes, "t{text}");
    }

    /// Reads what [`write_to`](Self::write_to) wrote.
    pub(crate) fn read_from(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(Self(match kind {
            b'n' => Repr::Number(u64::from_le_bytes(rest.try_into().ok()?)),
            b'd' => {
                let (sha1, expires) = rest.split_first_chunk()?;
                let expires = match expires {
                    [] => None,
                    micros => Some(Timestamp::from_micros(i64::from_le_bytes(micros.try_into().ok()?))?),
                };
                Repr::Document { sha1: *sha1, expires }
            }
            b't' => Repr::Text(std::str::from_utf8(rest).ok()?.into()),
            _ => return None,
        }))
    }

    /// The number of a revision made by [`from_number`](Self::from_number).
    pub fn as_number(&self) -> Option<u64> {
        match self.0 {
            Repr::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The text of a revision made by [`from_text`](Self::from_text).
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The digest (SHA-1, lower-case hex) and the expiry of a revision made by [`of_document`](Self::of_document).
    pub fn as_document(&self) -> Option<(String, Option<Timestamp>)> {
        match &self.0 {
            Repr::Document { sha1, expires } => Some((hex(sha1), *expires)),
            _ => None,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => write!(f, "n{number:016x}"),
            Repr::Document { sha1, expires: None } => write!(f, "d{}", hex(sha1)),
            Repr::Document { sha1, expires: Some(expires) } => write!(f, "d{}.{}", hex(sha1), expires.as_micros()),
            Repr::Text(text) => write!(f, "t{text}"),
        }
    }
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "this text is no revision"))
    }
}

fn parse(text: &str) -> Option<Revision> {
    let rest = text.get(1..)?;
    let repr = match text.as_bytes().first()? {
        b'n' if rest.len() == 16 => Repr::Number(u64::from_str_radix(rest, 16).ok()?),
        b'd' => {
            let (digest, expires) = match rest.split_once('.') {
                Some((digest, micros)) => (digest, Some(Timestamp::from_micros(micros.parse().ok()?)?)),
                None => (rest, None),
            };
            if digest.len() != 40 || !digest.is_ascii() {
                return None;
            }
            let mut sha1 = [0; 20];
            for (byte, at) in sha1.iter_mut().zip((0..).step_by(2)) {
                *byte = u8::from_str_radix(digest.get(at..at + 2)?, 16).ok()?;
            }
            Repr::Document { sha1, expires }
        }
        b't' => Repr::Text(rest.into()),
        _ => return None,
    };
    Some(Revision(repr))
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a store takes the numbers that make its revisions fresh.
///
/// # Examples
///
/// ```
/// use kv_core::Revisions;
///
/// let set = Revisions::counting_from(1);
/// assert_eq!((set.fresh(), set.fresh()), (1, 2));
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Revisions {
    /// 64 random bits each; no state is shared between threads or processes.
    #[default]
    Random,
    /// The next number each time: for tests that compare stored bytes.
    Counting(Arc<AtomicU64>),
}

impl Revisions {
    /// Numbers counted up from `first`, for tests.
    pub fn counting_from(first: u64) -> Self {
        Self::Counting(Arc::new(AtomicU64::new(first)))
    }

    /// A number not given before.
    #[inline]
    pub fn fresh(&self) -> u64 {
        match self {
            Self::Random => fastrand::u64(..),
            Self::Counting(next) => next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_as_text() {
        let expires = Timestamp::from_micros(1_795_233_445_612_217);
        for revision in [
            Revision::from_number(u64::MAX),
            Revision::of_document(b"{}", None),
            Revision::of_document(b"{}", expires),
            Revision::from_text("\"abc\""),
        ] {
            assert_eq!(revision.to_string().parse::<Revision>().unwrap(), revision);
            let json = serde_json::to_string(&revision).unwrap();
            assert_eq!(serde_json::from_str::<Revision>(&json).unwrap(), revision);
        }
    }

    #[test]
    fn refuses_what_is_no_revision() {
        for text in ["", "n1", "x", "d00", "d\u{e9}", "n\u{e9}00000000000000", &format!("d{}", "é".repeat(20))] {
            assert!(text.parse::<Revision>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_document_shows_its_digest() {
        let (sha1, expires) = Revision::of_document(b"abc", None).as_document().unwrap();
        assert_eq!(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(expires, None);
    }
}

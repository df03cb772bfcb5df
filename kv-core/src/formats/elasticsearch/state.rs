//! What tells one state of a record from the next.

use std::fmt;

use crate::{Revision, Timestamp};

/// A state of a record: what the server numbers, and what stands in the document.
///
/// The server numbers the writes of an index, and by that number a conditional write is one step. An index that was
/// dropped and made anew begins at 0 again, so the number that the writer gave it is there too: no two states have the
/// same revision, whatever happens to the index.
///
/// # Examples
///
/// ```
/// use kv_core::formats::elasticsearch::State;
///
/// let state = State { seq: 7, term: 1, number: 255, expires: None };
/// assert_eq!(state.to_revision().as_text(), Some("7.1.ff"));
/// assert_eq!(State::of(&state.to_revision()), Some(state));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it is all that a revision is")]
pub struct State {
    /// The number of the write in the index.
    pub seq: u64,
    /// How often the index had changed the place it is written at.
    pub term: u64,
    /// What its writer gave it; 0 if that was another program.
    pub number: u64,
    /// When the record ends.
    pub expires: Option<Timestamp>,
}

impl State {
    /// The revision of a record in this state.
    pub fn to_revision(self) -> Revision {
        Revision::from_text(self.to_string())
    }

    /// The state of a revision; `None` for one that is no such store's.
    pub fn of(revision: &Revision) -> Option<Self> {
        let mut parts = revision.as_text()?.split('.');
        let (seq, term) = (number(parts.next()?, 10)?, number(parts.next()?, 10)?);
        let number = number(parts.next()?, 16)?;
        let expires = match parts.next() {
            None => None,
            Some(micros) => Some(Timestamp::from_micros(micros.parse().ok()?)?),
        };
        let state = Self { seq, term, number, expires };
        // As it was written, and nothing like it.
        (state.to_revision() == *revision).then_some(state)
    }

    /// What a conditional write names.
    pub(super) fn place(self) -> (u64, u64) {
        (self.seq, self.term)
    }
}

/// The text of its revision.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, term, number, expires } = self;
        write!(f, "{seq}.{term}.{number:x}")?;
        expires.map_or(Ok(()), |expires| write!(f, ".{}", expires.as_micros()))
    }
}

fn number(text: &str, radix: u32) -> Option<u64> {
    u64::from_str_radix(text, radix).ok()
}

//! Histories of concurrent operations, and whether they are linearizable: whether each operation can have happened in one
//! instant between its call and its answer, so that every answer is the one that a single register would have given.
//!
//! The checker linearizes just in time, as Wing and Gong, and Lowe after them, do it: it walks through calls and answers
//! in order of time, and keeps every state that the register may be in together with what was linearized to get there.
//! When an answer comes, what it answers must have happened; other calls are let happen first where that may be needed.
//! States that are reached twice are kept once. Keys are checked one by one, for a history is linearizable exactly if it
//! is so for each key.
//!
//! A call whose outcome is unknown happens at any time after its call, or never. There is no end of those, so that they
//! are not tried at every step but where an answer does not fit without them; that loses nothing, since what they would
//! change unseen they may as well change later, or not at all.

mod check;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::check::{Checked, Refusal, check, check_key};

/// What marks one state of a record: a number made from its revision.
pub type Mark = u64;

/// Nanoseconds of the machine's monotonic clock, which all processes share.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (time.tv_sec.cast_unsigned()) * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// How many numbers share a [`family`].
const FAMILY: u32 = 20;

/// Which call wrote this value, or what it was counted up from: values of one family other than 0 come from one call that
/// wrote the first of them ([`unique`]). Family 0 is for counters, where several calls may write the same value.
pub fn family(value: i64) -> i64 {
    value >> FAMILY
}

/// The value that is written by the call of this number (from 1), and by no other.
pub fn unique(number: i64) -> i64 {
    number << FAMILY
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Call {
    /// Read.
    Get,
    /// Write.
    Put(i64),
    /// Write where there is nothing.
    PutIfAbsent(i64),
    /// Write over this state of the record.
    PutIfMark(Mark, i64),
    /// Remove.
    Delete,
    /// Remove this state of the record.
    DeleteIfMark(Mark),
    /// Add to what is there, or to 0.
    Increment(i64),
    /// Write, or remove, where this is the value, or where there is none.
    Swap(Option<i64>, Option<i64>),
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// To `Get`.
    Found(Option<(i64, Mark)>),
    /// To the puts: done, and this is the mark of what was written.
    Written(Mark),
    /// To the deletes: there was something, and it is gone.
    Deleted,
    /// To the deletes: there was nothing.
    Missing,
    /// To what has a condition: it did not hold.
    Conflict,
    /// To `Increment`.
    Sum(i64),
    /// To `Swap`: done.
    Swapped,
    /// None: it may have been done, or be done yet, or never.
    Unknown,
    /// None; but others have seen that it was done. Only the checker itself says so.
    Seen,
}

/// One call, from when it was made to when its answer was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Which key.
    pub key: usize,
    /// Who.
    pub client: usize,
    /// What was asked for.
    pub call: Call,
    /// What was answered.
    pub answer: Answer,
    /// When it was asked for, by [`now`].
    pub called: u64,
    /// When it was answered. Without meaning where the answer is `Unknown`.
    pub answered: u64,
}

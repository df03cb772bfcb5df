//! One check at work: the subject, its handle, and what every check says in the same words.

use std::fmt::Debug;
use std::time::Duration;

use kv_core::{Atomicity, Capabilities, Clock, Error, ErrorKind, Listing, Result, Timestamp};

use super::subject::{Setting, Subject};
use crate::collection::Collection;
use crate::kv::Kv;

/// Why a check does not apply to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped(pub &'static str);

/// What a check answers; it panics where the store fails it.
pub type Held = Result<(), Skipped>;

/// A store opened for one check, in a space of its own.
#[derive(Debug)]
pub struct Case<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) setting: Setting,
    pub(super) kv: Kv,
    pub(super) can: Capabilities,
}

#[maybe_async::maybe_async]
impl<'a> Case<'a> {
    /// Opens the store in a fresh setting.
    pub async fn open(subject: &'a dyn Subject) -> Self {
        Self::open_in(subject, Setting::fresh()).await
    }

    /// Opens the store in this setting.
    pub async fn open_in(subject: &'a dyn Subject, setting: Setting) -> Self {
        let kv = subject.open(&setting);
        let can = ok(kv.capabilities().await, "capabilities");
        Self { subject, setting, kv, can }
    }

    /// Removes what the check has left.
    pub async fn finish(self) {
        if self.can.clear {
            ok(self.kv.destroy().await, "O6: destroy, to clean up");
        }
        ok(self.kv.close().await, "close");
    }
}

impl Case<'_> {
    /// A collection of the store.
    pub(super) fn collection(&self) -> Collection {
        self.kv.collection("c")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.setting.clock.now()
    }

    pub(super) fn advance(&self, by: Duration) {
        self.setting.clock.advance(by);
    }

    /// Moves the clock to the first instant at which an entry that ends then must not be there.
    pub(super) fn reach(&self, instant: Timestamp) {
        self.setting.clock.set(instant.saturating_add(self.can.expiry_resolution));
    }

    /// Moves the clock to the last instant at which an entry that ends then must be there.
    pub(super) fn almost_reach(&self, instant: Timestamp) {
        self.setting.clock.set(Timestamp::from_micros(instant.as_micros() - 1).unwrap());
    }

    /// Whether expiry is the store's own alone, so that a clock may also go back, and a short TTL lasts while the clock
    /// stands still.
    pub(super) fn expires_by_clock_alone(&self) -> bool {
        self.can.expiry_resolution.is_zero()
    }

    pub(super) fn keeps(&self) -> Held {
        needs(self.can.stores, "it keeps nothing")
    }

    pub(super) fn keeps_notes(&self) -> Held {
        self.keeps()?;
        needs(self.can.metadata, "it keeps no metadata")
    }

    pub(super) fn lists(&self) -> Held {
        self.keeps()?;
        needs(self.can.listing != Listing::Unsupported, "it does not list")
    }

    pub(super) fn lists_collections(&self) -> Held {
        self.keeps()?;
        needs(self.can.collections, "it does not list collections")
    }

    pub(super) fn clears(&self) -> Held {
        self.keeps()?;
        needs(self.can.clear, "it does not clear")
    }

    pub(super) fn has_conditions(&self) -> Held {
        self.keeps()?;
        needs(self.can.conditional != Atomicity::Unsupported, "it has no conditional writes")
    }

    pub(super) fn persists(&self) -> Held {
        self.keeps()?;
        needs(self.can.persistent, "entries do not outlive its handles")
    }
}

pub(super) fn needs(has: bool, otherwise: &'static str) -> Held {
    if has { Ok(()) } else { Err(Skipped(otherwise)) }
}

/// What an operation answered, which must not fail.
#[track_caller]
pub(super) fn ok<T>(answer: Result<T>, what: &str) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("{what}: failed: {}", short(&error)),
    }
}

/// An error's text, without the most of a name of thousands of bytes.
fn short(error: &Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}

/// An operation must answer this.
#[track_caller]
pub(super) fn is<T: PartialEq<U> + Debug, U: Debug>(answer: Result<T>, expected: U, what: &str) {
    let answer = ok(answer, what);
    assert!(answer == expected, "{what}: answered {answer:?}, not {expected:?}");
}

/// Each position of a batch must answer this.
#[track_caller]
pub(super) fn are<T: PartialEq + Debug>(answer: Result<Vec<Result<T>>>, expected: &[T], what: &str) {
    let answers: Vec<T> = ok(answer, what).into_iter().map(|answer| ok(answer, what)).collect();
    assert!(answers == expected, "{what}: answered {answers:?}, not {expected:?}");
}

/// Every position of a batch, none of which must fail.
#[track_caller]
pub(super) fn each<T>(answer: Result<Vec<Result<T>>>, what: &str) -> Vec<T> {
    ok(answer, what).into_iter().map(|answer| ok(answer, what)).collect()
}

/// An operation must be refused so.
#[track_caller]
pub(super) fn refused<T>(answer: Result<T>, kind: ErrorKind, what: &str) -> Error {
    match answer {
        Ok(_) => panic!("{what}: was not refused; {kind:?} was due"),
        Err(error) if error.kind() == kind => error,
        Err(error) => panic!("{what}: was refused as {:?} and not as {kind:?}: {}", error.kind(), short(&error)),
    }
}

/// Sorted, for lists whose order is not promised.
pub(super) fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// Sorted and each once, for listings that may repeat.
pub(super) fn set_of<T: Ord>(items: Vec<T>) -> Vec<T> {
    let mut items = sorted(items);
    items.dedup();
    items
}

/// A TTL long enough that no backend's own clock gets there while a test runs.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

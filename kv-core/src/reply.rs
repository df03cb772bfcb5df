//! What writes answer.

use std::ops::Range;
use std::sync::Arc;

use crate::{Entry, Revision, Timestamp};

/// A write that happened.
#[derive(Debug, Clone)]
pub struct Written {
    source: RevisionSource,
    expires: Option<Timestamp>,
}

/// A document's revision is a digest, which is computed when somebody asks for it.
#[derive(Clone)]
enum RevisionSource {
    Known(Revision),
    Document(Arc<Vec<u8>>, Range<usize>),
}

impl std::fmt::Debug for RevisionSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(revision) => revision.fmt(f),
            Self::Document(_, range) => write!(f, "document of {} bytes", range.len()),
        }
    }
}

impl Written {
    /// A write that gave the record this revision and expiry.
    #[inline]
    pub fn new(revision: Revision, expires: Option<Timestamp>) -> Self {
        Self { source: RevisionSource::Known(revision), expires }
    }

    /// A write whose revision is that of the [document](Revision::of_document) written.
    pub fn of_document(document: Vec<u8>, expires: Option<Timestamp>) -> Self {
        let all = 0..document.len();
        Self::of_document_in(&Arc::new(document), all, expires)
    }

    /// As [`of_document`](Self::of_document), for one of a batch whose documents stand in one buffer. Every such answer
    /// keeps the whole buffer.
    #[inline]
    pub fn of_document_in(documents: &Arc<Vec<u8>>, range: Range<usize>, expires: Option<Timestamp>) -> Self {
        Self { source: RevisionSource::Document(Arc::clone(documents), range), expires }
    }

    /// The state that the record is in since.
    pub fn revision(&self) -> Revision {
        match &self.source {
            RevisionSource::Known(revision) => revision.clone(),
            RevisionSource::Document(documents, range) => {
                Revision::of_document(documents.get(range.clone()).unwrap_or_default(), self.expires)
            }
        }
    }

    /// The instant at which the entry ends; `None` if it is permanent.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl From<&Entry> for Written {
    fn from(entry: &Entry) -> Self {
        Self::new(entry.revision(), entry.expires())
    }
}

/// What came of a conditional write. A conflict is an answer, not an error.
///
/// It may be dropped unread, for most writes have no condition.
#[derive(Debug, Clone)]
pub enum PutOutcome {
    /// The condition held, and the record was written.
    Written(Written),
    /// The condition did not hold, and nothing was written.
    Conflict,
}

impl PutOutcome {
    /// What was written, unless the condition did not hold.
    pub fn written(self) -> Option<Written> {
        match self {
            Self::Written(written) => Some(written),
            Self::Conflict => None,
        }
    }

    /// Whether the condition held.
    pub fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

/// What came of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the condition may not have held"]
pub enum DeleteOutcome {
    /// A live entry was removed.
    Deleted,
    /// There was no live entry.
    Missing,
    /// There is one, and it is in another state than the condition's.
    Conflict,
}

/// What came of a [`Change`](crate::Change).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Modified {
    /// Whether the change was made.
    pub applied: bool,
    /// The live entry that it met, if any.
    pub before: Option<Entry>,
    /// The entry that it left; `None` if it removed the entry, or was not made.
    pub after: Option<Entry>,
}

impl Modified {
    /// A change that was not made.
    pub fn unapplied(before: Option<Entry>) -> Self {
        Self { applied: false, before, after: None }
    }

    /// A change that was.
    pub fn applied(before: Option<Entry>, after: Option<Entry>) -> Self {
        Self { applied: true, before, after }
    }
}

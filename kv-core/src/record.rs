//! Records: what stands under a name.

use crate::{Metadata, Timestamp, ValueRef};

/// What stands in a store under one name, borrowed: the value and all that is kept beside it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The value.
    pub value: ValueRef<'a>,
    /// When the record was first written; `None` where another program did not note it.
    pub created: Option<Timestamp>,
    /// The instant at which it ends; `None` if it is permanent.
    pub expires: Option<Timestamp>,
    /// The number that makes this state of the record unlike every other.
    pub revision: u64,
    /// The user's notes.
    pub metadata: Option<&'a Metadata>,
}

impl<'a> Record<'a> {
    /// A permanent record without metadata.
    #[inline]
    pub fn new(value: ValueRef<'a>, revision: u64) -> Self {
        Self { value, created: None, expires: None, revision, metadata: None }
    }

    /// With the instant of its creation.
    #[must_use]
    #[inline]
    pub fn with_created(mut self, created: Option<Timestamp>) -> Self {
        self.created = created;
        self
    }

    /// With the instant at which it ends.
    #[must_use]
    #[inline]
    pub fn with_expires(mut self, expires: Option<Timestamp>) -> Self {
        self.expires = expires;
        self
    }

    /// With the user's notes.
    #[must_use]
    #[inline]
    pub fn with_metadata(mut self, metadata: Option<&'a Metadata>) -> Self {
        self.metadata = metadata.filter(|metadata| !metadata.is_empty());
        self
    }
}

//! Listings, page by page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Entry, Error};

/// Where the next page of a listing begins.
///
/// It is opaque, holds no secret, may be carried as text, and is good for the store, the collection and the filter that
/// gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor of a store's own making.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The error for a cursor that this store did not give.
    pub fn refusal(&self) -> Error {
        Error::new(crate::ErrorKind::InvalidArgument, "the cursor is not one that this listing gave")
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(text.to_owned()))
    }
}

/// One page of a listing.
///
/// A page may be short, even empty, and still not be the last: only `next == None` says that the listing is at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page.
    pub fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// The same page of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// One line of a listing of records.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// The key.
    pub key: String,
    /// The entry, where the listing was asked for entries; an error where that record cannot be read.
    pub entry: Option<Result<Entry, Error>>,
}

impl Listed {
    /// A line with the key alone.
    pub fn key(key: impl Into<String>) -> Self {
        Self { key: key.into(), entry: None }
    }

    /// A line with its entry, or why that cannot be read.
    pub fn entry(key: impl Into<String>, entry: Result<Entry, Error>) -> Self {
        Self { key: key.into(), entry: Some(entry) }
    }
}

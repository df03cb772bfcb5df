//! What a user notes about a record beside its value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// Short notes beside a value, read and changed without it.
///
/// Names and values are text, together at most [`MAX_BYTES`](Self::MAX_BYTES), so that every store can hold them.
///
/// # Examples
///
/// ```
/// use kv_core::Metadata;
///
/// let metadata = Metadata::new().with("source", "import").with("owner", "alice");
/// assert_eq!(metadata.get("owner"), Some("alice"));
/// assert_eq!(metadata.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The most bytes that the names and values of one record's metadata take together.
    pub const MAX_BYTES: usize = 2048;

    /// No notes.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this note, in place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The note of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The notes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many notes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses notes that are too long together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { self.check_len() }
    }

    fn check_len(&self) -> Result<()> {
        let bytes: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > Self::MAX_BYTES {
            let most = Self::MAX_BYTES;
            return Err(Error::new(
                ErrorKind::InvalidValue,
                format!("the metadata has {bytes} bytes; it takes {most}"),
            ));
        }
        Ok(())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(notes: I) -> Self {
        Self(notes.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_limit() {
        assert!(Metadata::new().with("n", "x".repeat(2047)).check().is_ok());
        let error = Metadata::new().with("n", "x".repeat(2048)).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    }
}

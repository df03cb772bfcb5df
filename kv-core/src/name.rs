//! Names of records: a collection and a key.

use crate::{Error, ErrorKind, Result};

/// The longest key and the longest collection name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 2048;

/// The collection of the methods that name none, unless the store is told another.
pub const DEFAULT_COLLECTION: &str = "default_collection";

/// Where a record stands: its collection and its key.
///
/// Both are any non-empty UTF-8 of at most [`MAX_NAME_BYTES`]; a store checks them before it does anything else.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
///
/// let name = Name::new("users", "alice");
/// assert!(name.check().is_ok());
/// assert!(Name::new("users", "").check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a> {
    /// The collection.
    pub collection: &'a str,
    /// The key within the collection.
    pub key: &'a str,
}

impl<'a> Name<'a> {
    /// A name, not checked yet.
    pub fn new(collection: &'a str, key: &'a str) -> Self {
        Self { collection, key }
    }

    /// Refuses a name that no store takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCollection`] and [`ErrorKind::InvalidKey`].
    #[inline]
    pub fn check(self) -> Result<()> {
        check_collection(self.collection)?;
        check_key(self.key)
    }
}

/// Refuses a collection name that no store takes.
///
/// # Errors
///
/// [`ErrorKind::InvalidCollection`] for an empty name and for one of more than [`MAX_NAME_BYTES`].
#[inline]
pub fn check_collection(collection: &str) -> Result<()> {
    if is_valid(collection) {
        Ok(())
    } else {
        Err(refusal(ErrorKind::InvalidCollection, "collection name", collection))
    }
}

/// Refuses a key that no store takes.
///
/// # Errors
///
/// [`ErrorKind::InvalidKey`] for an empty key and for one of more than [`MAX_NAME_BYTES`].
#[inline]
pub fn check_key(key: &str) -> Result<()> {
    if is_valid(key) { Ok(()) } else { Err(refusal(ErrorKind::InvalidKey, "key", key)) }
}

#[inline]
fn is_valid(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

#[cold]
fn refusal(kind: ErrorKind, what: &str, name: &str) -> Error {
    let message = if name.is_empty() {
        format!("the {what} is empty; it takes 1 to {MAX_NAME_BYTES} bytes")
    } else {
        format!("the {what} has {} bytes; it takes 1 to {MAX_NAME_BYTES}", name.len())
    };
    Error::new(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_characters_up_to_the_limit() {
        for name in ["a", "..", "a::b", "*?[", "\0", "\u{1F600}", &"x".repeat(MAX_NAME_BYTES)] {
            assert!(Name::new(name, name).check().is_ok(), "{name:?}");
        }
    }

    #[test]
    fn counts_bytes_and_not_characters() {
        let key = "\u{e9}".repeat(MAX_NAME_BYTES / 2 + 1);
        let error = Name::new("c", &key).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.message().contains("2050 bytes"), "{error}");
        assert_eq!(Name::new("", "k").check().unwrap_err().kind(), ErrorKind::InvalidCollection);
    }
}

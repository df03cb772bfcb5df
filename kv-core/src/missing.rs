//! The error for what was required and is not there.

use std::fmt::Write;

use crate::error::Shortened;
use crate::{Error, ErrorKind, Name};

impl Error {
    /// The error for required keys of a collection that are not there. All are named, up to ten of them; the
    /// [key](Self::key) is the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use kv_core::Error;
    ///
    /// let error = Error::keys_not_found("users", &["alice", "bob"]);
    /// assert_eq!(error.message(), "2 keys are not there: \"alice\", \"bob\"");
    /// ```
    pub fn keys_not_found(collection: &str, missing: &[&str]) -> Self {
        const NAMED: usize = 10;
        let first = match missing {
            [] => return Self::new(ErrorKind::KeyNotFound, "the keys are not there").in_collection(collection),
            [key] => return Self::new(ErrorKind::KeyNotFound, "the key is not there").at(Name::new(collection, key)),
            [first, ..] => first,
        };
        let mut message = format!("{} keys are not there: ", missing.len());
        for (index, key) in missing.iter().take(NAMED).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(message, "{separator}{}", Shortened(key));
        }
        if missing.len() > NAMED {
            let _ = write!(message, " and {} more", missing.len() - NAMED);
        }
        Self::new(ErrorKind::KeyNotFound, message).at(Name::new(collection, first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing_within_bounds() {
        let one = Error::keys_not_found("c", &["k"]);
        assert_eq!((one.kind(), one.collection(), one.key()), (ErrorKind::KeyNotFound, Some("c"), Some("k")));
        let keys: Vec<String> = (0..1000).map(|number| format!("{number}{}", "x".repeat(2000))).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let many = Error::keys_not_found("c", &keys);
        assert!(many.message().starts_with("1000 keys are not there: \"0xx"), "{many}");
        assert!(many.message().ends_with(" and 990 more"), "{many}");
        assert!(many.to_string().len() < 1500, "{}", many.to_string().len());
        let ten = Error::keys_not_found("c", &keys[..10]);
        assert!(ten.message().contains("\"9xx") && !ten.message().contains("more"), "{ten}");
    }
}

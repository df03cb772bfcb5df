//! Patterns of keys.

use globset::{GlobBuilder, GlobMatcher};

use crate::{Error, ErrorKind, Result};

/// A glob over whole keys: `*` any run of characters (`/` too), `?` one, `[a-z]` one of, `{a,b}` either, `\` escapes.
///
/// # Examples
///
/// ```
/// use kv_core::Pattern;
///
/// let pattern = Pattern::new("user:*:{mail,phone}")?;
/// assert!(pattern.matches("user:7:mail"));
/// assert!(!pattern.matches("user:7:name"));
/// assert_eq!(pattern.literal_prefix(), "user:");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    matcher: GlobMatcher,
    literal_prefix: String,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming what is wrong with it.
    pub fn new(glob: &str) -> Result<Self> {
        let matcher = GlobBuilder::new(glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("not a pattern: {}", error.kind())))?
            .compile_matcher();
        let literal_prefix = glob.chars().take_while(|c| !"*?[{\\".contains(*c)).collect();
        Ok(Self { matcher, literal_prefix })
    }

    /// Whether the whole key matches.
    pub fn matches(&self, key: &str) -> bool {
        self.matcher.is_match(key)
    }

    /// What every matching key begins with, as far as the pattern says it literally.
    pub fn literal_prefix(&self) -> &str {
        &self.literal_prefix
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.matcher.glob().glob()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_keys_of_any_characters() {
        let matches = |glob: &str, key: &str| Pattern::new(glob).unwrap().matches(key);
        assert!(matches("a*", "a/b/c"));
        assert!(matches("*", ""));
        assert!(matches("*b\nc", "a\nb\nc"));
        assert!(matches(r"a\*", "a*"));
        assert!(!matches(r"a\*", "ab"));
        assert!(!matches("a", "ab"));
        assert!(matches("..", ".."));
        assert!(matches("a//b", "a//b"));
        assert_eq!(Pattern::new("a[").unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

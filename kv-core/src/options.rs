//! What can be said about a call beside its names and its value.

use std::time::Duration;

use crate::{
    Cursor, Entry, Error, ErrorKind, Expiry, Metadata, Pattern, Record, Result, Revision, Timestamp, Ttl, ValueRef,
};

/// What every operation takes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::CallOptions;
///
/// let call = CallOptions::default().with_timeout(Duration::from_secs(1));
/// assert_eq!(call.timeout, Some(Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// The longest this call may take; the store's own time-out if `None`. A store in this process's memory takes no
    /// heed of it.
    pub timeout: Option<Duration>,
}

impl CallOptions {
    /// With this time-out.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Options of reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetOptions {
    /// What every operation takes.
    pub call: CallOptions,
    /// Only the record is wanted, its value is not: a store may then give an empty value (`null`), and read less.
    pub head: bool,
}

impl GetOptions {
    /// With these call options.
    #[must_use]
    pub fn with_call(mut self, call: CallOptions) -> Self {
        self.call = call;
        self
    }

    /// Without the value.
    #[must_use]
    pub fn head_only(mut self) -> Self {
        self.head = true;
        self
    }
}

/// When a write happens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// In any case.
    #[default]
    Always,
    /// If there is no live record of that name.
    IfAbsent,
    /// If there is one.
    IfPresent,
    /// If there is one, and it is in this state.
    IfRevision(Revision),
}

impl Condition {
    /// Whether it holds where this is the live entry.
    pub fn holds(&self, current: Option<&Entry>) -> bool {
        match self {
            Self::Always => true,
            Self::IfAbsent => current.is_none(),
            Self::IfPresent => current.is_some(),
            Self::IfRevision(revision) => current.is_some_and(|entry| entry.revision() == *revision),
        }
    }
}

/// Options of writing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::{Condition, PutOptions};
///
/// let options = PutOptions::ttl(Duration::from_secs(60)).with_condition(Condition::IfAbsent);
/// assert_eq!(options.condition, Condition::IfAbsent);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PutOptions {
    /// When the entry ends.
    pub expiry: Expiry,
    /// When the write happens.
    pub condition: Condition,
    /// The user's notes.
    pub metadata: Metadata,
    /// The instant to note as that of the record's creation; the present one if `None`. For copies and migrations.
    pub created: Option<Timestamp>,
    /// What every operation takes.
    pub call: CallOptions,
}

impl PutOptions {
    /// For an entry that ends after so long: a [`Duration`], or a number of seconds.
    pub fn ttl(ttl: impl Into<Ttl>) -> Self {
        Self::default().with_expiry(Expiry::after(ttl))
    }

    /// For a copy of this record: with its expiry, its metadata and its instant of creation.
    pub fn of_record(record: &Record<'_>) -> Self {
        Self {
            expiry: record.expires.map_or(Expiry::Never, Expiry::At),
            metadata: record.metadata.cloned().unwrap_or_default(),
            created: record.created,
            ..Self::default()
        }
    }

    /// With this expiry.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// With this condition.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// With these notes.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// With this instant of creation.
    #[must_use]
    pub fn with_created(mut self, created: Option<Timestamp>) -> Self {
        self.created = created;
        self
    }

    /// With these call options.
    #[must_use]
    pub fn with_call(mut self, call: CallOptions) -> Self {
        self.call = call;
        self
    }
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PutItem<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: ValueRef<'a>,
    /// When this entry ends, where that differs from the batch's options.
    pub expiry: Option<Expiry>,
}

impl<'a> PutItem<'a> {
    /// A record with the batch's options.
    pub fn new(key: &'a str, value: ValueRef<'a>) -> Self {
        Self { key, value, expiry: None }
    }

    /// With its own expiry.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = Some(expiry);
        self
    }
}

/// Options of deleting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// When it happens. [`Condition::IfAbsent`] makes no sense here and is refused.
    pub condition: Condition,
    /// What every operation takes.
    pub call: CallOptions,
}

impl DeleteOptions {
    /// With this condition.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// With these call options.
    #[must_use]
    pub fn with_call(mut self, call: CallOptions) -> Self {
        self.call = call;
        self
    }
}

/// Which keys an operation is about: those with a prefix, those that match a pattern, or both.
///
/// # Examples
///
/// ```
/// use kv_core::{KeyFilter, Pattern};
///
/// let filter = KeyFilter::pattern(Pattern::new("user:*:mail")?);
/// assert!(filter.matches("user:7:mail"));
/// assert_eq!(filter.prefix(), "user:");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyFilter {
    prefix: String,
    pattern: Option<Pattern>,
}

impl KeyFilter {
    /// All keys.
    pub fn all() -> Self {
        Self::default()
    }

    /// Keys that begin so.
    pub fn starting_with(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), pattern: None }
    }

    /// Keys that match.
    pub fn pattern(pattern: Pattern) -> Self {
        Self { prefix: pattern.literal_prefix().to_owned(), pattern: Some(pattern) }
    }

    /// These keys, of those that also match.
    #[must_use]
    pub fn and_pattern(mut self, pattern: Pattern) -> Self {
        // The longer prefix says more; where they disagree nothing matches, which `matches` tells.
        if pattern.literal_prefix().len() > self.prefix.len() && pattern.literal_prefix().starts_with(&self.prefix) {
            pattern.literal_prefix().clone_into(&mut self.prefix);
        }
        self.pattern = Some(pattern);
        self
    }

    /// What every key asked for begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the prefix says all.
    pub fn is_prefix_only(&self) -> bool {
        self.pattern.is_none()
    }

    /// Whether this key is asked for.
    pub fn matches(&self, key: &str) -> bool {
        key.starts_with(&self.prefix) && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(key))
    }
}

/// Options of listing.
///
/// # Examples
///
/// ```
/// use kv_core::ListOptions;
///
/// let options = ListOptions::starting_with("user:").with_limit(100);
/// assert_eq!(options.limit, 100);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Which keys.
    pub filter: KeyFilter,
    /// Where the page begins: what the page before gave as `next`.
    pub cursor: Option<Cursor>,
    /// The most items on a page; at least 1.
    pub limit: usize,
    /// Whether the entries are wanted, or the keys alone.
    pub entries: bool,
    /// What every operation takes.
    pub call: CallOptions,
}

impl ListOptions {
    /// The items on a page unless told otherwise.
    pub const DEFAULT_LIMIT: usize = 1000;

    /// Keys that begin so.
    pub fn starting_with(prefix: impl Into<String>) -> Self {
        Self { filter: KeyFilter::starting_with(prefix), ..Self::default() }
    }

    /// Keys that match.
    pub fn pattern(pattern: Pattern) -> Self {
        Self { filter: KeyFilter::pattern(pattern), ..Self::default() }
    }

    /// With this filter.
    #[must_use]
    pub fn with_filter(mut self, filter: KeyFilter) -> Self {
        self.filter = filter;
        self
    }

    /// From this cursor on.
    #[must_use]
    pub fn with_cursor(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }

    /// With at most so many items on a page.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// With the entries.
    #[must_use]
    pub fn with_entries(mut self) -> Self {
        self.entries = true;
        self
    }

    /// With these call options.
    #[must_use]
    pub fn with_call(mut self, call: CallOptions) -> Self {
        self.call = call;
        self
    }

    /// Refuses a limit of zero.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`].
    pub fn check(&self) -> Result<()> {
        if self.limit == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "the page limit is 0; it takes 1 or more"));
        }
        Ok(())
    }
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            filter: KeyFilter::all(),
            cursor: None,
            limit: Self::DEFAULT_LIMIT,
            entries: false,
            call: CallOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_the_longer_prefix() {
        let pattern = |glob| Pattern::new(glob).unwrap();
        assert_eq!(KeyFilter::starting_with("a").and_pattern(pattern("ab*")).prefix(), "ab");
        let none = KeyFilter::starting_with("x").and_pattern(pattern("ab*"));
        assert_eq!(none.prefix(), "x");
        assert!(!none.matches("ab") && !none.matches("x"));
    }
}

//! The one error type of both flavours.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::Name;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarse enough to decide on.
///
/// # Examples
///
/// ```
/// use kv_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Timeout, "no answer within 5s");
/// assert!(error.is_retryable());
/// assert!(!Error::new(ErrorKind::InvalidKey, "the key is empty").is_retryable());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A key that is empty, longer than the store's limit, or that the backend cannot hold even encoded.
    InvalidKey,
    /// A collection name that is empty, longer than the store's limit, or that the backend cannot hold even encoded.
    InvalidCollection,
    /// A value (or metadata) that cannot be stored without changing it, or that an operation cannot work on.
    InvalidValue,
    /// A TTL that is not positive, not a number, or does not end before year 9999; or an instant that has passed.
    InvalidTtl,
    /// Any other argument out of its range; the message lists what is valid.
    InvalidArgument,
    /// The value is larger than the store takes.
    TooLarge,
    /// The store has reached its size limit; nothing was written.
    Full,
    /// The backend cannot do this; see the store's capabilities.
    Unsupported,
    /// The store or wrapper takes no writes.
    ReadOnly,
    /// A key that was required is not there.
    KeyNotFound,
    /// The stored value is sound but does not fit the type that was asked for.
    Decode,
    /// A stored record cannot be read: foreign, damaged, or written by a newer version. It is left in place.
    Corrupted,
    /// The backend cannot be reached or the connection broke.
    Connection,
    /// No answer in time.
    Timeout,
    /// The backend refused the credentials or the operation.
    PermissionDenied,
    /// Too many writers changed the record at the same time; nothing was written.
    Contended,
    /// The store was configured in a way that cannot work.
    Configuration,
    /// The backend failed in a way that has no kind of its own.
    Backend,
}

impl ErrorKind {
    /// Whether trying again, unchanged, can help.
    fn is_retryable(self) -> bool {
        matches!(self, Self::Connection | Self::Timeout | Self::Contended)
    }

    fn describe(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid key",
            Self::InvalidCollection => "invalid collection",
            Self::InvalidValue => "invalid value",
            Self::InvalidTtl => "invalid TTL",
            Self::InvalidArgument => "invalid argument",
            Self::TooLarge => "value too large",
            Self::Full => "store full",
            Self::Unsupported => "unsupported",
            Self::ReadOnly => "read-only",
            Self::KeyNotFound => "key not found",
            Self::Decode => "value does not fit the type",
            Self::Corrupted => "corrupted record",
            Self::Connection => "connection failed",
            Self::Timeout => "timed out",
            Self::PermissionDenied => "permission denied",
            Self::Contended => "too much contention",
            Self::Configuration => "configuration error",
            Self::Backend => "backend error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// Why an operation failed: the kind, where it happened, and whether a retry can help.
///
/// It is one pointer wide. Neither its message nor its `Debug` form ever holds a value or a secret; keys and
/// collection names it does hold.
///
/// # Examples
///
/// ```
/// use kv_core::{Error, ErrorKind, Name};
///
/// let error = Error::new(ErrorKind::Connection, "connection refused")
///     .in_store("redis")
///     .during("get")
///     .at(Name::new("users", "alice"));
/// assert_eq!(
///     error.to_string(),
///     "connection failed: connection refused (store: redis, operation: get, collection: \"users\", key: \"alice\")",
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    store: Option<Cow<'static, str>>,
    operation: Option<&'static str>,
    collection: Option<String>,
    key: Option<String>,
    retryable: bool,
    outcome_unknown: bool,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message must hold no value and no secret.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            store: None,
            operation: None,
            collection: None,
            key: None,
            retryable: kind.is_retryable(),
            outcome_unknown: false,
            retry_after: None,
            source: None,
        }))
    }

    /// The answer of a store that has no such operation.
    pub fn unsupported(what: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("{what} is not supported; see the store's capabilities"))
    }

    /// Keeps the error that caused this one. It is shown after the message, so it must hold no value and no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names the store, unless an inner layer has.
    #[must_use]
    pub fn in_store(mut self, store: impl Into<Cow<'static, str>>) -> Self {
        self.0.store.get_or_insert_with(|| store.into());
        self
    }

    /// Names the operation, unless an inner layer has.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the record, unless an inner layer has.
    #[must_use]
    pub fn at(self, name: Name<'_>) -> Self {
        let mut error = self.in_collection(name.collection);
        error.0.key.get_or_insert_with(|| name.key.to_owned());
        error
    }

    /// Names the collection, unless an inner layer has.
    #[must_use]
    pub fn in_collection(mut self, collection: &str) -> Self {
        self.0.collection.get_or_insert_with(|| collection.to_owned());
        self
    }

    /// Replaces the record's name: for layers that store under another name than the caller's.
    #[must_use]
    pub fn renamed(mut self, name: Name<'_>) -> Self {
        self.0.collection = Some(name.collection.to_owned());
        self.0.key = Some(name.key.to_owned());
        self
    }

    /// Replaces the collection's name and leaves the key: as [`renamed`](Self::renamed), where there may be no key.
    #[must_use]
    pub fn renamed_collection(mut self, collection: &str) -> Self {
        self.0.collection = Some(collection.to_owned());
        self
    }

    /// Overrides whether a retry can help.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Says how long the backend asked to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, pause: Duration) -> Self {
        self.0.retry_after = Some(pause);
        self
    }

    /// Marks a write whose fate is not known: it was sent, and no answer came.
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.0.outcome_unknown = true;
        self
    }

    /// The same error for another caller who waited for the same answer. What caused it goes along as text.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let inner = &*self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            message: inner.message.clone(),
            store: inner.store.clone(),
            operation: inner.operation,
            collection: inner.collection.clone(),
            key: inner.key.clone(),
            retryable: inner.retryable,
            outcome_unknown: inner.outcome_unknown,
            retry_after: inner.retry_after,
            source: inner.source.as_ref().map(|source| source.to_string().into()),
        }))
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, in words, without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The kind of store it happened in.
    pub fn store(&self) -> Option<&str> {
        self.0.store.as_deref()
    }

    /// The operation it happened in.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation
    }

    /// The collection it happened in.
    pub fn collection(&self) -> Option<&str> {
        self.0.collection.as_deref()
    }

    /// The key it happened at.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether trying again, unchanged, can help. Ask [`outcome_unknown`](Self::outcome_unknown) before repeating a
    /// write.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the backend asked to be left alone before a retry, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether a write may or may not have happened.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}: {}", inner.kind, inner.message)?;
        let mut separator = " (";
        let mut context = |f: &mut fmt::Formatter<'_>, what: &str, is: &dyn fmt::Display| {
            write!(f, "{separator}{what}: {is}")?;
            separator = ", ";
            Ok(())
        };
        if let Some(store) = &inner.store {
            context(f, "store", store)?;
        }
        if let Some(operation) = inner.operation {
            context(f, "operation", &operation)?;
        }
        if let Some(collection) = &inner.collection {
            context(f, "collection", &Shortened(collection))?;
        }
        if let Some(key) = &inner.key {
            context(f, "key", &Shortened(key))?;
        }
        if inner.outcome_unknown {
            context(f, "outcome", &"unknown")?;
        }
        if let Some(pause) = inner.retry_after {
            context(f, "retry after", &format_args!("{pause:?}"))?;
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        if let Some(source) = &inner.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

/// A name in quotes, cut where it would fill the screen.
pub(crate) struct Shortened<'a>(pub(crate) &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 80;
        match self.0.char_indices().nth(SHOWN) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}... ({} bytes)", &self.0[..end], self.0.len()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &inner.message)
            .field("store", &inner.store)
            .field("operation", &inner.operation)
            .field("collection", &inner.collection)
            .field("key", &inner.key)
            .field("retryable", &inner.retryable)
            .field("outcome_unknown", &inner.outcome_unknown)
            .field("retry_after", &inner.retry_after)
            .field("source", &inner.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Result<Option<Box<u8>>>>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_inner_layer_names_the_record() {
        let error = Error::new(ErrorKind::Corrupted, "damaged").at(Name::new("a", "b")).at(Name::new("c", "d"));
        assert_eq!((error.collection(), error.key()), (Some("a"), Some("b")));
    }

    #[test]
    fn an_error_can_be_said_twice() {
        let source = std::io::Error::other("reset");
        let error = Error::new(ErrorKind::Connection, "gone").with_source(source).in_store("redis").during("get");
        let error = error.at(Name::new("c", "k")).with_retryable(false).with_outcome_unknown();
        let error = error.with_retry_after(Duration::from_secs(3));
        assert!(error.to_string().contains("retry after: 3s"), "{error}");
        let again = error.repeated();
        assert_eq!(again.to_string(), error.to_string());
        assert!(!again.is_retryable() && again.outcome_unknown());
    }

    #[test]
    fn long_names_are_cut_in_messages_and_nowhere_else() {
        let key = "\u{e9}".repeat(1000);
        let error = Error::new(ErrorKind::Backend, "failed").at(Name::new("c", &key));
        let shown = format!("key: {:?}... (2000 bytes)", "\u{e9}".repeat(80));
        assert!(error.to_string().contains(&shown), "{error}");
        assert_eq!(error.key(), Some(key.as_str()));
    }

    #[test]
    fn says_when_the_outcome_is_unknown() {
        let error = Error::new(ErrorKind::Connection, "reset").with_outcome_unknown();
        assert!(error.to_string().contains("outcome: unknown"));
    }
}

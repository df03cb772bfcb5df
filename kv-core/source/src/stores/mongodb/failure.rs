//! What the client and the server say when something went wrong, in our words.

use kv_core::{Error, ErrorKind};
use mongodb::error::{Error as MongoError, ErrorKind as Kind, WriteFailure};

use crate::within::{Effect, timed_out};

/// Why an action failed: there is such a key already, or something else.
#[derive(Debug)]
pub(super) enum Failure {
    Duplicate,
    /// A command that the server does not know.
    NoSuchCommand,
    /// There is no such collection.
    NoCollection,
    /// There is an index of that name or those fields which is another.
    OtherIndex,
    Other(Error),
}

impl Failure {
    /// The error, where no kind of failure was expected.
    pub(super) fn into_error(self) -> Error {
        let plain = |kind, message| Error::new(kind, message);
        match self {
            Self::Duplicate => plain(ErrorKind::Backend, "the server says that there is such a key already"),
            Self::NoSuchCommand => plain(
                ErrorKind::Configuration,
                "the server does not know a command; this store takes MongoDB 5.0 or later",
            ),
            Self::NoCollection => plain(ErrorKind::Backend, "the server says that there is no such collection"),
            Self::OtherIndex => plain(ErrorKind::Configuration, "the server has another index of that name"),
            Self::Other(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// The failure of an action of this effect, for what the client says.
pub(super) fn told(error: &MongoError, effect: Effect) -> Failure {
    let connection = |what: &'static str| Error::new(ErrorKind::Connection, what);
    let sent = |error: Error| effect.unanswered(error).into();
    match &*error.kind {
        Kind::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => sent(timed_out()),
        // A network error holds no value.
        Kind::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            connection("the server refused the connection").with_source(io.to_string()).into()
        }
        Kind::Io(io) => sent(connection("the connection failed").with_source(io.to_string())),
        Kind::ServerSelection { message, .. } => {
            connection("no server answers that takes the request").with_source(shortened(message)).into()
        }
        Kind::ConnectionPoolCleared { .. } => connection("another connection to the server failed").into(),
        Kind::Shutdown => connection("the client was closed").into(),
        Kind::DnsResolve { .. } => connection("the server's name could not be looked up").into(),
        Kind::Authentication { .. } => {
            Error::new(ErrorKind::PermissionDenied, "the server refused the user or the password").into()
        }
        Kind::InvalidTlsConfig { message, .. } => {
            Error::new(ErrorKind::Configuration, format!("TLS cannot be set up: {message}")).into()
        }
        Kind::Command(error) => answered(error.code, &error.code_name),
        Kind::Write(WriteFailure::WriteError(error)) => {
            answered(error.code, error.code_name.as_deref().unwrap_or_default())
        }
        Kind::Write(WriteFailure::WriteConcernError(error)) => unconfirmed(error.code).into(),
        Kind::InvalidArgument { .. } => {
            Error::new(ErrorKind::Configuration, "the client refused its configuration, or the request").into()
        }
        Kind::IncompatibleServer { message, .. } => {
            Error::new(ErrorKind::Configuration, format!("the server is none that the client speaks to: {message}"))
                .into()
        }
        Kind::InvalidResponse { .. } | Kind::BsonDeserialization(_) | Kind::Bson(_) => unexpected().into(),
        _ => Error::new(ErrorKind::Backend, "the client failed").into(),
    }
}

/// The failure that a code of the server means. Its own words may hold values.
pub(super) fn answered(code: i32, name: &str) -> Failure {
    let says = if name.is_empty() { format!("code {code}") } else { format!("code {code}, {name}") };
    let plain = |kind, what: &str| Failure::Other(Error::new(kind, format!("{what} ({says})")));
    match code {
        11000 | 11001 | 12582 => Failure::Duplicate,
        59 => Failure::NoSuchCommand,
        26 => Failure::NoCollection,
        85 | 86 => Failure::OtherIndex,
        13 | 18 | 8000 => plain(ErrorKind::PermissionDenied, "the server refused the user or the command"),
        50 | 202 | 262 => plain(ErrorKind::Timeout, "the server took too long"),
        6 | 7 | 89 | 91 | 189 | 9001 | 10058 | 10107 | 11600 | 11602 | 13435 | 13436 => {
            plain(ErrorKind::Connection, "the server is not ready, or no longer the primary")
        }
        112 | 251 => plain(ErrorKind::Contended, "another write was first"),
        10334 | 17280 | 17419 | 17420 => plain(ErrorKind::TooLarge, "the document is larger than the server takes"),
        12501 | 14031 => plain(ErrorKind::Full, "the server's disk is full"),
        73 => plain(ErrorKind::InvalidCollection, "the server does not take the collection's name"),
        121 => plain(ErrorKind::InvalidValue, "the collection's own validation refuses the document"),
        _ => plain(ErrorKind::Backend, "the server refused the command"),
    }
}

/// The error for a write that was made, and not confirmed by as many servers as was asked for.
pub(super) fn unconfirmed(code: i32) -> Error {
    let message = format!("the write was not confirmed by enough servers (code {code})");
    Error::new(ErrorKind::Timeout, message).with_outcome_unknown()
}

#[cold]
pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server gave an answer that the command does not have")
}

/// It describes all servers with all that is wrong with each.
fn shortened(message: &str) -> String {
    message.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_codes_have_kinds() {
        for (code, kind, retryable) in [
            (11000, ErrorKind::Backend, false),
            (59, ErrorKind::Configuration, false),
            (85, ErrorKind::Configuration, false),
            (13, ErrorKind::PermissionDenied, false),
            (18, ErrorKind::PermissionDenied, false),
            (50, ErrorKind::Timeout, true),
            (10107, ErrorKind::Connection, true),
            (11600, ErrorKind::Connection, true),
            (112, ErrorKind::Contended, true),
            (10334, ErrorKind::TooLarge, false),
            (14031, ErrorKind::Full, false),
            (73, ErrorKind::InvalidCollection, false),
            (2, ErrorKind::Backend, false),
        ] {
            let error = answered(code, "Name").into_error();
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{code}: {error}");
            assert!(!error.outcome_unknown());
        }
        assert!(unconfirmed(64).outcome_unknown());
    }

    #[test]
    fn a_write_without_an_answer_has_an_unknown_outcome() {
        let io = |kind| MongoError::from(std::io::Error::from(kind));
        for (kind, expected, unknown) in [
            (std::io::ErrorKind::ConnectionReset, ErrorKind::Connection, true),
            (std::io::ErrorKind::TimedOut, ErrorKind::Timeout, true),
            (std::io::ErrorKind::ConnectionRefused, ErrorKind::Connection, false),
        ] {
            let of = |effect| told(&io(kind), effect).into_error();
            assert_eq!((of(Effect::Read).kind(), of(Effect::Read).outcome_unknown()), (expected, false));
            assert_eq!((of(Effect::Put).kind(), of(Effect::Put).outcome_unknown()), (expected, unknown));
            assert_eq!(of(Effect::Change).outcome_unknown(), unknown);
        }
    }

    #[test]
    fn the_server_s_words_are_not_repeated() {
        let text = r#"{"ok": 0, "code": 2, "codeName": "BadValue", "errmsg": "dup key: { key: hunter2 }"}"#;
        let error: mongodb::error::CommandError = serde_json::from_str(text).unwrap();
        let error = told(&MongoError::from(Kind::Command(error)), Effect::Put).into_error();
        assert!(error.message().contains("BadValue") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

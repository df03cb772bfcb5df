//! What the client and the server say when something went wrong, in our words.

use std::error::Error as _;

use super::line::protocol;
use super::line::protocol::error::SqlState;
use kv_core::{Error, ErrorKind};

use crate::within::{Effect, timed_out};

/// What became of a request that got no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// None came in time.
    TimedOut,
    /// The client or the server says why.
    Says(protocol::Error),
    /// The same, before the statement was sent: nothing was done.
    Unsent(protocol::Error),
}

impl From<protocol::Error> for Lost {
    fn from(error: protocol::Error) -> Self {
        Self::Says(error)
    }
}

impl Lost {
    /// Whether the connection is gone, so that nothing more comes over it.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Says(error) | Self::Unsent(error) if is_broken(error))
    }

    /// Whether nothing was done, so that whatever it was may be sent again.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unsent(_))
    }

    /// Whether the connection is as good as before, for all that the server said.
    pub(super) fn leaves_sound(&self) -> bool {
        matches!(self, Self::Says(error) | Self::Unsent(error) if error.code().is_some() && !is_broken(error))
    }

    /// Whether the server has forgotten a statement that was prepared: nothing was done then.
    pub(super) fn is_forgotten(&self) -> bool {
        let (Self::Says(error) | Self::Unsent(error)) = self else { return false };
        let code = error.code();
        code == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) || code == Some(&SqlState::FEATURE_NOT_SUPPORTED)
    }

    /// The error for a request of this effect.
    pub(super) fn told(&self, effect: Effect) -> Error {
        match self {
            Self::TimedOut => effect.unanswered(timed_out()),
            Self::Says(error) if is_broken(error) => effect.unanswered(told(error)),
            Self::Says(error) | Self::Unsent(error) => told(error),
        }
    }
}

fn is_broken(error: &protocol::Error) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("08") || matches!(code.code(), "57P01" | "57P02"),
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
    }
}

/// The error for what the client or the server says.
pub(super) fn told(error: &protocol::Error) -> Error {
    if let Some(told) = error.as_db_error() {
        return refused(told.code().code(), told.message());
    }
    if is_broken(error) {
        // What is wrong with the network, or with a certificate: no value is in it.
        let source = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        return Error::new(ErrorKind::Connection, "the connection failed").with_source(source);
    }
    let mut says = error.to_string();
    if let Some(source) = error.source() {
        says = format!("{says}: {source}");
    }
    if says.contains("password") || says.contains("authentication") {
        return Error::new(
            ErrorKind::PermissionDenied,
            "the server asks for a way to log in that the store has not got",
        );
    }
    if says.contains("TLS") {
        return Error::new(ErrorKind::Connection, "there was no TLS with the server").with_source(says);
    }
    Error::new(ErrorKind::Backend, "the client failed")
}

/// The error for what the server says. Its words are shown where they are about names in the database and never about
/// values.
fn refused(code: &str, message: &str) -> Error {
    let plain = |kind, what: &str| Error::new(kind, format!("{what} (SQLSTATE {code})"));
    let shown = |kind, what: &str| Error::new(kind, format!("{what} (SQLSTATE {code}: {message})"));
    match code {
        "42501" => shown(ErrorKind::PermissionDenied, "the user may not do this"),
        "25006" => plain(ErrorKind::ReadOnly, "the server is a standby, or the transaction takes no writes"),
        "42P01" | "42703" | "42P10" | "3F000" => {
            shown(ErrorKind::Configuration, "the table is not as set-up found it, or is gone")
        }
        "57014" => plain(ErrorKind::Timeout, "the server ended the statement, which took too long"),
        "55P03" => plain(ErrorKind::Timeout, "a lock was not free in time"),
        "57P01" | "57P02" => plain(ErrorKind::Connection, "the server is going down, or ended the connection"),
        "57P03" | "53300" => plain(ErrorKind::Connection, "the server is not ready"),
        // What a pooler says to a start-up that it does not pass on, and what a session says that others work in too.
        "08P01" if message.contains("startup parameter") => {
            plain(ErrorKind::Configuration, "a pooler, most likely, which needs `with_transaction_pooler(true)`")
        }
        "26000" | "42P05" => {
            let what = "others use the session, as behind a pooler, which needs `with_transaction_pooler(true)`";
            plain(ErrorKind::Configuration, what)
        }
        "40001" | "40P01" => plain(ErrorKind::Contended, "another transaction was in the way"),
        "53100" | "53200" => plain(ErrorKind::Full, "the server is out of disk or memory"),
        "54000" | "54001" => plain(ErrorKind::TooLarge, "the record is larger than the server takes"),
        "22P05" | "22P02" | "22021" | "22003" => plain(ErrorKind::InvalidValue, "the server cannot hold this value"),
        _ => match code.get(..2).unwrap_or_default() {
            "28" => plain(ErrorKind::PermissionDenied, "the server refused the user or the password"),
            "3D" => shown(ErrorKind::Configuration, "there is no such database"),
            "08" => plain(ErrorKind::Connection, "the connection failed"),
            "53" => plain(ErrorKind::Connection, "the server is short of something"),
            "42" => plain(ErrorKind::Backend, "the server refused the statement"),
            _ => plain(ErrorKind::Backend, "the server failed"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_errors_have_kinds() {
        for (code, kind, retryable) in [
            ("28P01", ErrorKind::PermissionDenied, false),
            ("42501", ErrorKind::PermissionDenied, false),
            ("3D000", ErrorKind::Configuration, false),
            ("42P01", ErrorKind::Configuration, false),
            ("53300", ErrorKind::Connection, true),
            ("57P03", ErrorKind::Connection, true),
            ("57P01", ErrorKind::Connection, true),
            ("08006", ErrorKind::Connection, true),
            ("08P01", ErrorKind::Connection, true),
            ("42P05", ErrorKind::Configuration, false),
            ("57014", ErrorKind::Timeout, true),
            ("40001", ErrorKind::Contended, true),
            ("40P01", ErrorKind::Contended, true),
            ("53100", ErrorKind::Full, false),
            ("54000", ErrorKind::TooLarge, false),
            ("25006", ErrorKind::ReadOnly, false),
            ("22P05", ErrorKind::InvalidValue, false),
            ("XX000", ErrorKind::Backend, false),
            ("", ErrorKind::Backend, false),
        ] {
            let error = refused(code, "words");
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{code}: {error}");
        }
        assert_eq!(refused("08P01", "unsupported startup parameter: options").kind(), ErrorKind::Configuration);
        assert!(!refused("22P02", "hunter2").to_string().contains("hunter2"));
    }

    #[test]
    fn a_write_without_an_answer_has_an_unknown_outcome() {
        assert!(Lost::TimedOut.told(Effect::Put).outcome_unknown());
        assert!(!Lost::TimedOut.told(Effect::Read).outcome_unknown());
        assert!(!Lost::TimedOut.is_broken());
    }
}

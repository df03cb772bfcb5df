//! What the client and the server say when something went wrong, in our words.

use crate::within::{Effect, timed_out};
use kv_core::{Error, ErrorKind};
use redis::{RedisError, ServerError, ServerErrorKind};

/// The error for a command that got no answer.
pub(super) fn unanswered(error: &RedisError, effect: Effect) -> Error {
    effect.unanswered(told(error))
}

/// The error for what the client says.
pub(super) fn told(error: &RedisError) -> Error {
    use redis::ErrorKind as Kind;
    if error.is_timeout() {
        return timed_out();
    }
    match error.kind() {
        Kind::AuthenticationFailed => {
            Error::new(ErrorKind::PermissionDenied, "the server refused the user or the password")
        }
        Kind::Server(_) | Kind::Extension => match ServerError::try_from(error.clone()) {
            Ok(error) => refused(&error),
            // Made of the server's words by the client: they are of the set-up of a connection.
            Err(error) => answered(error.code().unwrap_or("ERR"), error.detail().unwrap_or_default()),
        },
        Kind::InvalidClientConfig => Error::new(ErrorKind::Configuration, "the server's address cannot be used"),
        Kind::RESP3NotSupported => Error::new(ErrorKind::Configuration, "the server does not speak RESP3"),
        Kind::Parse | Kind::UnexpectedReturnType => unexpected(),
        // What is wrong with the network, or with a certificate: no value is in it.
        _ => Error::new(ErrorKind::Connection, "the connection failed").with_source(error.to_string()),
    }
}

/// The error for an answer that is one.
pub(super) fn refused(error: &ServerError) -> Error {
    let code = match error.kind() {
        // The client keeps no code of these.
        Some(ServerErrorKind::ResponseError) => "ERR",
        _ => error.code(),
    };
    answered(code, error.details().unwrap_or_default())
}

fn answered(code: &str, detail: &str) -> Error {
    // An unknown command is quoted with its arguments, which may be a value.
    let detail = detail.split(", with args").next().unwrap_or_default();
    let is_unknown = detail.starts_with("unknown command");
    let says = if detail.is_empty() { code.to_owned() } else { format!("{code} {detail}") };
    let plain = |kind, what: &str| Error::new(kind, format!("{what} ({says})"));
    match code {
        // Before version 7 the error of a script hides the code of its command.
        "WRONGTYPE" => wrong_type(),
        "ERR" if detail.contains("WRONGTYPE") => wrong_type(),
        "OOM" => plain(ErrorKind::Full, "the server is out of memory"),
        "ERR" if detail.contains("OOM command not allowed") => plain(ErrorKind::Full, "the server is out of memory"),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => {
            plain(ErrorKind::PermissionDenied, "the server refused the user, the password or the command")
        }
        "READONLY" => plain(ErrorKind::ReadOnly, "the server is a replica, which takes no writes").with_retryable(true),
        "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "MASTERDOWN" | "NOREPLICAS" | "MISCONF" => {
            plain(ErrorKind::Connection, "the server is not ready")
        }
        "ERR" if detail.contains("max number of clients") => plain(ErrorKind::Connection, "the server is not ready"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            plain(ErrorKind::Configuration, "the server is a node of a cluster, which this store does not take")
        }
        "ERR" if is_unknown => plain(
            ErrorKind::Configuration,
            "the server lacks a command; this store takes Redis 6.2 or later, or Valkey",
        ),
        _ => plain(ErrorKind::Backend, "the server refused the command"),
    }
}

#[cold]
pub(super) fn wrong_type() -> Error {
    Error::new(ErrorKind::Corrupted, "what stands under the record's key on the server is no string")
}

#[cold]
pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server gave an answer that the command does not have")
}

/// Whether the connection is gone, so that nothing more comes over it.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_connection_dropped()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reply: &str) -> Error {
        match redis::parse_redis_value(reply.as_bytes()).unwrap() {
            redis::Value::ServerError(error) => refused(&error),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_server_s_errors_have_kinds() {
        for (reply, kind, retryable) in [
            ("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", ErrorKind::Corrupted, false),
            ("-ERR Error running script (call to f_1): @user_script:1: WRONGTYPE Op\r\n", ErrorKind::Corrupted, false),
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", ErrorKind::Full, false),
            ("-NOAUTH Authentication required.\r\n", ErrorKind::PermissionDenied, false),
            ("-WRONGPASS invalid username-password pair\r\n", ErrorKind::PermissionDenied, false),
            ("-NOPERM this user has no permissions\r\n", ErrorKind::PermissionDenied, false),
            ("-READONLY You can't write against a read only replica.\r\n", ErrorKind::ReadOnly, true),
            ("-LOADING Redis is loading the dataset in memory\r\n", ErrorKind::Connection, true),
            ("-BUSY Redis is busy running a script.\r\n", ErrorKind::Connection, true),
            ("-CLUSTERDOWN The cluster is down\r\n", ErrorKind::Connection, true),
            ("-TRYAGAIN Multiple keys request\r\n", ErrorKind::Connection, true),
            ("-MOVED 1 127.0.0.1:1\r\n", ErrorKind::Configuration, false),
            ("-ERR syntax error\r\n", ErrorKind::Backend, false),
        ] {
            let error = of(reply);
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{reply}: {error}");
            assert!(!error.outcome_unknown(), "{reply}");
        }
    }

    #[test]
    fn no_argument_is_quoted() {
        let error = of("-ERR unknown command 'GETDEL', with args beginning with: 'hunter2' \r\n");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("GETDEL") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn a_write_without_an_answer_has_an_unknown_outcome() {
        let io = |kind| RedisError::from(std::io::Error::from(kind));
        let broken = io(std::io::ErrorKind::ConnectionReset);
        assert!(is_broken(&broken));
        for (error, kind) in [(broken, ErrorKind::Connection), (io(std::io::ErrorKind::TimedOut), ErrorKind::Timeout)] {
            assert_eq!(unanswered(&error, Effect::Read).kind(), kind);
            assert!(!unanswered(&error, Effect::Read).outcome_unknown());
            assert!(unanswered(&error, Effect::Put).outcome_unknown());
            assert!(unanswered(&error, Effect::Change).outcome_unknown());
        }
    }
}

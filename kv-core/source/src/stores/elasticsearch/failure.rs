//! What the server refuses, as errors.

use kv_core::formats::elasticsearch::{Refusal, refusal_of};
use kv_core::formats::http::Response;
use kv_core::{Error, ErrorKind};

use crate::within::Effect;

/// The error of an answer that is no success.
pub(super) fn refused(response: &Response, effect: Effect) -> Error {
    let error = named(crate::http::refusal(response), &refusal_of(response));
    // What stands before the server gave it up, and the server may have done it. All else was refused before.
    if matches!(response.status, 408 | 502 | 504) { effect.unanswered(error) } else { error }
}

/// The error of a step, or of a document, that was refused for itself.
pub(super) fn step_refused(refusal: &Refusal) -> Error {
    named(crate::http::refusal(&Response::new(refusal.status, Vec::new(), Vec::new())), refusal)
}

/// With the server's name for it. The reason is left out: it quotes values.
fn named(error: Error, refusal: &Refusal) -> Error {
    let (kind, what) = match refusal {
        refusal if refusal.is_full => (ErrorKind::Full, "the server's disk is full"),
        refusal if refusal.name == "cluster_block_exception" && refusal.status == 403 => {
            (ErrorKind::ReadOnly, "the index, or the cluster, takes no writes")
        }
        refusal if refusal.name == "validation_exception" => {
            (ErrorKind::Full, "the server takes no more indices: its limit of shards is reached")
        }
        refusal if refusal.name.is_empty() => return error,
        _ => (error.kind(), error.message()),
    };
    let again = Error::new(kind, format!("{what}: {}", refusal.name));
    match error.retry_after() {
        Some(pause) => again.with_retry_after(pause),
        None => again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, name: &str, reason: &str) -> Error {
        let body = format!(r#"{{"error":{{"type":"{name}","reason":"{reason}"}},"status":{status}}}"#);
        refused(&Response::new(status, Vec::new(), body.into_bytes()), Effect::Put)
    }

    #[test]
    fn the_server_s_errors_have_kinds() {
        let disk = "index [x] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];";
        for (status, name, reason, kind, retryable, unknown) in [
            (401, "security_exception", "", ErrorKind::PermissionDenied, false, false),
            (403, "security_exception", "", ErrorKind::PermissionDenied, false, false),
            (403, "cluster_block_exception", disk, ErrorKind::Full, false, false),
            (429, "cluster_block_exception", "disk usage exceeded", ErrorKind::Full, false, false),
            (403, "cluster_block_exception", "index read-only (api)", ErrorKind::ReadOnly, false, false),
            (429, "es_rejected_execution_exception", "", ErrorKind::Connection, true, false),
            (503, "unavailable_shards_exception", "", ErrorKind::Connection, true, false),
            (502, "", "", ErrorKind::Connection, true, true),
            (504, "", "", ErrorKind::Timeout, true, true),
            (413, "", "", ErrorKind::TooLarge, false, false),
            (400, "validation_exception", "", ErrorKind::Full, false, false),
            (400, "parsing_exception", "hunter2", ErrorKind::Backend, false, false),
        ] {
            let error = of(status, name, reason);
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status} {name}: {error}");
            assert_eq!(error.outcome_unknown(), unknown, "{status} {name}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn how_long_to_wait_is_kept() {
        let body = br#"{"error":{"type":"es_rejected_execution_exception"}}"#.to_vec();
        let busy = Response::new(429, vec![("retry-after".into(), "3".into())], body);
        let error = refused(&busy, Effect::Put);
        assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(3)));
    }
}

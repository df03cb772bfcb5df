//! What can be wrong with a request that gets no answer, in our words.

use kv_core::{Error, ErrorKind};

use super::Limits;

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent: there was no connection to send it over.
    NotSent(Error),
    /// It was sent, at least in part.
    Unanswered(Error),
}

pub(super) const NO_CONNECTION: &str = "the server cannot be connected to";
pub(super) const BROKEN: &str = "the connection broke before the answer was there";

pub(super) fn too_slow_to_connect() -> Error {
    Error::new(ErrorKind::Timeout, "the server took too long to connect to")
}

/// What is wrong with a certificate: no value is in it.
pub(super) fn untrusted(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Connection, "no trusted TLS connection to the server").with_source(why.to_string())
}

pub(super) fn unsendable() -> Error {
    Error::new(ErrorKind::Configuration, "the request has a header or an address that HTTP does not have")
}

pub(super) fn too_large(limits: Limits) -> Error {
    let message = format!("the server's answer is longer than the {} bytes that are allowed", limits.bytes);
    Error::new(ErrorKind::TooLarge, message)
}

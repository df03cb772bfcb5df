//! Requests and answers of the stores behind HTTP, as values. The formats of those stores make the one and read the
//! other; the flavours' clients carry them.
//!
//! # Examples
//!
//! ```
//! use kv_core::formats::http::{Method, Request, encode_path};
//!
//! let request = Request::new(Method::Put, format!("/users/_doc/{}", encode_path("a/b c")))
//!     .with_body("application/json", br#"{"age":7}"#);
//! assert_eq!(request.target, "/users/_doc/a%2Fb%20c");
//! ```

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A request, whichever server it goes to.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// Path and query as they stand in the request: they begin with `/` and are percent-encoded.
    pub target: String,
    /// Its own headers, by lower-case name; those of all requests (host, credentials) are the client's.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// With this body, of this content type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    /// Whether none is sent, not even an empty one.
    pub fn is_without_body(&self) -> bool {
        self.body.is_empty() && !matches!(self.method, Method::Post | Method::Put)
    }

    /// With this header; the name is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Debug for Request {
    /// Headers may hold a secret and the body a value: neither is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method.as_str(), self.target, self.body.len())
    }
}

/// An answer, of any status.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, by lower-case name; those that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// Whether the status says that it was done: 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long the server wants to be left alone: `retry-after` in seconds. A date in its place is not read.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_core::formats::http::Response;
    ///
    /// let busy = Response::new(503, vec![("retry-after".into(), "3".into())], Vec::new());
    /// assert_eq!(busy.retry_after(), Some(Duration::from_secs(3)));
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

impl fmt::Debug for Response {
    /// The body may hold a value: it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

/// The value of the header `authorization` of a user with a password.
///
/// ```
/// use kv_core::formats::http::basic_auth;
///
/// assert_eq!(basic_auth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// ```
pub fn basic_auth(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// All but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path, or one part of a query, percent-encoded: everything but letters, digits and `-._~`.
pub fn encode_path(segment: &str) -> impl fmt::Display {
    utf8_percent_encode(segment, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(encode_path("a/b?c#d&e=f%").to_string(), "a%2Fb%3Fc%23d%26e%3Df%25");
        assert_eq!(encode_path("ü-._~ ").to_string(), "%C3%BC-._~%20");
    }

    #[test]
    fn no_secret_and_no_value_is_shown() {
        let request =
            Request::new(Method::Post, "/x").with_header("authorization", "hunter2").with_body("text/plain", "hunter3");
        let response = Response::new(200, vec![("x".into(), "hunter4".into())], b"hunter5".to_vec());
        let shown = format!("{request:?} {response:?}");
        assert!(!shown.contains("hunter"), "{shown}");
        assert_eq!(request.headers.len(), 2);
    }

    #[test]
    fn reads_how_long_to_wait() {
        let of = |value: &str| Response::new(429, vec![("retry-after".into(), value.into())], Vec::new()).retry_after();
        assert_eq!(of(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(of("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(of("-1"), None);
        assert_eq!(Response::new(200, Vec::new(), Vec::new()).retry_after(), None);
    }
}

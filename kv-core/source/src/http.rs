//! What the stores behind HTTP share: a request goes to one of the nodes, status, headers and body come back.
//!
//! Requests and answers are values of [`kv_core::formats::http`]; each store's format makes the one and reads the other.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kv_core::formats::http::{Request, Response};
use kv_core::{Error, ErrorKind, Result};

use crate::within::{Effect, STALE, Within};

mod failure;
mod node;
mod options;
mod tls;

#[cfg_attr(feature = "is_sync", path = "http/transport_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "http/transport_async.rs")]
mod transport;

pub(crate) use options::HttpOptions;
pub use transport::HttpClientV1;

use failure::Failure;
use transport::Transport;

/// A connection that was idle for longer is not used again: servers, and what stands before them, close such.
const IDLE: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("kv/", env!("CARGO_PKG_VERSION"));

/// How much a request may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// From the first step of the connection to the last byte of the body.
    time: Duration,
    /// Of the answer's body.
    bytes: usize,
}

/// The nodes of a server, with the connections to them.
pub(crate) struct Http {
    options: HttpOptions,
    transport: Transport,
    /// The node that answered last.
    node: AtomicUsize,
    began: Instant,
    /// When an answer last came, in microseconds since it began.
    heard: AtomicU64,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Http {
    /// No I/O.
    pub(crate) fn new(options: HttpOptions) -> Result<Self> {
        options.check()?;
        let transport = Transport::new(&options);
        Ok(Self::over(options, transport))
    }

    /// Over a client that the program has; it is never closed. Of the options, those of connections are the client's.
    pub(crate) fn lent(client: HttpClientV1, options: HttpOptions) -> Result<Self> {
        options.check()?;
        Ok(Self::over(options, Transport::lent(client)))
    }

    fn over(options: HttpOptions, transport: Transport) -> Self {
        let (node, heard) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { options, transport, node, began: Instant::now(), heard }
    }

    /// The answer, whatever its status.
    ///
    /// Where a node cannot be connected to, the next one is tried. A request that broke off before its answer came is
    /// sent once more if that does no harm: a read, or a put that most likely never left. All together take no longer
    /// than the time-out, or than the call allows.
    ///
    /// # Errors
    ///
    /// Those of a request that got no answer, with
    /// [`outcome_unknown`](kv_core::Error::outcome_unknown) where it may have been done.
    #[maybe_async::maybe_async]
    pub(crate) async fn send(&self, request: &Request, effect: Effect, within: Within) -> Result<Response> {
        let end = Instant::now().checked_add(within.for_answer(self.options.timeout)?);
        let mut may_repeat = match effect {
            Effect::Read => true,
            Effect::Put => self.silence() >= STALE,
            Effect::Change => false,
        };
        let (nodes, authorization) = (&self.options.nodes, self.options.authorization.as_deref());
        let mut index = self.node.load(Ordering::Relaxed) % nodes.len();
        let mut unreachable = 0;
        loop {
            let time = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if time.is_zero() {
                // What was sent before had no effect, or it would not be here.
                return Err(crate::within::timed_out());
            }
            let limits = Limits { time, bytes: self.options.max_answer_bytes };
            match self.transport.send(&nodes[index], request, authorization, limits).await {
                Ok(response) => {
                    self.node.store(index, Ordering::Relaxed);
                    self.heard.store(self.micros(), Ordering::Relaxed);
                    return Ok(response);
                }
                Err(Failure::NotSent(error)) => {
                    unreachable += 1;
                    if unreachable == nodes.len() {
                        return Err(error);
                    }
                    index = (index + 1) % nodes.len();
                }
                Err(Failure::Unanswered(error)) if may_repeat && error.kind() == ErrorKind::Connection => {
                    may_repeat = false;
                }
                // An answer that is too large was given.
                Err(Failure::Unanswered(error)) if effect != Effect::Read => return Err(error.with_outcome_unknown()),
                Err(Failure::Unanswered(error)) => return Err(error),
            }
        }
    }

    /// Lets go of idle connections.
    pub(crate) fn close(&self) {
        self.transport.close();
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// How long ago an answer last came.
    fn silence(&self) -> Duration {
        Duration::from_micros(self.micros().saturating_sub(self.heard.load(Ordering::Relaxed)))
    }
}

/// The error of an answer whose status says that the server did not do it, where the store has no better one. Nothing of
/// the body is in it: it may quote a value.
pub(crate) fn refusal(response: &Response) -> Error {
    let status = response.status;
    let (kind, what) = match status {
        401 | 407 => (ErrorKind::PermissionDenied, "the server refused the credentials"),
        403 => (ErrorKind::PermissionDenied, "the server refused the operation to this user"),
        408 | 504 => (ErrorKind::Timeout, "the server, or what stands before it, ran out of time"),
        413 => (ErrorKind::TooLarge, "the server takes no request so large"),
        429 => (ErrorKind::Connection, "the server has too much to do"),
        502 | 503 => (ErrorKind::Connection, "the server is not ready"),
        507 => (ErrorKind::Full, "the server has no room left"),
        300..=399 => (ErrorKind::Configuration, "the server sends elsewhere, which is not followed"),
        _ => (ErrorKind::Backend, "the server refused the request"),
    };
    let error = Error::new(kind, format!("{what} (status {status})"));
    match response.retry_after() {
        Some(pause) => error.with_retry_after(pause),
        None => error,
    }
}

#[cfg(test)]
mod tests;

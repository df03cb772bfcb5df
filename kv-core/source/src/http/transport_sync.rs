//! The connections to the nodes, blocking: by `ureq`, which needs no runtime, where the blocking form of `reqwest`
//! runs one behind a thread of its own.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use kv_core::formats::http::{Request, Response};
use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use ureq::config::Config;
use ureq::http::uri::{Authority, Scheme};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, AsSendBody, Body, Timeout, http};

use super::failure::{BROKEN, Failure, NO_CONNECTION, too_large, too_slow_to_connect, unsendable, untrusted};
use super::node::Node;
use super::options::HttpOptions;
use super::{IDLE, Limits, USER_AGENT, tls};
use crate::within::timed_out;

/// An HTTP client that a program has: an agent of `ureq` 3 in the blocking crate, a client of `reqwest` 0.13 in the
/// async one.
pub type HttpClientV1 = Agent;

/// The agent, made when it is first used.
pub(super) struct Transport {
    agent: Mutex<Option<Agent>>,
    /// What an agent of ours is made of; `None` for a lent one.
    own: Option<Own>,
}

struct Own {
    connect_timeout: Duration,
    max_idle: usize,
    /// The certificates to trust beside the system's; `None` where no node speaks TLS.
    certificates: Option<Vec<u8>>,
}

impl Transport {
    pub(super) fn new(options: &HttpOptions) -> Self {
        let own = Own {
            connect_timeout: options.connect_timeout,
            max_idle: options.max_idle,
            certificates: options.nodes.iter().any(Node::is_tls).then(|| options.certificates.clone()),
        };
        Self { agent: Mutex::new(None), own: Some(own) }
    }

    pub(super) fn lent(agent: Agent) -> Self {
        Self { agent: Mutex::new(Some(agent)), own: None }
    }

    fn agent(&self) -> Result<Agent> {
        let mut agent = self.agent.lock();
        match (&*agent, &self.own) {
            (Some(agent), _) => Ok(agent.clone()),
            (None, Some(own)) => Ok(agent.insert(own.make()?).clone()),
            (None, None) => Err(Error::new(ErrorKind::Configuration, "the client that was lent is gone")),
        }
    }

    /// Lets go of idle connections.
    pub(super) fn close(&self) {
        if self.own.is_some() {
            self.agent.lock().take();
        }
    }

    pub(super) fn send(
        &self,
        node: &Node,
        request: &Request,
        authorization: Option<&str>,
        limits: Limits,
    ) -> Result<Response, Failure> {
        let agent = self.agent().map_err(Failure::NotSent)?;
        let mut carried = http::Request::builder().method(request.method.as_str()).uri(node.url(&request.target));
        for (name, value) in &request.headers {
            carried = carried.header(*name, value);
        }
        if let Some(authorization) = authorization {
            carried = carried.header(http::header::AUTHORIZATION, authorization);
        }
        let answer = match request.is_without_body() {
            true => run(&agent, carried.body(()), limits),
            false => run(&agent, carried.body(&request.body[..]), limits),
        };
        let (parts, mut body) = answer.map_err(|error| failed(&error))?.into_parts();
        let limit = u64::try_from(limits.bytes).unwrap_or(u64::MAX);
        let body = body.with_config().limit(limit).read_to_vec().map_err(|error| broken_off(&error, limits))?;
        Ok(Response::new(parts.status.as_u16(), headers(&parts.headers), body))
    }
}

impl Own {
    /// Reads the system's certificates where a node speaks TLS.
    fn make(&self) -> Result<Agent> {
        let mut config = Agent::config_builder()
            .proxy(None)
            .user_agent(USER_AGENT)
            .max_idle_age(IDLE)
            .max_idle_connections_per_host(self.max_idle)
            .max_idle_connections(self.max_idle.saturating_mul(4))
            .timeout_connect(Some(self.connect_timeout));
        if let Some(certificates) = &self.certificates {
            let trusted: Vec<_> = tls::trusted(certificates)?;
            let trusted: Vec<_> = trusted.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
            let tls = TlsConfig::builder().root_certs(RootCerts::from(trusted.into_iter()));
            config = config.tls_config(tls.unversioned_rustls_crypto_provider(tls::provider()).build());
        }
        Ok(Agent::with_parts(config.build(), DefaultConnector::default(), Addresses::default()))
    }
}

/// What of a URL says where to connect to.
type Host = (Option<Scheme>, Option<Authority>);

/// The addresses of the nodes. `ureq` looks a name up for every request, also where a connection is open, and starts a
/// thread for each look-up that has an end in time.
#[derive(Debug, Default)]
struct Addresses {
    known: Mutex<HashMap<Host, (Instant, ResolvedSocketAddrs)>>,
    system: DefaultResolver,
}

impl Addresses {
    /// So soon is it noticed that a name stands for another address.
    const TRUSTED_FOR: Duration = Duration::from_secs(5);
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        within: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = (uri.scheme().cloned(), uri.authority().cloned());
        if let Some((since, addresses)) = self.known.lock().get(&name)
            && since.elapsed() < Self::TRUSTED_FOR
        {
            return Ok(addresses.clone());
        }
        let addresses = self.system.resolve(uri, config, within)?;
        // There are as many names as nodes.
        self.known.lock().insert(name, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

fn run(
    agent: &Agent,
    request: http::Result<http::Request<impl AsSendBody>>,
    limits: Limits,
) -> Result<http::Response<Body>, ureq::Error> {
    let request = agent
        .configure_request(request?)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(limits.time))
        .build();
    agent.run(request)
}

/// What went wrong before the head of an answer came.
fn failed(error: &ureq::Error) -> Failure {
    let connection = |what: &'static str| Error::new(ErrorKind::Connection, what).with_source(error.to_string());
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Failure::NotSent(too_slow_to_connect()),
        ureq::Error::Timeout(_) => Failure::Unanswered(timed_out()),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Failure::NotSent(connection(NO_CONNECTION)),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Failure::NotSent(untrusted(error)),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => Failure::NotSent(unsendable()),
        ureq::Error::Io(fault) => match fault.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NotFound => Failure::NotSent(connection(NO_CONNECTION)),
            // What rustls finds wrong. It shakes hands before anything is sent.
            io::ErrorKind::InvalidData => Failure::NotSent(untrusted(error)),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Unanswered(timed_out()),
            _ => Failure::Unanswered(connection(BROKEN)),
        },
        _ => Failure::Unanswered(connection(BROKEN)),
    }
}

/// What went wrong within the body of an answer.
fn broken_off(error: &ureq::Error, limits: Limits) -> Failure {
    Failure::Unanswered(match error {
        ureq::Error::BodyExceedsLimit(_) => too_large(limits),
        ureq::Error::Timeout(_) => timed_out(),
        _ => Error::new(ErrorKind::Connection, BROKEN).with_source(error.to_string()),
    })
}

fn headers(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_in_a_while() {
        let (addresses, config) = (Addresses::default(), Config::default());
        let look = |uri: &str| addresses.resolve(&uri.parse().unwrap(), &config, NextTimeout::default()).unwrap();
        assert_eq!(look("http://127.0.0.1:9200/a")[0], "127.0.0.1:9200".parse().unwrap());
        assert_eq!(look("https://127.0.0.1/")[0].port(), 443);
        assert_eq!(look("http://127.0.0.1/")[0].port(), 80);
        let moved = look("http://127.0.0.2:9200/");
        let age =
            |since: Instant| addresses.known.lock().values_mut().for_each(|known| *known = (since, moved.clone()));
        age(Instant::now());
        assert_eq!(look("http://127.0.0.1:9200/b"), moved);
        if let Some(long_ago) = Instant::now().checked_sub(2 * Addresses::TRUSTED_FOR) {
            age(long_ago);
            assert_eq!(look("http://127.0.0.1:9200/c")[0], "127.0.0.1:9200".parse().unwrap());
        }
    }
}

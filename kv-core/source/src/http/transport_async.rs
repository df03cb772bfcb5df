//! The connections to the nodes, awaiting: by `reqwest`, a client for each runtime, since its connections are tasks of
//! the runtime they were made in and end with it.

use std::time::Duration;

use kv_core::formats::http::{Method, Request, Response};
use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Handle, Id};

use super::failure::{BROKEN, Failure, NO_CONNECTION, too_large, too_slow_to_connect, unsendable, untrusted};
use super::node::Node;
use super::options::HttpOptions;
use super::{IDLE, Limits, USER_AGENT, tls};
use crate::within::timed_out;

/// The most bytes that are set aside for a body on the word of its length.
const MOST_RESERVED: usize = 1 << 20;

/// An HTTP client that a program has: an agent of `ureq` 3 in the blocking crate, a client of `reqwest` 0.13 in the
/// async one.
pub type HttpClientV1 = Client;

/// The clients, each made when its runtime first uses it.
pub(super) struct Transport {
    clients: Mutex<Vec<(Id, Client)>>,
    source: Source,
}

enum Source {
    Lent(Client),
    Own(Own),
}

/// What a client of ours is made of.
#[derive(Clone)]
struct Own {
    connect_timeout: Duration,
    max_idle: usize,
    /// The certificates to trust beside the system's; `None` where no node speaks TLS.
    certificates: Option<Vec<u8>>,
}

impl Transport {
    /// More runtimes than that at one time connect anew when they take turns.
    const MOST_RUNTIMES: usize = 8;

    pub(super) fn new(options: &HttpOptions) -> Self {
        let own = Own {
            connect_timeout: options.connect_timeout,
            max_idle: options.max_idle,
            certificates: options.nodes.iter().any(Node::is_tls).then(|| options.certificates.clone()),
        };
        Self { clients: Mutex::default(), source: Source::Own(own) }
    }

    pub(super) fn lent(client: Client) -> Self {
        Self { clients: Mutex::default(), source: Source::Lent(client) }
    }

    async fn client(&self) -> Result<Client> {
        let runtime = Handle::try_current().map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no Tokio runtime here, which this store is to be used in")
        })?;
        let own = match &self.source {
            Source::Lent(client) => return Ok(client.clone()),
            Source::Own(own) => own,
        };
        let id = runtime.id();
        let known =
            |clients: &[(Id, Client)]| clients.iter().find(|(of, _)| *of == id).map(|(_, client)| client.clone());
        if let Some(client) = known(&self.clients.lock()) {
            return Ok(client);
        }
        let client = match &own.certificates {
            None => own.make()?,
            // It reads files.
            Some(_) => {
                let own = own.clone();
                let made = runtime.spawn_blocking(move || own.make()).await;
                made.map_err(|_| Error::new(ErrorKind::Backend, "the runtime ended before there was a client"))??
            }
        };
        let mut clients = self.clients.lock();
        if let Some(client) = known(&clients) {
            return Ok(client);
        }
        if clients.len() == Self::MOST_RUNTIMES {
            // The first one is the oldest, most likely of a runtime that is gone.
            clients.remove(0);
        }
        clients.push((id, client.clone()));
        Ok(client)
    }

    /// Lets go of idle connections.
    pub(super) fn close(&self) {
        self.clients.lock().clear();
    }

    pub(super) async fn send(
        &self,
        node: &Node,
        request: &Request,
        authorization: Option<&str>,
        limits: Limits,
    ) -> Result<Response, Failure> {
        let client = self.client().await.map_err(Failure::NotSent)?;
        let mut carried = client.request(method(request.method), node.url(&request.target)).timeout(limits.time);
        for (name, value) in &request.headers {
            carried = carried.header(*name, value);
        }
        if let Some(authorization) = authorization {
            carried = carried.header(AUTHORIZATION, authorization);
        }
        if !request.is_without_body() {
            // Of an empty body the client would not tell the length, which some servers want.
            carried = carried.header(CONTENT_LENGTH, request.body.len()).body(request.body.clone());
        }
        let mut answer = carried.send().await.map_err(failed)?;
        let (status, headers) = (answer.status().as_u16(), headers(answer.headers()));
        let length = usize::try_from(answer.content_length().unwrap_or_default()).unwrap_or(usize::MAX);
        let mut body = Vec::with_capacity(length.min(MOST_RESERVED));
        while let Some(chunk) = answer.chunk().await.map_err(broken_off)? {
            if body.len() + chunk.len() > limits.bytes {
                return Err(Failure::Unanswered(too_large(limits)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response::new(status, headers, body))
    }
}

impl Own {
    /// Reads the system's certificates where a node speaks TLS.
    fn make(&self) -> Result<Client> {
        let unusable = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Configuration, "there can be no HTTP client").with_source(error.to_string())
        };
        let mut roots = RootCertStore::empty();
        if let Some(certificates) = &self.certificates {
            roots.add_parsable_certificates(tls::trusted(certificates)?);
        }
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.max_idle)
            .connect_timeout(self.connect_timeout)
            .tls_backend_preconfigured(config);
        client.build().map_err(|error| unusable(&error))
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Delete => reqwest::Method::DELETE,
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        _ => reqwest::Method::PUT,
    }
}

/// What went wrong before the head of an answer came. The address is left out of it.
fn failed(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    match (error.is_builder(), error.is_connect(), error.is_timeout()) {
        (true, ..) => Failure::NotSent(unsendable()),
        (_, true, true) => Failure::NotSent(too_slow_to_connect()),
        (_, true, _) if is_tls(&error) => Failure::NotSent(untrusted(reason(&error))),
        (_, true, _) => Failure::NotSent(Error::new(ErrorKind::Connection, NO_CONNECTION).with_source(reason(&error))),
        (_, _, true) => Failure::Unanswered(timed_out()),
        _ => Failure::Unanswered(Error::new(ErrorKind::Connection, BROKEN).with_source(reason(&error))),
    }
}

/// What went wrong within the body of an answer.
fn broken_off(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    Failure::Unanswered(match error.is_timeout() {
        true => timed_out(),
        false => Error::new(ErrorKind::Connection, BROKEN).with_source(reason(&error)),
    })
}

fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

/// The innermost cause, which says what the others wrap.
fn reason(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn is_tls(error: &reqwest::Error) -> bool {
    causes(error).any(is_of_tls)
}

/// Looks into I/O errors too, which are not among the causes of what wraps them.
fn is_of_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || inner.is_some_and(|inner| is_of_tls(inner))
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text =
        |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
    headers.iter().filter_map(text).collect()
}

//! Where the nodes are, who asks, and what is allowed.

use std::fmt;
use std::time::Duration;

use kv_core::formats::http::basic_auth;
use kv_core::{Error, ErrorKind, Result};

use super::node::{Login, Node};
use super::tls;

/// What the stores behind HTTP are told of their server. Each store's own options hold one.
#[derive(Clone)]
pub(crate) struct HttpOptions {
    pub(super) nodes: Vec<Node>,
    /// The value of the header `authorization`.
    pub(super) authorization: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(super) max_idle: usize,
    pub(super) max_answer_bytes: usize,
    /// In PEM: trusted beside the system's.
    pub(super) certificates: Vec<u8>,
}

impl HttpOptions {
    /// Both time-outs unless told others.
    pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The most bytes of an answer's body unless told another number: 256 MiB.
    pub(crate) const DEFAULT_MAX_ANSWER_BYTES: usize = 256 << 20;
    /// Connections to a node that are kept for later unless told another number. Where more are in use at once, each call
    /// makes one and closes it again; and those that nobody needs end soon by their age.
    pub(crate) const DEFAULT_MAX_IDLE: usize = 256;

    /// With this first node: `http[s]://[user:password@]host[:port][/path]`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], with nothing of the URL in the message.
    pub(crate) fn from_url(url: &str) -> Result<Self> {
        let options = Self {
            nodes: Vec::new(),
            authorization: None,
            connect_timeout: Self::DEFAULT_TIMEOUT,
            timeout: Self::DEFAULT_TIMEOUT,
            max_idle: Self::DEFAULT_MAX_IDLE,
            max_answer_bytes: Self::DEFAULT_MAX_ANSWER_BYTES,
            certificates: Vec::new(),
        };
        options.with_node(url)
    }

    /// With one more node. What its URL says of user and password holds for all.
    ///
    /// # Errors
    ///
    /// As of the first.
    pub(crate) fn with_node(mut self, url: &str) -> Result<Self> {
        let (node, login) = Node::parse(url)?;
        self.nodes.push(node);
        Ok(match login {
            Some(Login { user, password }) => self.with_basic_auth(&user, &password),
            None => self,
        })
    }

    /// As this user.
    pub(crate) fn with_basic_auth(self, user: &str, password: &str) -> Self {
        self.with_authorization(basic_auth(user, password))
    }

    /// With this value of the header `authorization`, such as `Bearer ...` or `ApiKey ...`.
    pub(crate) fn with_authorization(mut self, value: impl Into<String>) -> Self {
        self.authorization = Some(value.into());
        self
    }

    /// Trusting these certificates (PEM) beside the system's.
    pub(crate) fn with_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = pem.into();
        self
    }

    /// What only shows when all is told.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &'static str| Err(Error::new(ErrorKind::Configuration, what));
        if self.authorization.as_ref().is_some_and(|value| value.bytes().any(|byte| !(32..127).contains(&byte))) {
            return wrong("the credentials hold a character that a header cannot; they are to be visible ASCII");
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return wrong("a time-out of zero leaves no time for any call");
        }
        tls::check(&self.certificates)
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("nodes", &self.nodes)
            .field("authorization", &self.authorization.as_ref().map(|_| "..."))
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

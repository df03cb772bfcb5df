//! One address of a server.

use std::fmt;

use kv_core::Result;
use url::Url;

use crate::address::{decode, wrong};

/// Where a node is. User and password of its URL are not in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Node {
    base: String,
    is_tls: bool,
}

/// A user and a password.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Node {
    /// Reads `http[s]://[user:password@]host[:port][/path]`.
    pub(crate) fn parse(url: &str) -> Result<(Self, Option<Login>)> {
        let mut url = Url::parse(url).map_err(|_| wrong("the server's URL is none like http://localhost:9200"))?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("the server's URL begins with none of http://, https://")),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("the server's URL has a query or a fragment; it takes none (percent-encode ? and #)"));
        }
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (_, None) => return Err(wrong("the URL has a user and no password; write https://user:password@host")),
            (user, Some(password)) => Some(Login { user: decode(user)?, password: decode(password)? }),
        };
        // These fail for URLs without a host only, which http has none of.
        let stripped = url.set_username("").and_then(|()| url.set_password(None));
        stripped.map_err(|()| wrong("the server's URL names no host"))?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok((Self { base, is_tls }, login))
    }

    /// The address of what a request is for.
    pub(super) fn url(&self, target: &str) -> String {
        [&self.base, target].concat()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

//! Where the server is, who asks, and what its indices are called.

use std::fmt;
use std::time::Duration;

use kv_core::Result;
use kv_core::formats::elasticsearch::{Indices, indices};
use serde_json::{Value, json};

use crate::http::HttpOptions;

/// Where an Elasticsearch or OpenSearch server is, how to log in, what its indices are called, and which time-outs hold.
///
/// Nothing is contacted by making options. The `Debug` form shows no credentials.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_source::stores::{ElasticsearchOptions, OpenSearchStore};
///
/// # fn main() -> kv_source::Result<()> {
/// let options = ElasticsearchOptions::from_url("https://node1.example.com:9200")?
///     .with_node("https://node2.example.com:9200")?
///     .with_basic_auth("app", "s3cret")
///     .with_index_prefix("shop")
///     .with_timeout(Duration::from_secs(2));
/// assert!(!format!("{options:?}").contains("s3cret"));
/// let store = OpenSearchStore::with_options(options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ElasticsearchOptions {
    pub(super) http: HttpOptions,
    prefix: String,
    pub(super) python_indices: bool,
    shards: Option<u32>,
    replicas: Option<u32>,
}

impl ElasticsearchOptions {
    /// The index prefix unless told another.
    pub const DEFAULT_PREFIX: &'static str = "kv";
    /// Both time-outs unless told others: 5 s.
    pub const DEFAULT_TIMEOUT: Duration = HttpOptions::DEFAULT_TIMEOUT;

    /// What a URL says: `http[s]://[user:password@]host[:port][/path]`, of the server or of one of its nodes.
    ///
    /// User and password are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](kv_core::ErrorKind::Configuration). The message shows nothing of the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        let http = HttpOptions::from_url(url)?;
        let prefix = Self::DEFAULT_PREFIX.to_owned();
        Ok(Self { http, prefix, python_indices: false, shards: None, replicas: None })
    }

    /// With one more node, by a URL as the first. A node that cannot be connected to is passed over. What its URL says of
    /// user and password holds for all.
    ///
    /// # Errors
    ///
    /// As of the first.
    pub fn with_node(mut self, url: &str) -> Result<Self> {
        self.http = self.http.with_node(url)?;
        Ok(self)
    }

    /// With this index prefix, of 1 to 100 bytes. It is made lower-case, as Python's library does; all indices are
    /// `prefix-...`. Stores with different prefixes share nothing.
    #[must_use]
    pub fn with_index_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With every collection in the index that Python's library has it in, so that both see each other's records of it,
    /// whatever its name; without it, only of those whose names are lower-case and plain. Names that an index cannot
    /// have, those with control characters, and those that begin or end with `~` are left out.
    ///
    /// Python's index is the collection's name in lower case: `Users` and `users` share one, and a key in the one is a
    /// key in the other. An index is therefore of one collection only, the one that the store first wrote there, or
    /// whose records Python has there. The first use of any other, or of a collection that stands in an index of its
    /// own since before this was said, fails with [`Configuration`](kv_core::ErrorKind::Configuration), names both, and
    /// changes nothing. What Python puts there later is seen by the next process.
    ///
    /// The first use of a collection takes two requests more, and a delete two in place of one. Programs that share a
    /// store say the same here; one that does not still finds the indices that were taken so.
    #[must_use]
    pub fn with_python_indices(mut self, python_indices: bool) -> Self {
        self.python_indices = python_indices;
        self
    }

    /// As this user.
    #[must_use]
    pub fn with_basic_auth(mut self, user: &str, password: &str) -> Self {
        self.http = self.http.with_basic_auth(user, password);
        self
    }

    /// With this API key, as the server gives it: the encoded one.
    #[must_use]
    pub fn with_api_key(mut self, key: &str) -> Self {
        self.http = self.http.with_authorization(format!("ApiKey {key}"));
        self
    }

    /// With this bearer token.
    #[must_use]
    pub fn with_bearer_token(mut self, token: &str) -> Self {
        self.http = self.http.with_authorization(format!("Bearer {token}"));
        self
    }

    /// Trusting the certificates of this PEM text beside the system's, where a node speaks TLS.
    #[must_use]
    pub fn with_ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http = self.http.with_certificates(pem);
        self
    }

    /// With this time-out of making a connection; not zero.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.http.connect_timeout = timeout;
        self
    }

    /// With this time-out of one request, from the connection to the answer's last byte; not zero. A time-out given with
    /// a call is one for the whole call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.http.timeout = timeout;
        self
    }

    /// With so many primary shards for each index that is made. Without it, as the cluster has it: most often one.
    #[must_use]
    pub fn with_shards(mut self, shards: u32) -> Self {
        self.shards = Some(shards);
        self
    }

    /// With so many replicas for each index that is made. Without it, as the cluster has it: most often one.
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }

    pub(super) fn indices(&self) -> Result<Indices> {
        indices(&self.prefix)
    }

    /// The settings of an index that is made.
    pub(super) fn settings(&self) -> Value {
        let mut settings = json!({});
        for (name, number) in [("number_of_shards", self.shards), ("number_of_replicas", self.replicas)] {
            if let Some(number) = number {
                settings[name] = number.into();
            }
        }
        settings
    }
}

impl fmt::Debug for ElasticsearchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticsearchOptions")
            .field("http", &self.http)
            .field("index_prefix", &self.prefix)
            .field("python_indices", &self.python_indices)
            .field("shards", &self.shards)
            .field("replicas", &self.replicas)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use kv_core::ErrorKind;

    use super::*;

    #[test]
    fn the_debug_form_shows_no_secret() {
        let options = ElasticsearchOptions::from_url("http://u:hunter2@localhost:9200").unwrap();
        for options in [
            options.clone(),
            options.clone().with_basic_auth("u", "hunter2"),
            options.clone().with_api_key("hunter2"),
            options.with_bearer_token("hunter2"),
        ] {
            assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
        }
    }

    #[test]
    fn a_prefix_is_one_that_indices_can_have() {
        let options = ElasticsearchOptions::from_url("http://localhost:9200").unwrap();
        assert_eq!(options.indices().unwrap().prefix(), "kv");
        assert_eq!(options.clone().with_index_prefix("Shop-EU").indices().unwrap().prefix(), "shop-eu");
        for bad in ["", "-a", "_a", ".a", "+a", "a b", "a*", "a/b", "a~", "a,b", "a:b", "a#", "\u{0}", &"a".repeat(101)]
        {
            let error = options.clone().with_index_prefix(bad).indices().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{bad:?}");
        }
    }

    #[test]
    fn python_s_indices_are_taken_where_that_was_said() {
        let options = ElasticsearchOptions::from_url("http://localhost:9200").unwrap();
        assert!(!options.python_indices);
        let options = options.with_python_indices(true);
        assert!(options.python_indices && format!("{options:?}").contains("python_indices: true"));
    }

    #[test]
    fn settings_are_only_those_that_were_said() {
        let options = ElasticsearchOptions::from_url("http://localhost:9200").unwrap();
        assert_eq!(options.settings().to_string(), "{}");
        let settings = options.with_shards(2).with_replicas(0).settings();
        assert_eq!(settings, json!({"number_of_shards": 2, "number_of_replicas": 0}));
    }
}

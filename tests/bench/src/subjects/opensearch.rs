//! The floor of OpenSearch: a bare HTTP client with the same requests, byte for byte.

use std::sync::Arc;

use kv_core::Name;
use kv_core::formats::elasticsearch::{Bulk, Dialect, Form, bulk, indices, mget};
use kv_core::formats::http::Request;

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::record;

/// As long as the name of the default collection; the store makes its index.
pub const COLLECTION: &str = "floors__collection";
const FAILED: &str = "OpenSearch does it";

struct Requests {
    url: String,
    index: String,
    created: u64,
}

impl Requests {
    fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            index: indices("kv").expect("a prefix").naming(COLLECTION).into_usual(),
            created: now(),
        }
    }

    fn get(&self, keys: &[&str]) -> Request {
        mget(&self.index, keys, false)
    }

    fn put<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Request {
        let record = record(self.created);
        let mut steps = Bulk::default();
        keys.for_each(|key| steps.put(Dialect::OpenSearch, Form::Plain, Name::new(COLLECTION, key), &record, None));
        bulk(&self.index, steps)
    }

    fn delete(&self, key: &str) -> Request {
        let mut steps = Bulk::default();
        steps.look(key);
        steps.delete(key, None);
        bulk(&self.index, steps)
    }
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle).count()
}

/// How many documents there are in an answer.
fn found(body: &[u8]) -> usize {
    count(body, b"\"found\":true")
}

fn checked(body: &[u8]) {
    assert_eq!(count(&body[..body.len().min(40)], b"\"errors\":true"), 0, "{}", String::from_utf8_lossy(body));
}

/// `ureq`, which ours stands on when it blocks.
pub struct RawBlocking {
    agent: ureq::Agent,
    requests: Requests,
}

impl RawBlocking {
    pub fn new(url: &str) -> Arc<Self> {
        let agent = ureq::Agent::new_with_defaults();
        Arc::new(Self { agent, requests: Requests::new(url) })
    }

    fn send(&self, request: Request) -> Vec<u8> {
        let mut builder = self.agent.post(format!("{}{}", self.requests.url, request.target));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let mut response = builder.send(&request.body[..]).expect(FAILED);
        response.body_mut().with_config().limit(1 << 30).read_to_vec().expect(FAILED)
    }
}

impl Blocking for RawBlocking {
    fn get(&self, key: &str) -> bool {
        found(&self.send(self.requests.get(&[key]))) == 1
    }

    fn put(&self, key: &str) {
        checked(&self.send(self.requests.put([key].into_iter())));
    }

    fn delete(&self, key: &str) -> bool {
        count(&self.send(self.requests.delete(key)), b"\"result\":\"deleted\"") == 1
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        found(&self.send(self.requests.get(&keys)))
    }

    fn put_many(&self, keys: &[String]) {
        checked(&self.send(self.requests.put(keys.iter().map(String::as_str))));
    }
}

/// `reqwest`, which ours stands on when it awaits.
pub struct RawAsync {
    client: reqwest::Client,
    requests: Requests,
}

impl RawAsync {
    pub fn new(url: &str) -> Arc<Self> {
        // It wants one to be there, though nothing here is encrypted. There may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Arc::new(Self { client: reqwest::Client::new(), requests: Requests::new(url) })
    }

    async fn send(&self, request: Request) -> Vec<u8> {
        let mut builder = self.client.post(format!("{}{}", self.requests.url, request.target));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let response = builder.body(request.body).send().await.expect(FAILED);
        response.bytes().await.expect(FAILED).to_vec()
    }
}

impl Awaiting for RawAsync {
    async fn get(&self, key: &str) -> bool {
        found(&self.send(self.requests.get(&[key])).await) == 1
    }

    async fn put(&self, key: &str) {
        checked(&self.send(self.requests.put([key].into_iter())).await);
    }

    async fn delete(&self, key: &str) -> bool {
        count(&self.send(self.requests.delete(key)).await, b"\"result\":\"deleted\"") == 1
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        found(&self.send(self.requests.get(&keys)).await)
    }

    async fn put_many(&self, keys: &[String]) {
        checked(&self.send(self.requests.put(keys.iter().map(String::as_str))).await);
    }
}

//! The server, and what the tests ask it beside the store.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_tests::Unavailable;
use kv_tests::servers;
use serde_json::{Value, json};

/// A server that is there.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub url: String,
    pub host: String,
    pub port: u16,
}

/// The shared OpenSearch, with room for the indices of the tests.
pub(crate) fn opensearch() -> Result<Server, Unavailable> {
    let servers::Server { url, host, port, .. } = servers::opensearch()?;
    let server = Server { url, host, port };
    static ROOM: OnceLock<()> = OnceLock::new();
    ROOM.get_or_init(|| server.make_room());
    Ok(server)
}

/// An answer: its status and its JSON.
pub(crate) type Answer = (u16, Value);

impl Server {
    /// The tests make more indices than a node takes by itself.
    fn make_room(&self) {
        let settings = json!({"persistent": {"cluster.max_shards_per_node": 20000}});
        self.ask("PUT", "/_cluster/settings", &settings.to_string());
    }

    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect((&*self.host, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let kind = if body.contains('\n') { "application/x-ndjson" } else { "application/json" };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// The document of this id, whatever it is.
    pub(crate) fn document(&self, index: &str, id: &str) -> Option<Value> {
        let ids = json!({"ids": [id]}).to_string();
        let (_, answer) = self.ask("POST", &format!("/{index}/_mget"), &ids);
        let doc = &answer["docs"][0];
        (doc["found"] == true).then(|| doc["_source"].clone())
    }

    /// Writes a document past the store.
    pub(crate) fn write(&self, index: &str, id: &str, document: &str) {
        let lines = format!("{}\n{document}\n", json!({"index": {"_index": index, "_id": id}}));
        let (status, answer) = self.ask("POST", "/_bulk", &lines);
        assert!(status == 200 && answer["errors"] == false, "{answer}");
    }

    /// Removes the indices of these prefixes.
    pub(crate) fn drop_indices(&self, prefix: &str) {
        self.ask("DELETE", &format!("/{prefix}-*"), "");
    }
}

/// A prefix of its own for a test, whose indices go when it ends.
pub(crate) struct Space {
    pub server: Server,
    pub prefix: String,
}

impl Space {
    pub(crate) fn new(server: &Server, name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("t{}x{number}{name}", std::process::id());
        Self { server: server.clone(), prefix }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.server.drop_indices(&self.prefix);
    }
}

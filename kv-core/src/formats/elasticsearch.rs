//! Elasticsearch and OpenSearch: what stands in an index, and the requests that put it there and find it.
//!
//! A collection is an [index](Indices), a record a [document](self::encode) of it:
//!
//! ```json
//! {"collection":"c","created_at":"2026-11-21T03:54:53.481169+00:00","expires_at":"2026-11-21T03:56:34+00:00",
//!  "key":"k","kv":{"expires":1795233394000000,"metadata":{"a":"b"},"revision":"00000000000000ff"},
//!  "value":{"flattened":{"any":"object"}},"version":1}
//! ```
//!
//! It is what Python's `py-key-value-aio` writes (its `OpenSearchStore` has `flat` where its `ElasticsearchStore` has
//! `flattened`, and so have ours), and `kv` beside it, which Python does not look at. When Python writes, it replaces
//! the document whole, so nothing of `kv` is ever older than the rest.
//!
//! | field | what |
//! | --- | --- |
//! | `kv.bytes` | a value of bytes, in base64; `value` is empty then |
//! | `kv.text` | a value that is no object, or one that the server refuses as an object (double names, a thousand levels, numbers of a thousand digits; in an index of Python's also texts of 32,767 bytes), as JSON text; `value` is empty then |
//! | `kv.expires` | the instant of `expires_at` in microseconds, for queries: the server's dates have milliseconds |
//! | `kv.metadata` | the user's notes |
//! | `kv.revision` | 16 hex digits, fresh for every write |
//!
//! The server keeps the document as the text it was sent, so numbers of any size and form come back as they were.

mod answers;
mod document;
mod names;
mod own;
mod queries;
mod requests;
mod searches;
mod state;
#[cfg(test)]
mod tests;

pub use answers::{
    Done, Found, IndexState, Looked, Mark, Refusal, Server, Step, bulk_answer, found, index_states, refusal_of, server,
};
pub use document::{Content, Decoded, Form, decode, decode_head, encode};
pub use names::{Indices, Naming, document_id, indices};
pub use queries::{Which, query};
pub use requests::{
    Bulk, adopt_index, alias_index, bulk, collections_of, count, create_index, get_index, get_indices, list, look,
    mget, other_of, redirect, refresh, root, sweep,
};
pub use searches::{Hit, Page, Swept, collections_in, counted, hits, other_in, searches, swept};
pub use state::State;

/// The two servers: they took different ways after version 7.10 of the first, and Python names a field differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Elasticsearch.
    Elasticsearch,
    /// OpenSearch.
    OpenSearch,
}

impl Dialect {
    /// The server's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "Elasticsearch",
            Self::OpenSearch => "OpenSearch",
        }
    }

    /// Where in `value` an object stands.
    fn field(self) -> &'static str {
        match self {
            Self::Elasticsearch => "flattened",
            Self::OpenSearch => "flat",
        }
    }
}

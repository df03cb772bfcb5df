//! Elasticsearch and OpenSearch against a real server, in both flavours.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod contract;
mod server;

//! Elasticsearch and OpenSearch against a real server, in both flavours.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
#[path = "../../shared/side.rs"]
mod side;

mod contract;
mod faults;
mod interop;
mod python_indices;
mod records;
mod server;
mod setup;
mod trips;

//! `PostgresStore` of both crates against a real PostgreSQL.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[macro_use]
#[path = "../../shared/side.rs"]
mod side;

mod clients;
mod contract;
mod faults;
mod interop;
mod pooler;
mod records;
mod server;
mod setup;
mod table;
mod trips;

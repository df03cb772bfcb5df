//! Redis and Valkey when things go wrong, and what no other store has: in both flavours, against servers of the tests' own.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

#[macro_use]
#[path = "../../shared/side.rs"]
mod side;

mod clients;
mod keys;
mod listing;
mod network;
mod records;
mod setup;

//! MongoDB: the contract, faults, round trips, records that hurt, and Python beside us, in both flavours.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

mod clients;
mod contract;
mod interop;
mod network;
mod records;
mod side;

//! MongoDB: the contract, faults, round trips, records that hurt, and Python beside us, in both flavours.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

#[macro_use]
#[path = "../../shared/side.rs"]
mod side;

#[path = "../../shared/interop.rs"]
mod shared;

mod clients;
mod contract;
mod interop;
mod network;
mod records;
mod setup;

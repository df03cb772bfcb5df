//! What tests need from the world outside: a [`proxy`] that injects faults and counts round trips
//! (and [`proxies`], one for each store), a [`front`] that gives
//! an HTTP server logins and TLS, real [`servers`] and how they start, the released [`python`] package, and [`tls`]
//! certificates.
//!
//! Everything here blocks and uses plain threads, so that both flavours are tested by the same tools.
//!
//! A test asks for what it needs through [`need`]:
//!
//! ```no_run
//! use kv_tests::{need, servers};
//!
//! fn a_test() {
//!     let Some(redis) = need(servers::redis()) else { return };
//!     println!("{}", redis.url);
//! }
//! ```
//!
//! What is missing fails the test and says how to get it, unless its name stands in the environment variable `KV_SKIP`
//! (a comma list: `redis`, `valkey`, `postgres`, `pgbouncer`, `mongodb`, `opensearch`, `elasticsearch`, `python`); then the
//! skip is printed and recorded.

mod cached;
pub mod child;
mod error;
pub mod front;
pub mod histories;
mod need;
pub mod proxies;
pub mod proxy;
pub mod python;
pub mod resp;
pub mod servers;
pub mod tls;
pub mod trips;

pub use error::{Context, Error, Result};
pub use need::{Skip, Unavailable, is_skipped, need};

/// The examples of the project's README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

//! Stores.

pub mod memory;
/// The client.
#[cfg(feature = "redis")]
pub(crate) mod redis;

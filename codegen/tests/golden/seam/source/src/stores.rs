//! Stores.

/// The client.
#[cfg(feature = "redis")]
#[cfg_attr(feature = "is_sync", path = "stores/redis_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "stores/redis_async.rs")]
pub(crate) mod redis;
pub mod memory;

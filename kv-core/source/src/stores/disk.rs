//! The store in one SQLite file.

mod connect;
mod fault;
mod group;
mod options;

#[cfg_attr(feature = "is_sync", path = "disk/engine_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "disk/engine_async.rs")]
mod engine;

pub(crate) use connect::{Opening, Reader, keep_a_log};
pub(crate) use engine::{Effort, Engine, run_blocking};
pub(crate) use fault::Fault;
pub(crate) use group::Steps;
pub use options::{DiskOptions, Durability};

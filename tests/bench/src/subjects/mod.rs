//! Who is measured, and how a subject is run.

mod api;
pub mod batches;
pub mod caches;
pub mod disk;
pub mod layers;
pub mod memory;
pub mod mongodb;
pub mod opendal;
pub mod openkeyv;
pub mod opensearch;
pub mod ours;
pub mod postgres;
pub mod redis;
pub mod remote;
pub mod run;
pub mod values;

pub use api::{Awaiting, Blocking, Op, Subject};

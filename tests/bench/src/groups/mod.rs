//! What is compared with what.

pub mod allocations;
pub mod cache;
pub mod disk;
pub mod layers;
pub mod memory;
pub mod mongodb;
pub mod network;
pub mod opensearch;
pub mod postgres;
pub mod redis;
pub mod rss;
pub mod values;

/// The name of the floor in every group.
pub const FLOOR: &str = "floor";
/// Ours, in every group.
pub const OURS: &str = "ours";

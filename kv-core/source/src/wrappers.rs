//! Wrappers: stores around a store, each with one thing of its own.
//!
//! | wrapper | what it adds |
//! | --- | --- |
//! | [`PrefixCollections`] | a prefix before collection names, so that several programs share a store |
//! | [`PrefixKeys`] | a prefix before keys, so that several programs share collections |
//! | [`Statistics`] | counts and latencies for each collection and operation |
//! | [`TtlClamp`] | bounds for TTLs, and one for entries without |
//!
//! A wrapper forwards every operation, so that listings, conditional writes and capabilities survive any stack. In which
//! order wrappers stand matters; what to heed is said with each.

mod prefix;
mod prefix_collections;
mod prefix_keys;
mod statistics;
#[cfg(test)]
mod testing;
mod ttl_clamp;

pub use prefix_collections::PrefixCollections;
pub use prefix_keys::PrefixKeys;
pub use statistics::Statistics;
pub use ttl_clamp::TtlClamp;

#[doc(no_inline)]
pub use kv_core::{
    CollectionStatistics, Latency, Operation, OperationStatistics, StatisticsHandle, StatisticsSnapshot, Tally,
};

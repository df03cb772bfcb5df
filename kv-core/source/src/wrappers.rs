//! Wrappers: stores around a store, each with one thing of its own.
//!
//! | wrapper | what it adds |
//! | --- | --- |
//! | [`CircuitBreaker`] | leaves a store alone for a while that fails |
//! | [`CollectionRouting`], [`Routing`] | collections in different stores, by a table or by a function |
//! | `Compression` | values are stored compressed (feature `compression`) |
//! | [`ConcurrencyLimit`] | so many calls at a time, the others in a queue |
//! | [`DefaultValue`] | a value where there is none |
//! | `Encryption` | values are stored encrypted (feature `encryption`) |
//! | [`Fallback`] | a second store for when the first cannot be reached |
//! | `Faults` (feature `faults`) | failures when told to, for tests |
//! | [`LimitSize`] | bounds for the size of values |
//! | `Logging` | a `tracing` event and span for each operation (feature `tracing`) |
//! | [`Mirror`] | writes to two stores, and reads from the first |
//! | [`PassthroughCache`] | a near store before a far one: entries are kept near once they were read |
//! | [`PrefixCollections`] | a prefix before collection names, so that several programs share a store |
//! | [`PrefixKeys`] | a prefix before keys, so that several programs share collections |
//! | [`ReadOnly`] | the refusal of every write |
//! | [`Retry`] | repeats what failed where that helps and cannot harm |
//! | [`SingleCollection`] | all collections in one of the store |
//! | [`Statistics`] | counts and latencies for each collection and operation |
//! | [`Timeout`] | a deadline for every call |
//! | [`TtlClamp`] | bounds for TTLs, and one for entries without |
//!
//! [`Wrapper`] and [`Around`] are what one's own are made of. A wrapper forwards every operation, so that listings,
//! conditional writes and capabilities survive any stack. In which order wrappers stand matters; what to heed is said
//! with each, and a [`Stack`](crate::Stack) refuses what cannot work.

mod around;
mod circuit_breaker;
#[cfg(feature = "compression")]
mod compression;
mod concurrency_limit;
mod default_value;
#[cfg(feature = "encryption")]
mod encryption;
mod fallback;
#[cfg(any(test, feature = "faults"))]
mod faults;
mod limit_size;
#[cfg(feature = "tracing")]
mod logging;
mod mirror;
mod passthrough_cache;
mod prefix;
mod prefix_collections;
mod prefix_keys;
mod read_only;
mod request;
mod retry;
mod routing;
mod single_collection;
mod statistics;
#[cfg(test)]
mod testing;
mod timeout;
#[cfg(any(feature = "compression", feature = "encryption"))]
mod transform;
mod ttl_clamp;
mod under;
mod wrapper;

pub use around::Around;
pub use circuit_breaker::CircuitBreaker;
#[cfg(feature = "compression")]
#[cfg_attr(docsrs, doc(cfg(feature = "compression")))]
pub use compression::{Compressing, Compression};
pub use concurrency_limit::ConcurrencyLimit;
pub use default_value::DefaultValue;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use encryption::{Encrypting, Encryption};
pub use fallback::Fallback;
#[cfg(any(test, feature = "faults"))]
#[cfg_attr(docsrs, doc(cfg(feature = "faults")))]
pub use faults::{Fault, FaultHandle, Faults, RandomFaults};
pub use limit_size::LimitSize;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use logging::Logging;
pub use mirror::Mirror;
pub use passthrough_cache::PassthroughCache;
pub use prefix_collections::PrefixCollections;
pub use prefix_keys::PrefixKeys;
pub use read_only::ReadOnly;
pub use request::{Effect, Request};
pub use retry::Retry;
pub use routing::{ByFunction, ByTable, CollectionRouting, Router, Routing, Rule};
pub use single_collection::SingleCollection;
pub use statistics::Statistics;
pub use timeout::Timeout;
#[cfg(any(feature = "compression", feature = "encryption"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "compression", feature = "encryption"))))]
pub use transform::{Decoded, Transform, Transformed};
pub use ttl_clamp::TtlClamp;
pub use wrapper::Wrapper;

#[cfg(feature = "compression")]
#[cfg_attr(docsrs, doc(cfg(feature = "compression")))]
#[doc(no_inline)]
pub use kv_core::formats::compression::{Algorithm, Compressor};
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
#[doc(no_inline)]
pub use kv_core::formats::encryption::{Aead, Cipher, Fernet, Reencrypted};
#[doc(no_inline)]
pub use kv_core::{
    CollectionStatistics, DivergedName, DivergenceHandle, DivergenceReport, Latency, Newer, Operation,
    OperationStatistics, StatisticsHandle, StatisticsSnapshot, Tally,
};

//! What the blocking crate `kv-sync` and the async crate `kv-async` both mean: entries, values, time, names, patterns,
//! options, capabilities, errors, and the formats in which stores keep records.
//!
//! Nothing here does I/O, waits, or knows a client crate. The types are the same in both flavours, so one program can
//! use both, on the same store.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod breaker;
pub mod cache;
mod capability;
mod change;
mod clock;
mod codec;
mod divergence;
mod entry;
mod error;
pub mod formats;
mod insert;
mod json;
pub mod memory;
mod metadata;
mod missing;
mod name;
mod options;
mod owned;
mod page;
mod pattern;
mod record;
mod reply;
mod revision;
mod scratch;
mod stack;
mod statistics;
mod time;
mod ttl;
mod value;

pub use capability::{Atomicity, Capabilities, Description, Layer, Listing, Stability, TtlBounds};
pub use change::{Change, Decision, Next};
pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
#[cfg(feature = "cbor")]
#[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
pub use codec::Cbor;
#[cfg(feature = "msgpack")]
#[cfg_attr(docsrs, doc(cfg(feature = "msgpack")))]
pub use codec::MsgPack;
#[cfg(feature = "postcard")]
#[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
pub use codec::Postcard;
pub use codec::{Codec, Json, Outdated, SCHEMA_NOTE, Shape};
pub use divergence::{DivergedName, DivergenceHandle, DivergenceReport, Newer, Note};
pub use entry::Entry;
pub use error::{Error, ErrorKind, Result};
pub use insert::{InsertOptions, LEASES, lease_key};
pub use json::encode_into as encode_json;
pub use metadata::Metadata;
pub use name::{DEFAULT_COLLECTION, MAX_NAME_BYTES, Name, check_collection, check_key};
pub use options::{CallOptions, Condition, DeleteOptions, GetOptions, KeyFilter, ListOptions, PutItem, PutOptions};
pub use owned::{OwnedChange, OwnedKeys, OwnedName};
pub use page::{Cursor, Listed, Page};
pub use pattern::Pattern;
pub use record::Record;
pub use reply::{DeleteOutcome, Modified, PutOutcome, Written};
pub use revision::{Revision, Revisions};
pub use stack::{Need, check_stack};
pub use statistics::{
    CollectionStatistics, Latency, Operation, OperationStatistics, StatisticsHandle, StatisticsSnapshot, Tally,
};
pub use time::Timestamp;
pub use ttl::{Expiry, TimeLeft, Ttl};
pub use value::{Value, ValueRef};

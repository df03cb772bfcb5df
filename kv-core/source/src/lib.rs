//! One key-value interface over many stores.
//!
//! A program picks a store (this process's memory, a SQLite file, Redis, ...) and gets the same entries, the same
//! collections and the same expiry whichever it picked. This crate has a twin, generated from the same source:
//! `kv-sync` blocks and needs no runtime, `kv-async` awaits. Module paths, names and types are the same in both.
//!
//! ```
//! use std::time::Duration;
//! use kv_source::{Kv, PutOptions};
//! use kv_source::stores::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> kv_source::Result<()> {
//! let kv = Kv::new(MemoryStore::new());
//! let users = kv.collection("users");
//!
//! users.put("alice", &("Alice", 42)).await?;
//! users.put_with("bob", &("Bob", 7), &PutOptions::ttl(Duration::from_secs(60))).await?;
//!
//! let alice: Option<(String, u32)> = users.get("alice").await?;
//! assert_eq!(alice, Some(("Alice".to_owned(), 42)));
//! assert_eq!(users.increment("visits", 1).await?, 1);
//! assert!(users.delete("alice").await?);
//! assert!(!users.exists("alice").await?);
//! # Ok(())
//! # }
//! ```
//!
//! * [`Kv`] and [`Collection`] are what programs use; [`TypedCollection`] is a collection of one type.
//! * [`Stack`] puts wrappers on a store.
//! * [`Store`] is what a stack is made of: a store, or a wrapper around one. See [`stores`] and [`wrappers`].
//! * [`Driver`] is what a backend implements; [`Managed`] makes a store of it.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "http", feature = "postgres", feature = "redis"))]
mod address;
mod attempts;
mod collection;
#[cfg(feature = "contract")]
#[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
pub mod contract;
mod driver;
#[cfg(feature = "http")]
#[cfg_attr(not(feature = "elasticsearch"), allow(dead_code, reason = "nobody uses it but the stores behind HTTP"))]
mod http;
mod insert;
mod kv;
mod managed;
mod pager;
mod require;
mod single_flight;
mod stack;
mod store;
pub mod stores;
#[cfg(test)]
mod testing;
mod typed;
#[cfg(any(feature = "http", feature = "mongodb", feature = "postgres", feature = "redis"))]
#[cfg_attr(
    not(any(feature = "elasticsearch", feature = "mongodb", feature = "postgres", feature = "redis")),
    allow(dead_code, reason = "nobody uses it but the stores behind a network")
)]
mod within;
pub mod wrappers;

#[cfg_attr(feature = "is_sync", path = "flavour_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "flavour_async.rs")]
mod flavour;

#[cfg_attr(feature = "is_sync", path = "culler_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "culler_async.rs")]
mod culler;

#[cfg_attr(feature = "is_sync", path = "items_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "items_async.rs")]
mod items;

#[cfg_attr(feature = "is_sync", path = "pointer_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "pointer_async.rs")]
mod pointer;

pub use collection::Collection;
pub use culler::Culler;
pub use driver::{AtHand, Context, Driver};
pub use insert::Compute;
pub use kv::Kv;
pub use managed::Managed;
pub use pager::{EntryPager, KeyAndEntry, KeyPager};
pub use stack::{IntoLayer, Stack};
pub use store::Store;
pub use typed::{KeyAndTypedEntry, TypedCollection, TypedEntry, TypedEntryPager};

#[cfg(feature = "cbor")]
#[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
#[doc(no_inline)]
pub use kv_core::Cbor;
#[cfg(feature = "msgpack")]
#[cfg_attr(docsrs, doc(cfg(feature = "msgpack")))]
#[doc(no_inline)]
pub use kv_core::MsgPack;
#[cfg(feature = "postcard")]
#[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
#[doc(no_inline)]
pub use kv_core::Postcard;
#[doc(no_inline)]
pub use kv_core::{
    Atomicity, CallOptions, Capabilities, Change, Clock, Codec, Condition, Cursor, DEFAULT_COLLECTION, DeleteOptions,
    DeleteOutcome, Description, Entry, Error, ErrorKind, Expiry, GetOptions, InsertOptions, Json, KeyFilter, Layer,
    ListOptions, Listed, Listing, MAX_NAME_BYTES, ManualClock, Metadata, Modified, Name, Need, Outdated, Page, Pattern,
    PutItem, PutOptions, PutOutcome, Record, Result, Revision, Revisions, SCHEMA_NOTE, Shape, SharedClock, Stability,
    SystemClock, TimeLeft, Timestamp, Ttl, TtlBounds, Value, ValueRef, Written,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

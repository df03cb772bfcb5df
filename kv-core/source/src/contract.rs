//! The behaviour suite: the numbered clauses of the contract that every store and every stack of wrappers keeps, for
//! authors of other stores to run on theirs.
//!
//! A store under test is a [`Subject`]: it opens itself in a [`Setting`] (a space of its own, a clock that the suite
//! moves). [`check_all`] runs every check and tells which failed, which were skipped because the store cannot do such
//! things, and where it deviates on purpose; [`contract_tests!`](crate::contract_tests) makes a test of each check
//! instead. What a store's capabilities leave out is not merely skipped: the suite checks that it answers
//! [`Unsupported`](kv_core::ErrorKind::Unsupported).
//!
//! ```
//! use kv_source::contract::{Setting, Subject, check_all};
//! use kv_source::Kv;
//! # use kv_source::{Condition, Context, DeleteOutcome, Description, Driver, Entry, CallOptions, Managed, Name};
//! # use kv_source::{Capabilities, PutOutcome, Record, Result, Revision, Stability, Written};
//! # use std::collections::HashMap;
//! # use std::sync::Mutex;
//!
//! /// One's own backend: here a map that can only get, put and delete.
//! #[derive(Debug, Default)]
//! struct MyDriver {
//!     entries: Mutex<HashMap<(String, String), Entry>>,
//! }
//!
//! # fn owned(name: Name<'_>) -> (String, String) {
//! #     (name.collection.to_owned(), name.key.to_owned())
//! # }
//! impl Driver for MyDriver {
//!     const KIND: &'static str = "Mine";
//!
//!     fn describe(&self) -> Description {
//!         let mut capabilities = Capabilities::none();
//!         capabilities.stores = true;
//!         capabilities.metadata = true;
//!         Description::new("Mine", Stability::Unstable, capabilities)
//!     }
//!
//!     // ...
//! #     async fn setup(&self) -> Result<()> {
//! #         Ok(())
//! #     }
//! #     async fn get(&self, name: Name<'_>, _head: bool, _call: &CallOptions) -> Result<Option<Entry>> {
//! #         Ok(self.entries.lock().unwrap().get(&owned(name)).cloned())
//! #     }
//! #     async fn get_many(
//! #         &self, collection: &str, keys: &[&str], _head: bool, _call: &CallOptions,
//! #     ) -> Result<Vec<Result<Option<Entry>>>> {
//! #         let entries = self.entries.lock().unwrap();
//! #         Ok(keys.iter().map(|key| Ok(entries.get(&owned(Name::new(collection, key))).cloned())).collect())
//! #     }
//! #     async fn put(
//! #         &self, name: Name<'_>, record: &Record<'_>, condition: &Condition, cx: Context<'_>,
//! #     ) -> Result<PutOutcome> {
//! #         if *condition != Condition::Always {
//! #             return Err(kv_source::Error::unsupported("a conditional write"));
//! #         }
//! #         let mut entries = self.entries.lock().unwrap();
//! #         entries.retain(|_, entry| !cx.has_ended(entry.expires()));
//! #         entries.insert(owned(name), Entry::new(record));
//! #         Ok(PutOutcome::Written(Written::new(Revision::from_number(record.revision), record.expires)))
//! #     }
//! #     async fn put_many(
//! #         &self, collection: &str, records: &[(&str, Record<'_>)], cx: Context<'_>,
//! #     ) -> Result<Vec<Result<Written>>> {
//! #         let mut answers = Vec::new();
//! #         for (key, record) in records {
//! #             let outcome = self.put(Name::new(collection, key), record, &Condition::Always, cx).await?;
//! #             answers.push(Ok(outcome.written().unwrap()));
//! #         }
//! #         Ok(answers)
//! #     }
//! #     async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
//! #         if *condition != Condition::Always {
//! #             return Err(kv_source::Error::unsupported("a conditional delete"));
//! #         }
//! #         let entry = cx.live(self.entries.lock().unwrap().remove(&owned(name)));
//! #         Ok(if entry.is_some() { DeleteOutcome::Deleted } else { DeleteOutcome::Missing })
//! #     }
//! #     async fn delete_many(
//! #         &self, collection: &str, keys: &[&str], cx: Context<'_>,
//! #     ) -> Result<Vec<Result<bool>>> {
//! #         let mut answers = Vec::new();
//! #         for key in keys {
//! #             let outcome = self.delete(Name::new(collection, key), &Condition::Always, cx).await?;
//! #             answers.push(Ok(outcome == DeleteOutcome::Deleted));
//! #         }
//! #         Ok(answers)
//! #     }
//! #     async fn ping(&self, _cx: Context<'_>) -> Result<()> {
//! #         Ok(())
//! #     }
//! #     async fn close(&self) -> Result<()> {
//! #         Ok(())
//! #     }
//! }
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! impl Subject for Mine {
//!     fn open(&self, setting: &Setting) -> Kv {
//!         Kv::new(setting.apply(Managed::from_driver(MyDriver::default())))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = check_all(&Mine).await;
//! println!("{report}");
//! report.assert_held();
//! # }
//! ```
//!
//! # The clauses
//!
//! [`CLAUSES`] has their numbers and what each says in short, [`CHECKS`] the checks and the clauses that each holds,
//! and [`HELD_ELSEWHERE`] the clauses, or parts, that no check can reach from outside: authors test those themselves.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a suite fails by panicking, as every test does"
)]

mod case;
mod clauses;
mod report;
mod samples;
mod subject;
mod table;
mod tasks;
mod written_past;

#[cfg_attr(feature = "is_sync", path = "contract/side_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "contract/side_async.rs")]
mod side;

pub mod batches;
pub mod capabilities;
pub mod changes;
pub mod clearing;
pub mod concurrency;
pub mod conditions;
pub mod damage;
pub mod errors;
pub mod expired;
pub mod expiry;
pub mod life;
pub mod listing;
pub mod model;
pub mod names;
pub mod records;
pub mod values;

pub use case::{Case, Held, Skipped};
pub use clauses::{CLAUSES, HELD_ELSEWHERE};
#[doc(hidden)]
pub use report::test;
pub use report::{Outcome, Report, check, check_all};
pub use subject::{Deviation, Setting, Subject};
pub use table::{CHECKS, Check};
pub use written_past::WrittenPast;

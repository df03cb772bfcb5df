//! The contract on every wrapper, over memory. What a wrapper changes on purpose is named as a deviation, and held by the
//! wrapper's own tests. (The same over Redis: `tests/tests/contract_stacks.rs`.)
#![cfg(feature = "contract")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use kv_source::Kv;
use kv_source::contract::{Deviation, Setting, Subject, check_all};
use kv_source::stores::MemoryStore;

mod cache;
mod guards;
mod names;
mod resilience;
mod routes;
mod values;

/// A stack over a store in memory.
#[derive(Debug)]
pub struct Stack {
    open: fn(&Setting) -> Kv,
    deviations: Vec<Deviation>,
    skips: Vec<&'static str>,
}

impl Stack {
    pub fn new(open: fn(&Setting) -> Kv) -> Self {
        Self { open, deviations: Vec::new(), skips: SKIPS.to_vec() }
    }

    /// Does otherwise on purpose, as a test of the wrapper's own holds.
    pub fn deviating(mut self, check: &'static str, why: &'static str) -> Self {
        self.deviations.push(Deviation { check, why });
        self
    }

    /// Cannot do what this check is about, beside what a store in memory cannot.
    pub fn skipping(mut self, check: &'static str) -> Self {
        self.skips.push(check);
        self
    }

    /// Runs the suite: all that is not named as a deviation or a skip must hold, and nothing else may be skipped.
    #[maybe_async::maybe_async]
    pub async fn holds(self) {
        let report = check_all(&self).await;
        report.assert_held();
        let mut skipped = report.skipped();
        let mut skips = self.skips;
        skipped.sort_unstable();
        skips.sort_unstable();
        assert_eq!(skipped, skips, "{report}");
    }
}

impl Subject for Stack {
    fn open(&self, setting: &Setting) -> Kv {
        (self.open)(setting)
    }

    fn deviations(&self) -> Vec<Deviation> {
        self.deviations.clone()
    }
}

/// The store at the bottom of a stack.
pub fn memory(setting: &Setting) -> MemoryStore {
    setting.apply(MemoryStore::new())
}

/// What a store in this process's memory has none of.
const SKIPS: [&str; 10] = [
    "o3_atomic_batches_do_not_mix",
    "o7_a_batch_reports_it_at_its_position",
    "o7_a_listing_shows_its_key",
    "o7_it_can_be_replaced_and_removed",
    "o7_clear_removes_it",
    "e2_an_outage_is_never_a_miss",
    "e3_what_cannot_be_read_is_corrupted",
    "l1_entries_outlive_their_handle",
    "l1_a_failed_first_use_is_tried_again",
    "order_is_of_bytes",
];

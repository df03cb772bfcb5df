//! The contract on every wrapper, over memory. What a wrapper changes on purpose is named as a deviation, and held by the
//! wrapper's own tests. (The same over Redis: `tests/tests/contract_stacks.rs`.)
#![cfg(feature = "contract")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use kv_source::Kv;
use kv_source::contract::{Deviation, Setting, Subject, check_all};
use kv_source::stores::MemoryStore;

use crate::skips::IN_PROCESS;

#[path = "../shared/skips.rs"]
mod skips;

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
        Self { open, deviations: Vec::new(), skips: [&IN_PROCESS[..], &["order_is_of_bytes"]].concat() }
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

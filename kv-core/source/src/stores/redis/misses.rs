//! Whether keys that are asked for are likely to be missing.

use std::sync::atomic::{AtomicU8, Ordering};

/// How many batches in a row missed nothing, so that a check only needed for misses can be left to those that turn out
/// to need it.
#[derive(Debug, Default)]
pub(super) struct Misses {
    batches_without: AtomicU8,
}

impl Misses {
    /// After so many batches without a miss, the next one most likely has none.
    const PATIENCE: u8 = 64;

    pub(super) fn are_likely(&self) -> bool {
        self.batches_without.load(Ordering::Relaxed) < Self::PATIENCE
    }

    /// Counts a batch. Batches at one time may count as one.
    pub(super) fn note(&self, missed: bool) {
        let before = self.batches_without.load(Ordering::Relaxed);
        let after = if missed { 0 } else { Self::PATIENCE.min(before + 1) };
        if after != before {
            self.batches_without.store(after, Ordering::Relaxed);
        }
    }
}

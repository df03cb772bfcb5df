//! Places, awaiting.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many places. Whoever waits has one in the order of coming: tokio's semaphore is fair.
#[derive(Debug)]
pub(super) struct Places(Semaphore);

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self(Semaphore::new(places))
    }

    /// A place that is free, unless others wait for it.
    pub(super) fn free(&self) -> Option<SemaphorePermit<'_>> {
        self.0.try_acquire().ok()
    }

    /// A place, if one is free within this time.
    pub(super) async fn wait(&self, within: Duration) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(within, self.0.acquire()).await.ok()?.ok()
    }
}

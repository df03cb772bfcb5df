//! Waiting for an index that starts.

use std::time::Duration;

use crate::flavour;
use crate::within::Within;

/// The pauses of one read until the shards of its index are there: an index that another writer makes can be named, and
/// not be read, for a moment.
#[derive(Debug, Default)]
pub(super) struct Starting(u32);

impl Starting {
    /// From 10 ms on and each twice the last, 1.3 s in all.
    const MOST: u32 = 7;

    /// Pauses; whether there was time for it.
    #[maybe_async::maybe_async]
    pub(super) async fn pause(&mut self, within: Within) -> bool {
        let pause = Duration::from_millis(10 << self.0.min(Self::MOST));
        // What is left must do for the pause, and for asking again.
        let has_time = within.for_answer(pause * 2).is_ok_and(|left| left >= pause * 2);
        if self.0 == Self::MOST || !has_time {
            return false;
        }
        self.0 += 1;
        flavour::sleep(pause).await;
        true
    }
}

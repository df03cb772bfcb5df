//! Whose turn it is, awaiting.

use std::time::Duration;

use tokio::sync::Semaphore;

/// One at a time, in the order in which they came, until one of them ends it for all.
pub(super) struct Turn(Semaphore);

/// What came of waiting for a turn.
pub(super) enum Waited {
    Taken,
    Over,
    TooLong,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(1))
    }

    pub(super) async fn take(&self, patience: Option<Duration>) -> Waited {
        // Nobody waits for the first turn, so that it needs no timer.
        let taken = match (self.0.try_acquire(), patience) {
            (Ok(turn), _) => Ok(turn),
            (Err(_), None) => self.0.acquire().await,
            (Err(_), Some(patience)) => match tokio::time::timeout(patience, self.0.acquire()).await {
                Ok(taken) => taken,
                Err(_) => return Waited::TooLong,
            },
        };
        match taken {
            Ok(turn) => {
                turn.forget();
                Waited::Taken
            }
            Err(_) => Waited::Over,
        }
    }

    /// Leaves the turn to the one who waits longest, or to the next to come.
    pub(super) fn pass(&self) {
        self.0.add_permits(1);
    }

    /// Ends it for all who wait.
    pub(super) fn end(&self) {
        self.0.close();
    }
}

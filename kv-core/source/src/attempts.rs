//! Trying again after somebody else was first.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use crate::flavour;

/// The attempts of one conditional write.
#[derive(Debug, Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// How often a change is tried before its caller is told. Every failure means that somebody else's write went
    /// through, so that this many in a row, with pauses between, is a record that is written to all the time.
    const MOST: u32 = 200;

    /// Counts a failure, and pauses the longer the more there were, by chance, so that rivals part.
    #[maybe_async::maybe_async]
    pub(crate) async fn pause(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0 >= Self::MOST {
            let message = format!("another writer was first {} times in a row", self.0);
            return Err(Error::new(ErrorKind::Contended, message));
        }
        if self.0 > 1 {
            let most = 20 << self.0.min(10);
            flavour::sleep(Duration::from_micros(fastrand::u64(1..=most))).await;
        }
        Ok(())
    }
}

//! Many names at once: one after another, each under its shard's lock.
//!
//! To sort a batch by shard first and take each lock once was tried, and gained nothing that could be measured at a
//! hundred names: a free lock costs 10 ns.

use super::Table;
use crate::{Condition, DeleteOutcome, Entry, Name, Record, Timestamp};

impl Table {
    /// The entries of these keys, in their order, each as it stands there, even if it has ended.
    ///
    /// It is no snapshot: another thread's write may fall between two of them.
    pub fn get_many(&self, collection: &str, keys: &[&str]) -> Vec<Option<Entry>> {
        keys.iter().map(|key| self.get(Name::new(collection, key))).collect()
    }

    /// Puts all of these records; of equal keys the last wins.
    ///
    /// Nothing is refused, so all are written. The batch is not atomic: a reader may see a part of it.
    pub fn put_many<'a>(
        &self,
        collection: &str,
        items: impl IntoIterator<Item = (&'a str, Record<'a>)>,
        now: Timestamp,
    ) {
        for (key, record) in items {
            // `Always` always holds.
            let _ = self.put(Name::new(collection, key), &record, &Condition::Always, now);
        }
    }

    /// Removes the live entries of these keys and tells for each whether it was there; of equal keys the first counts.
    pub fn delete_many(&self, collection: &str, keys: &[&str], now: Timestamp) -> Vec<bool> {
        let delete = |key: &&str| self.delete(Name::new(collection, key), &Condition::Always, now);
        keys.iter().map(|key| delete(key) == DeleteOutcome::Deleted).collect()
    }
}

//! The reference: what a store should hold, in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use kv_core::{Metadata, Revision, Timestamp, Value};

/// What should stand under one name.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) value: Value,
    pub(super) created: Timestamp,
    pub(super) expires: Option<Timestamp>,
    pub(super) metadata: Metadata,
    pub(super) revision: Revision,
    /// A revision that the record has had before.
    pub(super) stale: Option<Revision>,
}

type Key = (&'static str, &'static str);

/// All that should be there, expired or not.
#[derive(Debug, Default)]
pub(super) struct Reference {
    entries: BTreeMap<Key, Expected>,
}

impl Reference {
    /// The entry of that name, if it is there now.
    pub(super) fn live(&self, key: Key, now: Timestamp) -> Option<&Expected> {
        self.entries.get(&key).filter(|entry| entry.expires.is_none_or(|expires| expires > now))
    }

    /// A revision that was the record's, and is not any more.
    pub(super) fn stale(&self, key: Key) -> Revision {
        let stale = self.entries.get(&key).and_then(|entry| entry.stale.clone());
        stale.unwrap_or_else(|| Revision::from_number(1))
    }

    pub(super) fn put(&mut self, key: Key, mut entry: Expected) {
        entry.stale = self.entries.get(&key).map(|old| old.revision.clone());
        self.entries.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// The keys of a collection that are there now, of those that begin so, in order.
    pub(super) fn keys(&self, collection: &str, prefix: &str, now: Timestamp) -> Vec<&'static str> {
        let keys = self.entries.keys().filter(|(of, key)| *of == collection && key.starts_with(prefix));
        keys.filter(|key| self.live(**key, now).is_some()).map(|(_, key)| *key).collect()
    }

    pub(super) fn collections(&self, now: Timestamp) -> Vec<&'static str> {
        let names = self.entries.keys().filter(|key| self.live(**key, now).is_some()).map(|(of, _)| *of);
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether something ends within so short before this instant that a store of a coarser clock may still show it.
    pub(super) fn is_near_an_end(&self, now: Timestamp, resolution: std::time::Duration) -> bool {
        let ends = self.entries.values().filter_map(|entry| entry.expires);
        ends.into_iter().any(|expires| expires <= now && now < expires.saturating_add(resolution))
    }
}

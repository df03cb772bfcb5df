//! Which copies were made before the last write.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

use crate::Name;

/// How many names are told apart, on average: names that fall together share their generation, so that a write of one
/// makes the copies of both stale. 128 KB a cache.
const SLOTS: usize = 8192;

/// When a copy was made, and by which cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The cache.
    pub cache: u64,
    /// The generation of the name.
    pub generation: u64,
}

/// Numbers that grow with every write, one for each of a bounded number of groups of names.
///
/// A reader takes a [stamp](Slot::stamp) before it reads what it will copy; a writer [counts](Slot::wrote) after it has
/// written and before it says so. So a copy whose stamp is still that of its name was made after the last write ended.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
/// use kv_core::cache::Generations;
///
/// let generations = Generations::new();
/// let name = Name::new("users", "alice");
/// let stamp = generations.slot(name).stamp();
/// assert_eq!(generations.slot(name).stamp(), stamp);
///
/// generations.slot(name).wrote();
/// assert_ne!(generations.slot(name).stamp(), stamp);
/// ```
pub struct Generations {
    cache: u64,
    seed: RandomState,
    all: AtomicU64,
    slots: Box<[Counters]>,
}

#[derive(Default)]
struct Counters {
    writes: AtomicU64,
    fills: AtomicU64,
}

/// The counters of a name, and of those that share them.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    generations: &'a Generations,
    counters: &'a Counters,
}

impl Generations {
    /// For a cache of its own: no other's stamps are good here.
    pub fn new() -> Self {
        Self {
            cache: fastrand::u64(..),
            seed: RandomState::default(),
            all: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| Counters::default()).collect(),
        }
    }

    /// The counters of this name.
    #[inline]
    pub fn slot(&self, name: Name<'_>) -> Slot<'_> {
        let mut hasher = self.seed.build_hasher();
        hasher.write(name.collection.as_bytes());
        hasher.write(name.key.as_bytes());
        let at = (hasher.finish() >> 32) as usize % self.slots.len();
        Slot { generations: self, counters: &self.slots[at] }
    }

    /// Counts a write that may have been of any name.
    pub fn wrote_all(&self) {
        self.all.fetch_add(1, Ordering::AcqRel);
    }
}

impl Slot<'_> {
    /// A stamp of this moment. Both numbers only grow, so that their sum never comes back.
    #[inline]
    pub fn stamp(self) -> Stamp {
        let Generations { cache, all, .. } = self.generations;
        let generation = all.load(Ordering::Acquire).wrapping_add(self.counters.writes.load(Ordering::Acquire));
        Stamp { cache: *cache, generation }
    }

    /// Counts a write.
    pub fn wrote(self) {
        self.counters.writes.fetch_add(1, Ordering::AcqRel);
    }

    /// How many copies were put into the cache; while this stands still, there is no new one to look for.
    #[inline]
    pub fn fills(self) -> u64 {
        self.counters.fills.load(Ordering::Acquire)
    }

    /// Counts a copy that was put into the cache.
    pub fn filled(self) {
        self.counters.fills.fetch_add(1, Ordering::AcqRel);
    }
}

impl Default for Generations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("stamp", &self.stamp()).field("fills", &self.fills()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_of_one_name_leaves_most_others_alone() {
        let generations = Generations::new();
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let stamps =
            || -> Vec<Stamp> { names.iter().map(|key| generations.slot(Name::new("c", key)).stamp()).collect() };
        let before = stamps();
        generations.slot(Name::new("c", "7")).wrote();
        let after = stamps();
        assert_ne!(after[7], before[7]);
        let changed = after.iter().zip(&before).filter(|(after, before)| after != before).count();
        assert!(changed < 20, "{changed} of 1000 for one write");
        generations.wrote_all();
        assert!(stamps().iter().zip(&after).all(|(now, before)| now != before));
    }

    #[test]
    fn another_cache_s_stamps_are_strange() {
        let name = Name::new("c", "k");
        assert_ne!(Generations::new().slot(name).stamp(), Generations::new().slot(name).stamp());
    }
}

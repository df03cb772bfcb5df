//! Which copies were made before the last write.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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
/// A reader takes a [stamp](Slot::stamp) before it reads what it will copy; a writer says [when it
/// writes](Slot::write). A copy whose stamp is still that of its name was made after the last write ended, and none has
/// begun since.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
/// use kv_core::cache::Generations;
///
/// let generations = Generations::new();
/// let slot = generations.slot(Name::new("users", "alice"));
/// let stamp = slot.stamp();
/// assert_eq!(slot.stamp(), stamp);
///
/// let writing = slot.write();
/// assert_eq!(slot.stamp(), None, "what is read now may be what was before, or after");
/// drop(writing);
/// assert_ne!(slot.stamp(), stamp);
/// ```
pub struct Generations {
    cache: u64,
    seed: RandomState,
    all: Counters,
    slots: Box<[Counters; SLOTS]>,
}

#[derive(Default)]
struct Counters {
    generation: AtomicU64,
    writers: AtomicU32,
    fills: AtomicU32,
}

/// The counters of a name, and of those that share them.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    generations: &'a Generations,
    counters: &'a Counters,
}

/// A write that goes on, until this is dropped.
#[must_use = "the write goes on until this is dropped"]
pub struct Writing<'a>(&'a Counters);

impl<'a> Writing<'a> {
    /// The writer is counted first and last, so that who finds a generation of this write and no writer comes after it.
    fn begin(counters: &'a Counters) -> Self {
        counters.writers.fetch_add(1, Ordering::SeqCst);
        counters.generation.fetch_add(1, Ordering::SeqCst);
        Self(counters)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
        self.0.writers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Generations {
    /// For a cache of its own: no other's stamps are good here.
    pub fn new() -> Self {
        Self {
            cache: fastrand::u64(..),
            seed: RandomState::default(),
            all: Counters::default(),
            slots: Box::new(std::array::from_fn(|_| Counters::default())),
        }
    }

    /// The counters of this name.
    #[inline]
    pub fn slot(&self, name: Name<'_>) -> Slot<'_> {
        let mut hasher = self.seed.build_hasher();
        hasher.write(name.collection.as_bytes());
        hasher.write(name.key.as_bytes());
        let at = (hasher.finish() >> 32) as usize % SLOTS;
        Slot { generations: self, counters: &self.slots[at] }
    }

    /// Begins a write that may be of any name.
    pub fn write_all(&self) -> Writing<'_> {
        Writing::begin(&self.all)
    }
}

impl<'a> Slot<'a> {
    /// A stamp of this moment; none while there is a write.
    #[inline]
    pub fn stamp(self) -> Option<Stamp> {
        let Generations { cache, all, .. } = self.generations;
        let (here, everywhere) =
            (self.counters.generation.load(Ordering::SeqCst), all.generation.load(Ordering::SeqCst));
        let writers = self.counters.writers.load(Ordering::SeqCst) | all.writers.load(Ordering::SeqCst);
        // Both only grow, so that their sum never comes back.
        (writers == 0).then_some(Stamp { cache: *cache, generation: here.wrapping_add(everywhere) })
    }

    /// Begins a write.
    pub fn write(self) -> Writing<'a> {
        Writing::begin(self.counters)
    }

    /// How many copies were put into the cache; while this stands still, there is no new one to look for.
    #[inline]
    pub fn fills(self) -> u32 {
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

impl fmt::Debug for Writing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_of_one_name_leaves_most_others_alone() {
        let generations = Generations::new();
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let stamps = || -> Vec<Option<Stamp>> {
            names.iter().map(|key| generations.slot(Name::new("c", key)).stamp()).collect()
        };
        let before = stamps();
        drop(generations.slot(Name::new("c", "7")).write());
        let after = stamps();
        assert_ne!(after[7], before[7]);
        let changed = after.iter().zip(&before).filter(|(after, before)| after != before).count();
        assert!(changed < 20, "{changed} of 1000 for one write");
        let writing = generations.write_all();
        assert!(stamps().into_iter().all(|stamp| stamp.is_none()));
        drop(writing);
        assert!(stamps().iter().zip(&after).all(|(now, before)| now != before));
    }

    #[test]
    fn another_cache_s_stamps_are_strange() {
        let name = Name::new("c", "k");
        assert_ne!(Generations::new().slot(name).stamp(), Generations::new().slot(name).stamp());
    }
}

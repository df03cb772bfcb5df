//! One shard: a part of the entries under a lock of its own, and the hand that frees what has ended.

use hashbrown::HashTable;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{Condition, Entry, Name, Record, Timestamp};

/// Buckets that the hand moves over with every write. Garbage is then at most a quarter of the buckets beyond what is
/// live, and looking costs one cache line or two.
const STRIDE: usize = 4;

/// Every so many writes a shard moves another shard's hand over as many buckets, so that those that nobody writes to
/// are swept too.
pub(super) const HELP: usize = 64;

/// The present instant, also in the coarse form that slots have beside them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Timestamp,
    second: u32,
}

impl From<Timestamp> for Now {
    #[inline]
    fn from(instant: Timestamp) -> Self {
        Self { instant, second: second(instant) }
    }
}

/// The second an instant falls in, short of the number that stands for never.
#[inline]
fn second(instant: Timestamp) -> u32 {
    let second = instant.as_micros().div_euclid(1_000_000).clamp(0, i64::from(u32::MAX - 1));
    u32::try_from(second).unwrap_or(0)
}

/// What stands in a bucket: an entry, with what searches, sweeps, growth and listings ask of it, so that they need not
/// visit it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) hash: u32,
    /// The second in which the entry ends; `u32::MAX` for never.
    due: u32,
    pub(super) entry: Entry,
}

/// What a slot costs beside its entry: itself, its control byte, and the empty ones that a hash table keeps.
pub(super) const SLOT_COST: usize = 2 * size_of::<Slot>();

impl Slot {
    #[inline]
    pub(super) fn new(hash: u32, name: Name<'_>, record: &Record<'_>) -> Self {
        Self { hash, due: record.expires.map_or(u32::MAX, second), entry: Entry::named(name, record) }
    }

    #[cfg(test)]
    pub(super) fn due(&self) -> u32 {
        self.due
    }

    /// Whether the entry has ended. Most slots answer for their entry.
    #[inline]
    pub(super) fn has_ended(&self, now: Now) -> bool {
        self.due <= now.second && self.entry.expires().is_some_and(|expires| expires <= now.instant)
    }

    #[inline]
    pub(super) fn is_named(&self, hash: u32, names: (&[u8], &[u8])) -> bool {
        self.hash == hash && self.entry.is_named(names)
    }

    /// The bytes that it counts.
    #[inline]
    pub(super) fn cost(&self) -> usize {
        SLOT_COST + self.entry.footprint()
    }

    /// The key; it was text when it came.
    pub(super) fn key(&self) -> &str {
        key_of(&self.entry)
    }
}

/// The key of an entry of a table.
pub(super) fn key_of(entry: &Entry) -> &str {
    std::str::from_utf8(entry.names().1).unwrap_or_default()
}

/// A name as entries keep it.
#[inline]
pub(super) fn bytes_of(name: Name<'_>) -> (&[u8], &[u8]) {
    (name.collection.as_bytes(), name.key.as_bytes())
}

/// The hash that the buckets go by. hashbrown takes the lowest bits and the seven highest; the shard took the highest
/// of our 32, so others go up there.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 38 | u64::from(hash)
}

/// Entries and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// A lock on cache lines of its own (the processor fetches them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard(RwLock<Slots>);

impl Shard {
    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Slots> {
        self.0.read()
    }

    #[inline]
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Slots> {
        self.0.write()
    }

    pub(super) fn try_write(&self) -> Option<RwLockWriteGuard<'_, Slots>> {
        self.0.try_write()
    }
}

/// The slots of a shard. Whatever a method takes out it hands out, to be dropped when the lock is released.
#[derive(Debug)]
pub(super) struct Slots {
    table: HashTable<Slot>,
    /// The sum of the slots' costs.
    bytes: usize,
    /// The bucket that the sweeping hand comes to next.
    hand: usize,
    /// No slot ends before this second, so there is nothing to look for.
    next_due: u32,
    /// The earliest second of all slots that the hand passed or that came since its round began: the next round's
    /// `next_due`.
    round_due: u32,
    /// The bucket that the evicting hand comes to next. Were they one, most buckets would be swept past by chance.
    clock: usize,
    /// How many writes there were.
    writes: usize,
}

impl Default for Slots {
    fn default() -> Self {
        let (table, bytes, hand, clock, writes) = Default::default();
        Self { table, bytes, hand, next_due: u32::MAX, round_due: u32::MAX, clock, writes }
    }
}

impl Slots {
    #[inline]
    pub(super) fn usage(&self) -> Usage {
        Usage { entries: self.table.len(), bytes: self.bytes }
    }

    #[cfg(test)]
    pub(super) fn next_due(&self) -> u32 {
        self.next_due
    }

    pub(super) fn buckets(&self) -> usize {
        self.table.num_buckets()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.table.iter()
    }

    #[inline]
    pub(super) fn find(&self, hash: u32, name: Name<'_>) -> Option<&Slot> {
        let names = bytes_of(name);
        self.table.find(spread(hash), |slot| slot.is_named(hash, names))
    }

    /// The bucket of a name, good until the next write.
    pub(super) fn position(&self, hash: u32, name: Name<'_>) -> Option<usize> {
        let names = bytes_of(name);
        self.table.find_bucket_index(spread(hash), |slot| slot.is_named(hash, names))
    }

    pub(super) fn at(&self, bucket: usize) -> Option<&Slot> {
        self.table.get_bucket(bucket)
    }

    pub(super) fn remove(&mut self, bucket: usize) -> Option<Slot> {
        let (slot, _) = self.table.get_bucket_entry(bucket).ok()?.remove();
        self.bytes -= slot.cost();
        Some(slot)
    }

    pub(super) fn into_slots(self) -> impl Iterator<Item = Slot> {
        self.table.into_iter()
    }

    /// Takes out every slot that `test` says yes to.
    pub(super) fn extract(&mut self, test: impl FnMut(&mut Slot) -> bool) -> Vec<Slot> {
        let taken: Vec<Slot> = self.table.extract_if(test).collect();
        self.bytes -= taken.iter().map(Slot::cost).sum::<usize>();
        self.shrink();
        taken
    }

    /// Puts the slot where the condition holds and gives the one in whose place it stands; gives it back as an error
    /// where the condition does not hold.
    #[inline]
    pub(super) fn put(&mut self, slot: Slot, condition: &Condition, now: Now) -> Result<Option<Slot>, Slot> {
        let (names, due) = (slot.entry.names(), slot.due);
        let replaced = match self.table.find_mut(spread(slot.hash), |old| old.is_named(slot.hash, names)) {
            Some(old) => {
                let live = (!old.has_ended(now)).then_some(&old.entry);
                if !holds(condition, live) {
                    return Err(slot);
                }
                if live.is_some() {
                    slot.entry.mark_used();
                }
                self.bytes = self.bytes - old.cost() + slot.cost();
                Some(std::mem::replace(old, slot))
            }
            None if holds(condition, None) => {
                self.bytes += slot.cost();
                if self.table.len() == self.table.capacity() {
                    // It may grow, or be put in order where it stands.
                    self.restart();
                }
                self.table.insert_unique(spread(slot.hash), slot, |slot| spread(slot.hash));
                None
            }
            None => return Err(slot),
        };
        self.next_due = self.next_due.min(due);
        self.round_due = self.round_due.min(due);
        Ok(replaced)
    }

    /// A hand's next bucket. The number of buckets is a power of two, and may have changed since the hand moved.
    #[inline]
    fn bucket(&self, position: usize) -> usize {
        position & (self.table.num_buckets() - 1)
    }

    /// The bucket under the evicting hand, which moves on.
    pub(super) fn tick(&mut self) -> usize {
        let bucket = self.bucket(self.clock);
        self.clock = bucket + 1;
        bucket
    }

    /// Frees what has ended of the next buckets, as many as the evicting hand may look at.
    pub(super) fn free_ahead(&mut self, window: usize, now: Now, freed: &mut Vec<Slot>) {
        for distance in 0..window {
            self.free(self.bucket(self.clock + distance), now, freed);
        }
    }

    #[inline]
    fn free(&mut self, bucket: usize, now: Now, freed: &mut Vec<Slot>) {
        if self.at(bucket).is_some_and(|slot| slot.has_ended(now)) {
            freed.extend(self.remove(bucket));
        }
    }

    /// Moves the sweeping hand on with a write, and says whether it is time to help another shard.
    #[inline]
    pub(super) fn sweep_with_write(&mut self, now: Now, freed: &mut Vec<Slot>) -> bool {
        self.sweep(STRIDE, now, freed);
        self.writes = self.writes.wrapping_add(1);
        self.writes.is_multiple_of(HELP)
    }

    /// Frees what has ended of so many buckets. In a small table the hand comes round more than once, which does no
    /// harm.
    #[inline]
    pub(super) fn sweep(&mut self, buckets: usize, now: Now, freed: &mut Vec<Slot>) {
        if self.next_due <= now.second {
            for _ in 0..buckets {
                self.pass(now, freed);
            }
        }
        self.shrink();
    }

    /// Frees what has ended of the hand's bucket, which moves on.
    fn pass(&mut self, now: Now, freed: &mut Vec<Slot>) {
        self.free(self.hand, now, freed);
        if let Some(slot) = self.at(self.hand) {
            self.round_due = self.round_due.min(slot.due);
        }
        self.hand = self.bucket(self.hand + 1);
        if self.hand == 0 {
            self.next_due = std::mem::replace(&mut self.round_due, u32::MAX);
        }
    }

    /// Slots are about to change places, so the hand begins its round again: it would miss those that get behind it.
    #[cold]
    fn restart(&mut self) {
        self.hand = 0;
        self.round_due = u32::MAX;
    }

    /// Gives memory back when seven of eight buckets are empty. Afterwards a quarter is full, so it is long until the
    /// next time in either direction.
    #[inline]
    pub(super) fn shrink(&mut self) {
        let (len, buckets) = (self.table.len(), self.table.num_buckets());
        if len < buckets / 8 && buckets > 64 {
            self.restart();
            self.table.shrink_to(len * 2, |slot| spread(slot.hash));
        }
    }
}

/// Whether a condition holds where this is the live entry.
#[inline]
pub(super) fn holds(condition: &Condition, live: Option<&Entry>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::IfAbsent => live.is_none(),
        Condition::IfPresent => live.is_some(),
        Condition::IfRevision(revision) => live.is_some_and(|entry| entry.revision() == *revision),
    }
}

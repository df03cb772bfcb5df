//! The table in which the memory stores of both flavours keep their entries.
//!
//! Nothing here waits for anything but a lock, reads a clock or knows a flavour. Entries stand in shards by a hash of
//! collection and key; every shard has a lock of its own, held for one search or, where a whole shard is looked over
//! (listing, counting, clearing, culling), for one pass over its slots. No call holds two locks at once.
//!
//! An entry that has ended stays where it is until somebody frees it: the write that meets it, the hand that every
//! write moves a few buckets on (in its own shard, and now and then in another), or [`Table::cull`]. Only
//! [`Table::get`] and [`Table::get_many`] show such an entry; their caller judges it by its clock, which may be cheaper
//! than to read the time first.

mod batch;
mod bounds;
mod listing;
mod shard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

pub use listing::Collections;

use self::bounds::Bounds;
use self::shard::{HELP, Now, Shard, Slot, Slots, Usage, holds};
use crate::{
    Change, Condition, Decision, DeleteOutcome, Entry, Error, ErrorKind, Modified, Name, PutOutcome, Record, Result,
    Revision, Timestamp, Written,
};

/// How many shards a table has, if it is not bounded to few entries.
const SHARDS: usize = 64;

/// What a [`Table`] may hold.
///
/// # Examples
///
/// ```
/// use kv_core::memory::TableOptions;
///
/// let options = TableOptions::default().with_max_entries(10_000).with_max_bytes(64 << 20);
/// assert_eq!(options.max_entries, Some(10_000));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableOptions {
    /// The most entries; 0 is taken as 1.
    pub max_entries: Option<usize>,
    /// The most bytes: names, values, metadata and what the table itself takes for each, as [`Table::bytes`] counts
    /// them; 0 is taken as 1.
    pub max_bytes: Option<usize>,
}

impl TableOptions {
    /// With at most so many entries.
    #[must_use]
    pub fn with_max_entries(mut self, entries: usize) -> Self {
        self.max_entries = Some(entries);
        self
    }

    /// With at most so many bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// Entries by name, in this process's memory.
///
/// Names, values and expiry were checked by the caller, and `now` is the caller's.
///
/// # Examples
///
/// ```
/// use kv_core::memory::Table;
/// use kv_core::{Condition, Name, Record, Timestamp, ValueRef};
///
/// let table = Table::default();
/// let (name, now) = (Name::new("users", "alice"), Timestamp::UNIX_EPOCH);
/// let record = Record::new(ValueRef::Json(b"[1]"), 7);
/// assert!(table.put(name, &record, &Condition::IfAbsent, now).is_written());
/// assert!(!table.put(name, &record, &Condition::IfAbsent, now).is_written());
/// assert_eq!(table.get(name).and_then(|entry| entry.as_json().map(str::to_owned)), Some("[1]".to_owned()));
/// ```
pub struct Table {
    shards: Box<[Shard]>,
    /// A hash shifted by so much is the number of its shard: shards follow one another in the order of hashes.
    shift: u32,
    seed: RandomState,
    /// The shard that is swept next beside those written to.
    turn: AtomicUsize,
    bounds: Option<Bounds>,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(TableOptions::default())
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Table {
    /// An empty table.
    pub fn new(options: TableOptions) -> Self {
        // The hand weighs the entries of one shard against each other, so a shard wants a fair number of them.
        let shards = options.max_entries.map_or(SHARDS, |most| (most / SHARDS).clamp(1, SHARDS).next_power_of_two());
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            shift: u32::BITS - shards.ilog2(),
            seed: RandomState::default(),
            turn: AtomicUsize::new(0),
            bounds: Bounds::new(options),
        }
    }

    /// The hash of a name, the same for the table's life. Collection and key are two writes to the hasher, which takes
    /// their lengths in too.
    #[inline]
    fn hash(&self, name: Name<'_>) -> u32 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(name.collection.as_bytes());
        hasher.write(name.key.as_bytes());
        (hasher.finish() >> 32) as u32
    }

    #[inline]
    fn shard_of(&self, hash: u32) -> usize {
        (u64::from(hash) >> self.shift) as usize
    }

    /// Runs one write on the hash's shard under its lock, moves the hand on, and keeps the table's sums.
    #[inline]
    fn write<T>(&self, hash: u32, now: Now, work: impl FnOnce(&mut Slots) -> T) -> T {
        let mut freed = Vec::new();
        let mut slots = self.shards[self.shard_of(hash)].write();
        let before = slots.usage();
        let result = work(&mut slots);
        let help = slots.sweep_with_write(now, &mut freed);
        self.note(before, slots.usage());
        drop(slots);
        drop(freed);
        if help {
            self.sweep_another(now);
        }
        result
    }

    /// Moves the hand of the shard whose turn it is, unless somebody is at that shard.
    #[cold]
    fn sweep_another(&self, now: Now) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) & (self.shards.len() - 1);
        let Some(mut slots) = self.shards[turn].try_write() else { return };
        let mut freed = Vec::new();
        let before = slots.usage();
        slots.sweep(HELP, now, &mut freed);
        self.note(before, slots.usage());
        // Before what was freed is dropped.
        drop(slots);
    }

    /// Keeps the sums of a bounded table. Called before the shard is unlocked, so that no sum is ever too small.
    #[inline]
    fn note(&self, before: Usage, after: Usage) {
        if let Some(bounds) = &self.bounds {
            bounds.note(before, after);
        }
    }

    /// The entry of that name as it stands there, even if it has ended.
    #[inline]
    pub fn get(&self, name: Name<'_>) -> Option<Entry> {
        let hash = self.hash(name);
        let slots = self.shards[self.shard_of(hash)].read();
        let entry = &slots.find(hash, name)?.entry;
        if self.bounds.is_some() {
            entry.mark_used();
        }
        Some(entry.clone())
    }

    /// Puts the record where the condition holds. What has ended counts as absent.
    ///
    /// A record that [does not fit](Self::fits) is the caller's to refuse.
    #[inline]
    pub fn put(&self, name: Name<'_>, record: &Record<'_>, condition: &Condition, now: Timestamp) -> PutOutcome {
        let hash = self.hash(name);
        // The entry is made before the lock is taken; what it replaces is dropped after.
        let slot = Slot::new(hash, name, record);
        let now = Now::from(now);
        let outcome = self.write(hash, now, |slots| slots.put(slot, condition, now));
        if outcome.is_err() {
            return PutOutcome::Conflict;
        }
        self.make_room(hash, name, now);
        PutOutcome::Written(Written::new(Revision::from_number(record.revision), record.expires))
    }

    /// Removes the live entry of that name where the condition holds.
    pub fn delete(&self, name: Name<'_>, condition: &Condition, now: Timestamp) -> DeleteOutcome {
        let hash = self.hash(name);
        let now = Now::from(now);
        let (outcome, removed) = self.write(hash, now, |slots| remove(slots, hash, name, condition, now));
        drop(removed);
        outcome
    }

    /// Makes a change in one step, giving the record `revision`. What has ended counts as absent, and is freed.
    ///
    /// # Errors
    ///
    /// Those of [`Change::decide`], and [`ErrorKind::TooLarge`] if the changed record would not fit into the table;
    /// then nothing was changed.
    pub fn modify(&self, name: Name<'_>, change: &Change<'_>, now: Timestamp, revision: u64) -> Result<Modified> {
        let hash = self.hash(name);
        let now = Now::from(now);
        let mut ended = None;
        let modified = self.write(hash, now, |slots| {
            let mut bucket = slots.position(hash, name);
            if let Some(at) = bucket.filter(|at| slots.at(*at).is_some_and(|slot| slot.has_ended(now))) {
                ended = slots.remove(at);
                bucket = None;
            }
            let before = bucket.and_then(|at| slots.at(at)).map(|slot| slot.entry.clone());
            let next = match change.decide(before.as_ref(), now.instant, revision)? {
                Decision::Leave => None,
                Decision::Delete => Some(None),
                Decision::Put(next) => Some(Some(Slot::new(hash, name, &next.record()))),
            };
            let after = match next {
                None => return Ok(Modified::unapplied(before)),
                Some(None) => {
                    // `before` holds it, so nothing is dropped here.
                    bucket.and_then(|at| slots.remove(at));
                    None
                }
                Some(Some(slot)) => {
                    if self.bounds.as_ref().is_some_and(|bounds| !bounds.fits(slot.cost())) {
                        return Err(Error::new(ErrorKind::TooLarge, "the changed record is larger than the table"));
                    }
                    let after = slot.entry.clone();
                    // `before` holds what it replaces, and `Always` always holds.
                    drop(slots.put(slot, &Condition::Always, now));
                    Some(after)
                }
            };
            Ok(Modified::applied(before, after))
        });
        drop(ended);
        if modified.as_ref().is_ok_and(|modified| modified.after.is_some()) {
            self.make_room(hash, name, now);
        }
        modified
    }

    /// Frees every entry that has ended, shard by shard, and tells how many. Nothing happens until it is asked.
    pub fn cull(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        let now = Now::from(now);
        self.take_all(move |slots| slots.extract(|slot| slot.has_ended(now)).into_iter(), |_| true)
    }

    /// Removes everything, shard by shard, and tells how many live entries that were. Nothing happens until it is
    /// asked; afterwards the table works on, and has given its memory back.
    pub fn destroy(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        let now = Now::from(now);
        self.take_all(|slots| std::mem::take(slots).into_slots(), move |slot| !slot.has_ended(now))
    }

    /// Takes slots out of every shard in turn, drops them when its lock is released, and tells how many `counts`.
    fn take_all<'t, I: Iterator<Item = Slot>>(
        &'t self,
        take: impl Fn(&mut Slots) -> I + 't,
        counts: impl Fn(&Slot) -> bool + 't,
    ) -> impl Iterator<Item = u64> + 't {
        self.shards.iter().map(move |shard| {
            let mut slots = shard.write();
            let before = slots.usage();
            let taken = take(&mut slots);
            self.note(before, slots.usage());
            drop(slots);
            taken.filter(&counts).count() as u64
        })
    }

    /// How many entries are stored, with those that have ended and are not freed yet.
    pub fn len(&self) -> usize {
        self.usage().entries
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that the stored entries take, with those that have ended and are not freed yet.
    pub fn bytes(&self) -> usize {
        self.usage().bytes
    }

    fn usage(&self) -> Usage {
        if let Some(bounds) = &self.bounds {
            return bounds.usage();
        }
        self.shards.iter().map(|shard| shard.read().usage()).fold(Usage::default(), |sum, usage| Usage {
            entries: sum.entries + usage.entries,
            bytes: sum.bytes + usage.bytes,
        })
    }
}

/// Removes a live entry where the condition holds, and one that has ended in any case.
fn remove(
    slots: &mut Slots,
    hash: u32,
    name: Name<'_>,
    condition: &Condition,
    now: Now,
) -> (DeleteOutcome, Option<Slot>) {
    let Some(bucket) = slots.position(hash, name) else { return (DeleteOutcome::Missing, None) };
    match slots.at(bucket) {
        Some(slot) if slot.has_ended(now) => (DeleteOutcome::Missing, slots.remove(bucket)),
        Some(slot) if !holds(condition, Some(&slot.entry)) => (DeleteOutcome::Conflict, None),
        _ => (DeleteOutcome::Deleted, slots.remove(bucket)),
    }
}

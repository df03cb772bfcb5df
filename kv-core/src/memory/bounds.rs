//! Bounds on the whole table, and who has to go when they are exceeded.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::shard::{Now, SLOT_COST, Slot, Slots, Usage, bytes_of};
use super::{Table, TableOptions};
use crate::{Entry, Name, Record, ValueRef};

/// Buckets that the hand looks at under one lock.
const WINDOW: usize = 64;

/// The bounds, and the sums over all shards that are held against them.
#[derive(Debug)]
pub(super) struct Bounds {
    most: Usage,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// The shard whose turn it is to give something up.
    turn: AtomicUsize,
}

impl Bounds {
    pub(super) fn new(options: TableOptions) -> Option<Self> {
        if options == TableOptions::default() {
            return None;
        }
        let bound = |most: Option<usize>| most.map_or(usize::MAX, |most| most.max(1));
        let most = Usage { entries: bound(options.max_entries), bytes: bound(options.max_bytes) };
        let (entries, bytes, turn) = Default::default();
        Some(Self { most, entries, bytes, turn })
    }

    pub(super) fn fits(&self, cost: usize) -> bool {
        cost <= self.most.bytes
    }

    pub(super) fn usage(&self) -> Usage {
        Usage { entries: self.entries.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Adds what a shard has more than before, or (as these sums wrap) takes away what it has less.
    #[inline]
    pub(super) fn note(&self, before: Usage, after: Usage) {
        if before.entries != after.entries {
            self.entries.fetch_add(after.entries.wrapping_sub(before.entries), Ordering::Relaxed);
        }
        if before.bytes != after.bytes {
            self.bytes.fetch_add(after.bytes.wrapping_sub(before.bytes), Ordering::Relaxed);
        }
    }

    #[inline]
    fn exceeded(&self) -> bool {
        let usage = self.usage();
        usage.entries > self.most.entries || usage.bytes > self.most.bytes
    }

    /// Takes an entry of that cost off the sums, if a bound is exceeded. The check and the change are one step, so two
    /// writers never both make room for the one entry too many.
    fn claim(&self, cost: usize) -> bool {
        let lower = |sum: &AtomicUsize, most: usize, by: usize| {
            let relaxed = Ordering::Relaxed;
            sum.fetch_update(relaxed, relaxed, |sum| (sum > most).then(|| sum.wrapping_sub(by))).is_ok()
        };
        if lower(&self.entries, self.most.entries, 1) {
            self.bytes.fetch_sub(cost, Ordering::Relaxed);
            return true;
        }
        if lower(&self.bytes, self.most.bytes, cost) {
            self.entries.fetch_sub(1, Ordering::Relaxed);
            return true;
        }
        false
    }

    /// Frees what it can of the next `window` buckets while a bound is exceeded: first what has ended, then what was
    /// not used since the hand came by (or, when `forced`, anything). Says whether it freed anything.
    fn visit(&self, slots: &mut Slots, keep: &Keep<'_>, forced: bool, now: Now, freed: &mut Vec<Slot>) -> bool {
        let window = if forced { slots.buckets() } else { slots.buckets().min(WINDOW) };
        let before = slots.usage();
        slots.free_ahead(window, now, freed);
        self.note(before, slots.usage());
        for _ in 0..window {
            if !self.exceeded() {
                break;
            }
            let bucket = slots.tick();
            let Some(slot) = slots.at(bucket).filter(|slot| !keep.is(slot)) else { continue };
            if (forced || !slot.entry.take_used()) && self.claim(slot.cost()) {
                freed.extend(slots.remove(bucket));
            }
        }
        let any = slots.usage() != before;
        slots.shrink();
        any
    }
}

/// The record just written, which makes room for nobody.
struct Keep<'a> {
    hash: u32,
    names: (&'a [u8], &'a [u8]),
}

impl Keep<'_> {
    fn is(&self, slot: &Slot) -> bool {
        slot.is_named(self.hash, self.names)
    }
}

impl Table {
    /// Whether a record can stand in this table at all: one that is larger than `max_bytes` alone cannot.
    pub fn fits(&self, name: Name<'_>, record: &Record<'_>) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.fits(SLOT_COST + Entry::footprint_of(name, record)))
    }

    /// The bytes of the largest value that can stand in this table, under the shortest names; `None` without a bound.
    pub fn max_value_bytes(&self) -> Option<usize> {
        let empty = Record::new(ValueRef::Bytes(&[]), 0);
        let least = SLOT_COST + Entry::footprint_of(Name::new("c", "k"), &empty);
        let most = self.bounds.as_ref().map(|bounds| bounds.most.bytes).filter(|most| *most < usize::MAX);
        most.map(|most| most.saturating_sub(least))
    }

    /// Evicts entries other than the one of this name until the bounds hold.
    #[inline]
    pub(super) fn make_room(&self, hash: u32, name: Name<'_>, now: Now) {
        if let Some(bounds) = self.bounds.as_ref().filter(|bounds| bounds.exceeded()) {
            self.evict(bounds, &Keep { hash, names: bytes_of(name) }, now);
        }
    }

    fn evict(&self, bounds: &Bounds, keep: &Keep<'_>, now: Now) {
        // Two rounds in vain: everything that the hand met is in use.
        let mut vain = 0;
        while vain < 2 {
            if !self.round(bounds, keep, false, now) {
                vain += 1;
            }
            if !bounds.exceeded() {
                return;
            }
        }
        // A round by force ends within the bounds, unless others go on writing: they make room for themselves.
        self.round(bounds, keep, true, now);
    }

    /// Visits the shards in turn, one lock at a time, until the bounds hold. Says whether anything was freed.
    fn round(&self, bounds: &Bounds, keep: &Keep<'_>, forced: bool, now: Now) -> bool {
        let mut any = false;
        for _ in 0..self.shards.len() {
            let turn = bounds.turn.fetch_add(1, Ordering::Relaxed) & (self.shards.len() - 1);
            let mut freed = Vec::new();
            any |= bounds.visit(&mut self.shards[turn].write(), keep, forced, now, &mut freed);
            // The lock is released; now what was freed is dropped.
            drop(freed);
            if !bounds.exceeded() {
                break;
            }
        }
        any
    }
}

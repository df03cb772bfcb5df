//! Many names at once: one lock a shard, however many of them it holds.

use super::shard::{Now, Slot};
use super::{Table, remove};
use crate::{Condition, DeleteOutcome, Entry, Name, Record, Timestamp};

/// Names taken into one round of locks; more would keep a shard's lock for long.
const ROUND: usize = 4096;

const END: usize = usize::MAX;

/// Positions of a batch by shard: a chain through them for each, in their order.
struct Chains {
    heads: [usize; super::SHARDS],
    /// By position: the hash, and the next position of the same shard.
    links: Vec<(u32, usize)>,
}

impl Chains {
    fn new(table: &Table, hashes: impl DoubleEndedIterator<Item = u32> + ExactSizeIterator) -> Self {
        let mut heads = [END; super::SHARDS];
        let mut links = vec![(0, END); hashes.len()];
        // From the last to the first, so that each chain begins with the first.
        for (position, hash) in hashes.enumerate().rev() {
            let head = &mut heads[table.shard_of(hash)];
            links[position] = (hash, std::mem::replace(head, position));
        }
        Self { heads, links }
    }

    /// The shards that have positions, each with the first.
    fn shards(&self) -> impl Iterator<Item = (usize, usize)> {
        self.heads.into_iter().enumerate().filter(|(_, head)| *head != END)
    }

    /// The positions from `head` on, with their hashes.
    fn chain(&self, head: usize) -> impl Iterator<Item = (usize, u32)> {
        let link = |at: usize| self.links.get(at).map(|(hash, next)| (at, *hash, *next));
        std::iter::successors(link(head), move |(.., next)| link(*next)).map(|(at, hash, _)| (at, hash))
    }
}

impl Table {
    /// The entries of these keys, in their order, each as it stands there, even if it has ended.
    ///
    /// It is no snapshot: another thread's write may fall between two of them.
    pub fn get_many(&self, collection: &str, keys: &[&str]) -> Vec<Option<Entry>> {
        let mut entries = vec![None; keys.len()];
        for (keys, entries) in keys.chunks(ROUND).zip(entries.chunks_mut(ROUND)) {
            let chains = Chains::new(self, keys.iter().map(|key| self.hash(Name::new(collection, key))));
            for (shard, head) in chains.shards() {
                let slots = self.shards[shard].read();
                for (at, hash) in chains.chain(head) {
                    let Some(slot) = slots.find(hash, Name::new(collection, keys[at])) else { continue };
                    if self.bounds.is_some() {
                        slot.entry.mark_used();
                    }
                    entries[at] = Some(slot.entry.clone());
                }
            }
        }
        entries
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
        let now = Now::from(now);
        let mut items = items.into_iter();
        let mut slots = Vec::with_capacity(items.size_hint().0.min(ROUND));
        loop {
            // Entries are made before any lock is taken.
            slots.extend(items.by_ref().take(ROUND).map(|(key, record)| {
                let name = Name::new(collection, key);
                (key, Some(Slot::new(self.hash(name), name, &record)))
            }));
            if slots.is_empty() {
                return;
            }
            self.put_round(collection, &mut slots, now);
            // And what they replaced is dropped when all are released.
            slots.clear();
        }
    }

    /// Puts the slots, leaving in their place what they replaced.
    fn put_round(&self, collection: &str, slots: &mut [(&str, Option<Slot>)], now: Now) {
        let hashes = slots.iter().map(|(_, slot)| slot.as_ref().map_or(0, |slot| slot.hash));
        let chains = Chains::new(self, hashes);
        for (shard, head) in chains.shards() {
            let writes = chains.chain(head).count();
            let last = self.write(shard, writes, now, |shard| {
                let mut last = None;
                for (at, hash) in chains.chain(head) {
                    let (key, slot) = &mut slots[at];
                    // `Always` always holds.
                    *slot = slot.take().and_then(|slot| shard.put(slot, &Condition::Always, now).unwrap_or_else(Some));
                    last = Some((hash, *key));
                }
                last
            });
            if let Some((hash, key)) = last {
                self.make_room(hash, Name::new(collection, key), now);
            }
        }
    }

    /// Removes the live entries of these keys and tells for each whether it was there; of equal keys the first counts.
    pub fn delete_many(&self, collection: &str, keys: &[&str], now: Timestamp) -> Vec<bool> {
        let now = Now::from(now);
        let mut deleted = vec![false; keys.len()];
        for (keys, deleted) in keys.chunks(ROUND).zip(deleted.chunks_mut(ROUND)) {
            let chains = Chains::new(self, keys.iter().map(|key| self.hash(Name::new(collection, key))));
            let mut removed = Vec::with_capacity(keys.len());
            for (shard, head) in chains.shards() {
                let writes = chains.chain(head).count();
                self.write(shard, writes, now, |slots| {
                    for (at, hash) in chains.chain(head) {
                        let name = Name::new(collection, keys[at]);
                        let (outcome, slot) = remove(slots, hash, name, &Condition::Always, now);
                        deleted[at] = outcome == DeleteOutcome::Deleted;
                        removed.extend(slot);
                    }
                });
            }
        }
        deleted
    }
}

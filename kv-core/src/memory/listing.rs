//! Listing, counting and clearing: what looks over whole shards.
//!
//! Keys are listed in the order of their hashes, and those of one hash in the order of the keys. A key's hash is the
//! same for the table's life, so a key that stays has one place in that order, however the table grows, shrinks or
//! fills around it; and shards follow one another in that order, so a page takes the lock of one shard at a time.

use std::collections::BTreeSet;

use super::Table;
use super::shard::{Now, Shard, Slot, key_of};
use crate::{Cursor, Entry, KeyFilter, ListOptions, Listed, Page, Result, Timestamp};

/// Entries that a page looks at, wanted or not, before it ends short: a call stays short in a large table that holds
/// little of what is asked for.
const PAGE_EFFORT: usize = 16 * 1024;

/// The most entries looked at under one lock.
const WINDOW: usize = 4096;

/// One past the last hash.
const HASHES: u64 = 1 << u32::BITS;

/// Where a page begins: at a hash, or after a key of that hash.
#[derive(Debug, PartialEq, Eq)]
struct Position<'a> {
    hash: u32,
    after: Option<&'a str>,
}

impl<'a> Position<'a> {
    /// `tag` tells this table and this collection from others.
    fn write(&self, tag: u32) -> Cursor {
        let (hash, colon, key) = (self.hash, if self.after.is_some() { ":" } else { "" }, self.after.unwrap_or(""));
        Cursor::new(format!("m{tag:08x}{hash:08x}{colon}{key}"))
    }

    fn read(cursor: &'a Cursor, tag: u32) -> Option<Self> {
        let rest = cursor.as_str().strip_prefix('m')?.strip_prefix(format!("{tag:08x}").as_str())?;
        let (digits, key) = rest.split_at_checked(8)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let after = if key.is_empty() { None } else { Some(key.strip_prefix(':')?) };
        Some(Self { hash: u32::from_str_radix(digits, 16).ok()?, after })
    }

    fn covers(&self, hash: u32, key: &str) -> bool {
        hash != self.hash || self.after.is_none_or(|after| key > after)
    }
}

/// What was found between two hashes of one shard.
struct Window {
    found: Vec<(u32, Entry)>,
    /// How many entries were looked at.
    seen: usize,
    /// One past the last hash looked for.
    end: u64,
}

impl Table {
    /// A page of the collection's live keys that the filter takes.
    ///
    /// A key that is there from the first page to the last is listed exactly once. A page may be short, or empty, where
    /// much was looked at and little was wanted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a limit of 0, and for a cursor that this
    /// collection of this table did not give.
    pub fn list(&self, collection: &str, options: &ListOptions, now: Timestamp) -> Result<Page<Listed>> {
        options.check()?;
        let now = Now::from(now);
        let tag = self.tag(collection);
        let start = match &options.cursor {
            None => Position { hash: 0, after: None },
            Some(cursor) => Position::read(cursor, tag).ok_or_else(|| cursor.refusal())?,
        };
        let mut items: Vec<Listed> = Vec::new();
        let mut last = 0;
        let (mut from, mut effort) = (u64::from(start.hash), 0);
        // A little more than is wanted, for hashes are not spread quite evenly; and twice as much each time.
        let mut target = options.limit.saturating_add(options.limit / 8 + 64).min(WINDOW);
        loop {
            let window = self.window(collection, options.filter.prefix(), from, target, now);
            for (hash, entry) in window.found {
                let key = key_of(&entry);
                if !start.covers(hash, key) || !options.filter.matches(key) {
                    continue;
                }
                if items.len() == options.limit {
                    // There is more. Keys of the same hash may lie on both pages.
                    let after = items.last().filter(|_| last == hash).map(|item| item.key.as_str());
                    let next = Position { hash, after }.write(tag);
                    return Ok(Page::new(items, Some(next)));
                }
                let key = key.to_owned();
                items.push(if options.entries { Listed::entry(key, Ok(entry)) } else { Listed::key(key) });
                last = hash;
            }
            let Some(hash) = u32::try_from(window.end).ok() else { return Ok(Page::new(items, None)) };
            effort += window.seen;
            if effort >= PAGE_EFFORT {
                return Ok(Page::new(items, Some(Position { hash, after: None }.write(tag))));
            }
            (from, target) = (window.end, target.saturating_mul(2).min(WINDOW));
        }
    }

    /// A number that tells this collection of this table from other collections and tables.
    fn tag(&self, collection: &str) -> u32 {
        self.hash(crate::Name::new(collection, ""))
    }

    /// The live entries of a collection whose keys begin so, from this hash on, in order: about as many hashes as
    /// `target` entries have, and never beyond one shard.
    fn window(&self, collection: &str, prefix: &str, from: u64, target: usize, now: Now) -> Window {
        let shard = (from >> self.shift) as usize;
        let span = 1 << self.shift;
        let mut found = Vec::new();
        let mut seen = 0;
        let slots = self.shards[shard].read();
        let len = slots.usage().entries;
        let width = if len <= target { span } else { (span / len as u64).saturating_mul(target as u64).max(1) };
        let end = (from + width).min((shard as u64 + 1) << self.shift).min(HASHES);
        // Which of them are near enough is told by the slots alone.
        for slot in slots.iter().filter(|slot| (from..end).contains(&u64::from(slot.hash))) {
            seen += 1;
            if is_in(slot, collection, prefix) && !slot.has_ended(now) {
                found.push((slot.hash, slot.entry.clone()));
            }
        }
        drop(slots);
        // Names are compared where hashes are equal.
        found.sort_unstable_by(|(one, left), (other, right)| {
            one.cmp(other).then_with(|| left.names().cmp(&right.names()))
        });
        Window { found, seen, end }
    }

    /// A page of the names of collections that have a live entry, sorted; the filter is about the names. It is gathered
    /// shard by shard.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a limit of 0, and for a cursor that no
    /// such listing gave.
    pub fn collections<'t>(&'t self, options: &'t ListOptions, now: Timestamp) -> Result<Collections<'t>> {
        options.check()?;
        let after = match &options.cursor {
            None => "",
            Some(cursor) => cursor.as_str().strip_prefix('c').ok_or_else(|| cursor.refusal())?,
        };
        Ok(Collections { shards: self.shards.iter(), options, after, now: Now::from(now), names: BTreeSet::new() })
    }

    /// How many live entries of the collection the filter takes, shard by shard.
    pub fn count<'t>(
        &'t self,
        collection: &'t str,
        filter: &'t KeyFilter,
        now: Timestamp,
    ) -> impl Iterator<Item = u64> + 't {
        let now = Now::from(now);
        let wanted = move |slot: &&Slot| takes(filter, slot, collection) && !slot.has_ended(now);
        self.shards.iter().map(move |shard| shard.read().iter().filter(wanted).count() as u64)
    }

    /// Removes the entries of the collection that the filter takes, shard by shard, and tells how many live ones that
    /// were. Nothing happens until it is asked.
    pub fn clear<'t>(
        &'t self,
        collection: &'t str,
        filter: &'t KeyFilter,
        now: Timestamp,
    ) -> impl Iterator<Item = u64> + 't {
        let now = Now::from(now);
        self.take_all(
            move |slots| slots.extract(|slot| takes(filter, slot, collection)).into_iter(),
            move |slot| !slot.has_ended(now),
        )
    }
}

/// A page of collections that is being gathered; see [`Table::collections`].
#[derive(Debug)]
pub struct Collections<'t> {
    shards: std::slice::Iter<'t, Shard>,
    options: &'t ListOptions,
    after: &'t str,
    now: Now,
    names: BTreeSet<String>,
}

impl Collections<'_> {
    /// Looks through the next shard, if there is one.
    pub fn step(&mut self) -> bool {
        let Some(shard) = self.shards.next() else { return false };
        // Neighbours are often of the same collection.
        let mut known: &[u8] = &[];
        let slots = shard.read();
        for slot in slots.iter().filter(|slot| !slot.has_ended(self.now)) {
            let (collection, _) = slot.entry.names();
            if collection == known {
                continue;
            }
            known = collection;
            let name = std::str::from_utf8(collection).unwrap_or_default();
            if name <= self.after || self.names.contains(name) || !self.options.filter.matches(name) {
                continue;
            }
            // One more than the page takes tells that there is more.
            self.names.insert(name.to_owned());
            if self.names.len() > self.options.limit.saturating_add(1) {
                self.names.pop_last();
            }
        }
        true
    }

    /// The page, after the shards that are left.
    pub fn page(mut self) -> Page<String> {
        while self.step() {}
        let mut names = self.names;
        let mut next = None;
        if names.len() > self.options.limit {
            names.pop_last();
            next = names.last().map(|name| Cursor::new(format!("c{name}")));
        }
        Page::new(names.into_iter().collect(), next)
    }
}

fn is_in(slot: &Slot, collection: &str, prefix: &str) -> bool {
    let (its, key) = slot.entry.names();
    its == collection.as_bytes() && key.starts_with(prefix.as_bytes())
}

fn takes(filter: &KeyFilter, slot: &Slot, collection: &str) -> bool {
    is_in(slot, collection, filter.prefix()) && (filter.is_prefix_only() || filter.matches(slot.key()))
}

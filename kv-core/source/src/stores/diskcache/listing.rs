//! Many records: listing, counting, removing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use kv_core::formats::diskcache::{self, Place, sql};
use kv_core::{Cursor, KeyFilter, ListOptions, Listed, Name, Page, Timestamp};
use rusqlite::params;

use super::files::Changes;
use super::record::{Held, Raw, Seen, Wanted, place_of};
use super::rows::Table;
use crate::stores::disk::Fault;

/// The rows that are looked at for one page, however few of them match.
const MOST_ROWS: usize = 20_000;

/// The bytes of values on one page, however few entries that is; one entry may exceed it.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Earlier than any row.
const EVER: f64 = f64::MIN;

/// The keys of a collection in the form that is ours, or in Python's.
struct KeyForm {
    /// What they begin with.
    head: String,
    is_legacy: bool,
}

fn key_forms(collection: &str) -> impl Iterator<Item = KeyForm> {
    let name = Name::new(collection, "");
    let own = KeyForm { head: diskcache::key(name), is_legacy: false };
    let legacy = diskcache::legacy_key(name).map(|head| KeyForm { head, is_legacy: true });
    std::iter::once(own).chain(legacy)
}

/// A record of a listing that is being made.
type Line = (String, Option<Option<kv_core::Result<kv_core::Entry>>>);

impl Table<'_> {
    /// Looks at the rows from the key `from` on that begin with the prefix and are live at `now`, in the order of their
    /// keys.
    fn walk(
        &self,
        form: &KeyForm,
        from: &str,
        prefix: &str,
        now: f64,
        mut look: impl FnMut(&str, &Raw<'_>, &str, Place) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        let mut select = self.connection.prepare_cached(sql::FROM)?;
        let mut rows = select.query(params![format!("{}{}", form.head, from.max(prefix)), now])?;
        while let Some(row) = rows.next()? {
            // What is no text comes after all text.
            let Ok(stored) = row.get_ref(0)?.as_str() else { break };
            let Some(key) = stored.strip_prefix(&*form.head).filter(|key| key.starts_with(prefix)) else { break };
            let place = if form.is_legacy { Place::Legacy } else { place_of(stored) };
            // No name of ours has an empty key; Python's may.
            if !key.is_empty() && look(key, &Raw::new(row, 1)?, stored, place)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Whether a row that is in a collection's keys is in the collection.
    fn is_in(&self, raw: &Raw<'_>, name: Name<'_>, place: Place) -> Result<bool, Fault> {
        Ok(place == Place::Own || !matches!(self.see(raw, name, place)?, Seen::Other))
    }

    /// A page of a collection's keys or entries.
    pub(super) fn list(&self, collection: &str, options: &ListOptions, now: Timestamp) -> Result<Page<Listed>, Fault> {
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        // Up to this key nothing is left out.
        let mut complete_to: Option<String> = None;
        for form in key_forms(collection) {
            let mut reached = None;
            let (mut found, mut rows, mut bytes) = (0, 0, 0);
            let cursor = options.cursor.as_ref().map(Cursor::as_str);
            let mut last = None;
            self.walk(
                &form,
                cursor.unwrap_or(""),
                options.filter.prefix(),
                diskcache::seconds(now),
                |key, raw, _, place| {
                    if Some(key) == cursor {
                        return Ok(ControlFlow::Continue(()));
                    }
                    if found == options.limit || rows == MOST_ROWS || bytes > MOST_BYTES {
                        reached.clone_from(&last);
                        return Ok(ControlFlow::Break(()));
                    }
                    rows += 1;
                    last = Some(key.to_owned());
                    if !options.filter.matches(key) {
                        return Ok(ControlFlow::Continue(()));
                    }
                    let name = Name::new(collection, key);
                    let entry = if options.entries {
                        match self.see(raw, name, place)? {
                            Seen::Other => return Ok(ControlFlow::Continue(())),
                            Seen::Entry(entry) if entry.expires().is_some_and(|expires| expires <= now) => {
                                return Ok(ControlFlow::Continue(()));
                            }
                            Seen::Entry(entry) => {
                                bytes += entry.value().as_encoded().len();
                                Some(Some(Ok(entry)))
                            }
                            Seen::Unreadable(error) => Some(Some(Err(error))),
                            // Looked at once more, by itself, when this reading is over.
                            Seen::NoFile(_) => Some(None),
                        }
                    } else if self.is_in(raw, name, place)? {
                        None
                    } else {
                        return Ok(ControlFlow::Continue(()));
                    };
                    found += 1;
                    // The legacy one comes second, and is the newer one.
                    lines.insert(key.to_owned(), (key.to_owned(), entry));
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            complete_to = match (complete_to, reached) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        if let Some(last) = &complete_to {
            lines.retain(|key, _| key <= last);
        }
        let more = lines.len() > options.limit;
        let mut items = Vec::with_capacity(lines.len().min(options.limit));
        let mut last = None;
        for (key, (_, entry)) in lines.into_iter().take(options.limit) {
            last = Some(key.clone());
            match entry {
                None => items.push(Listed::key(key)),
                Some(Some(entry)) => items.push(Listed::entry(key, entry)),
                Some(None) => match self.get(&Wanted::new(Name::new(collection, &key)))? {
                    Ok(None) => {}
                    Ok(Some(entry)) => items.push(Listed::entry(key, Ok(entry))),
                    Err(error) => items.push(Listed::entry(key, Err(error))),
                },
            }
        }
        let next = if more { last } else { complete_to };
        Ok(Page::new(items, next.map(Cursor::new)))
    }

    /// Counts a collection's live records.
    pub(super) fn count(&self, collection: &str, filter: &KeyFilter, now: Timestamp) -> Result<u64, Fault> {
        let mut count = 0;
        // A record that stands there in both forms is counted once.
        let mut own = BTreeSet::new();
        let has_legacy = key_forms(collection).nth(1).is_some();
        for form in key_forms(collection) {
            self.walk(&form, "", filter.prefix(), diskcache::seconds(now), |key, raw, _, place| {
                if filter.matches(key) && self.is_in(raw, Name::new(collection, key), place)? {
                    let is_new = !has_legacy || own.insert(key.to_owned());
                    count += u64::from(is_new);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(count)
    }

    /// A page of the names of collections that hold live records. It looks at every key, since only documents tell the
    /// odd names of Python's.
    pub(super) fn collections(&self, options: &ListOptions, now: Timestamp) -> Result<Page<String>, Fault> {
        let now = diskcache::seconds(now);
        let cursor = options.cursor.as_ref().map_or("", Cursor::as_str);
        let mut names: BTreeSet<String> = BTreeSet::new();
        let is_wanted = |names: &BTreeSet<String>, name: &str| {
            let is_full = names.len() > options.limit;
            name > cursor
                && options.filter.matches(name)
                && !names.contains(name)
                && !(is_full && names.last().is_some_and(|last| name > last.as_str()))
        };
        let mut select = self.connection.prepare_cached(sql::KEYS_FROM)?;
        let mut get = self.connection.prepare_cached(sql::ROW)?;
        let mut rows = select.query([""])?;
        while let Some(row) = rows.next()? {
            let Ok(key) = row.get_ref(0)?.as_str() else { break };
            let split = diskcache::split(key).map(|(collection, _)| collection);
            let is_shared = diskcache::is_shared(key);
            // What stands under this key can be of no other collection.
            if !is_shared && !split.as_ref().is_some_and(|name| is_wanted(&names, name)) {
                continue;
            }
            let mut found = get.query([row.get::<_, i64>(1)?])?;
            let Some(row) = found.next()? else { continue };
            let raw = Raw::new(row, 0)?;
            if raw.has_ended(now) {
                continue;
            }
            let name = if is_shared { self.owner(&raw, key)?.map(|(collection, _)| collection) } else { None };
            let name = name.or_else(|| split.map(std::borrow::Cow::into_owned));
            if let Some(name) = name.filter(|name| is_wanted(&names, name)) {
                names.insert(name);
                // One more than a page, to know whether there is another.
                if names.len() > options.limit.saturating_add(1) {
                    names.pop_last();
                }
            }
        }
        let more = names.len() > options.limit;
        let items: Vec<_> = names.into_iter().take(options.limit).collect();
        let next = items.last().filter(|_| more).map(Cursor::new);
        Ok(Page::new(items, next))
    }

    /// Whose record a row is, as it says itself.
    fn owner(&self, raw: &Raw<'_>, key: &str) -> Result<Option<(String, String)>, Fault> {
        Ok(match self.held(raw)? {
            Held::Stored(stored) => diskcache::owner(key, &stored),
            Held::Foreign(_) => None,
            // Nothing is lost with it.
            Held::NoFile(_) if diskcache::is_shared(key) => None,
            Held::NoFile(_) => diskcache::split(key).map(|(collection, own)| (collection.into_owned(), own.to_owned())),
        })
    }

    /// Removes a collection's records that match; answers how many were live. What other programs keep there stays.
    pub(super) fn clear(
        &self,
        collection: &str,
        filter: &KeyFilter,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<u64, Fault> {
        let mut goes = Vec::new();
        for form in key_forms(collection) {
            self.walk(&form, "", filter.prefix(), EVER, |key, raw, stored, _| {
                let is_ours = |(of, own): (String, String)| of == collection && own == key;
                if filter.matches(key) && self.owner(raw, stored)?.is_some_and(is_ours) {
                    goes.push((raw.rowid, raw.file(), raw.has_ended(diskcache::seconds(now))));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        self.remove_rows(goes, changes)
    }

    /// Removes all records; answers how many were live. What other programs keep there stays.
    pub(super) fn destroy(&self, now: Timestamp, changes: &mut Changes) -> Result<u64, Fault> {
        let mut goes = Vec::new();
        let all = KeyForm { head: String::new(), is_legacy: false };
        self.walk(&all, "", "", EVER, |key, raw, _, _| {
            if self.owner(raw, key)?.is_some() {
                goes.push((raw.rowid, raw.file(), raw.has_ended(diskcache::seconds(now))));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.remove_rows(goes, changes)
    }

    fn remove_rows(&self, goes: Vec<(i64, Option<String>, bool)>, changes: &mut Changes) -> Result<u64, Fault> {
        let mut delete = self.connection.prepare_cached(sql::DELETE)?;
        let mut live = 0;
        for (rowid, file, ended) in goes {
            delete.execute([rowid])?;
            changes.doom(rowid, file);
            live += u64::from(!ended);
        }
        Ok(live)
    }
}

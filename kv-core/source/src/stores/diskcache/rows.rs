//! Reading and writing one record.

use std::borrow::Cow;

use kv_core::formats::diskcache::{self, BINARY, Content, Place, RAW, Settings, TEXT, sql};
use kv_core::formats::{self, Stamp, binary};
use kv_core::{Change, Condition, Decision, DeleteOutcome, Entry, Error, Modified, Name, Result, Timestamp};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};

use super::files::{Changes, Files};
use super::record::{Draft, Held, Raw, Seen, Wanted};
use crate::stores::disk::Fault;

/// A row that is to be replaced or removed.
#[derive(Debug)]
struct Old {
    rowid: i64,
    file: Option<String>,
}

impl Old {
    fn new(raw: &Raw<'_>) -> Self {
        Self { rowid: raw.rowid, file: raw.file() }
    }
}

/// What stands under a name.
#[derive(Debug, Default)]
enum State {
    #[default]
    Absent,
    /// Something that has not ended; it was not read.
    Unread,
    Entry(Entry),
    Unreadable(Error),
}

/// The rows that a write is about.
#[derive(Debug, Default)]
struct Located {
    own: Option<Old>,
    legacy: Option<Old>,
    /// Another record under the same key, and the key that is its own.
    stranger: Option<(i64, String)>,
    state: State,
}

impl Located {
    fn holds(&self, condition: &Condition) -> bool {
        match &self.state {
            State::Absent => condition.holds(None),
            State::Entry(entry) => condition.holds(Some(entry)),
            // Of what cannot be read nobody has a revision.
            State::Unread | State::Unreadable(_) => matches!(condition, Condition::Always | Condition::IfPresent),
        }
    }

    /// The live entry.
    fn entry(self) -> (Self, Result<Option<Entry>>) {
        match self.state {
            State::Absent | State::Unread => (Self { state: State::Absent, ..self }, Ok(None)),
            State::Entry(entry) => (Self { state: State::Absent, ..self }, Ok(Some(entry))),
            State::Unreadable(error) => (Self { state: State::Absent, ..self }, Err(error)),
        }
    }
}

/// A connection to a directory.
pub(super) struct Table<'c> {
    pub(super) connection: &'c Connection,
    pub(super) files: &'c Files,
    /// Whether reading a file would take too long.
    pub(super) in_place: bool,
}

impl<'c> Table<'c> {
    pub(super) fn new(connection: &'c Connection, files: &'c Files) -> Self {
        Self { connection, files, in_place: false }
    }

    /// What a row holds, its file read.
    pub(super) fn held<'r>(&self, raw: &Raw<'r>) -> Result<Held<'r>, Fault> {
        Ok(match &raw.content {
            Ok(Content::Inline(stored)) => Held::Stored(Cow::Borrowed(*stored)),
            Ok(Content::File(_)) if self.in_place => return Err(Fault::TooMuchInPlace),
            Ok(Content::File(file)) => match self.files.read(file)? {
                Some(stored) => Held::Stored(Cow::Owned(stored)),
                None => Held::NoFile(file),
            },
            Err(error) => Held::Foreign(Error::new(error.kind(), error.message().to_owned())),
        })
    }

    /// What a row is to this name.
    pub(super) fn see(&self, raw: &Raw<'_>, name: Name<'_>, place: Place) -> Result<Seen, Fault> {
        Ok(match self.held(raw)? {
            Held::Stored(stored) => match diskcache::read(&stored, raw.expire_time, name, place) {
                Ok(Some(entry)) => Seen::Entry(entry),
                Ok(None) => Seen::Other,
                Err(error) => Seen::Unreadable(error),
            },
            Held::Foreign(_) | Held::NoFile(_) if place == Place::Legacy => Seen::Other,
            Held::Foreign(error) => Seen::Unreadable(error),
            Held::NoFile(file) => Seen::NoFile(file.to_owned()),
        })
    }

    /// Looks at the row of a key.
    fn at<T>(&self, key: &str, look: impl FnOnce(Raw<'_>) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let mut find = self.connection.prepare_cached(sql::FIND)?;
        let mut rows = find.query([key])?;
        rows.next()?.map(|row| Raw::new(row, 0).and_then(look)).transpose()
    }

    /// Reads a record. The inner error is about it alone.
    pub(super) fn get(&self, wanted: &Wanted) -> Result<Result<Option<Entry>>, Fault> {
        let mut missing = None;
        loop {
            match self.look(wanted)? {
                Seen::Entry(entry) => return Ok(Ok(Some(entry))),
                Seen::Other => return Ok(Ok(None)),
                Seen::Unreadable(error) => return Ok(Err(error)),
                Seen::NoFile(file) if missing.as_ref() == Some(&file) => {
                    return Ok(Err(diskcache::missing_file(&file)));
                }
                // It may have been replaced since its row was read; then there is another row now.
                Seen::NoFile(file) => missing = Some(file),
            }
        }
    }

    fn look(&self, wanted: &Wanted) -> Result<Seen, Fault> {
        // Every write of ours removes what stands under the legacy key, so that what is there is the newer one.
        if let Some(legacy) = &wanted.legacy
            && let Some(seen) = self.at(legacy, |raw| self.see(&raw, wanted.name(), Place::Legacy))?
            && !matches!(seen, Seen::Other)
        {
            return Ok(seen);
        }
        let seen = self.at(&wanted.key, |raw| self.see(&raw, wanted.name(), wanted.place))?;
        Ok(seen.unwrap_or(Seen::Other))
    }

    /// Finds what a write is about; with `read` the entry too.
    fn locate(&self, wanted: &Wanted, read: bool, now: Timestamp) -> Result<Located, Fault> {
        let ended = |raw: &Raw<'_>| raw.has_ended(diskcache::seconds(now));
        let state = |raw: &Raw<'_>, seen| match seen {
            Seen::Entry(entry) if entry.expires().is_some_and(|expires| expires <= now) => State::Absent,
            Seen::Entry(entry) => State::Entry(entry),
            _ if ended(raw) => State::Absent,
            Seen::Unreadable(error) => State::Unreadable(error),
            Seen::NoFile(file) => State::Unreadable(diskcache::missing_file(&file)),
            Seen::Other => State::Absent,
        };
        let mut located = Located::default();
        if let Some(legacy) = &wanted.legacy {
            self.at(legacy, |raw| {
                let seen = self.see(&raw, wanted.name(), Place::Legacy)?;
                if !matches!(seen, Seen::Other) {
                    located.legacy = Some(Old::new(&raw));
                    located.state = state(&raw, seen);
                }
                Ok(())
            })?;
        }
        self.at(&wanted.key, |raw| {
            let mut found = if !read && wanted.place == Place::Own {
                if ended(&raw) { State::Absent } else { State::Unread }
            } else {
                let seen = self.see(&raw, wanted.name(), wanted.place)?;
                if matches!(seen, Seen::Other) {
                    located.stranger = self.own_key(&raw, &wanted.key)?.map(|key| (raw.rowid, key));
                    if located.stranger.is_some() {
                        return Ok(());
                    }
                }
                state(&raw, seen)
            };
            located.own = Some(Old::new(&raw));
            if located.legacy.is_none() {
                std::mem::swap(&mut located.state, &mut found);
            }
            Ok(())
        })?;
        Ok(located)
    }

    /// The key that is only this record's, if this one is not.
    fn own_key(&self, raw: &Raw<'_>, key: &str) -> Result<Option<String>, Fault> {
        let Held::Stored(stored) = self.held(raw)? else { return Ok(None) };
        let owner = diskcache::owner(key, &stored);
        let own = owner.map(|(collection, own)| diskcache::key(Name::new(&collection, &own)));
        Ok(own.filter(|own| own != key))
    }

    /// Writes a record if the condition holds; answers whether it did.
    pub(super) fn put(
        &self,
        draft: &Draft,
        condition: &Condition,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<bool, Fault> {
        let located = self.locate(&draft.wanted, *condition != Condition::Always, now)?;
        if !located.holds(condition) {
            return Ok(false);
        }
        self.replace(located, draft, now, changes)?;
        Ok(true)
    }

    /// Writes a record in place of what was found.
    fn replace(&self, located: Located, draft: &Draft, now: Timestamp, changes: &mut Changes) -> Result<(), Fault> {
        if let Some((rowid, key)) = &located.stranger {
            // What stands there is an older state of the same record.
            let older = self.at(key, |raw| Ok(Old::new(&raw)))?;
            self.remove(older, changes)?;
            self.connection.prepare_cached(sql::RENAME)?.execute(params![rowid, key])?;
        }
        self.remove(located.legacy, changes)?;
        let (stored, now) = (&*draft.stored, diskcache::seconds(now));
        let is_binary = stored.starts_with(&binary::MAGIC);
        let file = draft.file.as_ref().map(|file| file.name());
        let (mode, size) = match (file, is_binary) {
            (None, _) => (RAW, 0),
            (Some(_), true) => (BINARY, stored.len()),
            (Some(_), false) => (TEXT, stored.len()),
        };
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let value = ToSqlOutput::Borrowed(match (file, is_binary) {
            (Some(_), _) => ValueRef::Null,
            (None, true) => ValueRef::Blob(stored),
            (None, false) => ValueRef::Text(stored),
        });
        let expire_time = draft.expires.map(diskcache::seconds);
        let rowid = match located.own {
            Some(Old { rowid, file: old }) => {
                let mut update = self.connection.prepare_cached(sql::UPDATE)?;
                update.execute(params![rowid, now, expire_time, size, mode, file, value])?;
                changes.doom(rowid, old);
                rowid
            }
            None => {
                let mut insert = self.connection.prepare_cached(sql::INSERT)?;
                insert.insert(params![draft.wanted.key, now, expire_time, size, mode, file, value])?
            }
        };
        changes.wrote(rowid, draft.file.as_ref());
        Ok(())
    }

    /// Removes what was found.
    fn remove_located(&self, located: Located, changes: &mut Changes) -> Result<(), Fault> {
        self.remove(located.legacy, changes)?;
        self.remove(located.own, changes)
    }

    fn remove(&self, old: Option<Old>, changes: &mut Changes) -> Result<(), Fault> {
        let Some(Old { rowid, file }) = old else { return Ok(()) };
        self.connection.prepare_cached(sql::DELETE)?.execute([rowid])?;
        changes.doom(rowid, file);
        Ok(())
    }

    /// Removes a record if the condition holds.
    pub(super) fn delete(
        &self,
        wanted: &Wanted,
        condition: &Condition,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<DeleteOutcome, Fault> {
        let located = self.locate(wanted, matches!(condition, Condition::IfRevision(_)), now)?;
        if matches!(located.state, State::Absent) {
            // What has ended is freed.
            self.remove_located(located, changes)?;
            return Ok(DeleteOutcome::Missing);
        }
        if !located.holds(condition) {
            return Ok(DeleteOutcome::Conflict);
        }
        self.remove_located(located, changes)?;
        Ok(DeleteOutcome::Deleted)
    }

    /// Changes a record, giving it this revision.
    pub(super) fn modify(
        &self,
        wanted: &Wanted,
        change: &Change<'_>,
        (now, revision): (Timestamp, u64),
        settings: &Settings,
        changes: &mut Changes,
    ) -> Result<Modified, Fault> {
        let (located, before) = self.locate(wanted, true, now)?.entry();
        let before = before?;
        let after = match change.decide(before.as_ref(), now, revision)? {
            Decision::Leave => return Ok(Modified::unapplied(before)),
            Decision::Delete => {
                self.remove_located(located, changes)?;
                None
            }
            Decision::Put(next) => {
                let mut draft = Draft::new(wanted.name(), &next.record(), &mut Stamp::default(), &mut Vec::new());
                draft.make_file(settings, self.files)?;
                self.replace(located, &draft, now, changes)?;
                Some(formats::decode(&draft.stored)?.to_entry(&draft.stored))
            }
        };
        Ok(Modified::applied(before, after))
    }

    /// Frees a little of what has ended, and makes room in a directory that is to be bounded. What `changes` wrote
    /// stays: Python's own library would remove it too, if it comes first.
    pub(super) fn tidy(&self, settings: &Settings, now: Timestamp, changes: &mut Changes) -> Result<(), Fault> {
        let writes = u32::try_from(changes.written().len()).unwrap_or(u32::MAX);
        let most = settings.cull_limit.saturating_mul(writes);
        let freed = if most == 0 { 0 } else { self.free_ended(now, most, changes)? };
        let Some(victims) = settings.eviction.victims() else { return Ok(()) };
        if settings.cull_limit == 0 || freed >= u64::from(most) {
            return Ok(());
        }
        let volume: i64 = self.connection.prepare_cached(sql::VOLUME)?.query_row((), |row| row.get(0))?;
        if volume.unsigned_abs() < settings.size_limit {
            return Ok(());
        }
        let mut goes = Vec::new();
        let mut select = self.connection.prepare_cached(victims)?;
        let mut rows = select.query(())?;
        while goes.len() < settings.cull_limit.max(writes) as usize
            && let Some(row) = rows.next()?
        {
            let rowid = row.get(0)?;
            if !changes.written().contains(&rowid) {
                goes.push(Old { rowid, file: row.get(1)? });
            }
        }
        drop(rows);
        goes.into_iter().try_for_each(|old| self.remove(Some(old), changes))
    }

    /// Frees what ended first, at most so many rows; answers how many.
    pub(super) fn free_ended(&self, now: Timestamp, most: u32, changes: &mut Changes) -> Result<u64, Fault> {
        let mut delete = self.connection.prepare_cached(sql::DELETE_ENDED)?;
        let mut rows = delete.query(params![diskcache::seconds(now), most])?;
        let mut freed = 0;
        while let Some(row) = rows.next()? {
            changes.doom(row.get(0)?, row.get(1)?);
            freed += 1;
        }
        Ok(freed)
    }
}

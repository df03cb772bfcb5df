//! What a row is read as, and what it is made of.

use std::borrow::Cow;
use std::sync::Arc;

use kv_core::formats::diskcache::{self, Content, Place, Settings};
use kv_core::formats::{self, Stamp};
use kv_core::{Entry, Error, Name, Record, Result, Timestamp};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::files::{Files, NewFile};
use super::open::cell;
use crate::stores::disk::Fault;

/// A name and where its record stands.
#[derive(Debug)]
pub(super) struct Wanted {
    collection: Box<str>,
    own: Box<str>,
    pub(super) key: String,
    pub(super) legacy: Option<String>,
    pub(super) place: Place,
}

impl Wanted {
    pub(super) fn new(name: Name<'_>) -> Self {
        let key = diskcache::key(name);
        Self {
            collection: name.collection.into(),
            own: name.key.into(),
            place: place_of(&key),
            key,
            legacy: diskcache::legacy_key(name),
        }
    }

    pub(super) fn name(&self) -> Name<'_> {
        Name::new(&self.collection, &self.own)
    }
}

pub(super) fn place_of(key: &str) -> Place {
    if diskcache::is_shared(key) { Place::Shared } else { Place::Own }
}

/// A row as it stands there.
pub(super) struct Raw<'r> {
    pub(super) rowid: i64,
    pub(super) expire_time: Option<f64>,
    filename: Option<&'r str>,
    pub(super) content: Result<Content<'r>>,
}

impl<'r> Raw<'r> {
    /// The columns of [`sql::FIND`], from `first` on.
    pub(super) fn new(row: &'r Row<'_>, first: usize) -> Result<Self, Fault> {
        let filename = match row.get_ref(first + 3)? {
            ValueRef::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let mode = match row.get_ref(first + 2)? {
            ValueRef::Integer(mode) => mode,
            _ => 0,
        };
        Ok(Self {
            rowid: row.get(first)?,
            expire_time: match row.get_ref(first + 1)? {
                ValueRef::Real(seconds) => Some(seconds),
                ValueRef::Integer(seconds) => Some(seconds as f64),
                _ => None,
            },
            filename,
            content: Content::of(mode, filename, cell(row.get_ref(first + 4)?)),
        })
    }

    pub(super) fn has_ended(&self, now: f64) -> bool {
        self.expire_time.is_some_and(|ends| ends <= now)
    }

    pub(super) fn file(&self) -> Option<String> {
        self.filename.map(str::to_owned)
    }
}

/// What a row holds.
pub(super) enum Held<'r> {
    Stored(Cow<'r, [u8]>),
    /// Something else than a record.
    Foreign(Error),
    /// Its file, which is not there.
    NoFile(&'r str),
}

/// What a row is to a name.
pub(super) enum Seen {
    Other,
    Entry(Entry),
    Unreadable(Error),
    NoFile(String),
}

/// A record ready to be written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) wanted: Wanted,
    pub(super) stored: Arc<[u8]>,
    pub(super) expires: Option<Timestamp>,
    /// Where the stored form is, if it is not to be in the row.
    pub(super) file: Option<Arc<NewFile>>,
}

impl Draft {
    /// A record that stands in its row. The buffer is for any use.
    pub(super) fn new(name: Name<'_>, record: &Record<'_>, stamp: &mut Stamp, buffer: &mut Vec<u8>) -> Self {
        buffer.clear();
        formats::encode(name, record, stamp, buffer);
        Self { wanted: Wanted::new(name), stored: buffer.as_slice().into(), expires: record.expires, file: None }
    }

    /// Whether it is longer than what stands in a row.
    pub(super) fn wants_file(&self, settings: &Settings) -> bool {
        self.file.is_none() && !settings.is_inline(&self.stored)
    }

    /// Writes the file of a long one.
    pub(super) fn make_file(&mut self, settings: &Settings, files: &Files) -> Result<()> {
        if self.wants_file(settings) {
            self.file = Some(Arc::new(files.create(&self.wanted.key, &self.stored)?));
        }
        Ok(())
    }
}

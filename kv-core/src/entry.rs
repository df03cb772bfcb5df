//! Entries: a value with its record.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;
use triomphe::ThinArc;

use crate::scratch::{Scratch, room};
use crate::{Metadata, Name, Record, Result, Revision, Timestamp, ValueRef};

/// A value that was read, with its record: instants, revision, metadata.
///
/// It is one pointer wide, immutable, and cheap to clone; nothing done to it reaches the store.
/// Its `Debug` form shows no value.
///
/// # Examples
///
/// ```
/// use kv_core::{Entry, Record, Revision, Value};
///
/// let value = Value::encode(&["a", "b"])?;
/// let entry = Entry::new(&Record::new(value.as_ref(), 1));
/// assert_eq!(entry.decode::<Vec<String>>()?, ["a", "b"]);
/// assert_eq!(entry.revision(), Revision::from_number(1));
/// assert_eq!(entry.expires(), None);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Entry(ThinArc<Head, u8>);

/// The bytes behind it are one of
/// * collection, key, value (an entry of a table, or with empty names one that stands for itself);
/// * a stored document with the value somewhere inside;
/// * a revision and the value.
struct Head {
    created: i64,
    expires: i64,
    number: u64,
    extra: Option<Box<Extra>>,
    value_start: usize,
    value_end: usize,
    collection_len: u16,
    key_len: u16,
    json: bool,
    revision: RevisionFrom,
    /// Set by every read and cleared by the hand that looks for what to evict.
    used: AtomicBool,
}

/// Where an entry's revision comes from, if it is not among what few have.
#[derive(Clone, Copy)]
enum RevisionFrom {
    Number,
    /// All bytes, of which it is the digest.
    Document,
    /// The bytes before the value.
    Bytes,
}

/// What few entries have.
struct Extra {
    metadata: Option<Metadata>,
    revision: Option<Revision>,
    /// The entry whose state this one is, where that is computed only when asked for.
    origin: Option<Entry>,
}

impl Extra {
    fn new(metadata: Option<&Metadata>) -> Self {
        Self { metadata: metadata.cloned(), revision: None, origin: None }
    }
}

/// What an entry takes beside its bytes: the header, the count of its owners, the length.
const FIXED: usize = size_of::<Head>() + 2 * size_of::<usize>();

/// About what notes take: their text, two `String`s each, and a tree's slack.
fn notes_footprint(notes: &Metadata) -> usize {
    let text: usize = notes.iter().map(|(name, value)| name.len() + value.len() + 4 * size_of::<String>()).sum();
    size_of::<Extra>() + text
}

const NEVER: i64 = i64::MAX;
const UNKNOWN: i64 = i64::MIN;

impl Head {
    #[inline]
    fn new(record: &Record<'_>, value_start: usize) -> Self {
        Self {
            created: record.created.map_or(UNKNOWN, Timestamp::as_micros),
            expires: record.expires.map_or(NEVER, Timestamp::as_micros),
            number: record.revision,
            extra: record.metadata.map(|metadata| Box::new(Extra::new(Some(metadata)))),
            ..Self::of_value(record.value, value_start)
        }
    }

    /// The head of a permanent record of which nothing is known but its value.
    #[inline]
    fn of_value(value: ValueRef<'_>, value_start: usize) -> Self {
        Self {
            created: UNKNOWN,
            expires: NEVER,
            number: 0,
            extra: None,
            value_start,
            value_end: value_start + value.as_encoded().len(),
            collection_len: 0,
            key_len: 0,
            json: value.is_json(),
            revision: RevisionFrom::Number,
            used: AtomicBool::new(false),
        }
    }
}

impl Entry {
    /// An entry of this record.
    pub fn new(record: &Record<'_>) -> Self {
        Self(ThinArc::from_header_and_slice(Head::new(record, 0), record.value.as_encoded()))
    }

    /// An entry whose revision is the backend's own instead of the record's number.
    pub fn with_revision(record: &Record<'_>, revision: Revision) -> Self {
        let mut head = Head::new(record, 0);
        head.extra = Some(Box::new(Extra { revision: Some(revision), ..Extra::new(record.metadata) }));
        Self(ThinArc::from_header_and_slice(head, record.value.as_encoded()))
    }

    /// An entry whose revision is this text, in one allocation.
    #[cfg(feature = "elasticsearch")]
    pub(crate) fn with_text_revision(record: &Record<'_>, revision: impl fmt::Display) -> Self {
        let value = record.value.as_encoded();
        let mut bytes = Vec::with_capacity(64 + value.len());
        Revision::write_text(revision, &mut bytes);
        bytes.extend_from_slice(value);
        Self::copied(&bytes, record)
    }

    /// The same state of the same record with its value read otherwise: for layers that store another value than the
    /// caller's.
    #[must_use]
    pub fn with_value(&self, value: ValueRef<'_>) -> Self {
        let kept = self.head();
        let is_computed = !matches!(kept.revision, RevisionFrom::Number);
        let extra = (is_computed || kept.extra.is_some()).then(|| {
            let extra = kept.extra.as_ref();
            let origin = extra.and_then(|extra| extra.origin.as_ref());
            Box::new(Extra {
                metadata: self.metadata().cloned(),
                revision: extra.and_then(|extra| extra.revision.clone()),
                origin: is_computed.then_some(self).or(origin).cloned(),
            })
        });
        let head = Head {
            extra,
            created: kept.created,
            expires: kept.expires,
            number: kept.number,
            ..Head::of_value(value, 0)
        };
        Self(ThinArc::from_header_and_slice(head, value.as_encoded()))
    }

    /// An entry read from a stored document: `record.value` must be a part of `document`. Its revision is that of the
    /// [document](Revision::of_document), computed when asked for.
    pub fn of_document(document: &[u8], record: &Record<'_>) -> Self {
        let value = record.value.as_encoded();
        let offset = (value.as_ptr() as usize).wrapping_sub(document.as_ptr() as usize);
        if document.get(offset..offset.saturating_add(value.len())).is_none() {
            return Self::with_revision(record, Revision::of_document(document, record.expires));
        }
        let head = Head { revision: RevisionFrom::Document, ..Head::new(record, offset) };
        Self(ThinArc::from_header_and_slice(head, document))
    }

    /// An entry of `bytes`, which are a revision and behind it the value of the record, in one allocation.
    #[inline]
    pub(crate) fn copied(bytes: &[u8], record: &Record<'_>) -> Self {
        let start = bytes.len().saturating_sub(record.value.as_encoded().len());
        let head = Head { revision: RevisionFrom::Bytes, ..Head::new(record, start) };
        Self(ThinArc::from_header_and_slice(head, bytes))
    }

    /// An entry that carries its name, in one allocation: what a table in memory is made of.
    pub(crate) fn named(name: Name<'_>, record: &Record<'_>) -> Self {
        let parts = [name.collection.as_bytes(), name.key.as_bytes(), record.value.as_encoded()];
        let names = name.collection.len() + name.key.len();
        let mut head = Head::new(record, names);
        // Names were checked: at most MAX_NAME_BYTES each.
        head.collection_len = u16::try_from(name.collection.len()).unwrap_or_default();
        head.key_len = u16::try_from(name.key.len()).unwrap_or_default();
        joined(parts, |bytes| Self(ThinArc::from_header_and_slice(head, bytes)))
    }

    #[inline]
    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// The collection and the key of an entry made by [`named`](Self::named), as bytes.
    #[inline]
    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        let (collection, rest) = self.0.slice.split_at(usize::from(self.head().collection_len));
        (collection, &rest[..usize::from(self.head().key_len)])
    }

    /// Whether these are the collection and the key.
    #[inline]
    pub(crate) fn is_named(&self, (collection, key): (&[u8], &[u8])) -> bool {
        let (head, bytes) = (self.head(), &self.0.slice);
        let (middle, end) = (collection.len(), collection.len() + key.len());
        usize::from(head.collection_len) == middle
            && usize::from(head.key_len) == key.len()
            && bytes.get(middle..end) == Some(key)
            && bytes.get(..middle) == Some(collection)
    }

    /// Notes a use, and says nothing.
    #[inline]
    pub(crate) fn mark_used(&self) {
        // Read before written, so that a hot entry's cache line stays shared.
        if !self.head().used.load(Ordering::Relaxed) {
            self.head().used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.head().used.swap(false, Ordering::Relaxed)
    }

    /// The bytes this entry takes in memory, beside the allocator's own.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        FIXED + self.0.slice.len() + self.metadata().map_or(0, notes_footprint)
    }

    /// The footprint that [`named`](Self::named) would give an entry.
    pub(crate) fn footprint_of(name: Name<'_>, record: &Record<'_>) -> usize {
        let bytes = name.collection.len() + name.key.len() + record.value.as_encoded().len();
        FIXED + bytes + record.metadata.map_or(0, notes_footprint)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        let head = self.head();
        let value = &self.0.slice[head.value_start..head.value_end];
        if head.json { ValueRef::Json(value) } else { ValueRef::Bytes(value) }
    }

    /// Reads the value as `T`; see [`ValueRef::decode`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        self.value().decode()
    }

    /// The bytes of a bytes value.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.value().as_bytes()
    }

    /// The text of a JSON value.
    pub fn as_json(&self) -> Option<&str> {
        self.value().as_json()
    }

    /// When the record was first written, as far as its writer noted it.
    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.head().created)
    }

    /// The instant at which it ends; `None` if it is permanent.
    #[inline]
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.head().expires)
    }

    /// Which state of the record this is.
    pub fn revision(&self) -> Revision {
        let head = self.head();
        let extra = head.extra.as_ref();
        if let Some(origin) = extra.and_then(|extra| extra.origin.as_ref()) {
            return origin.revision();
        }
        if let Some(revision) = extra.and_then(|extra| extra.revision.clone()) {
            return revision;
        }
        match head.revision {
            RevisionFrom::Document => Revision::of_document(&self.0.slice, self.expires()),
            RevisionFrom::Bytes => {
                Revision::read_from(&self.0.slice[..head.value_start]).unwrap_or(const { Revision::from_number(0) })
            }
            RevisionFrom::Number => Revision::from_number(head.number),
        }
    }

    /// The user's notes.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.head().extra.as_ref()?.metadata.as_ref()
    }

    /// The record, borrowed.
    pub fn record(&self) -> Record<'_> {
        Record {
            value: self.value(),
            created: self.created(),
            expires: self.expires(),
            revision: self.head().number,
            metadata: self.metadata(),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("value", &self.value())
            .field("created", &self.created().map(|time| time.to_string()))
            .field("expires", &self.expires().map(|time| time.to_string()))
            .field("revision", &self.revision().to_string())
            .finish_non_exhaustive()
    }
}

/// Runs `work` on the parts put end to end, in a buffer that this thread keeps.
fn joined<T>(parts: [&[u8]; 3], work: impl FnOnce(&[u8]) -> T) -> T {
    Scratch::with(|scratch| {
        let whole = room(&mut scratch.plain, parts.iter().map(|part| part.len()).sum());
        let mut at = 0;
        for part in parts {
            whole[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        work(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pointer_wide_even_in_a_result() {
        assert_eq!(size_of::<Entry>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Entry>>(), size_of::<usize>());
        assert_eq!(size_of::<Result<Option<Entry>>>(), 2 * size_of::<usize>());
        assert!(size_of::<Head>() <= 56, "the header counts a million times: {}", size_of::<Head>());
    }

    #[test]
    fn a_named_entry_holds_names_and_value() {
        let record = Record::new(ValueRef::Json(b"{}"), 3).with_expires(Timestamp::from_micros(5));
        let entry = Entry::named(Name::new("col", "k"), &record);
        assert_eq!(entry.names(), (&b"col"[..], &b"k"[..]));
        assert_eq!(entry.value(), ValueRef::Json(b"{}"));
        assert_eq!(entry.expires(), Timestamp::from_micros(5));
        assert_eq!(entry.created(), None);
        assert_eq!(entry.revision(), Revision::from_number(3));
    }

    #[test]
    fn a_document_s_revision_is_that_of_all_its_bytes() {
        let document = br#"{"value": [1], "version": 1}"#;
        let record = Record::new(ValueRef::Json(&document[10..13]), 0);
        let entry = Entry::of_document(document, &record);
        assert_eq!(entry.as_json(), Some("[1]"));
        assert_eq!(entry.revision(), Revision::of_document(document, None));
        let stranger = Entry::of_document(document, &Record::new(ValueRef::Json(b"[1]"), 0));
        assert_eq!((stranger.as_json(), stranger.revision()), (Some("[1]"), entry.revision()));
    }

    #[test]
    fn another_value_is_of_the_same_state() {
        let document = br#"{"value": [1], "version": 1}"#;
        let notes = Metadata::new().with("a", "b");
        let record = Record::new(ValueRef::Json(&document[10..13]), 7)
            .with_created(Timestamp::from_micros(1))
            .with_expires(Timestamp::from_micros(5))
            .with_metadata(Some(&notes));
        let entries = [
            Entry::of_document(document, &record),
            Entry::new(&record),
            Entry::with_revision(&record, Revision::from_number(9)),
            Entry::named(Name::new("c", "k"), &record),
        ];
        for entry in entries {
            let other = entry.with_value(ValueRef::Bytes(b"xyz")).with_value(ValueRef::Bytes(b"x"));
            assert_eq!(other.as_bytes(), Some(&b"x"[..]));
            assert_eq!(other.revision(), entry.revision());
            assert_eq!((other.created(), other.expires()), (record.created, record.expires));
            assert_eq!(other.metadata(), Some(&notes));
        }
    }

    #[test]
    fn the_debug_form_shows_no_value() {
        let entry = Entry::new(&Record::new(ValueRef::Json(b"\"hunter2\""), 1));
        assert!(!format!("{entry:?}").contains("hunter2"));
    }
}

//! A copy of an entry, as bytes that any store can keep.

use std::fmt;

use super::Stamp;
use crate::{Entry, Metadata, Record, Timestamp, ValueRef};

/// The last byte is the version of the layout: magic (4 bytes), flags (1), cache (8), generation (8), the instants
/// `fresh_until`, `created` and `expires` (8 each), the lengths of metadata and revision (4 each), metadata as JSON,
/// revision, value. Numbers are little-endian.
const MAGIC: [u8; 4] = *b"kvc\x01";
const HEAD: usize = 53;

/// There is an entry; without it, this says that there was none.
const PRESENT: u8 = 1;
/// Its value is JSON.
const JSON: u8 = 2;

const NEVER: i64 = i64::MAX;
const UNKNOWN: i64 = i64::MIN;

/// A copy of what stood, or did not, under a name.
///
/// # Examples
///
/// ```
/// use kv_core::cache::{Copied, Stamp};
/// use kv_core::{Entry, Record, Revision, ValueRef};
///
/// let entry = Entry::with_revision(&Record::new(ValueRef::Json(b"{}"), 0), Revision::from_text("etag"));
/// let bytes = Copied::encode(Stamp { cache: 1, generation: 2 }, None, Some(&entry));
///
/// let copied = Copied::read(&bytes).unwrap();
/// assert_eq!(copied.stamp.generation, 2);
/// let again = copied.entry().unwrap().unwrap();
/// assert_eq!((again.as_json(), again.revision()), (Some("{}"), Revision::from_text("etag")));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Copied<'a> {
    /// The moment before the entry was read.
    pub stamp: Stamp,
    /// From when on the copy is good only where the store behind the cache is out of reach.
    pub fresh_until: Option<Timestamp>,
    /// When the entry ends.
    pub expires: Option<Timestamp>,
    flags: u8,
    created: Option<Timestamp>,
    metadata: &'a [u8],
    /// The revision, and behind it the value.
    rest: &'a [u8],
    value_start: usize,
}

impl<'a> Copied<'a> {
    /// The bytes of a copy of this entry, or of there being none.
    pub fn encode(stamp: Stamp, fresh_until: Option<Timestamp>, entry: Option<&Entry>) -> Vec<u8> {
        let value = entry.map(Entry::value);
        let metadata = entry.and_then(Entry::metadata).map(|notes| serde_json::to_vec(notes).unwrap_or_default());
        let metadata = metadata.unwrap_or_default();
        let mut revision = Vec::new();
        if let Some(entry) = entry {
            entry.revision().write_to(&mut revision);
        }
        let flags =
            if value.is_some() { PRESENT } else { 0 } | if value.is_some_and(ValueRef::is_json) { JSON } else { 0 };
        let value = value.map_or(&[][..], ValueRef::as_encoded);

        let mut bytes = Vec::with_capacity(HEAD + metadata.len() + revision.len() + value.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(flags);
        bytes.extend_from_slice(&stamp.cache.to_le_bytes());
        bytes.extend_from_slice(&stamp.generation.to_le_bytes());
        let instants = [
            fresh_until.map_or(NEVER, Timestamp::as_micros),
            entry.and_then(Entry::created).map_or(UNKNOWN, Timestamp::as_micros),
            entry.and_then(Entry::expires).map_or(NEVER, Timestamp::as_micros),
        ];
        instants.iter().for_each(|micros| bytes.extend_from_slice(&micros.to_le_bytes()));
        for length in [metadata.len(), revision.len()] {
            // Both are short: metadata by its own limit, revisions by what backends give.
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
        for part in [&metadata[..], &revision, value] {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads a copy; `None` if these bytes are none.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_first_chunk::<HEAD>()?;
        if head[..4] != MAGIC {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let instant = |at| number(at).map(|micros| Timestamp::from_micros(micros.cast_signed()));
        let length = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?) as usize);
        let (metadata, rest) = body.split_at_checked(length(45)?)?;
        let value_start = length(49)?;
        if value_start > rest.len() {
            return None;
        }
        Some(Self {
            stamp: Stamp { cache: number(5)?, generation: number(13)? },
            fresh_until: instant(21)?,
            expires: instant(37)?,
            flags: head[4],
            created: instant(29)?,
            metadata,
            rest,
            value_start,
        })
    }

    /// The entry, or that there was none; `None` if the copy is damaged.
    #[inline]
    pub fn entry(&self) -> Option<Option<Entry>> {
        if self.flags & PRESENT == 0 {
            return Some(None);
        }
        let value = &self.rest[self.value_start..];
        let value = if self.flags & JSON == 0 { ValueRef::Bytes(value) } else { ValueRef::Json(value) };
        let metadata = if self.metadata.is_empty() { None } else { Some(self.notes()?) };
        let record = Record::new(value, 0).with_created(self.created).with_expires(self.expires);
        Some(Some(Entry::copied(self.rest, &record.with_metadata(metadata.as_ref()))))
    }

    #[cold]
    fn notes(&self) -> Option<Metadata> {
        serde_json::from_slice(self.metadata).ok()
    }
}

/// Without the value.
impl fmt::Debug for Copied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Revision;

    const STAMP: Stamp = Stamp { cache: 7, generation: 8 };

    #[test]
    fn everything_of_an_entry_survives() {
        let notes = Metadata::new().with("a", "b");
        let (created, expires) = (Timestamp::from_micros(-5), Timestamp::from_micros(5));
        for revision in [
            Revision::from_number(3),
            Revision::of_document(b"{}", None),
            Revision::of_document(b"{}", expires),
            Revision::from_text("\"etag\""),
            Revision::from_text(""),
        ] {
            for value in [ValueRef::Json(b"null"), ValueRef::Json(b"{}"), ValueRef::Bytes(b""), ValueRef::Bytes(b"{}")]
            {
                let plain = Record::new(value, 0);
                let full = plain.with_created(created).with_expires(expires).with_metadata(Some(&notes));
                for record in [plain, full] {
                    let entry = Entry::with_revision(&record, revision.clone());
                    let bytes = Copied::encode(STAMP, created, Some(&entry));
                    let copied = Copied::read(&bytes).unwrap();
                    assert_eq!((copied.stamp, copied.fresh_until), (STAMP, created));
                    assert_eq!(copied.expires, entry.expires());
                    let again = copied.entry().unwrap().unwrap();
                    assert_eq!((again.value(), again.revision()), (value, revision.clone()));
                    assert_eq!((again.created(), again.expires()), (entry.created(), entry.expires()));
                    assert_eq!(again.metadata(), entry.metadata());
                }
            }
        }
    }

    #[test]
    fn absence_survives() {
        let bytes = Copied::encode(STAMP, None, None);
        assert!(Copied::read(&bytes).unwrap().entry().unwrap().is_none());
    }

    #[test]
    fn what_is_no_copy_is_none() {
        let entry =
            Entry::new(&Record::new(ValueRef::Json(b"1"), 1).with_metadata(Some(&Metadata::new().with("a", "b"))));
        let bytes = Copied::encode(STAMP, None, Some(&entry));
        for len in 0..HEAD + 1 {
            assert!(Copied::read(&bytes[..len]).is_none(), "{len}");
        }
        let mut other = bytes.clone();
        other[3] = 2;
        assert!(Copied::read(&other).is_none(), "another version");
        let mut damaged = bytes;
        damaged[HEAD] = b'!';
        assert!(Copied::read(&damaged).unwrap().entry().is_none(), "notes that are no JSON");
        assert!(Copied::read(b"\"a value\"").is_none());
    }
}

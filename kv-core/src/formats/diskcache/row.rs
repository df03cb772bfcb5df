//! What a row says.

use super::{BINARY, Cell, PICKLE, RAW, TEXT, expires, is_inside};
use crate::formats::{self, Document, corrupted};
use crate::{Entry, Error, Name, Result};

/// Where the stored form of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// In the row.
    Inline(&'a [u8]),
    /// In this file within the directory.
    File(&'a str),
}

impl<'a> Content<'a> {
    /// What the columns `mode`, `filename` and `value` say.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](crate::ErrorKind::Corrupted) if another program keeps something else there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kv_core::formats::diskcache::{Cell, Content, PICKLE, RAW};
    ///
    /// let content = Content::of(RAW, None, Cell::Text(b"{}"))?;
    /// assert_eq!(content, Content::Inline(b"{}"));
    /// assert!(Content::of(PICKLE, None, Cell::Blob(b"...")).is_err());
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    pub fn of(mode: i64, filename: Option<&'a str>, value: Cell<'a>) -> Result<Self> {
        match (mode, filename, value) {
            (RAW, _, Cell::Text(stored) | Cell::Blob(stored)) => Ok(Self::Inline(stored)),
            (RAW, ..) => Err(corrupted("it is a number, which is not a record")),
            (BINARY | TEXT, Some(file), _) if is_inside(file) => Ok(Self::File(file)),
            (BINARY | TEXT, Some(_), _) => Err(corrupted("its file is not inside the directory")),
            (BINARY | TEXT, None, _) => Err(corrupted("it has no file")),
            (PICKLE, ..) => Err(corrupted("it was pickled by Python; pickles are not read")),
            _ => Err(corrupted("its row has an unknown mode")),
        }
    }
}

/// Under which of its keys a record was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under a key that is no other record's.
    Own,
    /// Under its key, which [can be another record's](super::is_shared) too.
    Shared,
    /// Under its [legacy key](super::legacy_key).
    Legacy,
}

/// The record of that name in a row, where `stored` is the stored form and `expire_time` the column; `None` if the row
/// is another record's.
///
/// # Errors
///
/// [`Corrupted`](crate::ErrorKind::Corrupted) if the record cannot be read.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
/// use kv_core::formats::diskcache::{Place, read};
///
/// let stored = br#"{"collection": "c", "key": "k", "value": {}}"#;
/// let entry = read(stored, Some(1_795_233_445.5), Name::new("c", "k"), Place::Own)?.unwrap();
/// assert_eq!(entry.expires().unwrap().as_micros(), 1_795_233_445_500_000);
/// assert!(read(stored, None, Name::new("c::k", "x"), Place::Shared)?.is_none());
/// # Ok::<(), kv_core::Error>(())
/// ```
pub fn read(stored: &[u8], expire_time: Option<f64>, name: Name<'_>, place: Place) -> Result<Option<Entry>> {
    let document = match formats::decode(stored) {
        Ok(document) => document,
        // What cannot be read may still tell that it is of another collection.
        Err(error) => {
            let collection = leading_collection(stored);
            let is_ours = match place {
                Place::Own => true,
                Place::Shared => collection.is_none_or(|collection| collection == name.collection),
                Place::Legacy => collection.is_some_and(|collection| collection == name.collection),
            };
            return if is_ours { Err(error) } else { Ok(None) };
        }
    };
    let is_named = |document: &Document<'_>| document.collection.is_some() && document.key.is_some();
    match place {
        Place::Own if !document.is_of(name) => Err(corrupted("it says that it is another record")),
        Place::Shared if !document.is_of(name) => Ok(None),
        Place::Legacy if !(is_named(&document) && document.is_of(name)) => Ok(None),
        _ => {
            let record = document.record().with_expires(expires(expire_time, document.expires));
            Ok(Some(Entry::of_document(stored, &record)))
        }
    }
}

/// The collection that a document names first, whoever wrote it, even if it cannot be read further.
pub(super) fn leading_collection(stored: &[u8]) -> Option<String> {
    let rest = stored.strip_prefix(b"{\"collection\": ")?;
    serde_json::Deserializer::from_slice(rest).into_iter::<String>().next()?.ok()
}

/// The error of a row whose file is not there.
#[cold]
pub fn missing_file(file: &str) -> Error {
    corrupted(format!("its file {file} is missing"))
}

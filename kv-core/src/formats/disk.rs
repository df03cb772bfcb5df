//! What the disk stores keep: the tables of their SQLite files, and the names of files that hold one collection each.
//!
//! A file has one table, `entries`. A row is a record: the value as TEXT if it is JSON and as BLOB if it is bytes, the
//! instants in microseconds since 1970, the 64 bits of the revision as a signed integer, the metadata as a JSON object.
//! The value stands last, so that the other columns are read without it.

use crate::{Error, ErrorKind, Result, Revision};

/// What the header of every file of these stores says: `PRAGMA application_id`.
pub const APPLICATION_ID: i32 = 0x6b76_4442;

/// The layout of the tables: `PRAGMA user_version`.
pub const VERSION: i32 = 1;

/// Lays out the tables of an empty file.
pub const SCHEMA: &str = "\
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    created INTEGER,
    expires INTEGER,
    revision INTEGER,
    metadata TEXT,
    value
);
CREATE UNIQUE INDEX entries_by_name ON entries (collection, key);
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
";

/// In a file that holds one collection, the one row of this table is its name.
pub const COLLECTION_SCHEMA: &str = "CREATE TABLE collection_name (name TEXT NOT NULL);";

/// How the names of such files end.
pub const SUFFIX: &str = ".db";

/// The most bytes of a readable file name, without the suffix. Many file systems take 255 with everything that SQLite
/// appends.
const MOST_READABLE: usize = 150;

/// What names of devices in disguise begin with on Windows, whatever follows the first dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The name of the file that holds this collection.
///
/// Lower-case letters, digits, `_` and `-` stand for themselves; every other byte becomes `%` and two digits, so that
/// no name leaves its directory, and names that differ in letter case have files that differ otherwise. Where that gets
/// long, the name is `~`, the beginning of the readable one, and 160 bits of hash; the file tells the true name.
///
/// # Examples
///
/// ```
/// use kv_core::formats::disk;
///
/// assert_eq!(disk::file_name("users"), "users.db");
/// assert_eq!(disk::file_name("../Users"), "%2E%2E%2F%55sers.db");
/// assert_eq!(disk::file_name(&"x".repeat(2048)).len(), 1 + 40 + 1 + 40 + 3);
/// ```
pub fn file_name(collection: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut name = String::with_capacity(collection.len() + SUFFIX.len());
    let is_device = is_device(collection);
    for (at, byte) in collection.bytes().enumerate() {
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') && !(is_device && at == 0) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.push(char::from(DIGITS[usize::from(byte >> 4)]));
            name.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    if name.len() > MOST_READABLE {
        // The encoded name is ASCII, so that any byte is a boundary.
        name.truncate(40);
        let digest = Revision::of_document(collection.as_bytes(), None).as_document().unwrap_or_default().0;
        name = format!("~{name}-{digest}");
    }
    name.push_str(SUFFIX);
    name
}

fn is_device(name: &str) -> bool {
    let numbered =
        |prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit());
    DEVICES.contains(&name) || numbered("com") || numbered("lpt")
}

/// What the name of a file says of its collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileName {
    /// It holds the collection of this name.
    Collection(String),
    /// It holds a collection whose name is found inside.
    Hashed,
    /// It is none of ours.
    Foreign,
}

/// Reads the name of a file; the other way round than [`file_name`].
pub fn parse_file_name(file: &str) -> FileName {
    let Some(name) = file.strip_suffix(SUFFIX) else { return FileName::Foreign };
    if let Some(hashed) = name.strip_prefix('~') {
        let digest = hashed.rsplit_once('-').map_or("", |(_, digest)| digest);
        let is_ours = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if is_ours { FileName::Hashed } else { FileName::Foreign };
    }
    match decode(name) {
        // Only what would be written so is ours.
        Some(collection) if file_name(&collection) == file => FileName::Collection(collection),
        _ => FileName::Foreign,
    }
}

fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit()? << 4 | digit()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// The least text that is greater than every text with this prefix, by the order of bytes; `None` if there is none.
///
/// # Examples
///
/// ```
/// use kv_core::formats::disk;
///
/// assert_eq!(disk::after_prefix("user:").as_deref(), Some("user;"));
/// assert_eq!(disk::after_prefix(""), None);
/// ```
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // UTF-8 keeps the order of the code points, of which some between are no characters.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// The error for a record whose columns cannot be read.
pub fn damaged(column: &str) -> Error {
    Error::new(ErrorKind::Corrupted, format!("the column `{column}` of the record holds what this store never writes"))
}

/// The metadata that this column holds.
///
/// # Errors
///
/// [`ErrorKind::Corrupted`].
pub fn parse_metadata(text: &[u8]) -> Result<crate::Metadata> {
    serde_json::from_slice(text).map_err(|_| damaged("metadata"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_of_files_are_told_apart_whatever_the_letter_case(one in ".{1,80}", other in ".{1,80}") {
            let (file, rival) = (file_name(&one), file_name(&other));
            prop_assert_eq!(one == other, file.eq_ignore_ascii_case(&rival));
            prop_assert!(file.len() <= 160 && file.is_ascii() && !file.contains(['/', '\\', ':', '\0']) && !file.starts_with('.'));
            match parse_file_name(&file) {
                FileName::Collection(name) => prop_assert_eq!(name, one),
                other => prop_assert_eq!(other, FileName::Hashed),
            }
        }

        #[test]
        fn what_follows_a_prefix_follows_every_text_that_has_it(prefix in ".{0,3}", rest in ".{0,3}", other in ".{0,4}") {
            if let Some(after) = after_prefix(&prefix) {
                prop_assert!([prefix.as_str(), &rest].concat() < after);
                prop_assert_eq!(other.starts_with(&prefix), *other >= *prefix && other < after);
            }
        }
    }

    #[test]
    fn golden_file_names() {
        for (collection, file) in [
            ("a", "a.db"),
            ("A", "%41.db"),
            ("..", "%2E%2E.db"),
            ("a/b\\c", "a%2Fb%5Cc.db"),
            ("a::b", "a%3A%3Ab.db"),
            ("~a", "%7Ea.db"),
            ("nul", "%6Eul.db"),
            ("com1", "%63om1.db"),
            ("com10", "com10.db"),
            ("\0\u{1F600}", "%00%F0%9F%98%80.db"),
        ] {
            assert_eq!(file_name(collection), file);
            assert_eq!(parse_file_name(file), FileName::Collection(collection.to_owned()));
        }
        let long = file_name(&"é".repeat(26));
        assert_eq!(long, "~%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%-43a7a1d1cef33a3a2f6cfeed5946a30b913c1b44.db");
        assert_eq!(parse_file_name(&long), FileName::Hashed);
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        for file in ["a", "a.db-wal", "A.db", ".db", "%.db", "%4.db", "%61.db", "%2e.db", "%FF.db", "~a.db", "a.b.db"] {
            assert_eq!(parse_file_name(file), FileName::Foreign, "{file}");
        }
    }
}

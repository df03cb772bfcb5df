//! Names of indices and of documents.
//!
//! Python's index of a collection is the lower-case `prefix-collection`. It is taken where it tells the collection:
//! where that is lower-case already, has no character that index names lack or that could be ours (`~`), and is short
//! enough. All other collections stand in `prefix-~...`, escaped, or hashed if too long: unless the store is told to take
//! Python's index for them too, which then is that one collection's alone.
//!
//! Python's name does not tell the prefix where that, or the collection, has a `-` in it: `a-b-x` is of the prefix `a`
//! and of `a-b`. Which of them an index is of stands in its mapping, and the other store takes the escaped name: that
//! tells both, since no prefix has a `~`.

use std::fmt::Write as _;

use sha1::Digest as _;

use crate::{Error, ErrorKind, Result};

/// Marks a name as ours, and escapes within it.
const MARK: char = '~';
/// After the mark: a hash follows. It stands for no character that escaped names have.
const HASHED: &str = "~=";
/// The alias for writing is longer than the index by this.
const ALIAS_END: &str = "~";
/// The most bytes of an index's name, the alias's end left off.
const MAX_INDEX_BYTES: usize = 254;
/// What no index's name has, beside upper-case letters.
const IMPOSSIBLE: [char; 12] = ['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':'];
/// The most bytes of a document's id.
const MAX_ID_BYTES: usize = 512;
/// Begins the id of a key that is too long to be one.
const HASHED_ID: &str = "~sha1:";

/// The indices of one store.
///
/// # Examples
///
/// ```
/// use kv_core::formats::elasticsearch::indices;
///
/// let indices = indices("app")?;
/// let users = indices.naming("users");
/// assert!(users.is_plain && !users.is_ambiguous);
/// assert_eq!(users.escaped, "app-~users");
/// assert_eq!(users.into_usual(), "app-users");
/// let odd = indices.naming("Users");
/// assert!(!odd.is_plain);
/// assert_eq!(odd.python.as_deref(), Some("app-users"));
/// assert_eq!(odd.into_usual(), "app-~~55sers");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indices {
    prefix: String,
}

/// Where a collection may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Naming {
    /// Python's name, if an index can have it and it is in the way of none of ours.
    pub python: Option<String>,
    /// Whether Python's name tells the collection.
    pub is_plain: bool,
    /// The name that is no other's.
    pub escaped: String,
    /// Whether a plain name may be of another prefix too.
    pub is_ambiguous: bool,
}

impl Naming {
    /// The index that the collection has if nothing stands in the way.
    pub fn into_usual(self) -> String {
        match self.python {
            Some(python) if self.is_plain => python,
            _ => self.escaped,
        }
    }
}

/// The indices with this prefix, which is made lower-case.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] for a prefix that index names cannot begin with, and for one of more than 100 bytes.
pub fn indices(prefix: &str) -> Result<Indices> {
    let prefix = prefix.to_lowercase();
    let is_fit = prefix.chars().all(is_plain_char) && !prefix.starts_with(['-', '_', '+', '.']);
    if prefix.is_empty() || prefix.len() > 100 || !is_fit {
        let message = "the index prefix takes 1 to 100 bytes of letters, digits and -_.+, a letter or a digit first";
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    Ok(Indices { prefix })
}

impl Indices {
    /// The prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where this collection stands.
    pub fn naming(&self, collection: &str) -> Naming {
        let prefix = &self.prefix;
        let python = format!("{prefix}-{collection}").to_lowercase();
        let is_free = !collection.starts_with(MARK) && !collection.ends_with(MARK);
        // Some servers take control characters; what stands before them does not.
        let is_impossible = |character: char| character.is_control() || IMPOSSIBLE.contains(&character);
        let is_possible = is_free && !collection.contains(is_impossible) && python.len() <= MAX_INDEX_BYTES;
        let is_plain = is_possible && collection.chars().all(is_plain_char);
        let mut escaped = format!("{prefix}-{MARK}");
        for character in collection.chars() {
            if is_plain_char(character) {
                escaped.push(character);
            } else {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    // Writing to a `String` cannot fail.
                    let _ = write!(escaped, "{MARK}{byte:02x}");
                }
            }
        }
        if escaped.len() > MAX_INDEX_BYTES {
            escaped = format!("{prefix}-{HASHED}{}", hash(collection));
        }
        let is_ambiguous = is_plain && (collection.contains('-') || prefix.contains('-'));
        Naming { python: is_possible.then_some(python), is_plain, escaped, is_ambiguous }
    }

    /// The collection of an index whose mapping does not say it: one that Python made.
    pub fn plain_collection<'a>(&self, index: &'a str) -> Option<&'a str> {
        let collection = index.strip_prefix(&*self.prefix)?.strip_prefix('-')?;
        (!collection.is_empty() && collection.chars().all(is_plain_char)).then_some(collection)
    }

    /// The pattern that all indices of this store match, and others too.
    pub fn pattern(&self) -> String {
        format!("{}-*", self.prefix)
    }
}

/// The alias by which an index is written to: where the index is gone so is the alias, and no write makes an index that
/// has not our mapping.
pub(super) fn alias(index: &str) -> String {
    format!("{index}{ALIAS_END}")
}

/// The id of a key's document: the key, as Python has it, or a marked hash of one that is too long.
///
/// ```
/// use kv_core::formats::elasticsearch::document_id;
///
/// assert_eq!(document_id("a/b"), "a/b");
/// assert!(document_id(&"x".repeat(513)).starts_with("~sha1:"));
/// ```
pub fn document_id(key: &str) -> std::borrow::Cow<'_, str> {
    if key.len() <= MAX_ID_BYTES && !key.starts_with(HASHED_ID) {
        return key.into();
    }
    format!("{HASHED_ID}{}", hash(key)).into()
}

fn hash(text: &str) -> String {
    sha1::Sha1::digest(text).iter().fold(String::with_capacity(40), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether this may stand in an index's name, and is no mark of ours. Letters that have a lower-case form are left out
/// for those, and all that some version of the server refuses.
fn is_plain_char(character: char) -> bool {
    match character {
        'a'..='z' | '0'..='9' | '-' | '_' | '.' | '+' => true,
        character if character.is_ascii() => false,
        character => character.is_alphanumeric() && character.to_lowercase().eq([character]),
    }
}

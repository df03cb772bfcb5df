//! Names of collections.

use std::borrow::Cow;

use crate::{Error, ErrorKind, Result, Revision};

/// A server takes so many bytes of database, dot and collection.
const MOST_NAMESPACE_BYTES: usize = 255;
const MARK: char = '%';
const HASHED: &str = "%~";
const NAMESPACE_END: char = '|';

/// How one store names its collections.
///
/// | store | collection | name in MongoDB |
/// | --- | --- | --- |
/// | without a namespace | one that MongoDB takes | the same, as Python's library has it |
/// | without a namespace | begins with `%`, or MongoDB does not take it | `%` + the name escaped |
/// | without a namespace | too long for that | `%~` + its beginning + `-` + 160 bits of hash |
/// | with a namespace | | `%` + the namespace escaped + `\|`, and then as without |
///
/// MongoDB does not take `$` and NUL, an empty name, one that begins with `system.`, and here one that begins or ends
/// with a dot or has two in a row. Escaped are `%`, `$`, `.`, `|`, `~` and NUL.
///
/// # Examples
///
/// ```
/// use kv_core::formats::mongodb::{MongoName, MongoNames};
///
/// let names = MongoNames::new("app", None)?;
/// assert_eq!(names.stored("users"), "users");
/// assert_eq!(names.stored("system.users"), "%system%2Eusers");
/// assert_eq!(names.read("%system%2Eusers"), MongoName::Collection("system.users".to_owned()));
/// assert_eq!(names.stored(&"x".repeat(300)).len(), 2 + 40 + 1 + 40);
///
/// let names = MongoNames::new("app", Some("shop"))?;
/// assert_eq!(names.stored("users"), "%shop|users");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MongoNames {
    /// What stands before every name.
    namespace: String,
    /// The most bytes that may stand behind it.
    most: usize,
}

/// What the name of a collection of MongoDB means to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MongoName {
    /// It is where this collection stands.
    Collection(String),
    /// It is where a collection stands whose name only its documents tell.
    Hashed,
    /// It is none of this store's.
    Foreign,
}

impl MongoNames {
    /// The most bytes of a namespace, escaped.
    pub const MAX_NAMESPACE_BYTES: usize = 100;

    /// The names of a store in this database and this namespace. An empty namespace is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a database name that MongoDB does not take, or a namespace that is too long.
    pub fn new(database: &str, namespace: Option<&str>) -> Result<Self> {
        let refuse = |message| Err(Error::new(ErrorKind::Configuration, message));
        if database.is_empty() || database.len() > 63 || database.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
            return refuse("the database's name has 1 to 63 bytes and none of / \\ . \" $, spaces and NUL".to_owned());
        }
        let marked = |namespace: &str| {
            let mut marked = escaped(namespace);
            marked.insert(0, MARK);
            marked.push(NAMESPACE_END);
            marked
        };
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).map(marked).unwrap_or_default();
        if namespace.len() > Self::MAX_NAMESPACE_BYTES + 2 {
            let most = Self::MAX_NAMESPACE_BYTES;
            return refuse(format!("the namespace is longer than {most} bytes (special characters count three)"));
        }
        let most = MOST_NAMESPACE_BYTES - database.len() - 1 - namespace.len();
        Ok(Self { namespace, most })
    }

    /// The name under which a collection stands.
    pub fn stored<'a>(&self, collection: &'a str) -> Cow<'a, str> {
        let own = self.own_form(collection);
        if self.namespace.is_empty() { own } else { Cow::Owned([&*self.namespace, &*own].concat()) }
    }

    /// What a name means; the other way round than [`stored`](Self::stored).
    pub fn read(&self, stored: &str) -> MongoName {
        let Some(own) = stored.strip_prefix(&*self.namespace) else { return MongoName::Foreign };
        if let Some(hashed) = own.strip_prefix(HASHED) {
            let digest = hashed.rsplit_once('-').map_or("", |(_, digest)| digest);
            let is_ours = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            return if is_ours && !hashed.contains(NAMESPACE_END) { MongoName::Hashed } else { MongoName::Foreign };
        }
        let collection = match own.strip_prefix(MARK) {
            Some(escaped) => unescaped(escaped),
            None => Some(own.to_owned()),
        };
        // Only what would be written so is ours, and no collection is without a name.
        match collection.filter(|collection| !collection.is_empty() && self.own_form(collection) == own) {
            Some(collection) => MongoName::Collection(collection),
            None => MongoName::Foreign,
        }
    }

    /// Whether only the documents tell the name of the collection that stands under this one's.
    pub fn is_hashed(&self, collection: &str) -> bool {
        self.own_form(collection).starts_with(HASHED)
    }

    fn own_form<'a>(&self, collection: &'a str) -> Cow<'a, str> {
        if is_plain(collection) && collection.len() <= self.most {
            return Cow::Borrowed(collection);
        }
        let mut name = escaped(collection);
        if name.len() < self.most {
            name.insert(0, MARK);
            return Cow::Owned(name);
        }
        let readable = (0..=40).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
        name.truncate(readable);
        let digest = Revision::of_document(collection.as_bytes(), None).as_document().unwrap_or_default().0;
        Cow::Owned(format!("{HASHED}{name}-{digest}"))
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with([MARK, '.'])
        && !name.ends_with('.')
        && !name.contains(['$', '\0'])
        && !name.contains("..")
        && !name.starts_with("system.")
        && !name.contains(".system.")
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character {
            MARK => escaped.push_str("%25"),
            '$' => escaped.push_str("%24"),
            '.' => escaped.push_str("%2E"),
            NAMESPACE_END => escaped.push_str("%7C"),
            '~' => escaped.push_str("%7E"),
            '\0' => escaped.push_str("%00"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split(MARK);
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        name.push(match escape {
            "25" => MARK,
            "24" => '$',
            "2E" => '.',
            "7C" => NAMESPACE_END,
            "7E" => '~',
            "00" => '\0',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

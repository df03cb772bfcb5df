//! Names and keys. They are those of [`RedisKeys`] without a namespace, because Python makes both the same way.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::leading_collection;
use crate::Name;
use crate::formats::redis::RedisKeys;
use crate::formats::{self, binary};

static KEYS: LazyLock<RedisKeys> = LazyLock::new(RedisKeys::default);

/// The key of a record: `collection::key` as Python has it, or an escaped form where that could be another record's.
///
/// With a part of a key it is what the stored forms of all keys that begin so begin with.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
/// use kv_core::formats::diskcache::{key, legacy_key};
///
/// assert_eq!(key(Name::new("users", "a::b")), "users::a::b");
/// assert_eq!(key(Name::new("users::eu", "a")), "%users%3A%3Aeu::a");
/// assert_eq!(legacy_key(Name::new("users::eu", "a")).unwrap(), "users::eu::a");
/// ```
pub fn key(name: Name<'_>) -> String {
    text(KEYS.key(name))
}

/// Where Python keeps a record whose [`key`] is escaped.
pub fn legacy_key(name: Name<'_>) -> Option<String> {
    KEYS.legacy_key(name).map(text)
}

/// Names are UTF-8, and so are the keys made of them.
fn text(key: Vec<u8>) -> String {
    String::from_utf8(key).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether a key can be another record's too: a [legacy key](legacy_key) of Python's as well as one of ours.
pub fn is_shared(key: &str) -> bool {
    let after_first = |at: usize| key.get(at + 1..).is_some_and(|rest| rest.contains("::"));
    key.starts_with('%') || key.find("::").is_some_and(after_first)
}

/// The names that a key means if it is none of Python's legacy keys.
pub fn split(key: &str) -> Option<(Cow<'_, str>, &str)> {
    KEYS.split(key.as_bytes())
}

/// Whose record this is that stands under this key, as far as it can be told from what it says itself: its document, or
/// if it cannot be read its beginning. `None` if it is not one of this library's or of Python's.
///
/// # Examples
///
/// ```
/// use kv_core::formats::diskcache::owner;
///
/// let document = br#"{"collection": "a::b", "key": "k", "value": {}}"#;
/// assert_eq!(owner("a::b::k", document), Some(("a::b".into(), "k".into())));
/// assert_eq!(owner("session::7", b"something else"), None);
/// ```
pub fn owner(key: &str, stored: &[u8]) -> Option<(String, String)> {
    let from_key = || split(key).map(|(collection, key)| (collection.into_owned(), key.to_owned()));
    match formats::decode(stored) {
        Ok(document) => match (document.collection, document.key) {
            (Some(collection), Some(own)) => {
                let name = Name::new(&collection, &own);
                let is_there = self::key(name) == key || legacy_key(name).is_some_and(|legacy| legacy == key);
                is_there.then(|| (collection.into_owned(), own.into_owned()))
            }
            _ => from_key(),
        },
        Err(_) if stored.starts_with(&binary::MAGIC) => from_key(),
        Err(_) => {
            let collection = leading_collection(stored)?;
            let from_key = from_key().filter(|(found, _)| *found == collection);
            from_key.or_else(|| {
                KEYS.legacy_split(&collection, key.as_bytes()).map(|own| (collection.clone(), own.to_owned()))
            })
        }
    }
}

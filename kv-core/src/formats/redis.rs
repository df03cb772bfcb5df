//! Keys and scripts of Redis and Valkey.
//!
//! A record stands as one string under one key:
//!
//! | store | collection | key |
//! | --- | --- | --- |
//! | without a namespace | plain | `collection::key`, as Python's library has it |
//! | without a namespace | odd | `%` + the collection escaped + `::key` |
//! | with a namespace | | `%` + the namespace escaped + `\|`, and then as without |
//!
//! Python splits at the first `::`, so a collection that has `::` in it or ends with `:` would share its keys with
//! another. Those are *odd*, and so are those that begin with `%`, which marks what is ours. Escaped, `%` is `%25`, `:`
//! is `%3A` and `|` is `%7C`. So no two records and no two namespaces ever share a key, and no store takes another's
//! keys for its own: what begins with `%` and has `|` before its first `::` is a namespace's.
//!
//! Where Python wrote into an odd collection, the record stands under the [legacy key](RedisKeys::legacy_key), which
//! may as well be the key of another record: only the names in the document tell.

use std::borrow::Cow;

use crate::Name;

mod scripts;

pub use scripts::{DELETE_IF_DIGEST, PUT_IF_ABSENT, PUT_IF_DIGEST, px};

const SEPARATOR: &str = "::";
const MARK: char = '%';
const NAMESPACE_END: char = '|';

/// The keys of one store.
///
/// # Examples
///
/// ```
/// use kv_core::Name;
/// use kv_core::formats::redis::RedisKeys;
///
/// let keys = RedisKeys::new(None);
/// assert_eq!(keys.key(Name::new("users", "a::b")), b"users::a::b");
/// assert_eq!(keys.key(Name::new("users::eu", "a")), b"%users%3A%3Aeu::a");
/// assert_eq!(keys.legacy_key(Name::new("users::eu", "a")).unwrap(), b"users::eu::a");
/// assert_eq!(keys.split(b"users::a::b"), Some(("users".into(), "a::b")));
/// assert_eq!(keys.keys("users").key("a"), b"users::a");
///
/// let keys = RedisKeys::new(Some("app"));
/// assert_eq!(keys.key(Name::new("users", "a")), b"%app|users::a");
/// assert_eq!(keys.match_pattern("users", "a*"), br"%app|users::a\**");
/// assert_eq!(keys.all_pattern(), b"%app|*::*");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisKeys {
    /// What stands before every collection.
    namespace: String,
}

impl RedisKeys {
    /// The keys of a store in this namespace. An empty one is none.
    pub fn new(namespace: Option<&str>) -> Self {
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let marked = |namespace| marked(namespace) + NAMESPACE_END.encode_utf8(&mut [0; 4]);
        Self { namespace: namespace.map(marked).unwrap_or_default() }
    }

    /// The key of a record.
    pub fn key(&self, name: Name<'_>) -> Vec<u8> {
        let mut key = self.head(name.collection, name.key.len());
        key.extend_from_slice(name.key.as_bytes());
        key
    }

    /// The keys of many records of a collection, each made in the place of the one before it.
    pub fn keys(&self, collection: &str) -> BatchKeys {
        let made = self.head(collection, 64);
        BatchKeys { head: made.len(), made }
    }

    /// What stands before the key that the user gave, with room for so much more.
    fn head(&self, collection: &str, room: usize) -> Vec<u8> {
        let collection = own_form(collection);
        let mut head = Vec::with_capacity(self.namespace.len() + collection.len() + SEPARATOR.len() + room);
        for part in [&*self.namespace, &*collection, SEPARATOR] {
            head.extend_from_slice(part.as_bytes());
        }
        head
    }

    /// Where Python's library keeps a record of an odd collection; `None` if that is the same as the
    /// [key](Self::key), and in a namespace, which Python has not.
    ///
    /// It may be the key of another record too: what stands there is this one only if it
    /// [says so](super::Document::is_of) with names of its own.
    pub fn legacy_key(&self, name: Name<'_>) -> Option<Vec<u8>> {
        self.has_legacy(name.collection).then(|| [name.collection, SEPARATOR, name.key].concat().into_bytes())
    }

    /// The collection and the key that a stored key of this store means; `None` if it is not of this store.
    ///
    /// What begins with `%` and is no form of ours is of an odd collection of Python's. Python's other odd collections
    /// cannot be told from plain ones here; see [`legacy_split`](Self::legacy_split).
    pub fn split<'a>(&self, stored: &'a [u8]) -> Option<(Cow<'a, str>, &'a str)> {
        let stored = std::str::from_utf8(stored).ok()?.strip_prefix(&*self.namespace)?;
        // Short as they are, the plain search is much the fastest.
        let at = stored.as_bytes().windows(SEPARATOR.len()).position(|window| window == SEPARATOR.as_bytes())?;
        let (head, key) = (&stored[..at], &stored[at + SEPARATOR.len()..]);
        if head.is_empty() || key.is_empty() {
            return None;
        }
        let Some(escaped) = head.strip_prefix(MARK) else {
            return Some((Cow::Borrowed(head), key));
        };
        match unescaped(escaped).filter(|collection| is_odd(collection) && own_form(collection) == head) {
            Some(collection) => Some((Cow::Owned(collection), key)),
            None => (self.namespace.is_empty() && !head.contains(NAMESPACE_END)).then_some((Cow::Borrowed(head), key)),
        }
    }

    /// The key within an odd collection that a [legacy key](Self::legacy_key) means, if it is one of that collection.
    pub fn legacy_split<'a>(&self, collection: &str, stored: &'a [u8]) -> Option<&'a str> {
        let stored = std::str::from_utf8(stored).ok().filter(|_| self.has_legacy(collection))?;
        stored.strip_prefix(collection)?.strip_prefix(SEPARATOR).filter(|key| !key.is_empty())
    }

    /// The pattern (of `SCAN`) of the keys in a collection that begin with this prefix.
    pub fn match_pattern(&self, collection: &str, prefix: &str) -> Vec<u8> {
        pattern([&self.namespace, &own_form(collection), SEPARATOR, prefix])
    }

    /// The pattern of the [legacy keys](Self::legacy_key) of an odd collection that begin with this prefix.
    pub fn legacy_match_pattern(&self, collection: &str, prefix: &str) -> Option<Vec<u8>> {
        self.has_legacy(collection).then(|| pattern([collection, SEPARATOR, prefix]))
    }

    /// The pattern of all keys of this store. Without a namespace other programs' keys match too, and those of
    /// namespaces: [`split`](Self::split) tells.
    pub fn all_pattern(&self) -> Vec<u8> {
        [&pattern([&self.namespace]), SEPARATOR.as_bytes(), b"*"].concat()
    }

    fn has_legacy(&self, collection: &str) -> bool {
        self.namespace.is_empty() && is_odd(collection)
    }
}

/// Keys of one collection; see [`RedisKeys::keys`].
#[derive(Debug, Clone)]
pub struct BatchKeys {
    made: Vec<u8>,
    head: usize,
}

impl BatchKeys {
    /// The key of this record.
    pub fn key(&mut self, key: &str) -> &[u8] {
        self.made.truncate(self.head);
        self.made.extend_from_slice(key.as_bytes());
        &self.made
    }
}

/// Whether `collection::key` does not tell the collection, or could be taken for a form of ours.
fn is_odd(collection: &str) -> bool {
    collection.starts_with(MARK) || collection.ends_with(':') || collection.contains(SEPARATOR)
}

/// The collection as it stands in keys.
fn own_form(collection: &str) -> Cow<'_, str> {
    if is_odd(collection) { Cow::Owned(marked(collection)) } else { Cow::Borrowed(collection) }
}

/// The escaped name, marked as such.
fn marked(name: &str) -> String {
    let mut marked = String::with_capacity(name.len() + 8);
    marked.push(MARK);
    for character in name.chars() {
        match character {
            MARK => marked.push_str("%25"),
            ':' => marked.push_str("%3A"),
            NAMESPACE_END => marked.push_str("%7C"),
            _ => marked.push(character),
        }
    }
    marked
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split(MARK);
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        name.push(match escape {
            "25" => MARK,
            "3A" => ':',
            "7C" => NAMESPACE_END,
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

/// A pattern of what begins so, whatever characters it has.
fn pattern<const PARTS: usize>(literal: [&str; PARTS]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(literal.iter().map(|part| part.len()).sum::<usize>() + 8);
    for byte in literal.into_iter().flat_map(str::bytes) {
        if b"*?[]\\^-".contains(&byte) {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Redis's own rules, without classes, which no pattern of ours has.
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
            Some((b'?' | b'[', _)) => panic!("an unescaped special character"),
            Some((b'\\', rest)) => text.first() == rest.first() && matches(&rest[1..], &text[1..]),
            Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
        }
    }

    #[test]
    fn plain_names_are_written_as_python_writes_them() {
        let keys = RedisKeys::new(None);
        for (collection, key) in [("c", "k"), ("c:d", ":k"), (":c", "::"), ("a|b%25", "%"), ("é*", "a::b"), ("|", "x")]
        {
            let stored = keys.key(Name::new(collection, key));
            assert_eq!(stored, format!("{collection}::{key}").into_bytes());
            assert_eq!(keys.split(&stored), Some((collection.into(), key)));
            assert_eq!(keys.legacy_key(Name::new(collection, key)), None);
        }
    }

    #[test]
    fn odd_names_are_escaped() {
        let keys = RedisKeys::new(None);
        for (collection, stored) in [
            ("a::b", "%a%3A%3Ab::k"),
            ("a:", "%a%3A::k"),
            ("%a", "%%25a::k"),
            ("a::|", "%a%3A%3A%7C::k"),
            ("::", "%%3A%3A::k"),
        ] {
            let name = Name::new(collection, "k");
            assert_eq!(keys.key(name), stored.as_bytes());
            let legacy = keys.legacy_key(name).unwrap();
            assert_eq!(legacy, format!("{collection}::k").into_bytes());
            assert_eq!(keys.legacy_split(collection, &legacy), Some("k"));
            assert!(matches(&keys.legacy_match_pattern(collection, "k").unwrap(), &legacy));
            assert_eq!(RedisKeys::new(Some("n")).legacy_key(name), None);
        }
    }

    #[test]
    fn foreign_keys_are_not_taken_for_ours() {
        let keys = RedisKeys::new(None);
        for foreign in ["", "a", "::", "::k", "a::", "a:b", "%n|c::k", "%n|%c%3A::k"] {
            assert_eq!(keys.split(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(keys.split(b"\xff::k"), None);
        assert_eq!(keys.split(b"%foo::k"), Some(("%foo".into(), "k")), "an odd collection of Python's");
        let namespaced = RedisKeys::new(Some("n"));
        for foreign in ["c::k", "%n|%c::k", "%n|%|::k", "%nn|c::k", "%n|c"] {
            assert_eq!(namespaced.split(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(RedisKeys::new(Some("")), keys);
    }

    /// Mostly of the characters that matter.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof!["[a:%|]{1,5}", "[a:%|2537AC*?\\[\\]\\\\^-]{1,10}", "\\PC{1,10}"]
    }

    fn namespaces() -> impl Strategy<Value = Option<String>> {
        prop_oneof![Just(None), names().prop_map(Some)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_key_gives_its_names_back_and_is_no_other_store_s(
            namespace in namespaces(), other in namespaces(), collection in names(), key in names(),
        ) {
            let keys = RedisKeys::new(namespace.as_deref());
            let stored = keys.key(Name::new(&collection, &key));
            prop_assert_eq!(keys.split(&stored), Some((Cow::Borrowed(&*collection), &*key)));
            prop_assert!(matches(&keys.all_pattern(), &stored));
            let mut batch = keys.keys(&collection);
            prop_assert_eq!([batch.key("before").len(), batch.key(&key).len()], [stored.len() - key.len() + 6, stored.len()]);
            prop_assert_eq!(batch.key(&key), &stored[..]);
            if namespace != other {
                prop_assert_eq!(RedisKeys::new(other.as_deref()).split(&stored), None);
            }
        }

        #[test]
        fn no_two_records_have_one_key(
            namespace in "[a:%|]{0,2}", collection in "[:%a|]{1,5}", key in "[:%a|]{1,5}",
            (other_namespace, other_collection, other_key) in ("[a:%|]{0,2}", "[:%a|]{1,5}", "[:%a|]{1,5}"),
        ) {
            let one = RedisKeys::new(Some(&namespace)).key(Name::new(&collection, &key));
            let other = RedisKeys::new(Some(&other_namespace)).key(Name::new(&other_collection, &other_key));
            let same = (namespace, collection, key) == (other_namespace, other_collection, other_key);
            prop_assert_eq!(one == other, same);
        }

        #[test]
        fn a_pattern_matches_the_keys_of_its_collection_and_prefix(
            namespace in namespaces(), collection in names(), prefix in "[a*:\\[\\]?\\\\^-]{0,2}",
            (other, key) in (names(), "[a*:\\[\\]?\\\\^-]{1,4}"),
        ) {
            let keys = RedisKeys::new(namespace.as_deref());
            let pattern = keys.match_pattern(&collection, &prefix);
            for other in [&collection, &other] {
                let stored = keys.key(Name::new(other, &key));
                prop_assert_eq!(matches(&pattern, &stored), *other == collection && key.starts_with(&prefix));
            }
        }

        #[test]
        fn nothing_makes_split_panic(stored in any::<Vec<u8>>(), text in "[a:%|2537C]{0,12}", namespace in namespaces()) {
            let keys = RedisKeys::new(namespace.as_deref());
            let _ = keys.split(&stored);
            let _ = keys.legacy_split(&text, &stored);
            if let Some((collection, key)) = keys.split(text.as_bytes()) {
                let name = Name::new(&collection, key);
                let found = [Some(keys.key(name)), keys.legacy_key(name)];
                prop_assert!(found.contains(&Some(text.into_bytes())));
            }
        }
    }
}

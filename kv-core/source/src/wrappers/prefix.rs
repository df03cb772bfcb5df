//! A prefix before names.

use kv_core::{Error, ErrorKind, KeyFilter, Result};

/// What stands between the prefix and the name.
pub(super) const SEPARATOR: &str = "__";

/// A prefix with its separator.
///
/// Of two different prefixes neither, with its separator, begins with the other: were `p__` the beginning of `q__`,
/// then `q` would hold `p__`, or be `p_`. Neither is taken, so that names under different prefixes are never one name.
#[derive(Debug, Clone)]
pub(super) struct Prefix {
    head: String,
    /// The longest name that leaves room for the prefix, in bytes.
    room: usize,
}

impl Prefix {
    /// A prefix for names of which the store takes at most `limit` bytes.
    pub(super) fn new(prefix: &str, limit: usize) -> Result<Self> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        if prefix.is_empty() || prefix.contains(SEPARATOR) || prefix.ends_with('_') {
            return refuse(format!(
                "the prefix {prefix:?} is ambiguous; it takes one or more characters, holds no {SEPARATOR:?}, and does \
                 not end with \"_\""
            ));
        }
        let head = format!("{prefix}{SEPARATOR}");
        match limit.checked_sub(head.len()) {
            Some(room) if room > 0 => Ok(Self { head, room }),
            _ => refuse(format!("the prefix has {} bytes, of names that have at most {limit}", prefix.len())),
        }
    }

    /// What stands for a collection before its keys, which have so much room.
    pub(super) fn before(collection: &str, room: usize) -> Self {
        Self { head: [collection, SEPARATOR].concat(), room }
    }

    /// The prefix without the separator.
    pub(super) fn as_str(&self) -> &str {
        &self.head[..self.head.len() - SEPARATOR.len()]
    }

    /// What is left of a store's limit.
    pub(super) fn room_of(&self, limit: usize) -> usize {
        limit.saturating_sub(self.head.len()).min(self.room)
    }

    /// Refuses a name for which there is no room.
    #[inline]
    pub(super) fn check(&self, name: &str, kind: ErrorKind) -> Result<()> {
        if name.len() > self.room { Err(self.too_long(name.len(), kind)) } else { Ok(()) }
    }

    #[cold]
    fn too_long(&self, len: usize, kind: ErrorKind) -> Error {
        Error::new(kind, format!("the name has {len} bytes; behind the prefix this store takes {}", self.room))
    }

    pub(super) fn join(&self, name: &str) -> String {
        [&self.head, name].concat()
    }

    /// The name behind the prefix, of a name that has it and is more than it.
    pub(super) fn strip<'n>(&self, stored: &'n str) -> Option<&'n str> {
        stored.strip_prefix(&self.head).filter(|name| !name.is_empty())
    }

    /// All stored names that have the prefix.
    pub(super) fn all(&self) -> KeyFilter {
        KeyFilter::starting_with(&self.head)
    }

    /// The stored names among which are those that this filter asks for: it speaks of the names behind the prefix, and
    /// of it the store is given what it begins with. A pattern is left to be matched here.
    pub(super) fn widened(&self, filter: &KeyFilter) -> KeyFilter {
        KeyFilter::starting_with(self.join(filter.prefix()))
    }

    /// Names with the prefix before each, in one buffer.
    pub(super) fn joined<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> Joined {
        let bytes = names.clone().map(|name| self.head.len() + name.len()).sum();
        let mut joined = Joined { text: String::with_capacity(bytes), ends: Vec::with_capacity(names.size_hint().0) };
        for name in names {
            joined.text.push_str(&self.head);
            joined.text.push_str(name);
            joined.ends.push(joined.text.len());
        }
        joined
    }
}

/// Names in one buffer.
#[derive(Debug)]
pub(super) struct Joined {
    text: String,
    ends: Vec<usize>,
}

impl Joined {
    pub(super) fn names(&self) -> Vec<&str> {
        let mut start = 0;
        let name = |&end: &usize| &self.text[std::mem::replace(&mut start, end)..end];
        self.ends.iter().map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Every text of these characters with at most so many.
    fn texts(characters: &[char], most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..most {
            last = last.iter().flat_map(|text| characters.iter().map(move |c| format!("{text}{c}"))).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn names_under_different_prefixes_are_never_one_name() {
        let prefixes: Vec<Prefix> =
            texts(&['a', 'b', '_'], 5).iter().filter_map(|prefix| Prefix::new(prefix, 100).ok()).collect();
        assert!(prefixes.len() > 100, "{}", prefixes.len());
        let names = &texts(&['a', '_'], 5)[1..];
        let mut stored = HashMap::new();
        for prefix in &prefixes {
            for name in names {
                let joined = prefix.join(name);
                assert_eq!(prefix.strip(&joined), Some(name.as_str()));
                let other = stored.insert(joined, (prefix.as_str(), name));
                assert!(other.is_none(), "{other:?} and {:?}", (prefix.as_str(), name));
            }
        }
        for name in stored.keys() {
            assert_eq!(prefixes.iter().filter(|prefix| prefix.strip(name).is_some()).count(), 1, "{name}");
        }
    }

    #[test]
    fn ambiguous_prefixes_are_refused() {
        // Each with a prefix and two names that would be one.
        for (prefix, name, other, other_name) in [("a_", "k", "a", "_k"), ("a__b", "k", "a", "b__k")] {
            assert_eq!(format!("{prefix}__{name}"), Prefix::new(other, 100).unwrap().join(other_name));
            assert_eq!(Prefix::new(prefix, 100).unwrap_err().kind(), ErrorKind::Configuration, "{prefix}");
        }
        assert_eq!(Prefix::new("", 100).unwrap_err().kind(), ErrorKind::Configuration);
        for prefix in ["_", "__", "_a_"] {
            assert!(Prefix::new(prefix, 100).is_err(), "{prefix}");
        }
        for prefix in ["a", "_a", "a_b", "a b", "*", "\u{e9}", ":"] {
            assert!(Prefix::new(prefix, 100).is_ok(), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_leaves_room_for_a_name() {
        assert_eq!(Prefix::new("ab", 4).unwrap_err().kind(), ErrorKind::Configuration);
        let prefix = Prefix::new("ab", 5).unwrap();
        assert!(prefix.check("k", ErrorKind::InvalidKey).is_ok());
        let error = prefix.check("kk", ErrorKind::InvalidKey).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.message().contains("2 bytes") && error.message().ends_with("takes 1"), "{error}");
        assert_eq!((prefix.room_of(100), prefix.room_of(4), prefix.room_of(3)), (1, 0, 0));
    }

    #[test]
    fn joined_names_are_those_joined_one_by_one() {
        let prefix = Prefix::new("\u{e9}", 100).unwrap();
        let names = ["", "a", "", "\u{1F600}b"];
        let one_by_one: Vec<String> = names.iter().map(|name| prefix.join(name)).collect();
        assert_eq!(prefix.joined(names.into_iter()).names(), one_by_one);
        assert!(prefix.joined(std::iter::empty()).names().is_empty());
    }
}

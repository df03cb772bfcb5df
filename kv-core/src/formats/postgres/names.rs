//! Names as they are stored.

use std::borrow::Cow;

use sha1::Digest as _;

/// What begins the stored form of a name that cannot be stored as it is: the last of all code points, which is no
/// character, so that stored forms come after all names that stand for themselves.
pub const MARK: char = '\u{10FFFF}';

/// The most bytes of a collection's name and a key together that are stored as they are. An entry of an index holds
/// 2,704 bytes, its header, two lengths and padding included.
pub const MOST_KEY_BYTES: usize = 2_660;

/// A name as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredName<'a> {
    /// What stands in the column.
    pub text: Cow<'a, str>,
    /// The true name, where that is something else.
    pub original: Option<&'a str>,
}

impl<'a> StoredName<'a> {
    fn plain(name: &'a str) -> Self {
        Self { text: Cow::Borrowed(name), original: None }
    }

    /// The mark and 160 bits of hash; the row has the true name beside it.
    fn hashed(name: &'a str) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(4 + 40);
        text.push(MARK);
        for byte in sha1::Sha1::digest(name.as_bytes()) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self { text: Cow::Owned(text), original: Some(name) }
    }
}

fn stands_for_itself(name: &str) -> bool {
    memchr::memchr(0, name.as_bytes()).is_none() && !name.starts_with(MARK)
}

/// A collection's name as it is stored: itself, unless it holds a NUL or begins with the [mark](MARK).
///
/// # Examples
///
/// ```
/// use kv_core::formats::postgres;
///
/// assert_eq!(postgres::collection("users").text, "users");
/// let odd = postgres::collection("a\0b");
/// assert!(odd.text.starts_with(postgres::MARK) && odd.original == Some("a\0b"));
/// ```
pub fn collection(name: &str) -> StoredName<'_> {
    if stands_for_itself(name) { StoredName::plain(name) } else { StoredName::hashed(name) }
}

/// A key of this collection as it is stored: itself, unless it holds a NUL, begins with the [mark](MARK), or is too long
/// for the index.
pub fn key<'a>(collection: &StoredName<'_>, key: &'a str) -> StoredName<'a> {
    let fits = collection.text.len() + key.len() <= MOST_KEY_BYTES;
    if fits && stands_for_itself(key) { StoredName::plain(key) } else { StoredName::hashed(key) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_names() {
        let users = collection("users");
        assert_eq!(users, StoredName::plain("users"));
        let nul = key(&users, "a\0b");
        assert_eq!(nul.text, "\u{10FFFF}4a3dec2d1f8245280855c42db0ee4239f917fdb8");
        assert_eq!(nul.original, Some("a\0b"));
        let longest = "k".repeat(2_048);
        assert_eq!(key(&users, &longest).original, None);
        let long = collection(&longest);
        assert_eq!(long.original, None);
        assert_eq!(key(&long, &"k".repeat(MOST_KEY_BYTES - 2_048)).original, None);
        let one_more = "k".repeat(MOST_KEY_BYTES - 2_047);
        assert_eq!(key(&long, &one_more).original, Some(one_more.as_str()));
    }

    proptest! {
        #[test]
        fn no_two_names_are_stored_alike(one in names(), other in names()) {
            for stored in [collection, key_of_c as fn(&str) -> StoredName<'_>] {
                let (one_stored, other_stored) = (stored(&one), stored(&other));
                prop_assert_eq!(one == other, one_stored.text == other_stored.text);
                prop_assert!(!one_stored.text.contains('\0'));
                prop_assert_eq!(one_stored.original.is_some(), one_stored.text != *one);
                prop_assert!(one_stored.original.is_none() || one_stored.text.starts_with(MARK));
                // What is stored for another name is, as a name, stored as something else again.
                prop_assert!(one_stored.original.is_none() || stored(&one_stored.text).text != one_stored.text);
            }
        }
    }

    fn key_of_c(name: &str) -> StoredName<'_> {
        key(&collection("c"), name)
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof![".{1,6}", "[\0ab\u{10FFFF}]{1,4}"]
    }
}

//! Reading what must be there.

use std::collections::HashSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{Codec, Entry, Error, Result, TimeLeft};

use crate::collection::Collection;
use crate::typed::TypedCollection;

/// Reading what must be there: a miss is [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound).
///
/// ```
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(MemoryStore::new());
/// kv.put("there", &1).await?;
/// assert_eq!(kv.require::<u32>("there").await?, 1);
///
/// let error = kv.require_many::<u32>(&["a", "there", "b"]).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::KeyNotFound);
/// assert_eq!(error.message(), "2 keys are not there: \"a\", \"b\"");
/// # Ok(())
/// # }
/// ```
///
/// # Different from Python
///
/// Python's adapter names the first key that is missing; here all are named, up to ten.
#[maybe_async::maybe_async]
impl Collection {
    /// Reads a value that must be there.
    ///
    /// # Errors
    ///
    /// [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), and those of [`get`](Self::get).
    pub async fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let value = self.get(key).await?;
        self.there(key, value)
    }

    /// Reads a value that must be there, with its record.
    ///
    /// # Errors
    ///
    /// [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), and those of [`get_entry`](Self::get_entry).
    pub async fn require_entry(&self, key: &str) -> Result<Entry> {
        let entry = self.get_entry(key).await?;
        self.there(key, entry)
    }

    /// Reads a bytes value that must be there.
    ///
    /// # Errors
    ///
    /// [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), and those of [`get_bytes`](Self::get_bytes).
    pub async fn require_bytes(&self, key: &str) -> Result<Vec<u8>> {
        let bytes = self.get_bytes(key).await?;
        self.there(key, bytes)
    }

    /// How much longer an entry is there that must be.
    ///
    /// # Errors
    ///
    /// [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), and those of [`ttl`](Self::ttl).
    pub async fn require_ttl(&self, key: &str) -> Result<TimeLeft> {
        let left = self.ttl(key).await?;
        self.there(key, left)
    }

    /// Reads values that must all be there: one for each key, in order.
    ///
    /// # Errors
    ///
    /// The first that is not about a missing key; else [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), naming all
    /// keys that are missing, up to ten.
    pub async fn require_many<T: DeserializeOwned>(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<T>> {
        let found = self.get_many(keys).await?;
        self.all_there(keys, found)
    }

    fn there<T>(&self, key: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| Error::keys_not_found(self.name(), &[key]).during("require"))
    }

    fn all_there<T>(&self, keys: &[impl AsRef<str>], found: Vec<Result<Option<T>>>) -> Result<Vec<T>> {
        let mut values = Vec::with_capacity(found.len());
        let mut missing: Vec<&str> = Vec::new();
        let mut seen = HashSet::new();
        for (key, answer) in keys.iter().zip(found) {
            match answer? {
                Some(value) => values.push(value),
                None if seen.insert(key.as_ref()) => missing.push(key.as_ref()),
                None => {}
            }
        }
        if missing.is_empty() {
            return Ok(values);
        }
        Err(Error::keys_not_found(self.name(), &missing).during("require_many"))
    }
}

/// Reading what must be there: a miss is [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound).
#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned, C: Codec> TypedCollection<T, C> {
    /// Reads a value that must be there.
    ///
    /// # Errors
    ///
    /// [`KeyNotFound`](kv_core::ErrorKind::KeyNotFound), and those of [`get`](Self::get).
    pub async fn require(&self, key: &str) -> Result<T> {
        let value = self.get(key).await?;
        self.collection().there(key, value)
    }

    /// Reads values that must all be there: one for each key, in order.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::require_many`].
    pub async fn require_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<T>> {
        let found = self.get_many(keys).await?;
        self.collection().all_there(keys, found)
    }
}

#[cfg(test)]
mod tests {
    use kv_core::ErrorKind;

    use super::*;
    use crate::Kv;
    use crate::stores::SimpleStore;

    #[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
    async fn what_is_missing_is_named() {
        let kv = Kv::new(SimpleStore::new());
        let items = kv.collection("items");
        items.put("a", &1).await.unwrap();
        items.put_bytes("bytes", b"x").await.unwrap();
        let value: u32 = items.require("a").await.unwrap();
        assert_eq!(value, 1);
        let bytes = items.require_bytes("bytes").await.unwrap();
        assert_eq!(bytes, b"x");
        items.require_entry("a").await.unwrap();
        let left = items.require_ttl("a").await.unwrap();
        assert_eq!(left, TimeLeft::Forever);
        let typed = items.typed::<u32>();
        let value = typed.require("a").await.unwrap();
        assert_eq!(value, 1);

        let missing = [
            items.require::<u32>("b").await.unwrap_err(),
            items.require_bytes("b").await.unwrap_err(),
            items.require_entry("b").await.unwrap_err(),
            items.require_ttl("b").await.unwrap_err(),
            typed.require("b").await.unwrap_err(),
            kv.collection("items").require_many::<u32>(&["a", "b", "b"]).await.unwrap_err(),
        ];
        for error in missing {
            assert_eq!(
                (error.kind(), error.collection(), error.key()),
                (ErrorKind::KeyNotFound, Some("items"), Some("b"))
            );
        }
    }

    #[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
    async fn of_many_all_that_are_missing_are_named_and_a_failure_is_not_taken_for_one() {
        let kv = Kv::new(SimpleStore::new());
        kv.put("a", &1).await.unwrap();
        kv.put("text", "x").await.unwrap();
        let typed = kv.typed::<u32>();
        let values = typed.require_many(&["a", "a"]).await.unwrap();
        assert_eq!(values, [1, 1]);
        let none: Vec<u32> = kv.require_many::<u32>(&[""; 0]).await.unwrap();
        assert!(none.is_empty());
        let error = typed.require_many(&["x", "a", "y", "x"]).await.unwrap_err();
        assert_eq!(error.message(), "2 keys are not there: \"x\", \"y\"");
        let error = typed.require_many(&["x", "text"]).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Decode, Some("text")));
        let error = typed.with_misfits_missing().require_many(&["a", "text"]).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::KeyNotFound, Some("text")));
    }
}

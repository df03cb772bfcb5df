//! Reading.

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{Codec, Entry, Metadata, Result, TimeLeft};

use super::{TypedCollection, TypedEntry};

/// Reading.
#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned, C: Codec> TypedCollection<T, C> {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`Decode`](kv_core::ErrorKind::Decode) if the value does not fit the type, with the path to what does not;
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read. It is left in place.
    pub async fn get(&self, key: &str) -> Result<Option<T>> {
        let entry = self.collection.get_entry(key).await?;
        self.decode(key, entry.as_ref(), "get")
    }

    /// Reads a value with its record.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn get_entry(&self, key: &str) -> Result<Option<TypedEntry<T>>> {
        let Some(entry) = self.collection.get_entry(key).await? else { return Ok(None) };
        let value = self.decode(key, Some(&entry), "get")?;
        Ok(value.map(|value| TypedEntry { value, entry }))
    }

    /// Reads values: one answer for each key, in order, double ones included.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), each at its own position.
    pub async fn get_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Result<Option<T>>>> {
        let found = self.collection.get_entries(keys).await?;
        let decode = |(answer, key): (Result<Option<Entry>>, &_)| {
            let key: &str = AsRef::<str>::as_ref(key);
            self.decode(key, answer?.as_ref(), "get_many")
        };
        Ok(found.into_iter().zip(keys).map(decode).collect())
    }

    /// Whether there is a live entry, whatever its value; see [`Collection::exists`](crate::Collection::exists).
    ///
    /// # Errors
    ///
    /// Those of [`Collection::exists`](crate::Collection::exists).
    pub async fn exists(&self, key: &str) -> Result<bool> {
        self.collection.exists(key).await
    }

    /// How much longer the entry is there; see [`Collection::ttl`](crate::Collection::ttl).
    ///
    /// # Errors
    ///
    /// Those of [`Collection::ttl`](crate::Collection::ttl).
    pub async fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        self.collection.ttl(key).await
    }

    /// The user's notes beside the value, without that of the version; `None` if there is no entry.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::metadata`](crate::Collection::metadata).
    pub async fn metadata(&self, key: &str) -> Result<Option<Metadata>> {
        let metadata = self.collection.metadata(key).await?;
        Ok(metadata.map(|metadata| self.shape.unnoted(metadata)))
    }
}

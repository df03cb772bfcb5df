//! Collections of one type.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{Codec, Entry, Json, Outdated, PutOptions, Result, Shape, ValueRef};

use crate::collection::Collection;

mod listing;
mod reading;
mod writing;

pub use listing::{KeyAndTypedEntry, TypedEntryPager};

/// A collection whose values are all of one type: [`Collection`] with the type, the codec and the version said once.
/// Cheap to clone.
///
/// Made by [`Collection::typed`] and [`Collection::typed_with`]. What has nothing to do with values is done through
/// [`collection`](Self::collection) where it has no method here.
///
/// ```
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(MemoryStore::new());
/// let scores = kv.collection("scores").typed::<Vec<u32>>();
/// scores.put("alice", &vec![7, 9]).await?;
/// assert_eq!(scores.get("alice").await?, Some(vec![7, 9]));
///
/// // What does not fit is an error that says where ...
/// scores.collection().put("bob", &("7", 9)).await?;
/// let error = scores.get("bob").await.unwrap_err();
/// assert_eq!((error.kind(), error.key()), (ErrorKind::Decode, Some("bob")));
/// assert!(error.message().contains("at `[0]`"));
///
/// // ... or a miss.
/// assert_eq!(scores.with_misfits_missing().get("bob").await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Versions
///
/// A type that changes gets a [version](Self::with_version) and a function that makes a value of an older one. The
/// version is kept in the entry's metadata, as [`SCHEMA_NOTE`](kv_core::SCHEMA_NOTE); the store must keep metadata.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(MemoryStore::new());
/// let sizes = kv.collection("sizes");
/// sizes.typed::<u32>().put("door", &200).await?;
///
/// // Once a height, now a height and a width.
/// let sizes = sizes.typed::<(u32, u32)>().with_version(1, |old| Ok((old.decode()?, 0)))?;
/// assert_eq!(sizes.get("door").await?, Some((200, 0)));
/// sizes.put("door", &(200, 80)).await?;
/// assert_eq!(sizes.get("door").await?, Some((200, 80)));
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// None beside the codec's, until a value does not fit: then it is read a second time, to find out where. With
/// versions, the note beside every value.
///
/// # Different from Python
///
/// Python's adapters store a value whose type is no object as `{"items": value}`, two of them disagree on which types
/// those are, and a value that does not fit is logged and missing unless told otherwise. Here a value is stored as it
/// is, and a misfit is an error unless told otherwise. To share such entries, give the type the field `items`. Python
/// has no versions and no codecs.
pub struct TypedCollection<T, C = Json> {
    collection: Collection,
    shape: Shape<T, C>,
}

/// A value that was read, with its record: instants, revision, metadata.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TypedEntry<T> {
    /// The value.
    pub value: T,
    /// Its record, as it is stored: the value encoded, and the note of its version among the metadata.
    pub entry: Entry,
}

impl Collection {
    /// This collection with values of one type, as JSON.
    pub fn typed<T: Serialize + DeserializeOwned>(&self) -> TypedCollection<T> {
        self.typed_with(Json)
    }

    /// This collection with values of one type, written by this codec.
    ///
    /// ```
    /// use kv_source::{Json, Kv};
    /// use kv_source::stores::MemoryStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> kv_source::Result<()> {
    /// let kv = Kv::new(MemoryStore::new());
    /// let points = kv.collection("points").typed_with::<(f64, f64), _>(Json);
    /// points.put("origin", &(0.0, 0.0)).await?;
    /// assert_eq!(points.get("origin").await?, Some((0.0, 0.0)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn typed_with<T: Serialize + DeserializeOwned, C: Codec>(&self, codec: C) -> TypedCollection<T, C> {
        TypedCollection { collection: self.clone(), shape: Shape::with_codec(codec) }
    }
}

impl<T: Serialize + DeserializeOwned, C: Codec> TypedCollection<T, C> {
    /// With this version of the type, at least 1, and a function that makes a value of an older one. Entries without a
    /// version are of version 0. A value is upgraded when it is read, and stays as it is until it is written again. One
    /// of a newer version does not fit.
    ///
    /// # Errors
    ///
    /// [`Configuration`](kv_core::ErrorKind::Configuration) for version 0.
    pub fn with_version(
        mut self,
        version: u32,
        upgrade: impl Fn(Outdated<'_, C>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        self.shape = self.shape.with_version(version, upgrade)?;
        Ok(self)
    }

    /// Counts a value that does not fit, or is of a newer version, as missing. What writes on a condition still finds
    /// the entry there; update replaces it. A record that cannot be read at all stays an error.
    #[must_use]
    pub fn with_misfits_missing(mut self) -> Self {
        self.shape = self.shape.with_misfits_missing();
        self
    }

    /// The same collection without the type.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    pub(crate) fn encode(&self, key: &str, value: &T, operation: &'static str) -> Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(128);
        let answer = self.shape.encode(value, &mut encoded);
        answer.map_err(|error| error.during(operation).at(self.collection.at(key)))?;
        Ok(encoded)
    }

    pub(crate) fn value<'a>(&self, encoded: &'a [u8]) -> ValueRef<'a> {
        self.shape.value_of(encoded)
    }

    /// These options, with the note of the version.
    pub(crate) fn noted(&self, options: &PutOptions) -> PutOptions {
        let mut options = options.clone();
        options.metadata = self.shape.noted(options.metadata);
        options
    }

    /// The value of an entry that may be there, if it fits or need not.
    pub(crate) fn decode(&self, key: &str, entry: Option<&Entry>, operation: &'static str) -> Result<Option<T>> {
        let Some(entry) = entry else { return Ok(None) };
        self.shape.decode(entry).map_err(|error| error.during(operation).at(self.collection.at(key)))
    }
}

impl<T, C: Codec> Clone for TypedCollection<T, C> {
    fn clone(&self) -> Self {
        Self { collection: self.collection.clone(), shape: self.shape.clone() }
    }
}

impl<T, C: Codec> fmt::Debug for TypedCollection<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedCollection").field("collection", &self.collection).field("shape", &self.shape).finish()
    }
}

#[cfg(test)]
mod tests;

//! What a typed collection takes for its type.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, Json, read, value_of};
use crate::{Entry, Error, ErrorKind, Metadata, Result, ValueRef};

/// The name of the note, in an entry's metadata, that keeps the schema version of its value: a number. An entry without
/// it is of version 0.
pub const SCHEMA_NOTE: &str = "kv:schema";

/// How values of one type are written and read: the codec, the version of the type, and what to do with a value that
/// does not fit.
///
/// # Examples
///
/// ```
/// use kv_core::{Entry, Error, Record, Shape, Value};
///
/// // Version 0 was a name, version 1 is a first and a last one.
/// let shape = Shape::<(String, String)>::new().with_version(1, |old| {
///     let name: String = old.decode()?;
///     let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
///     Ok((first.to_owned(), last.to_owned()))
/// })?;
/// let value = Value::encode("Ada Lovelace")?;
/// let entry = Entry::new(&Record::new(value.as_ref(), 1));
/// assert_eq!(shape.decode(&entry)?, Some(("Ada".to_owned(), "Lovelace".to_owned())));
/// # Ok::<(), Error>(())
/// ```
pub struct Shape<T, C = Json> {
    codec: C,
    schema: Option<Schema<T, C>>,
    misfits_are_missing: bool,
    types: PhantomData<fn() -> T>,
}

type Upgrade<T, C> = dyn Fn(Outdated<'_, C>) -> Result<T> + Send + Sync;

struct Schema<T, C> {
    version: u32,
    upgrade: Arc<Upgrade<T, C>>,
}

/// A value of an older schema version.
#[derive(Debug)]
pub struct Outdated<'a, C = Json> {
    version: u32,
    value: ValueRef<'a>,
    codec: &'a C,
}

impl<C: Codec> Outdated<'_, C> {
    /// Its version; 0 if it was written before there were versions.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Reads it as the type that it was then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        read(self.codec, self.value)
    }
}

impl<T> Shape<T> {
    /// JSON, without versions.
    pub fn new() -> Self {
        Self::with_codec(Json)
    }
}

impl<T> Default for Shape<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, C: Codec> Shape<T, C> {
    /// Written by this codec, without versions.
    pub fn with_codec(codec: C) -> Self {
        Self { codec, schema: None, misfits_are_missing: false, types: PhantomData }
    }

    /// Of this schema version, with the function that makes a value of it from an older one. Values are read through it
    /// and stay as they are in the store until they are written again. The version is kept in the entry's metadata,
    /// under [`SCHEMA_NOTE`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for version 0, which is that of values without a version.
    pub fn with_version(
        mut self,
        version: u32,
        upgrade: impl Fn(Outdated<'_, C>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        if version == 0 {
            let message = "schema version 0 is that of values without a version; give the type 1 or more";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        self.schema = Some(Schema { version, upgrade: Arc::new(upgrade) });
        Ok(self)
    }

    /// A value that does not fit counts as missing. One that cannot be read at all ([`ErrorKind::Corrupted`]) does not.
    #[must_use]
    pub fn with_misfits_missing(mut self) -> Self {
        self.misfits_are_missing = true;
        self
    }

    /// Whether entries carry a schema version.
    pub fn is_versioned(&self) -> bool {
        self.schema.is_some()
    }

    /// Appends the encoded value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if it does not serialise.
    pub fn encode(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()>
    where
        T: Serialize,
    {
        self.codec.encode(value, encoded)
    }

    /// The value that was [encoded](Self::encode) so.
    pub fn value_of<'a>(&self, encoded: &'a [u8]) -> ValueRef<'a> {
        value_of::<C>(encoded)
    }

    /// These notes, with that of the version if there are versions.
    pub fn noted(&self, metadata: Metadata) -> Metadata {
        match &self.schema {
            Some(schema) => metadata.with(SCHEMA_NOTE, schema.version.to_string()),
            None => metadata,
        }
    }

    /// These notes, without that of the version if there are versions.
    pub fn unnoted(&self, metadata: Metadata) -> Metadata {
        if self.schema.is_none() || metadata.get(SCHEMA_NOTE).is_none() {
            return metadata;
        }
        metadata.iter().filter(|(name, _)| *name != SCHEMA_NOTE).collect()
    }

    /// The entry's value; `None` if it does not fit and [that counts as missing](Self::with_misfits_missing).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it does not fit, with the path to what does not, and if it is of a newer version;
    /// [`ErrorKind::Corrupted`] if it is none of the codec's. A path may hold keys of maps, and nothing else of the
    /// value.
    pub fn decode(&self, entry: &Entry) -> Result<Option<T>>
    where
        T: DeserializeOwned,
    {
        match self.decode_any(entry) {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.misfits_are_missing && error.kind() == ErrorKind::Decode => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn decode_any(&self, entry: &Entry) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let Some(schema) = &self.schema else { return read(&self.codec, entry.value()) };
        let version = version_of(entry)?;
        if version > schema.version {
            let ours = schema.version;
            let message = format!("the value is of schema version {version}, and this program knows {ours} and less");
            return Err(Error::new(ErrorKind::Decode, message));
        }
        if version == schema.version {
            return read(&self.codec, entry.value());
        }
        (schema.upgrade)(Outdated { version, value: entry.value(), codec: &self.codec })
    }
}

fn version_of(entry: &Entry) -> Result<u32> {
    let Some(note) = entry.metadata().and_then(|notes| notes.get(SCHEMA_NOTE)) else { return Ok(0) };
    let refusal = || Error::new(ErrorKind::Corrupted, format!("the note `{SCHEMA_NOTE}` is no schema version"));
    note.parse().map_err(|_| refusal())
}

impl<T, C: Clone> Clone for Shape<T, C> {
    fn clone(&self) -> Self {
        Self { codec: self.codec.clone(), schema: self.schema.clone(), ..*self }
    }
}

impl<T, C> Clone for Schema<T, C> {
    fn clone(&self) -> Self {
        Self { version: self.version, upgrade: Arc::clone(&self.upgrade) }
    }
}

impl<T, C: fmt::Debug> fmt::Debug for Shape<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape")
            .field("type", &std::any::type_name::<T>())
            .field("codec", &self.codec)
            .field("version", &self.schema.as_ref().map(|schema| schema.version))
            .field("misfits_are_missing", &self.misfits_are_missing)
            .finish()
    }
}

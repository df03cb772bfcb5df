//! The longest names and values that a store takes.

use kv_core::{Capabilities, Error, ErrorKind, Name, Result, check_collection, check_key};

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    key: usize,
    collection: usize,
    value: Option<u64>,
}

impl Limits {
    pub(super) fn of(capabilities: &Capabilities) -> Self {
        Self {
            key: capabilities.max_key_bytes,
            collection: capabilities.max_collection_bytes,
            value: capabilities.max_value_bytes,
        }
    }

    /// Every record read or written passes here, so that the one comparison is kept apart from the refusal.
    #[inline]
    pub(super) fn check_name(self, name: Name<'_>) -> Result<()> {
        self.check_collection(name.collection)?;
        self.check_key(name.key)
    }

    #[inline]
    pub(super) fn check_collection(self, collection: &str) -> Result<()> {
        check_collection(collection)?;
        if collection.len() > self.collection {
            return Err(too_long(ErrorKind::InvalidCollection, collection.len(), self.collection));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_key(self, key: &str) -> Result<()> {
        check_key(key)?;
        if key.len() > self.key { Err(too_long(ErrorKind::InvalidKey, key.len(), self.key)) } else { Ok(()) }
    }

    /// The error names the key.
    pub(super) fn check_keys(self, collection: &str, keys: &[&str]) -> Result<()> {
        keys.iter().try_for_each(|key| self.check_key(key).map_err(|error| error.at(Name::new(collection, key))))
    }

    pub(super) fn check_value(self, len: usize) -> Result<()> {
        match self.value {
            Some(most) if len as u64 > most => {
                let message = format!("the encoded value has {len} bytes; this store takes {most}");
                Err(Error::new(ErrorKind::TooLarge, message))
            }
            _ => Ok(()),
        }
    }
}

#[cold]
fn too_long(kind: ErrorKind, len: usize, most: usize) -> Error {
    Error::new(kind, format!("the name has {len} bytes; this store takes {most}"))
}

//! CBOR.

use ciborium::de::Error as Refused;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, damaged, misfit, refusal};
use crate::Result;

/// CBOR (RFC 8949), with field names, so that fields can be added and reordered. NaN and infinities are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cbor;

impl Codec for Cbor {
    const NAME: &'static str = "CBOR";

    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
        ciborium::into_writer(value, encoded).map_err(|_| refusal::<Self>())
    }

    fn decode<T: DeserializeOwned>(&self, mut encoded: &[u8]) -> Result<T> {
        let value = ciborium::from_reader(&mut encoded).map_err(|error| match error {
            Refused::Io(_) | Refused::Syntax(_) => damaged::<Self>(),
            _ => misfit::<T, Self>(),
        })?;
        if encoded.is_empty() { Ok(value) } else { Err(damaged::<Self>()) }
    }
}

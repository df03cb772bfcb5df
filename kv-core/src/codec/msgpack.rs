//! MessagePack.

use rmp_serde::decode::Error as Refused;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, damaged, misfit, refusal};
use crate::Result;

/// MessagePack, with field names, so that fields can be added and reordered. NaN and infinities are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MsgPack;

impl Codec for MsgPack {
    const NAME: &'static str = "MessagePack";

    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
        let mut serializer = rmp_serde::Serializer::new(encoded).with_struct_map();
        value.serialize(&mut serializer).map_err(|_| refusal::<Self>())
    }

    fn decode<T: DeserializeOwned>(&self, mut encoded: &[u8]) -> Result<T> {
        let value = rmp_serde::from_read(&mut encoded).map_err(|error| match error {
            Refused::InvalidMarkerRead(_) | Refused::InvalidDataRead(_) => damaged::<Self>(),
            _ => misfit::<T, Self>(),
        })?;
        if encoded.is_empty() { Ok(value) } else { Err(damaged::<Self>()) }
    }
}

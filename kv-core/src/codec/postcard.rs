//! Postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, misfit, refusal};
use crate::Result;

/// Postcard: no names and no types, so the smallest. A type that gains, loses or reorders a field reads what was
/// written before as an error at best and as something else at worst: give such types a
/// [schema version](super::Shape::with_version). For the same reason damaged bytes cannot be told from those of another
/// type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postcard;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
        *encoded = postcard::to_extend(value, std::mem::take(encoded)).map_err(|_| refusal::<Self>())?;
        Ok(())
    }

    fn decode<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T> {
        match postcard::take_from_bytes(encoded) {
            Ok((value, [])) => Ok(value),
            _ => Err(misfit::<T, Self>()),
        }
    }
}

//! How typed collections write their values.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result, ValueRef, json};

#[cfg(feature = "cbor")]
mod cbor;
mod located;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;
mod shape;

#[cfg(feature = "cbor")]
#[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
pub use cbor::Cbor;
#[cfg(feature = "msgpack")]
#[cfg_attr(docsrs, doc(cfg(feature = "msgpack")))]
pub use msgpack::MsgPack;
#[cfg(feature = "postcard")]
#[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
pub use postcard::Postcard;
pub use shape::{Outdated, SCHEMA_NOTE, Shape};

/// A way to write serde types: as JSON values, or as bytes values.
///
/// | codec | written as | feature |
/// | --- | --- | --- |
/// | [`Json`] | JSON, which every program reads | |
/// | `MsgPack` | MessagePack, structs with their field names | `msgpack` |
/// | `Cbor` | CBOR (RFC 8949), structs with their field names | `cbor` |
/// | `Postcard` | postcard: the smallest, and read only by who knows the exact type | `postcard` |
///
/// # Examples
///
/// One's own:
///
/// ```
/// use kv_core::{Codec, Error, ErrorKind, Json, Result};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// JSON, back to front.
/// #[derive(Debug, Clone)]
/// struct Backwards;
///
/// impl Codec for Backwards {
///     const NAME: &'static str = "backwards";
///
///     fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
///         let start = encoded.len();
///         Json.encode(value, encoded)?;
///         encoded[start..].reverse();
///         Ok(())
///     }
///
///     fn decode<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T> {
///         Json.decode(&encoded.iter().rev().copied().collect::<Vec<u8>>())
///     }
/// }
///
/// let mut encoded = Vec::new();
/// Backwards.encode(&[1, 20], &mut encoded)?;
/// assert_eq!(encoded, b"]02,1[");
/// assert_eq!(Backwards.decode::<Vec<u8>>(&encoded)?, [1, 20]);
/// # Ok::<(), Error>(())
/// ```
pub trait Codec: Clone + fmt::Debug + Send + Sync + 'static {
    /// What it is called in errors.
    const NAME: &'static str;

    /// Whether it writes JSON documents; if not, bytes.
    const JSON: bool = false;

    /// Appends the encoded value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if it cannot be written without changing it. The message must hold nothing of it.
    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()>;

    /// Reads what [`encode`](Self::encode) wrote, all of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it does not fit the type, [`ErrorKind::Corrupted`] if it is none of this codec's. The
    /// message must hold nothing of it.
    fn decode<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T>;
}

/// JSON, as everywhere else in this library.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json;

impl Codec for Json {
    const NAME: &'static str = "JSON";
    const JSON: bool = true;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
        json::encode_into(value, encoded)
    }

    fn decode<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T> {
        ValueRef::Json(encoded).decode()
    }
}

/// The value that this codec has encoded so.
fn value_of<C: Codec>(encoded: &[u8]) -> ValueRef<'_> {
    if C::JSON { ValueRef::Json(encoded) } else { ValueRef::Bytes(encoded) }
}

/// Reads a value as `T`. The error for what does not fit says where in the value it stands, as far as that is known.
fn read<T: DeserializeOwned, C: Codec>(codec: &C, value: ValueRef<'_>) -> Result<T> {
    if value.is_json() != C::JSON {
        let (is, codec) = (if value.is_json() { "JSON" } else { "bytes" }, C::NAME);
        return Err(Error::new(ErrorKind::Decode, format!("the value is {is}, and not written as {codec}")));
    }
    codec.decode(value.as_encoded()).map_err(|error| match error.kind() {
        ErrorKind::Decode => located::locate::<T, C>(codec, value.as_encoded(), error),
        _ => error,
    })
}

/// The error for what is sound and no `T`. Messages of serde quote the value, so none goes on.
#[cfg(any(feature = "cbor", feature = "msgpack", feature = "postcard"))]
fn misfit<T, C: Codec>() -> Error {
    Error::new(ErrorKind::Decode, format!("the {} value is no `{}`", C::NAME, std::any::type_name::<T>()))
}

#[cfg(any(feature = "cbor", feature = "msgpack"))]
fn damaged<C: Codec>() -> Error {
    Error::new(ErrorKind::Corrupted, format!("the stored bytes are not {}", C::NAME))
}

#[cfg(any(feature = "cbor", feature = "msgpack", feature = "postcard"))]
fn refusal<C: Codec>() -> Error {
    Error::new(ErrorKind::InvalidValue, format!("the value does not serialise to {}", C::NAME))
}

#[cfg(test)]
mod tests;

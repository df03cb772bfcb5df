//! Values: a JSON document or bytes.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::json;
use crate::{Error, ErrorKind, Result};

/// A borrowed value as it is stored: the text of a JSON document, or bytes.
///
/// Its `Debug` form shows the kind and the length, never the content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// JSON text in UTF-8. Whoever makes one vouches for it; [`Value::from_json`] checks.
    Json(&'a [u8]),
    /// Any bytes.
    Bytes(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// The encoded bytes: the JSON text, or the bytes.
    #[inline]
    pub fn as_encoded(self) -> &'a [u8] {
        match self {
            Self::Json(encoded) | Self::Bytes(encoded) => encoded,
        }
    }

    /// Whether it is a JSON document.
    #[inline]
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// Reads the value as `T`: JSON by its `Deserialize`. For bytes see [`as_bytes`](Self::as_bytes).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it does not fit the type, or is bytes; [`ErrorKind::Corrupted`] if the text that was
    /// stored is not JSON.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T> {
        match self {
            Self::Json(text) => serde_json::from_slice(text).map_err(|error| {
                // serde's own message quotes the value, so only the place and the sort of error go on.
                let (class, line, column) = (error.classify(), error.line(), error.column());
                if matches!(class, Category::Syntax | Category::Eof) {
                    let message = format!("the stored text is not JSON (line {line} column {column})");
                    return Error::new(ErrorKind::Corrupted, message);
                }
                let type_name = std::any::type_name::<T>();
                Error::new(
                    ErrorKind::Decode,
                    format!("the JSON value is no `{type_name}` ({class:?} error at line {line} column {column})"),
                )
            }),
            Self::Bytes(bytes) => Err(Error::new(
                ErrorKind::Decode,
                format!("the value is {} bytes, not JSON; read it as bytes", bytes.len()),
            )),
        }
    }

    /// The bytes of a bytes value.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Json(_) => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// The text of a JSON value.
    pub fn as_json(self) -> Option<&'a str> {
        match self {
            Self::Json(text) => std::str::from_utf8(text).ok(),
            Self::Bytes(_) => None,
        }
    }

    /// Whether both are the same value: bytes by their bytes, JSON by what it means (objects without order, numbers by
    /// exact value).
    pub fn means(self, other: ValueRef<'_>) -> bool {
        match (self, other) {
            (Self::Json(one), ValueRef::Json(other)) => json::means_the_same(one, other),
            (Self::Bytes(one), ValueRef::Bytes(other)) => one == other,
            _ => false,
        }
    }

    /// A copy that owns its bytes.
    pub fn to_value(self) -> Value {
        match self {
            Self::Json(text) => Value(Kind::Json(text.to_vec())),
            Self::Bytes(bytes) => Value(Kind::Bytes(bytes.to_vec())),
        }
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, encoded) = match self {
            Self::Json(text) => ("Json", text),
            Self::Bytes(bytes) => ("Bytes", bytes),
        };
        write!(f, "{kind}({} bytes)", encoded.len())
    }
}

/// A value: a JSON document of any shape, or bytes.
///
/// # Examples
///
/// ```
/// use kv_core::Value;
///
/// let value = Value::encode(&vec![1, 2, 3])?;
/// assert_eq!(value.as_ref().as_json(), Some("[1,2,3]"));
/// assert_eq!(value.as_ref().decode::<Vec<u8>>()?, [1, 2, 3]);
///
/// // JSON has no word for it, and what is read must equal what was written.
/// assert!(Value::encode(&f64::NAN).is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Json(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Value {
    /// The JSON of a serde type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if it does not serialise, or holds a NaN or an infinity.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let mut text = Vec::with_capacity(128);
        json::encode_into(value, &mut text)?;
        Ok(Self(Kind::Json(text)))
    }

    /// The JSON document of this text, kept as it is: numbers keep all their digits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if it is not JSON.
    pub fn from_json(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let raw: &RawValue = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::new(ErrorKind::InvalidValue, format!("the text is not JSON (line {line} column {column})"))
        })?;
        let text = if raw.get().len() == text.len() { text } else { raw.get().to_owned() };
        Ok(Self(Kind::Json(text.into_bytes())))
    }

    /// JSON text that is known to be such.
    #[cfg(any(feature = "compression", feature = "encryption"))]
    pub(crate) fn from_valid_json(text: Vec<u8>) -> Self {
        Self(Kind::Json(text))
    }

    /// Bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// The value, borrowed.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match &self.0 {
            Kind::Json(text) => ValueRef::Json(text),
            Kind::Bytes(bytes) => ValueRef::Bytes(bytes),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_and_no_debug_form_shows_a_value() {
        let torn = ValueRef::Json(b"[1, ").decode::<Vec<u8>>().unwrap_err();
        assert_eq!(torn.kind(), ErrorKind::Corrupted);
        let value = Value::encode("hunter2").unwrap();
        let error = value.as_ref().decode::<u64>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        for text in [error.to_string(), format!("{error:?}"), format!("{value:?}"), format!("{:?}", value.as_ref())] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn json_text_keeps_its_digits() {
        let digits = "123456789012345678901234567890";
        let value = Value::from_json(format!(" {digits} ")).unwrap();
        assert_eq!(value.as_ref().as_json(), Some(digits));
        assert_eq!(value.as_ref().decode::<u128>().unwrap().to_string(), digits);
        for bad in ["", "NaN", "{", "1 2", "{'a': 1}"] {
            assert_eq!(Value::from_json(bad).unwrap_err().kind(), ErrorKind::InvalidValue, "{bad}");
        }
    }
}

//! What the URLs of servers have in common.

use std::borrow::Cow;

use kv_core::{Error, ErrorKind, Result};

#[cfg(any(feature = "postgres", feature = "redis"))]
mod authority;

#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use authority::{Authority, digits};

/// Nothing of the URL may be in a message: what stands wrong could be the password.
pub(crate) fn wrong(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Configuration, what)
}

/// A part of a URL, percent-decoded. A `%` that means itself is refused: somebody forgot to encode a password.
pub(crate) fn decode(text: &str) -> Result<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.ok_or_else(|| wrong("the URL has a % that two hex digits do not follow; % itself is %25"))?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| wrong("a part of the URL, percent-decoded, is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decoding() {
        for (text, decoded) in [("", Ok("")), ("a+b", Ok("a+b")), ("%C3%bc%25%00é", Ok("ü%\0é"))] {
            assert_eq!(decode(text).as_deref().map_err(|_| ()), decoded);
        }
        for (text, says) in
            [("%", "%25"), ("%2", "%25"), ("%+1", "%25"), ("%é", "%25"), ("%%41", "%25"), ("%ff", "UTF-8")]
        {
            let error = decode(text).unwrap_err();
            assert!(error.message().contains(says), "{text}: {error}");
        }
    }
}

//! Compressed values.
//!
//! Three forms stand side by side in a store, and each is read whatever is written:
//!
//! * a JSON value as it is: one below the threshold, or that does not become shorter;
//! * Python's, written for JSON values under [`Algorithm::Gzip`]: an object of the three names below, with the gzip of
//!   the JSON in base64;
//! * our envelope, a bytes value: whatever else is compressed, and all bytes, so that a damaged envelope is never taken
//!   for somebody's bytes.
//!
//! ```text
//! {"__compressed_data__":"<base64>","__compression_algorithm__":"gzip","__compression_version__":1}
//!
//! offset  bytes  what (numbers little-endian)
//!      0      3  F5 6B 7A: a byte that begins neither UTF-8 nor JSON, then "kz"
//!      3      1  the format's version: 1
//!      4      1  the algorithm: 0 stored, 1 gzip, 2 zstd, 3 lz4 (a block)
//!      5      1  what the value is: 0 JSON, 1 bytes
//!      6      4  the length of the value (u32)
//!     10      4  the CRC-32 of all the other bytes
//!     14         to the end the compressed value
//! ```
//!
//! A user's object that has one of Python's three names is always wrapped, so that it is not taken for an envelope.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use serde::Deserialize;

use super::envelope::{Claims, Form, check_json, unbased, unwrapped};
use super::{corrupted, newer};
use crate::scratch::Scratch;
use crate::{Entry, Error, ErrorKind, Result, Value, ValueRef};

mod codec;
#[cfg(test)]
mod tests;

pub use codec::Algorithm;
use codec::Codecs;

/// What an envelope begins with, before the format's version.
pub const MAGIC: [u8; 3] = *b"\xF5kz";

/// The version written, and the only one read, of both forms.
const VERSION: u8 = 1;

const HEADER_LEN: usize = 14;
/// Where the checksum stands, which it does not cover.
const CHECKSUM_AT: usize = 10;

/// How gzip's form is written: by us, and by Python.
const FORMS: [Form; 2] = [
    (r#"{"__compressed_data__":""#, r#"","__compression_algorithm__":"gzip","__compression_version__":1}"#),
    (r#"{"__compressed_data__": ""#, r#"", "__compression_algorithm__": "gzip", "__compression_version__": 1}"#),
];

const NAMES: Claims = Claims {
    begin: "__compress",
    names: &["__compressed_data__", "__compression_algorithm__", "__compression_version__"],
};

/// How values are compressed, and what is read.
///
/// # Examples
///
/// ```
/// use kv_core::formats::compression::{Algorithm, Compressor};
/// use kv_core::{Value, ValueRef};
///
/// let compressor = Compressor::new(Algorithm::Gzip);
/// let value = Value::encode(&"a".repeat(5000))?;
/// let stored = compressor.encode(value.as_ref())?.expect("long, and easily compressed");
/// assert!(stored.as_ref().as_encoded().len() < 200);
/// assert_eq!(compressor.decode(stored.as_ref())?, Some(value));
///
/// // What is short stays as it is.
/// assert_eq!(compressor.encode(ValueRef::Json(b"[1]"))?, None);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Compressor {
    algorithm: Algorithm,
    level: i32,
    threshold: usize,
    limit: u32,
    plain_bytes: bool,
    codecs: Codecs,
}

impl Compressor {
    /// The encoded length from which a value is compressed, unless told otherwise: Python's.
    pub const DEFAULT_THRESHOLD: usize = 1024;

    /// The longest value, unless told otherwise: 64 MiB.
    pub const DEFAULT_LIMIT: u32 = 64 << 20;

    /// By this algorithm, at its own default level.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            level: algorithm.default_level(),
            threshold: Self::DEFAULT_THRESHOLD,
            limit: Self::DEFAULT_LIMIT,
            plain_bytes: false,
            codecs: Codecs::default(),
        }
    }

    /// At this level: the higher, the slower and the smaller.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the algorithm has no such level: gzip has 1 to 9, zstd 1 to 22, lz4 none.
    pub fn with_level(mut self, level: i32) -> Result<Self> {
        let levels = self.algorithm.levels();
        if !levels.contains(&level) {
            let (name, least, most) = (self.algorithm, levels.start(), levels.end());
            let message = match levels.is_empty() {
                true => format!("{name} has no levels"),
                false => format!("the levels of {name} are {least} to {most}, and not {level}"),
            };
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        self.level = level;
        Ok(self)
    }

    /// For values whose encoded form has at least so many bytes.
    #[must_use]
    pub fn with_threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// For values of at most so many bytes, encoded and not compressed. What claims to be longer is not decompressed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for 0.
    pub fn with_limit(mut self, bytes: u32) -> Result<Self> {
        if bytes == 0 {
            return Err(Error::new(ErrorKind::Configuration, "the longest value must have a byte or more"));
        }
        self.limit = bytes;
        Ok(self)
    }

    /// Reads bytes that stand in no envelope as they are: for stores that held bytes before they were compressed.
    #[must_use]
    pub fn with_plain_bytes(mut self) -> Self {
        self.plain_bytes = true;
        self
    }

    /// The algorithm that it writes.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it compresses as fast as that algorithm does unless told otherwise.
    pub fn is_at_default_level(&self) -> bool {
        self.level <= self.algorithm.default_level()
    }

    /// The longest value.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Refuses a value of that encoded length.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`].
    pub fn check_len(&self, len: usize) -> Result<u32> {
        let most = self.limit;
        u32::try_from(len).ok().filter(|len| *len <= most).ok_or_else(|| {
            let message = format!("the encoded value has {len} bytes; values to compress have {most} at most");
            Error::new(ErrorKind::TooLarge, message)
        })
    }

    /// What to store for a value; `None` if it is to be stored as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`].
    pub fn encode(&self, value: ValueRef<'_>) -> Result<Option<Value>> {
        let plain = value.as_encoded();
        let len = self.check_len(plain.len())?;
        // Bytes are always in an envelope, and so is what would be taken for one.
        let wrapped = !value.is_json() || NAMES.are_in(plain);
        if plain.len() >= self.threshold {
            let stored = match (value, self.algorithm) {
                (ValueRef::Json(_), Algorithm::Gzip) => self.python(plain)?,
                _ => self.envelope(Some(self.algorithm), value.is_json(), plain, len)?,
            };
            // Of bytes, their envelope is a part of what there would be anyway.
            let most = plain.len() + if value.is_json() { 0 } else { HEADER_LEN };
            if stored.as_ref().as_encoded().len() < most {
                return Ok(Some(stored));
            }
        }
        match wrapped {
            // Python reads it too.
            true if value.is_json() && self.algorithm == Algorithm::Gzip => self.python(plain).map(Some),
            true => self.envelope(None, value.is_json(), plain, len).map(Some),
            false => Ok(None),
        }
    }

    fn python(&self, plain: &[u8]) -> Result<Value> {
        let [(begin, end), _] = FORMS;
        let compressed = self.codecs.compress(Algorithm::Gzip, self.level, plain, 0)?;
        let mut text = String::with_capacity(begin.len() + compressed.len().div_ceil(3) * 4 + end.len());
        text.push_str(begin);
        BASE64.encode_string(compressed, &mut text);
        text.push_str(end);
        Ok(Value::from_valid_json(text.into_bytes()))
    }

    fn envelope(&self, algorithm: Option<Algorithm>, json: bool, plain: &[u8], len: u32) -> Result<Value> {
        let mut out = match algorithm {
            Some(algorithm) => self.codecs.compress(algorithm, self.level, plain, HEADER_LEN)?,
            None => [&[0; HEADER_LEN], plain].concat(),
        };
        let (header, payload) = out.split_at_mut(HEADER_LEN);
        header[..3].copy_from_slice(&MAGIC);
        header[3..6].copy_from_slice(&[VERSION, algorithm.map_or(0, Algorithm::number), u8::from(!json)]);
        header[6..CHECKSUM_AT].copy_from_slice(&len.to_le_bytes());
        let checksum = checksum(&header[..CHECKSUM_AT], payload);
        header[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        Ok(Value::from_bytes(out))
    }

    /// What a stored value means; `None` if it is the value as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupted`] if it is damaged, of a newer version, or longer than the limit;
    /// [`ErrorKind::Unsupported`] if this build has not its algorithm.
    pub fn decode(&self, stored: ValueRef<'_>) -> Result<Option<Value>> {
        Scratch::with(|scratch| Ok(self.decode_in(stored, scratch)?.map(ValueRef::to_value)))
    }

    /// [`decode`](Self::decode) for the value of an entry: the entry with the value that it means.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn decode_entry(&self, stored: &Entry) -> Result<Option<Entry>> {
        Scratch::with(|scratch| Ok(self.decode_in(stored.value(), scratch)?.map(|value| stored.with_value(value))))
    }

    fn decode_in<'a>(&self, stored: ValueRef<'a>, scratch: &'a mut Scratch) -> Result<Option<ValueRef<'a>>> {
        match stored {
            ValueRef::Json(text) if NAMES.are_in(text) => self.decode_python(text, scratch).map(Some),
            ValueRef::Json(_) => Ok(None),
            ValueRef::Bytes(bytes) => match bytes.strip_prefix(&MAGIC) {
                Some(_) => self.decode_envelope(bytes, scratch).map(Some),
                None if self.plain_bytes => Ok(None),
                None => Err(corrupted(
                    "the bytes stand in no envelope of a compressed value; bytes from before need with_plain_bytes",
                )),
            },
        }
    }

    fn decode_python<'a>(&self, text: &[u8], scratch: &'a mut Scratch) -> Result<ValueRef<'a>> {
        let Scratch { coded, plain } = scratch;
        let len = match unwrapped(text, &FORMS, &BASE64, coded) {
            Some(len) => len,
            None => Self::parse_python(text, coded)?,
        };
        let len = self.codecs.gunzip(&coded[..len], self.limit, plain)?;
        check_json(&plain[..len])?;
        Ok(ValueRef::Json(&plain[..len]))
    }

    /// The same of an envelope that is written in another way, or is none.
    fn parse_python(text: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Envelope<'a> {
            #[serde(borrow, rename = "__compressed_data__")]
            data: Cow<'a, str>,
            #[serde(borrow, rename = "__compression_algorithm__")]
            algorithm: Cow<'a, str>,
            #[serde(rename = "__compression_version__")]
            version: u64,
        }
        let damaged = || corrupted("it has a name of a compressed value, and is none, or a damaged one");
        let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|_| damaged())?;
        if envelope.version != u64::from(VERSION) {
            return Err(newer(envelope.version, VERSION));
        }
        if envelope.algorithm != "gzip" {
            return Err(corrupted("it is compressed by an algorithm that is not known"));
        }
        unbased(envelope.data.as_bytes(), &BASE64, out).ok_or_else(damaged)
    }

    fn decode_envelope<'a>(&self, bytes: &'a [u8], scratch: &'a mut Scratch) -> Result<ValueRef<'a>> {
        let cut = || corrupted("the envelope of its compressed value is cut short");
        let (header, payload) = bytes.split_first_chunk::<HEADER_LEN>().ok_or_else(cut)?;
        let [_, _, _, version, algorithm, kind, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
        if version != VERSION {
            return Err(newer(version, VERSION));
        }
        if checksum(&header[..CHECKSUM_AT], payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(corrupted("the checksum of its compressed value does not match"));
        }
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len > self.limit {
            return Err(codec::bomb(self.limit));
        }
        let plain = match algorithm {
            0 => payload,
            number => {
                let algorithm = Algorithm::of_number(number)?;
                let len = self.codecs.decompress(algorithm, payload, len, &mut scratch.plain)?;
                &scratch.plain[..len]
            }
        };
        if plain.len() as u64 != u64::from(len) {
            return Err(corrupted("its value is not as long as its envelope says"));
        }
        match kind {
            0 => Ok(ValueRef::Json(plain)),
            1 => Ok(ValueRef::Bytes(plain)),
            _ => Err(corrupted("the envelope of its compressed value is of no known kind")),
        }
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

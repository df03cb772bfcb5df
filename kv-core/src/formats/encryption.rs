//! Encrypted values.
//!
//! Python's form, an object with a Fernet token in base64, for the JSON values of a [`Fernet`] cipher; and our
//! envelope, a bytes value, for its bytes and for all values of an [`Aead`] cipher:
//!
//! ```text
//! {"__encrypted_data__":"<base64 of the token's text>","__encryption_version__":1}
//!
//! offset  bytes  what (numbers little-endian)
//!      0      3  F5 6B 65: a byte that begins neither UTF-8 nor JSON, then "ke"
//!      3      1  the format's version: 1
//!      4      1  the algorithm: 1 XChaCha20-Poly1305, 2 Fernet
//!      5      1  what the value is: 0 JSON, 1 bytes
//!
//! XChaCha20-Poly1305:
//!      6      4  the key's id (u32)
//!     10     24  the nonce
//!     34         the ciphertext, and to the end its tag of 16 bytes. The associated data are the first ten bytes, then
//!                the context, the collection and the key, each after its length (u32)
//!
//! Fernet:
//!      6         to the end the token, not in base64; its plaintext begins with the byte FF, which no JSON does
//! ```

use crate::scratch::Scratch;
use crate::{Entry, Error, ErrorKind, Name, Result, Value, ValueRef};

mod aead;
mod fernet;
#[cfg(test)]
mod tests;

use super::envelope::Claims;
use super::{corrupted, newer};
pub use aead::Aead;
pub use fernet::Fernet;

/// What an envelope begins with, before the format's version.
pub const MAGIC: [u8; 3] = *b"\xF5ke";

/// The version written, and the only one read, of both forms.
const VERSION: u8 = 1;

const AEAD: u8 = 1;
const FERNET: u8 = 2;

/// The magic, the version, the algorithm and the kind of value.
const HEADER_LEN: usize = 6;

const NAMES: Claims = Claims { begin: "__encrypt", names: &["__encrypted_data__", "__encryption_version__"] };

/// A stored value, or entry, that was read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened<T = Value> {
    /// It was encrypted with the first key.
    Current(T),
    /// It was encrypted with an older key.
    Older(T),
    /// It is not encrypted.
    Plain,
}

impl<T> std::fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Current(_) => "Current",
            Self::Older(_) => "Older",
            Self::Plain => "Plain",
        })
    }
}

impl<T> Opened<T> {
    fn new(value: T, key: usize) -> Self {
        if key == 0 { Self::Current(value) } else { Self::Older(value) }
    }

    fn map<U>(self, f: impl FnOnce(T) -> U) -> Opened<U> {
        match self {
            Self::Current(value) => Opened::Current(f(value)),
            Self::Older(value) => Opened::Older(f(value)),
            Self::Plain => Opened::Plain,
        }
    }
}

/// What came of encrypting anew.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reencrypted {
    /// How many records were.
    pub rewritten: u64,
    /// What could not be read, each error with its key; some perhaps twice, where the store's listing repeats itself.
    pub unreadable: Vec<Error>,
}

/// What encrypts values, with its keys: of several the first encrypts, and all decrypt.
///
/// Keys are wiped from memory when it is dropped, and never shown.
///
/// # Examples
///
/// ```
/// use kv_core::formats::encryption::{Aead, Cipher, Opened};
/// use kv_core::{ErrorKind, Name, Value};
///
/// let cipher = Cipher::from(Aead::new("customers", 1, &[7; 32]));
/// let (name, value) = (Name::new("users", "alice"), Value::encode("secret")?);
/// let stored = cipher.seal(name, value.as_ref())?;
/// assert_eq!(cipher.open(name, stored.as_ref())?, Opened::Current(value));
///
/// let moved = cipher.open(Name::new("users", "bob"), stored.as_ref()).unwrap_err();
/// assert_eq!(moved.kind(), ErrorKind::Corrupted);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Cipher {
    /// XChaCha20-Poly1305, bound to the record.
    Aead(Aead),
    /// As Python does it.
    Fernet(Fernet),
}

impl From<Aead> for Cipher {
    fn from(aead: Aead) -> Self {
        Self::Aead(aead)
    }
}

impl From<Fernet> for Cipher {
    fn from(fernet: Fernet) -> Self {
        Self::Fernet(fernet)
    }
}

impl Cipher {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Aead(_) => "XChaCha20-Poly1305",
            Self::Fernet(_) => "Fernet",
        }
    }

    /// Whether what it stores for JSON is text, which is nearly 80 % longer.
    pub fn is_in_base64(&self) -> bool {
        matches!(self, Self::Fernet(_))
    }

    /// What to store for the value of this record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the system gives no random numbers.
    pub fn seal(&self, name: Name<'_>, value: ValueRef<'_>) -> Result<Value> {
        match self {
            Self::Aead(aead) => aead.seal(name, value, random()?),
            Self::Fernet(fernet) => {
                let now = crate::Clock::now(&crate::SystemClock).as_micros() / 1_000_000;
                Ok(fernet.seal(value, now.unsigned_abs(), random()?))
            }
        }
    }

    /// Reads what is stored for this record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupted`] if it is damaged, encrypted with a key that is not here, of a newer version, or, where
    /// the cipher binds it, of another record.
    pub fn open(&self, name: Name<'_>, stored: ValueRef<'_>) -> Result<Opened> {
        Scratch::with(|scratch| Ok(self.open_in(name, stored, scratch)?.map(ValueRef::to_value)))
    }

    /// [`open`](Self::open) for the value of an entry: the entry with the value that was encrypted.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_entry(&self, name: Name<'_>, stored: &Entry) -> Result<Opened<Entry>> {
        Scratch::with(|scratch| {
            let opened = self.open_in(name, stored.value(), scratch)?;
            Ok(opened.map(|value| stored.with_value(value)))
        })
    }

    fn open_in<'a>(
        &self,
        name: Name<'_>,
        stored: ValueRef<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Opened<ValueRef<'a>>> {
        let body = match stored {
            ValueRef::Json(text) if !NAMES.are_in(text) => return Ok(Opened::Plain),
            ValueRef::Json(text) => {
                return match self {
                    Self::Fernet(fernet) => fernet.open_text(text, scratch),
                    Self::Aead(_) => Err(foreign()),
                };
            }
            ValueRef::Bytes(bytes) => match bytes.strip_prefix(&MAGIC) {
                Some(body) => body,
                None => return Ok(Opened::Plain),
            },
        };
        let Some(([version, algorithm, kind], body)) = body.split_first_chunk() else {
            return Err(corrupted("its envelope is cut short"));
        };
        if *version != VERSION {
            return Err(newer(version, VERSION));
        }
        match (self, *algorithm) {
            (Self::Aead(aead), AEAD) => aead.open(name, *kind, body, scratch),
            (Self::Fernet(fernet), FERNET) if *kind == 1 => fernet.open_bytes(body, scratch),
            _ => Err(foreign()),
        }
    }

    /// The longest value whose stored form has at most so many bytes.
    pub fn room_in(&self, most: u64) -> u64 {
        match self {
            Self::Aead(_) => most.saturating_sub(aead::OVERHEAD),
            Self::Fernet(_) => fernet::room_in(most),
        }
    }
}

fn header(algorithm: u8, value: ValueRef<'_>) -> [u8; HEADER_LEN] {
    let [a, b, c] = MAGIC;
    [a, b, c, VERSION, algorithm, u8::from(!value.is_json())]
}

fn random<const LEN: usize>() -> Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Backend, "the system gives no random numbers").with_source(error.to_string())
    })?;
    Ok(bytes)
}

#[cold]
fn foreign() -> Error {
    corrupted("it is encrypted, and not by this cipher")
}

#[cold]
fn undecipherable() -> Error {
    corrupted("it does not decrypt: it is damaged, or encrypted with another key or for another record")
}

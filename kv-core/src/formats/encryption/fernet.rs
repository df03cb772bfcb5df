//! Fernet: AES-128 in CBC mode with HMAC-SHA256, as Python's `cryptography` has it.

use std::borrow::Cow;
use std::fmt;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{FERNET, Opened, VERSION, header, undecipherable};
use crate::formats::envelope::{Form, check_json, unbased, unwrapped};
use crate::formats::{corrupted, newer};
use crate::scratch::{Scratch, room};
use crate::{Error, ErrorKind, Result, Value, ValueRef};

/// The version of the tokens.
const TOKEN: u8 = 0x80;
/// What the plaintext of bytes begins with, so that no JSON is taken for bytes, nor the other way.
const BYTES: u8 = 0xFF;

const IV_LEN: usize = 16;
const MAC_LEN: usize = 32;
/// The version, the instant, and the vector.
const TOKEN_HEADER_LEN: usize = 1 + 8 + IV_LEN;

/// How JSON values are written: by us, and by Python.
const FORMS: [Form; 2] = [
    (r#"{"__encrypted_data__":""#, r#"","__encryption_version__":1}"#),
    (r#"{"__encrypted_data__": ""#, r#"", "__encryption_version__": 1}"#),
];

/// Fernet with one key or several (Python's `MultiFernet`): of several the first encrypts, and all decrypt.
///
/// Its tokens are not bound to a record: whoever can write to the store can copy one from key to key.
///
/// ```
/// use kv_core::formats::encryption::Fernet;
///
/// let cipher = Fernet::new("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=")?
///     .with_older(Fernet::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?);
/// assert_eq!(format!("{cipher:?}"), "Fernet { keys: 2 }");
/// # Ok::<(), kv_core::Error>(())
/// ```
pub struct Fernet {
    first: Key,
    older: Vec<Key>,
}

struct Key {
    /// 16 bytes, and zeros to the length of a block, as HMAC would add them.
    signing: Zeroizing<[u8; 64]>,
    encryption: Zeroizing<[u8; 16]>,
}

impl Fernet {
    /// With this key: 32 bytes in URL-safe base64, as `Fernet.generate_key()` gives.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is none.
    pub fn new(key: &str) -> Result<Self> {
        let bytes = BASE64_URL_SAFE.decode(key.trim()).map(Zeroizing::new).ok();
        let key = bytes.as_ref().and_then(|bytes| bytes.as_slice().try_into().ok()).map(Key::new);
        let first = key.ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "a Fernet key is 32 bytes in URL-safe base64, and this is none")
        })?;
        Ok(Self { first, older: Vec::new() })
    }

    /// With a key derived from a text and a salt as Python's wrapper derives it: PBKDF2 with HMAC-SHA256, in 1,200,000
    /// rounds. It takes about half a second.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if either is blank.
    pub fn derived(source_material: &str, salt: &str) -> Result<Self> {
        if source_material.trim().is_empty() || salt.trim().is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "the source material and the salt must not be blank"));
        }
        let mut key = Zeroizing::new([0; 32]);
        let derived =
            pbkdf2::pbkdf2::<Hmac<Sha256>>(source_material.as_bytes(), salt.as_bytes(), 1_200_000, key.as_mut_slice());
        derived.map_err(|_| Error::new(ErrorKind::Configuration, "the source material cannot be a key"))?;
        Ok(Self { first: Key::new(&key), older: Vec::new() })
    }

    /// With keys that decrypt and do not encrypt.
    #[must_use]
    pub fn with_older(mut self, older: Self) -> Self {
        self.older.push(older.first);
        self.older.extend(older.older);
        self
    }

    /// Appends a token.
    fn seal_into(&self, out: &mut Vec<u8>, plain: &[u8], seconds: u64, iv: [u8; IV_LEN]) {
        let start = out.len();
        let cipher = cbc::Encryptor::<Aes128>::new(self.first.encryption(), &iv.into());
        let sealed = cipher.encrypt_padded_vec::<Pkcs7>(plain);
        out.reserve_exact(TOKEN_HEADER_LEN + sealed.len() + MAC_LEN);
        out.push(TOKEN);
        out.extend_from_slice(&seconds.to_be_bytes());
        out.extend_from_slice(&iv);
        out.extend_from_slice(&sealed);
        let mac = self.first.mac(&out[start..]).finalize();
        out.extend_from_slice(&mac.into_bytes());
    }

    pub(super) fn seal(&self, value: ValueRef<'_>, seconds: u64, iv: [u8; IV_LEN]) -> Value {
        let plain = value.as_encoded();
        if !value.is_json() {
            let mut out = header(FERNET, value).to_vec();
            self.seal_into(&mut out, &[&[BYTES], plain].concat(), seconds, iv);
            return Value::from_bytes(out);
        }
        let [(begin, end), _] = FORMS;
        let mut token = Vec::new();
        self.seal_into(&mut token, plain, seconds, iv);
        let token = BASE64_URL_SAFE.encode(token);
        let mut text = String::with_capacity(begin.len() + token.len().div_ceil(3) * 4 + end.len());
        text.push_str(begin);
        // Python encodes the token's text once more.
        BASE64_STANDARD.encode_string(token, &mut text);
        text.push_str(end);
        Value::from_valid_json(text.into_bytes())
    }

    /// The plaintext, in place of what it was encrypted to, and which key it was.
    fn decrypt<'a>(&self, token: &'a mut [u8]) -> Result<(&'a [u8], usize)> {
        let (signed, mac) = token.split_last_chunk_mut::<MAC_LEN>().ok_or_else(undecipherable)?;
        if signed.first() != Some(&TOKEN) {
            return Err(undecipherable());
        }
        let mut keys = std::iter::once(&self.first).chain(&self.older).enumerate();
        let signer = keys.find(|(_, key)| key.mac(signed).verify_slice(&*mac).is_ok());
        let (at, key) = signer.ok_or_else(undecipherable)?;
        let (head, sealed) = signed.split_first_chunk_mut::<TOKEN_HEADER_LEN>().ok_or_else(undecipherable)?;
        let iv = head.last_chunk::<IV_LEN>().ok_or_else(undecipherable)?;
        let cipher = cbc::Decryptor::<Aes128>::new(key.encryption(), iv.into());
        let plain = cipher.decrypt_padded::<Pkcs7>(sealed).map_err(|_| undecipherable())?;
        Ok((plain, at))
    }

    pub(super) fn open_bytes<'a>(&self, token: &[u8], scratch: &'a mut Scratch) -> Result<Opened<ValueRef<'a>>> {
        let copy = room(&mut scratch.plain, token.len());
        copy.copy_from_slice(token);
        let (plain, key) = self.decrypt(copy)?;
        match plain {
            [BYTES, plain @ ..] => Ok(Opened::new(ValueRef::Bytes(plain), key)),
            _ => Err(corrupted("what was encrypted is not bytes")),
        }
    }

    pub(super) fn open_text<'a>(&self, text: &[u8], scratch: &'a mut Scratch) -> Result<Opened<ValueRef<'a>>> {
        let Scratch { coded, plain: token } = scratch;
        let len = match unwrapped(text, &FORMS, &BASE64_STANDARD, coded) {
            Some(len) => len,
            None => Self::parse(text, coded)?,
        };
        let len = unbased(&coded[..len], &BASE64_URL_SAFE, token).ok_or_else(damaged)?;
        let (plain, key) = self.decrypt(&mut token[..len])?;
        check_json(plain)?;
        Ok(Opened::new(ValueRef::Json(plain), key))
    }

    /// The token's text in an envelope that is written in another way, or is none.
    fn parse(text: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Envelope<'a> {
            #[serde(borrow, rename = "__encrypted_data__")]
            data: Cow<'a, str>,
            #[serde(rename = "__encryption_version__")]
            version: u64,
        }
        let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|_| damaged())?;
        if envelope.version != u64::from(VERSION) {
            return Err(newer(envelope.version, VERSION));
        }
        unbased(envelope.data.as_bytes(), &BASE64_STANDARD, out).ok_or_else(damaged)
    }
}

#[cold]
fn damaged() -> Error {
    corrupted("it has a name of an encrypted value, and is none, or a damaged one")
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Self {
        let (mut signing, mut encryption) = (Zeroizing::new([0; 64]), Zeroizing::new([0; 16]));
        signing[..16].copy_from_slice(&bytes[..16]);
        encryption.copy_from_slice(&bytes[16..]);
        Self { signing, encryption }
    }

    fn encryption(&self) -> &aes::cipher::Key<Aes128> {
        (&*self.encryption).into()
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.signing).into());
        mac.update(signed);
        mac
    }
}

impl fmt::Debug for Fernet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fernet").field("keys", &(1 + self.older.len())).finish()
    }
}

/// The longest JSON value whose envelope has at most so many bytes. Bytes take less.
pub(super) fn room_in(most: u64) -> u64 {
    let [(begin, end), _] = FORMS;
    let unbase = |len: u64| len / 4 * 3;
    let token = unbase(unbase(most.saturating_sub((begin.len() + end.len()) as u64)));
    let sealed = token.saturating_sub((TOKEN_HEADER_LEN + MAC_LEN) as u64);
    (sealed - sealed % IV_LEN as u64).saturating_sub(1)
}

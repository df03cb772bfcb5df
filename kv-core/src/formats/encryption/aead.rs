//! XChaCha20-Poly1305.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};

use super::{AEAD, HEADER_LEN, MAGIC, Opened, VERSION, header, undecipherable};
use crate::formats::corrupted;
use crate::scratch::{Scratch, room};
use crate::{Error, ErrorKind, Name, Result, Value, ValueRef};

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
/// The header with the key's id, which is authenticated with the names.
const BOUND_LEN: usize = HEADER_LEN + 4;

pub(super) const OVERHEAD: u64 = (BOUND_LEN + NONCE_LEN + TAG_LEN) as u64;

/// XChaCha20-Poly1305, with keys that have ids, bound to a context, the collection and the key of the record: a record
/// that is moved, or copied to another store, does not decrypt.
///
/// ```
/// use kv_core::formats::encryption::Aead;
///
/// // 32 random bytes each, from wherever the program keeps its secrets.
/// let (new, old) = ([2; 32], [1; 32]);
/// let cipher = Aead::new("customers", 2026, &new).with_older(2025, &old)?;
/// assert_eq!(format!("{cipher:?}"), r#"Aead { context: "customers", keys: [2026, 2025] }"#);
/// # Ok::<(), kv_core::Error>(())
/// ```
pub struct Aead {
    context: String,
    first: Key,
    older: Vec<Key>,
}

/// An id, and the key, which is wiped when it is dropped.
type Key = (u32, XChaCha20Poly1305);

impl Aead {
    /// With this key, which has this id. The context names the store: records encrypted under another do not decrypt.
    pub fn new(context: impl Into<String>, id: u32, key: &[u8; 32]) -> Self {
        Self { context: context.into(), first: (id, XChaCha20Poly1305::new(key.into())), older: Vec::new() }
    }

    /// With a key that decrypts and does not encrypt.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is a key of this id already.
    pub fn with_older(mut self, id: u32, key: &[u8; 32]) -> Result<Self> {
        if self.keys().any(|(other, _)| *other == id) {
            return Err(Error::new(ErrorKind::Configuration, format!("there are two keys with the id {id}")));
        }
        self.older.push((id, XChaCha20Poly1305::new(key.into())));
        Ok(self)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.older)
    }

    fn associated(&self, header: [u8; HEADER_LEN], id: u32, name: Name<'_>) -> Vec<u8> {
        let names = [self.context.as_str(), name.collection, name.key];
        let len = BOUND_LEN + names.iter().map(|name| 4 + name.len()).sum::<usize>();
        let mut data = Vec::with_capacity(len);
        data.extend_from_slice(&header);
        data.extend_from_slice(&id.to_le_bytes());
        for name in names {
            // Names are checked: none comes near 4 GiB. A context could, and would be bound all the same.
            #[expect(clippy::cast_possible_truncation, reason = "see above")]
            data.extend_from_slice(&(name.len() as u32).to_le_bytes());
            data.extend_from_slice(name.as_bytes());
        }
        data
    }

    pub(super) fn seal(&self, name: Name<'_>, value: ValueRef<'_>, nonce: [u8; NONCE_LEN]) -> Result<Value> {
        let plain = value.as_encoded();
        let header = header(AEAD, value);
        let (id, key) = &self.first;
        let mut out = Vec::with_capacity(BOUND_LEN + NONCE_LEN + plain.len() + TAG_LEN);
        out.extend_from_slice(&header);
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let sealed = InOutBuf::from(&mut out[BOUND_LEN + NONCE_LEN..]);
        let tag = key.encrypt_inout_detached(&nonce.into(), &self.associated(header, *id, name), sealed);
        let too_long = |_| Error::new(ErrorKind::TooLarge, "the value is too long to be encrypted");
        out.extend_from_slice(&tag.map_err(too_long)?);
        Ok(Value::from_bytes(out))
    }

    /// Reads what stands behind the header, which has said what it is.
    pub(super) fn open<'a>(
        &self,
        name: Name<'_>,
        kind: u8,
        body: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<Opened<ValueRef<'a>>> {
        let cut = || corrupted("its envelope is cut short");
        let (id, body) = body.split_first_chunk().ok_or_else(cut)?;
        let (nonce, body) = body.split_first_chunk::<NONCE_LEN>().ok_or_else(cut)?;
        let (sealed, tag) = body.split_last_chunk::<TAG_LEN>().ok_or_else(cut)?;
        let id = u32::from_le_bytes(*id);
        let Some((at, (_, key))) = self.keys().enumerate().find(|(_, (known, _))| *known == id) else {
            return Err(corrupted(format!("it is encrypted with the key {id}, which is not among those given")));
        };
        let [a, b, c] = MAGIC;
        let associated = self.associated([a, b, c, VERSION, AEAD, kind], id, name);
        let plain = room(&mut scratch.plain, sealed.len());
        plain.copy_from_slice(sealed);
        let opened = key.decrypt_inout_detached(nonce.into(), &associated, InOutBuf::from(&mut *plain), tag.into());
        opened.map_err(|_| undecipherable())?;
        // The kind is authenticated, and so is that the text is JSON as it was when it was encrypted.
        let value = if kind == 0 { ValueRef::Json(plain) } else { ValueRef::Bytes(plain) };
        Ok(Opened::new(value, at))
    }
}

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.keys().map(|(id, _)| *id).collect();
        f.debug_struct("Aead").field("context", &self.context).field("keys", &ids).finish()
    }
}

//! Encrypted values.

use std::sync::Arc;

use kv_core::formats::encryption::{Cipher, Opened, Reencrypted};
use kv_core::{
    Atomicity, CallOptions, Capabilities, Entry, Error, ErrorKind, GetOptions, ListOptions, Name, Result, Value,
    ValueRef,
};

use super::transform::{Decoded, Spent, Transform, Transformed};
use crate::attempts::Attempts;
use crate::store::Store;

/// Stores values encrypted: with [`Aead`](super::Aead) (XChaCha20-Poly1305), bound to the record, or with
/// [`Fernet`](super::Fernet), as Python does it.
///
/// Values alone are encrypted. Names, instants and metadata are not, nor is the length of a value hidden. Under
/// [`Aead`](super::Aead) a value is bound to a context that names the store, and to its collection and key: copied to
/// another record it does not decrypt. That a record was replaced by an older state of itself, or removed, nothing
/// tells.
///
/// What is not encrypted, damaged, moved, or encrypted with a key that is not given, is
/// [`Corrupted`](kv_core::ErrorKind::Corrupted), and never given as a value. Keys are wiped from memory, and never
/// shown.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Aead, Encryption};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// # let (new_key, old_key) = ([2; 32], [1; 32]);
/// // 32 random bytes each. The first encrypts, all decrypt.
/// let keys = Aead::new("customers", 2026, &new_key).with_older(2025, &old_key)?;
/// let store = std::sync::Arc::new(Encryption::new(MemoryStore::new(), keys));
/// let kv = Kv::new(std::sync::Arc::clone(&store));
/// kv.collection("cards").put("alice", &"4111 1111 1111 1111").await?;
/// assert_eq!(kv.collection("cards").get::<String>("alice").await?.as_deref(), Some("4111 1111 1111 1111"));
///
/// // After this the old key is needed no more.
/// let done = store.reencrypt("cards").await?;
/// assert!(done.unreadable.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// What the cipher takes; 50 bytes a value under [`Aead`](super::Aead), and under [`Fernet`](super::Fernet) nearly 80 %
/// more for JSON. A change that depends on the value (update, increment, append, compare_and_swap, take, get_and_put)
/// is a read and a conditional write instead of what the store has natively. Long values are encrypted where they hold
/// up nobody else.
///
/// # Order
///
/// What is encrypted does not become shorter, so compression stands around it, and so does whatever looks at values:
///
/// * right: `Compression(Encryption(store))`; a cache within, which then keeps nothing that can be read;
/// * wrong: `Encryption(Compression(store))`: the time is spent and nothing is gained; a cache around encryption whose
///   store is on a disk: what it keeps there is not encrypted.
///
/// A record is bound to the name that this wrapper is told. Under `PrefixKeys(Encryption(store))` that is the prefixed
/// one, so that records do not survive that the two change places. Seeds of the store within are not encrypted, and
/// refused when they are read.
///
/// # Different from Python
///
/// Under [`Fernet`](super::Fernet), Python and this wrapper read each other's JSON objects; of other JSON values, of
/// bytes and of [`Aead`](super::Aead) Python knows nothing. Python gives what is not encrypted to the caller as it is;
/// here that needs [`with_plaintext_read`](Self::with_plaintext_read). Python can answer a miss for what does not
/// decrypt (`raise_on_decryption_error=False`); here it is always an error.
pub type Encryption<S> = Transformed<S, Encrypting>;

/// What [`Encryption`] does to values.
#[derive(Debug, Clone)]
pub struct Encrypting {
    cipher: Arc<Cipher>,
    plaintext: bool,
    most: Option<u64>,
}

impl<S: Store> Transformed<S, Encrypting> {
    /// This store with values encrypted by [`Aead`](super::Aead) or [`Fernet`](super::Fernet). Does no I/O.
    pub fn new(store: S, cipher: impl Into<Cipher>) -> Self {
        let cipher = Arc::new(cipher.into());
        let most = store.describe().capabilities.max_value_bytes.map(|most| cipher.room_in(most));
        Self::of(store, Encrypting { cipher, plaintext: false, most })
    }

    /// Reads values that are not encrypted as they are, which is otherwise an error: for the time in which a store that
    /// was not encrypted comes to be. As long as it lasts, whoever can write to the store can put any value there.
    #[must_use]
    pub fn with_plaintext_read(mut self) -> Self {
        self.transform.plaintext = true;
        self
    }

    /// Encrypts with the first key what a get or get_many has read and was encrypted with an older one, or not at all.
    /// It keeps its expiry, metadata and instant of creation, and has a new revision. A read does not fail because of
    /// it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the store has no conditional writes, without which this could undo another's.
    pub fn with_reencryption_on_read(mut self) -> Result<Self> {
        if self.store.describe().capabilities.conditional == Atomicity::Unsupported {
            let message = "encrypting anew what was read needs conditional writes, which the store has not";
            return Err(Error::new(ErrorKind::Configuration, message).in_store("Encryption"));
        }
        self.rewrites = true;
        Ok(self)
    }

    /// Encrypts with the first key what is in this collection and was encrypted with an older one, or, with
    /// [`with_plaintext_read`](Self::with_plaintext_read), not at all. It keeps its expiry, metadata and instant of
    /// creation, and has a new revision; what others write in the meantime stays. A record that cannot be read does not
    /// stop it: the answer tells of them.
    ///
    /// # Errors
    ///
    /// Those of listing and writing; it can then be begun again.
    #[maybe_async::maybe_async]
    pub async fn reencrypt(&self, collection: &str) -> Result<Reencrypted> {
        let mut done = Reencrypted::default();
        let mut listing = ListOptions::default().with_entries();
        loop {
            let page = self.store.list(collection, &listing).await?;
            for line in page.items {
                let name = Name::new(collection, &line.key);
                match line.entry {
                    Some(Ok(entry)) => self.reencrypt_entry(name, entry, &mut done).await?,
                    Some(Err(error)) => done.unreadable.push(error),
                    None => {}
                }
            }
            match page.next {
                Some(next) => listing.cursor = Some(next),
                None => return Ok(done),
            }
        }
    }

    #[maybe_async::maybe_async]
    async fn reencrypt_entry(&self, name: Name<'_>, entry: Entry, done: &mut Reencrypted) -> Result<()> {
        let mut attempts = Attempts::default();
        let mut stored = Some(entry);
        while let Some(entry) = stored {
            match self.decoded(name, entry, "reencrypt", &mut Spent::default()).await {
                Ok((_, true)) => return Ok(()),
                Ok((entry, false)) => {
                    if self.rewritten(name, &entry, &CallOptions::default()).await?.is_some() {
                        done.rewritten += 1;
                        return Ok(());
                    }
                }
                Err(error) => {
                    done.unreadable.push(error);
                    return Ok(());
                }
            }
            attempts.pause().await.map_err(|error| Self::fail(error, "reencrypt", name))?;
            stored = self.store.get(name, &GetOptions::default()).await?;
        }
        Ok(())
    }
}

impl Transform for Encrypting {
    const NAME: &'static str = "Encryption";

    fn parameters(&self) -> String {
        self.cipher.name().to_owned()
    }

    fn check_len(&self, len: usize) -> Result<()> {
        match self.most {
            Some(most) if len as u64 > most => {
                let message = format!("the encoded value has {len} bytes; this store takes {most} to be encrypted");
                Err(Error::new(ErrorKind::TooLarge, message))
            }
            _ => Ok(()),
        }
    }

    fn encode(&self, name: Name<'_>, value: ValueRef<'_>) -> Result<Option<Value>> {
        self.cipher.seal(name, value).map(Some)
    }

    fn decode(&self, name: Name<'_>, stored: &Entry) -> Result<Decoded> {
        let (entry, current) = match self.cipher.open_entry(name, stored)? {
            Opened::Current(entry) => (Some(entry), true),
            Opened::Older(entry) => (Some(entry), false),
            Opened::Plain if self.plaintext => (None, false),
            _ => {
                let message = "the value is not encrypted; values from before need with_plaintext_read";
                return Err(Error::new(ErrorKind::Corrupted, message));
            }
        };
        Ok(Decoded { entry, current })
    }

    fn stored_at_once(&self) -> usize {
        // Base64 of base64 is longer than what it is of.
        if self.cipher.is_in_base64() { 256 << 10 } else { self.bytes_at_once() }
    }

    fn narrow(&self, capabilities: &mut Capabilities) {
        capabilities.max_value_bytes = capabilities.max_value_bytes.map(|most| self.cipher.room_in(most));
    }
}

#[cfg(test)]
mod tests;

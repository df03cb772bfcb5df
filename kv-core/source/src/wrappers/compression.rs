//! Compressed values.

use std::sync::Arc;

use kv_core::formats::compression::{Algorithm, Compressor};
use kv_core::{Capabilities, Entry, Name, Result, Value, ValueRef};

use super::transform::{Decoded, Transform, Transformed};
use crate::store::Store;

/// Stores values compressed: by gzip, as Python does it, by zstd, or by lz4.
///
/// A value of less than 1,024 bytes, and one that does not become shorter, is stored as it is. Each of the forms is
/// read, whatever is written, so that the algorithm can be changed at any time, and a store that was not compressed can
/// be from now on; where it holds bytes already, see [`Compressor::with_plain_bytes`].
///
/// What is damaged is [`Corrupted`](kv_core::ErrorKind::Corrupted), and never given as a value. Nor is what claims to
/// be longer than a limit, 64 MiB unless told otherwise, and a value longer than that is not taken. Names, instants and
/// metadata are not compressed.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Algorithm, Compression, Compressor};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(Compression::gzip(MemoryStore::new()));
/// let text = "All work and no play makes Jack a dull boy. ".repeat(1000);
/// kv.put("text", &text).await?;
/// assert_eq!(kv.get::<String>("text").await?, Some(text));
///
/// // Otherwise than usual:
/// let smaller = Compressor::new(Algorithm::Gzip).with_level(9)?.with_threshold(200);
/// let kv = Kv::new(Compression::new(MemoryStore::new(), smaller));
/// # kv.put("text", &1).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// What the codec takes. A change that depends on the value (update, increment, append, compare_and_swap, take,
/// get_and_put) is a read and a conditional write instead of what the store has natively. Long values are compressed
/// where they hold up nobody else.
///
/// The longest value that the capabilities tell is the limit of this wrapper: what does not fit the store when it is
/// compressed is refused by the store.
///
/// # Order
///
/// What is encrypted does not become shorter, so encryption stands within:
///
/// * right: `Compression(Encryption(store))`;
/// * wrong: `Encryption(Compression(store))`: the time is spent and nothing is gained.
///
/// Where somebody else chooses a part of a value, its compressed length tells of the rest; do not compress secrets
/// together with what strangers write. A cache that stands around it keeps values as they are, one within keeps them
/// compressed.
///
/// # Different from Python
///
/// Under gzip, Python and this wrapper read each other's JSON objects; of other JSON values, bytes, zstd and lz4 Python
/// knows nothing. Python gives what it cannot decompress to the caller as if it were the value, never stops, stores
/// what does not become shorter, and does not compress a user's object that has the name `__compressed_data__`, and may
/// then decompress it. Here such an object comes back as it was; one that Python has stored is `Corrupted`.
pub type Compression<S> = Transformed<S, Compressing>;

/// What [`Compression`] does to values.
#[derive(Debug, Clone)]
pub struct Compressing(Arc<Compressor>);

impl<S: Store> Transformed<S, Compressing> {
    /// This store with values compressed so. Does no I/O.
    pub fn new(store: S, compressor: Compressor) -> Self {
        Self::of(store, Compressing(Arc::new(compressor)))
    }

    /// This store with values compressed by gzip at level 1, as Python does it. Does no I/O.
    pub fn gzip(store: S) -> Self {
        Self::new(store, Compressor::new(Algorithm::Gzip))
    }

    /// This store with values compressed by zstd at level 3: smaller and faster than gzip. Does no I/O.
    #[cfg(feature = "compression-zstd")]
    #[cfg_attr(docsrs, doc(cfg(feature = "compression-zstd")))]
    pub fn zstd(store: S) -> Self {
        Self::new(store, Compressor::new(Algorithm::Zstd))
    }

    /// This store with values compressed by lz4: the fastest, and the least small. Does no I/O.
    pub fn lz4(store: S) -> Self {
        Self::new(store, Compressor::new(Algorithm::Lz4))
    }
}

impl Transform for Compressing {
    const NAME: &'static str = "Compression";

    fn parameters(&self) -> String {
        self.0.algorithm().to_string()
    }

    fn check_len(&self, len: usize) -> Result<()> {
        self.0.check_len(len).map(drop)
    }

    fn encode(&self, _name: Name<'_>, value: ValueRef<'_>) -> Result<Option<Value>> {
        self.0.encode(value)
    }

    fn decode(&self, _name: Name<'_>, stored: &Entry) -> Result<Decoded> {
        Ok(Decoded { entry: self.0.decode_entry(stored)?, current: true })
    }

    fn bytes_at_once(&self) -> usize {
        // Higher levels of zstd and gzip are several times slower than the usual ones.
        if self.0.is_at_default_level() { 128 << 10 } else { 32 << 10 }
    }

    fn narrow(&self, capabilities: &mut Capabilities) {
        capabilities.max_value_bytes = Some(self.0.limit().into());
    }
}

#[cfg(test)]
mod tests;

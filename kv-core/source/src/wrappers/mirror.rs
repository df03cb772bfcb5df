//! Writes to two stores.

use kv_core::{Description, DivergenceHandle, Entry, GetOptions, Name, Result};

use super::fallback::Fallback;
use crate::store::Store;

/// Writes to two stores and reads from the first: the building block of a migration while the program runs.
///
/// What a write, a change or a removal came to in the first store is then made so in the second. The first decides:
/// what it refuses is refused, and what the second fails at is no error of the call. It is noted, and listed by the
/// [handle](Self::handle); [`reconcile`](Self::reconcile) copies it. The list is bounded: what has no room on it (also
/// a clear or a destroy that the second missed) is counted as unnamed, and takes a copy of the whole.
///
/// With [`with_comparison`](Self::with_comparison) every record that is read is read from the second store too, and one
/// that has another value, another expiry or other notes there is noted.
///
/// A migration from `old` to `new`, without a moment in which a write is lost: first `Mirror(old, new)` in every
/// process; then every record that is only in `old` is copied; with comparison on, `reconcile` until nothing is
/// reported; then `Mirror(new, old)`, from which there is a way back; then `new`.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::Mirror;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let (old, new) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
/// Kv::new(Arc::clone(&old)).put("before", &1).await?;
///
/// let mirror = Arc::new(Mirror::new(old, Arc::clone(&new)).with_comparison());
/// let kv = Kv::new(Arc::clone(&mirror));
/// kv.put("k", &2).await?;
/// assert_eq!(Kv::new(Arc::clone(&new)).get::<i32>("k").await?, Some(2));
///
/// assert_eq!(kv.get::<i32>("before").await?, Some(1));
/// assert_eq!(mirror.handle().report().names[0].key, "before");
/// mirror.reconcile().await?;
/// assert_eq!(Kv::new(new).get::<i32>("before").await?, Some(1));
/// # Ok(())
/// # }
/// ```
///
/// # Limits and cost
///
/// A write takes a round trip of each store, one after the other; so does a read with comparison. Batches are compared
/// as batches; listings are not compared. Writes of one record through this wrapper reach both stores in the same
/// order; those of two processes may not, which comparison finds. A record that is written between the two reads of a
/// comparison may be noted without need.
///
/// # Order
///
/// * right: `Retry` around each store: both have their chance; the second's time-outs are short, as every write waits
///   for it;
/// * wrong: `Retry` around `Mirror` for the second's sake: its failures are not seen there;
/// * wrong: a cache within `Mirror` around one store, if the comparison is to speak of the store.
///
/// # Different from Python
///
/// Python has none.
#[derive(Debug)]
pub struct Mirror<A, B> {
    pair: Fallback<A, B>,
    compares: bool,
}

impl<A: Store, B: Store> Mirror<A, B> {
    /// The first store, and the second that follows it. Does no I/O.
    pub fn new(first: A, second: B) -> Self {
        Self { pair: Fallback::following(first, second), compares: false }
    }

    /// With every record that is read compared to the second store's.
    #[must_use]
    pub fn with_comparison(mut self) -> Self {
        self.compares = true;
        self
    }

    /// With room for so many names of records that differ, 10,000 unless told otherwise. Takes a new
    /// [handle](Self::handle).
    #[must_use]
    pub fn with_max_diverged(mut self, most: usize) -> Self {
        self.pair = self.pair.with_max_diverged(most);
        self
    }

    /// What is known to differ, to be read wherever this wrapper goes.
    pub fn handle(&self) -> DivergenceHandle {
        self.pair.handle()
    }

    fn compare(&self, name: Name<'_>, first: &Result<Option<Entry>>, second: &Result<Option<Entry>>) {
        let same = match (first, second) {
            (Ok(Some(one)), Ok(Some(other))) => {
                one.value().means(other.value())
                    && one.expires() == other.expires()
                    && one.metadata() == other.metadata()
            }
            (Ok(None), Ok(None)) | (Err(_), _) => true,
            _ => false,
        };
        if !same {
            self.pair.is_behind(name);
        }
    }
}

#[maybe_async::maybe_async]
impl<A: Store, B: Store> Mirror<A, B> {
    /// Copies what is known to differ from the first store to the second, and answers how many records that were.
    ///
    /// # Errors
    ///
    /// Those of either store; what was not copied is still noted.
    pub async fn reconcile(&self) -> Result<u64> {
        self.pair.reconcile().await
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<A: Store, B: Store> crate::wrappers::Wrapper for Mirror<A, B> {
    type Inner = Fallback<A, B>;
    const NAME: &'static str = "Mirror";

    fn inner(&self) -> &Self::Inner {
        &self.pair
    }

    fn describe(&self) -> Description {
        self.pair.describe_as("Mirror")
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let answer = Store::get(&self.pair, name, options).await;
        if self.compares && !options.head && answer.is_ok() {
            let other = self.pair.second().get(name, options).await;
            self.compare(name, &answer, &other);
        }
        answer
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let answers = Store::get_many(&self.pair, collection, keys, options).await?;
        if self.compares && !options.head {
            match self.pair.second().get_many(collection, keys, options).await {
                Ok(others) => {
                    for ((key, answer), other) in keys.iter().zip(&answers).zip(&others) {
                        self.compare(Name::new(collection, key), answer, other);
                    }
                }
                Err(_) => keys.iter().for_each(|key| self.pair.is_behind(Name::new(collection, key))),
            }
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests;

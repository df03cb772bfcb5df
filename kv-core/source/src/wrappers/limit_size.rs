//! Values of a size between bounds.

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, Expiry,
    GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result,
    Timestamp, ValueRef, Written,
};

use crate::store::{Store, modify_by_condition};

/// The longest integer that increment writes, in bytes: `-9223372036854775808`.
const LONGEST_INTEGER: usize = 20;

/// Refuses values that are too large or too small, before they reach the store.
///
/// The size is that of the encoded value: a JSON document's text as it is sent to the store (compact as this library
/// writes it), or the bytes of a bytes value. Notes and names are not counted. A value that is too large answers
/// [`TooLarge`](kv_core::ErrorKind::TooLarge), one that is too small
/// [`InvalidValue`](kv_core::ErrorKind::InvalidValue). Of a batch with such a value none is written, and the error
/// names its key.
///
/// It holds for every way to write a value: put, put_many, get_and_put, compare_and_swap, update, increment and append.
/// What append makes is measured whole. What is there already is read whatever its size.
///
/// ```
/// use kv_source::{ErrorKind, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::LimitSize;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(LimitSize::new(MemoryStore::new(), None, Some(10))?);
/// kv.put("short", "12345678").await?; // 10 bytes with its quotes
/// assert_eq!(kv.put("long", "123456789").await.unwrap_err().kind(), ErrorKind::TooLarge);
/// assert_eq!(kv.append("short", "9").await.unwrap_err().kind(), ErrorKind::TooLarge);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A comparison for each value, and no round trip. But append is a read and a conditional write, instead of what the
/// store has natively, as nobody else knows what it comes to; so is increment where an integer (1 to 20 bytes) could be
/// beyond a bound.
///
/// # Order
///
/// It measures what passes through it, so it matters on which side of a wrapper that changes values it stands:
///
/// * `LimitSize` around compression bounds what programs write, whatever becomes of it;
/// * compression around `LimitSize` bounds what is stored: a value that compresses well may be much larger.
///
/// Wrong is the second to protect readers from large values: they come out as large as they went in.
///
/// # Different from Python
///
/// Python measures a JSON document with its keys sorted, spaces after `,` and `:`, and other characters than ASCII
/// escaped; here what counts is the encoded value itself, which is shorter. By default Python drops a value that is too
/// small, and on demand one that is too large, as if it had been written; here every refusal is an error. Python knows
/// no writes but put and put_many.
#[derive(Debug, Clone)]
pub struct LimitSize<S> {
    store: S,
    min: usize,
    max: usize,
}

impl<S: Store> LimitSize<S> {
    /// This store with values of at least `min` and at most `max` bytes; `None` is no bound. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if `min` is more than `max`, and if `max` is zero.
    pub fn new(store: S, min: Option<usize>, max: Option<usize>) -> Result<Self> {
        let (min, max) = (min.unwrap_or(0), max.unwrap_or(usize::MAX));
        if max == 0 {
            return Err(Error::new(ErrorKind::Configuration, "the most that a value may have is 0 bytes"));
        }
        if min > max {
            let message = format!("the least size of a value, {min} bytes, is more than the most, {max}");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Ok(Self { store, min, max })
    }

    #[inline]
    fn fits(&self, len: usize) -> bool {
        (self.min..=self.max).contains(&len)
    }

    /// Names come first: one that is invalid is refused for that.
    fn check(&self, name: Name<'_>, len: usize, operation: &'static str) -> Result<()> {
        if self.fits(len) {
            return Ok(());
        }
        let checked = name.check().and_then(|()| Err(self.refusal(len)));
        checked.map_err(|error| error.in_store("LimitSize").during(operation).at(name))
    }

    #[cold]
    fn refusal(&self, len: usize) -> Error {
        let (kind, bound) = if len > self.max {
            (ErrorKind::TooLarge, format!("at most {}", self.max))
        } else {
            (ErrorKind::InvalidValue, format!("at least {}", self.min))
        };
        Error::new(kind, format!("the encoded value has {len} bytes; it takes {bound}"))
    }

    /// Whether what the change comes to can be beyond a bound although what it brings is not.
    fn depends(&self, change: &Change<'_>) -> bool {
        match change {
            Change::Append(_) => true,
            Change::Increment(_) => self.min > 1 || self.max < LONGEST_INTEGER,
            _ => false,
        }
    }

    fn narrowed(&self, mut capabilities: Capabilities) -> Capabilities {
        if self.max < usize::MAX {
            let max = self.max as u64;
            capabilities.max_value_bytes = Some(capabilities.max_value_bytes.map_or(max, |most| most.min(max)));
        }
        capabilities
    }
}

#[maybe_async::maybe_async(AFIT)]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> crate::wrappers::Wrapper for LimitSize<S> {
    type Inner = S;
    const NAME: &'static str = "LimitSize";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in("LimitSize");
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    fn default_collection(&self) -> &str {
        self.store.default_collection()
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.store.has_come(instant)
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        self.store.at_hand(name)
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.store.get(name, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.store.get_many(collection, keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.check(name, value.as_encoded().len(), "put")?;
        self.store.put(name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        for item in items {
            self.check(Name::new(collection, item.key), item.value.as_encoded().len(), "put_many")?;
        }
        self.store.put_many(collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.store.delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.store.delete_many(collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        if self.depends(change) {
            // Its conditional write is this wrapper's own put, which measures what the change comes to.
            let answer = modify_by_condition(self, name, change, options, Expiry::Never).await;
            return answer.map_err(|error| error.in_store("LimitSize").during(change.operation()).at(name));
        }
        for len in change.value_lengths() {
            self.check(name, len, change.operation())?;
        }
        self.store.modify(name, change, options).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.store.list(collection, options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        self.store.collections(options).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.store.count(collection, filter, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.store.clear(collection, filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.store.destroy(options).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.store.cull(options).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        self.store.ping(options).await
    }

    async fn setup(&self) -> Result<()> {
        self.store.setup().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.narrowed(self.store.capabilities().await?))
    }
}

#[cfg(test)]
mod tests;

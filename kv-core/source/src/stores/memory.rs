//! The store in this process's memory.

use kv_core::memory::{Table, TableOptions};
use kv_core::{
    CallOptions, Change, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter, ListOptions,
    Listed, Modified, Name, Page, PutOutcome, Record, Result, Stability, Written,
};

use crate::driver::{AtHand, Context, Driver, written};
use crate::flavour;
use crate::managed::Managed;

/// A store in this process's memory: as fast as a sharded map, bounded by entries and by bytes if wished.
///
/// A hit allocates nothing. Expired entries are freed with the writes, and by [`cull`](crate::Kv::cull); where a bound
/// is met, an entry that was not read for a while gives way, never the one just written.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::{MemoryOptions, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let options = MemoryOptions::default().with_max_entries(2);
/// let kv = Kv::new(MemoryStore::bounded(options)?);
/// for key in ["a", "b", "c"] {
///     kv.put(key, "value").await?;
/// }
/// assert_eq!(kv.count(&Default::default()).await?, 2);
/// assert!(kv.exists("c").await?);
/// # Ok(())
/// # }
/// ```
pub type MemoryStore = Managed<MemoryDriver>;

/// The bounds of a [`MemoryStore`].
pub type MemoryOptions = TableOptions;

impl MemoryStore {
    /// An empty store without bounds.
    pub fn new() -> Self {
        Self::from_driver(MemoryDriver { table: Table::new(TableOptions::default()) })
    }

    /// An empty store with bounds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a bound of zero.
    pub fn bounded(options: MemoryOptions) -> Result<Self> {
        if options.max_entries == Some(0) || options.max_bytes == Some(0) {
            return Err(Error::new(ErrorKind::Configuration, "a bound of a memory store is 0; it takes 1 or more"));
        }
        Ok(Self::from_driver(MemoryDriver { table: Table::new(options) }))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The driver of [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryDriver {
    table: Table,
}

impl MemoryDriver {
    /// The entries held, those that have expired and are not freed yet included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no entry is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that the entries held take, by the table's own count.
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// The sum of the steps. Those of a large table, of which each takes about a millisecond for a million entries, let
    /// others run in between.
    #[maybe_async::maybe_async]
    async fn sum(&self, steps: impl Iterator<Item = u64> + Send) -> u64 {
        let is_large = self.is_large();
        let mut sum = 0;
        for step in steps {
            sum += step;
            if is_large {
                flavour::breathe().await;
            }
        }
        sum
    }

    fn is_large(&self) -> bool {
        self.table.len() > 10_000
    }

    fn check_fits(&self, name: Name<'_>, record: &Record<'_>) -> Result<()> {
        if self.table.fits(name, record) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, "the entry alone takes more than the bound of the memory store"))
    }
}

impl AtHand for MemoryDriver {
    #[inline]
    fn get(&self, name: Name<'_>) -> Option<Entry> {
        self.table.get(name)
    }

    #[inline]
    fn put(&self, name: Name<'_>, record: &Record<'_>, condition: &Condition, cx: Context<'_>) -> Result<PutOutcome> {
        self.check_fits(name, record)?;
        Ok(self.table.put(name, record, condition, cx.now))
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for MemoryDriver {
    const KIND: &'static str = "Memory";

    fn describe(&self) -> Description {
        let mut capabilities = super::in_process(false);
        capabilities.max_value_bytes = self.table.max_value_bytes().map(|bytes| bytes as u64);
        Description::new(Self::KIND, Stability::Stable, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn at_hand(&self) -> Option<&dyn AtHand> {
        Some(self)
    }

    async fn get(&self, name: Name<'_>, _head: bool, _call: &CallOptions) -> Result<Option<Entry>> {
        Ok(AtHand::get(self, name))
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        _head: bool,
        _call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        Ok(keys.iter().map(|key| Ok(self.table.get(Name::new(collection, key)))).collect())
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        AtHand::put(self, name, record, condition, cx)
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        for (key, record) in records {
            self.check_fits(Name::new(collection, key), record)?;
        }
        self.table.put_many(collection, records.iter().copied(), cx.now);
        Ok(records.iter().map(|(_, record)| Ok(written(record))).collect())
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        Ok(self.table.delete(name, condition, cx.now))
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        Ok(self.table.delete_many(collection, keys, cx.now).into_iter().map(Ok).collect())
    }

    async fn ping(&self, _cx: Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, cx: Context<'_>) -> Result<Modified> {
        self.table.modify(name, change, cx.now, cx.fresh_revision())
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        self.table.list(collection, options, cx.now)
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let mut collections = self.table.collections(options, cx.now)?;
        let is_large = self.is_large();
        while collections.step() {
            if is_large {
                flavour::breathe().await;
            }
        }
        Ok(collections.page())
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        Ok(self.sum(self.table.count(collection, filter, cx.now)).await)
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        Ok(self.sum(self.table.clear(collection, filter, cx.now)).await)
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        Ok(self.sum(self.table.destroy(cx.now)).await)
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        Ok(self.sum(self.table.cull(cx.now)).await)
    }
}

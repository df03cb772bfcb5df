//! The store that keeps nothing.

use kv_core::{
    CallOptions, Capabilities, Change, Condition, DeleteOutcome, Description, Entry, Error, KeyFilter, ListOptions,
    Listed, Modified, Name, Page, PutOutcome, Record, Result, Stability, Written,
};

use crate::driver::{Context, Driver, written};
use crate::managed::Managed;

/// A store that takes every write and keeps nothing: to switch storing off without another code path.
///
/// Names, values and TTLs are checked as everywhere; conditional writes are unsupported, because nothing is ever there.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::NullStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(NullStore::new());
/// kv.put("a", &1).await?;
/// assert_eq!(kv.get::<u8>("a").await?, None);
/// # Ok(())
/// # }
/// ```
pub type NullStore = Managed<NullDriver>;

impl NullStore {
    /// A store that keeps nothing.
    pub fn new() -> Self {
        Self::from_driver(NullDriver)
    }
}

impl Default for NullStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The driver of [`NullStore`].
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NullDriver;

#[maybe_async::maybe_async(AFIT)]
impl Driver for NullDriver {
    const KIND: &'static str = "Null";

    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.listing = kv_core::Listing::ExactlyOnce;
        capabilities.ordered = true;
        capabilities.collections = true;
        capabilities.clear = true;
        capabilities.cull = true;
        Description::new(Self::KIND, Stability::Stable, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        Ok(())
    }

    async fn get(&self, _name: Name<'_>, _head: bool, _call: &CallOptions) -> Result<Option<Entry>> {
        Ok(None)
    }

    async fn get_many(
        &self,
        _collection: &str,
        keys: &[&str],
        _head: bool,
        _call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        Ok(keys.iter().map(|_| Ok(None)).collect())
    }

    async fn put(
        &self,
        _name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        _cx: Context<'_>,
    ) -> Result<PutOutcome> {
        match condition {
            Condition::Always => Ok(PutOutcome::Written(written(record))),
            _ => Err(Error::unsupported("a conditional write")),
        }
    }

    async fn put_many(
        &self,
        _collection: &str,
        records: &[(&str, Record<'_>)],
        _cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        Ok(records.iter().map(|(_, record)| Ok(written(record))).collect())
    }

    async fn delete(&self, _name: Name<'_>, condition: &Condition, _cx: Context<'_>) -> Result<DeleteOutcome> {
        match condition {
            Condition::Always => Ok(DeleteOutcome::Missing),
            _ => Err(Error::unsupported("a conditional delete")),
        }
    }

    async fn delete_many(&self, _collection: &str, keys: &[&str], _cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        Ok(keys.iter().map(|_| Ok(false)).collect())
    }

    async fn ping(&self, _cx: Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }

    async fn modify(&self, _name: Name<'_>, change: &Change<'_>, _cx: Context<'_>) -> Result<Modified> {
        Err(Error::unsupported(change.operation()))
    }

    async fn list(&self, _collection: &str, _options: &ListOptions, _cx: Context<'_>) -> Result<Page<Listed>> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn collections(&self, _options: &ListOptions, _cx: Context<'_>) -> Result<Page<String>> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn clear(&self, _collection: &str, _filter: &KeyFilter, _cx: Context<'_>) -> Result<u64> {
        Ok(0)
    }

    async fn destroy(&self, _cx: Context<'_>) -> Result<u64> {
        Ok(0)
    }

    async fn cull(&self, _cx: Context<'_>) -> Result<u64> {
        Ok(0)
    }
}

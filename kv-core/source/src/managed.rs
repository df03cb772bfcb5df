//! The policy that all stores share.

use std::sync::atomic::{AtomicBool, Ordering};

use kv_core::{
    Atomicity, CallOptions, Capabilities, Change, Clock, Condition, DEFAULT_COLLECTION, DeleteOptions, DeleteOutcome,
    Description, Entry, Error, ErrorKind, Expiry, GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, Page,
    PutItem, PutOptions, PutOutcome, Record, Result, Revisions, SharedClock, Timestamp, Value, ValueRef, Written,
};

use crate::driver::{Context, Driver};
use crate::flavour;
use crate::store::Store;

mod limits;
use limits::Limits;

/// A [`Driver`] made a [`Store`]: names and TTLs are checked, set-up runs once (and again after it failed), expired
/// entries are hidden, and errors are given their context. Every store of this crate is one.
///
/// Making one does no I/O. What all stores have in common is set here, before the store is first used.
///
/// ```
/// use kv_source::{Kv, ManualClock, Timestamp};
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
/// let store = MemoryStore::new()
///     .with_clock(clock)
///     .with_default_collection("settings")?
///     .with_seed("settings", "colour", &"blue")?;
/// let kv = Kv::new(store);
/// assert_eq!(kv.get::<String>("colour").await?.as_deref(), Some("blue"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Managed<D> {
    driver: D,
    kind: &'static str,
    limits: Limits,
    clock: SharedClock,
    revisions: Revisions,
    default_collection: String,
    seeds: Vec<Seed>,
    is_ready: AtomicBool,
    setting_up: flavour::Mutex<()>,
}

#[derive(Debug)]
struct Seed {
    collection: String,
    key: String,
    value: Value,
}

impl<D: Driver> Managed<D> {
    /// A store over this driver. Does no I/O.
    pub fn from_driver(driver: D) -> Self {
        Self {
            kind: D::KIND,
            limits: Limits::of(&driver.describe().capabilities),
            driver,
            clock: SharedClock::default(),
            revisions: Revisions::default(),
            default_collection: DEFAULT_COLLECTION.to_owned(),
            seeds: Vec::new(),
            is_ready: AtomicBool::new(false),
            setting_up: flavour::Mutex::new(()),
        }
    }

    /// With this clock instead of the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// With this source of revisions instead of chance.
    #[must_use]
    pub fn with_revisions(mut self, revisions: Revisions) -> Self {
        self.revisions = revisions;
        self
    }

    /// With this collection for the operations that name none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCollection`].
    pub fn with_default_collection(mut self, collection: impl Into<String>) -> Result<Self> {
        self.default_collection = collection.into();
        self.limits.check_collection(&self.default_collection)?;
        Ok(self)
    }

    /// With an entry that set-up writes where there is none. What is there is left as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidCollection`], [`ErrorKind::InvalidKey`] and [`ErrorKind::InvalidValue`];
    /// [`ErrorKind::Unsupported`] for a store without conditional writes, which could not leave alone what is there.
    pub fn with_seed<T: serde::Serialize + ?Sized>(
        mut self,
        collection: impl Into<String>,
        key: impl Into<String>,
        value: &T,
    ) -> Result<Self> {
        let seed = Seed { collection: collection.into(), key: key.into(), value: Value::encode(value)? };
        self.limits.check_name(Name::new(&seed.collection, &seed.key))?;
        if self.driver.describe().capabilities.conditional == Atomicity::Unsupported {
            return Err(Error::unsupported("a seed, which is a conditional write,"));
        }
        self.seeds.push(seed);
        Ok(self)
    }

    /// The driver.
    pub fn driver(&self) -> &D {
        &self.driver
    }

    fn context(&self, call: &CallOptions) -> Context<'_> {
        Context::new(self.clock.now(), call, &self.revisions)
    }

    /// The record to write, if it may be.
    #[inline]
    fn checked<'a>(
        &self,
        name: Name<'_>,
        value: ValueRef<'a>,
        options: &'a PutOptions,
        cx: Context<'_>,
    ) -> Result<Record<'a>> {
        self.limits.check_name(name)?;
        options.metadata.check()?;
        record(value, options.expiry, options, cx, self.limits)
    }

    /// The entry, unless it has ended.
    #[inline]
    fn live(&self, entry: Option<Entry>) -> Option<Entry> {
        entry.filter(|entry| !entry.expires().is_some_and(|expires| self.clock.has_come(expires)))
    }

    #[cold]
    fn fail(&self, error: Error, operation: &'static str) -> Error {
        error.in_store(self.kind).during(operation)
    }

    /// Sets up before the first use.
    #[maybe_async::maybe_async]
    #[inline]
    async fn ready(&self) -> Result<()> {
        if self.is_ready.load(Ordering::Acquire) { Ok(()) } else { flavour::cold(self.set_up()).await }
    }

    #[maybe_async::maybe_async]
    async fn set_up(&self) -> Result<()> {
        let _one_at_a_time = self.setting_up.lock().await;
        if self.is_ready.load(Ordering::Acquire) {
            return Ok(());
        }
        self.driver.setup().await?;
        let cx = self.context(&CallOptions::default());
        for seed in &self.seeds {
            let name = Name::new(&seed.collection, &seed.key);
            let record = Record::new(seed.value.as_ref(), cx.fresh_revision()).with_created(Some(cx.now));
            // A conflict is an entry that is there, which is what a seed is for.
            self.driver.put(name, &record, &Condition::IfAbsent, cx).await?;
        }
        self.is_ready.store(true, Ordering::Release);
        Ok(())
    }
}

/// A record of this value with what the options say of it.
#[inline]
fn record<'a>(
    value: ValueRef<'a>,
    expiry: Expiry,
    options: &'a PutOptions,
    cx: Context<'_>,
    limits: Limits,
) -> Result<Record<'a>> {
    limits.check_value(value.as_encoded().len())?;
    let expires = expiry.resolve(cx.now)?;
    Ok(Record::new(value, cx.fresh_revision())
        .with_created(Some(options.created.unwrap_or(cx.now)))
        .with_expires(expires)
        .with_metadata(Some(&options.metadata)))
}

#[maybe_async::maybe_async]
#[deny(clippy::missing_trait_methods)]
impl<D: Driver> Store for Managed<D> {
    fn describe(&self) -> Description {
        self.driver.describe()
    }

    fn default_collection(&self) -> &str {
        &self.default_collection
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.clock.has_come(instant)
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        let records = self.driver.at_hand()?;
        if !self.is_ready.load(Ordering::Acquire) || self.limits.check_name(name).is_err() {
            return None;
        }
        Some(self.live(records.get(name)))
    }

    fn put_at_hand(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Option<Result<PutOutcome>> {
        let records = self.driver.at_hand()?;
        if !self.is_ready.load(Ordering::Acquire) {
            return None;
        }
        let cx = self.context(&options.call);
        // What is refused is for a put to refuse.
        let record = self.checked(name, value, options, cx).ok()?;
        let outcome = records.put(name, &record, &options.condition, cx);
        Some(outcome.map_err(|error| self.fail(error, "put").at(name)))
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let fail = |error| self.fail(error, "get").at(name);
        self.limits.check_name(name).map_err(fail)?;
        self.ready().await.map_err(fail)?;
        let entry = self.driver.get(name, options.head, &options.call).await.map_err(fail)?;
        Ok(self.live(entry))
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let fail = |error| self.fail(error, "get_many").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        self.limits.check_keys(collection, keys).map_err(fail)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.ready().await.map_err(fail)?;
        let mut answers = self.driver.get_many(collection, keys, options.head, &options.call).await.map_err(fail)?;
        let mut now = None;
        for answer in &mut answers {
            // One instant for the whole batch, read only if an entry has an end.
            if let Ok(Some(entry)) = answer
                && let Some(expires) = entry.expires()
                && expires <= *now.get_or_insert_with(|| self.clock.now())
            {
                *answer = Ok(None);
            }
        }
        Ok(self.in_context(answers, collection, keys.iter().copied(), "get_many"))
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let fail = |error| self.fail(error, "put").at(name);
        let cx = self.context(&options.call);
        let record = self.checked(name, value, options, cx).map_err(fail)?;
        self.ready().await.map_err(fail)?;
        self.driver.put(name, &record, &options.condition, cx).await.map_err(fail)
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let fail = |error| self.fail(error, "put_many").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        options.metadata.check().map_err(fail)?;
        if options.condition != Condition::Always {
            let error = Error::new(ErrorKind::InvalidArgument, "put_many takes no condition; put takes one");
            return Err(fail(error));
        }
        let cx = self.context(&options.call);
        let mut records = Vec::with_capacity(items.len());
        for item in items {
            let fail = |error| fail(error).at(Name::new(collection, item.key));
            self.limits.check_key(item.key).map_err(fail)?;
            let expiry = item.expiry.unwrap_or(options.expiry);
            records.push((item.key, record(item.value, expiry, options, cx, self.limits).map_err(fail)?));
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.ready().await.map_err(fail)?;
        let answers = self.driver.put_many(collection, &records, cx).await.map_err(fail)?;
        Ok(self.in_context(answers, collection, items.iter().map(|item| item.key), "put_many"))
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let fail = |error| self.fail(error, "delete").at(name);
        self.limits.check_name(name).map_err(fail)?;
        if options.condition == Condition::IfAbsent {
            let message = "delete takes the conditions Always, IfPresent and IfRevision, not IfAbsent";
            return Err(fail(Error::new(ErrorKind::InvalidArgument, message)));
        }
        self.ready().await.map_err(fail)?;
        self.driver.delete(name, &options.condition, self.context(&options.call)).await.map_err(fail)
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let fail = |error| self.fail(error, "delete_many").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        self.limits.check_keys(collection, keys).map_err(fail)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.ready().await.map_err(fail)?;
        let answers = self.driver.delete_many(collection, keys, self.context(options)).await.map_err(fail)?;
        Ok(self.in_context(answers, collection, keys.iter().copied(), "delete_many"))
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let fail = |error| self.fail(error, change.operation()).at(name);
        self.limits.check_name(name).map_err(fail)?;
        let cx = self.context(options);
        change.check(cx.now).map_err(fail)?;
        for len in change.value_lengths() {
            self.limits.check_value(len).map_err(fail)?;
        }
        self.ready().await.map_err(fail)?;
        self.driver.modify(name, change, cx).await.map_err(fail)
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let fail = |error| self.fail(error, "list").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        options.check().map_err(fail)?;
        self.ready().await.map_err(fail)?;
        let mut page = self.driver.list(collection, options, self.context(&options.call)).await.map_err(fail)?;
        for line in &mut page.items {
            if let Some(Err(_)) = line.entry {
                let name = Name::new(collection, &line.key);
                line.entry = line.entry.take().map(|entry| entry.map_err(|error| self.fail(error, "list").at(name)));
            }
        }
        Ok(page)
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let fail = |error| self.fail(error, "collections");
        options.check().map_err(fail)?;
        self.ready().await.map_err(fail)?;
        self.driver.collections(options, self.context(&options.call)).await.map_err(fail)
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let fail = |error| self.fail(error, "count").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        self.ready().await.map_err(fail)?;
        self.driver.count(collection, filter, self.context(options)).await.map_err(fail)
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let fail = |error| self.fail(error, "clear").in_collection(collection);
        self.limits.check_collection(collection).map_err(fail)?;
        self.ready().await.map_err(fail)?;
        self.driver.clear(collection, filter, self.context(options)).await.map_err(fail)
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let fail = |error| self.fail(error, "destroy");
        self.ready().await.map_err(fail)?;
        self.driver.destroy(self.context(options)).await.map_err(fail)
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let fail = |error| self.fail(error, "cull");
        self.ready().await.map_err(fail)?;
        self.driver.cull(self.context(options)).await.map_err(fail)
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        let fail = |error| self.fail(error, "ping");
        self.ready().await.map_err(fail)?;
        self.driver.ping(self.context(options)).await.map_err(fail)
    }

    async fn setup(&self) -> Result<()> {
        self.set_up().await.map_err(|error| self.fail(error, "setup"))
    }

    async fn close(&self) -> Result<()> {
        let _no_set_up_meanwhile = self.setting_up.lock().await;
        self.is_ready.store(false, Ordering::Release);
        self.driver.close().await.map_err(|error| self.fail(error, "close"))
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let fail = |error| self.fail(error, "capabilities");
        self.ready().await.map_err(fail)?;
        self.driver.capabilities().await.map_err(fail)
    }
}

impl<D: Driver> Managed<D> {
    /// Gives the errors of a batch their names.
    fn in_context<'k, T>(
        &self,
        answers: Vec<Result<T>>,
        collection: &str,
        keys: impl Iterator<Item = &'k str>,
        operation: &'static str,
    ) -> Vec<Result<T>> {
        if answers.iter().all(Result::is_ok) {
            return answers;
        }
        let named = |(answer, key): (Result<T>, &str)| {
            answer.map_err(|error| self.fail(error, operation).at(Name::new(collection, key)))
        };
        answers.into_iter().zip(keys).map(named).collect()
    }
}

#[cfg(test)]
mod tests;

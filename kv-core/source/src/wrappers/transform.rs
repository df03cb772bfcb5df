//! Wrappers that store another value than the caller's, and change nothing else.

use std::fmt;

use kv_core::{
    Atomicity, CallOptions, Capabilities, Change, Condition, DeleteOptions, DeleteOutcome, Description, Entry, Error,
    Expiry, GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, OwnedName, Page, PutItem, PutOptions,
    PutOutcome, Result, Timestamp, Value, ValueRef, Written,
};

use crate::flavour;
use crate::store::{Store, modify_by_condition};

/// What becomes of values. A clone of it does the same, and is cheap.
pub trait Transform: fmt::Debug + Clone + Send + Sync + 'static {
    /// What the wrapper is called in errors and descriptions.
    const NAME: &'static str;

    /// How, in a word; no secret.
    fn parameters(&self) -> String;

    /// Refuses a value of that encoded length.
    fn check_len(&self, len: usize) -> Result<()>;

    /// What to store for the value of this record; `None` if it is to be stored as it is.
    fn encode(&self, name: Name<'_>, value: ValueRef<'_>) -> Result<Option<Value>>;

    /// Reads what is stored for this record.
    fn decode(&self, name: Name<'_>, stored: &Entry) -> Result<Decoded>;

    /// How many bytes it works on at once without holding other tasks up: a third of a millisecond's work or so. By
    /// default 128 KiB, which is 400 MB/s; a slower one says less.
    fn bytes_at_once(&self) -> usize {
        128 << 10
    }

    /// The same of what is stored, when it is read.
    fn stored_at_once(&self) -> usize {
        self.bytes_at_once()
    }

    /// What is left of the store's capabilities.
    fn narrow(&self, capabilities: &mut Capabilities);
}

/// A stored value that was read.
#[derive(Debug)]
pub struct Decoded {
    /// The entry with its value; `None` if that is what is stored.
    pub(super) entry: Option<Entry>,
    /// Whether it would be stored so today, with the first of the keys.
    pub(super) current: bool,
}

/// A store of other values.
#[derive(Debug, Clone)]
pub struct Transformed<S, T> {
    pub(super) store: S,
    pub(super) transform: T,
    /// Whether what was not stored as it would be today is written again when it is read.
    pub(super) rewrites: bool,
}

/// The bytes worked on since other tasks had their turn.
#[derive(Debug, Default)]
pub(super) struct Spent(usize);

impl Spent {
    fn is_too_much_with(&mut self, value: ValueRef<'_>, at_once: usize) -> bool {
        self.0 += value.as_encoded().len();
        let is_too_much = flavour::is_long(self.0, at_once);
        if is_too_much {
            self.0 = 0;
        }
        is_too_much
    }
}

impl<S: Store, T: Transform> Transformed<S, T> {
    pub(super) fn of(store: S, transform: T) -> Self {
        Self { store, transform, rewrites: false }
    }

    #[cold]
    pub(super) fn fail(error: Error, operation: &'static str, name: Name<'_>) -> Error {
        error.in_store(T::NAME).during(operation).at(name)
    }

    #[maybe_async::maybe_async]
    async fn encoded(
        &self,
        name: Name<'_>,
        value: ValueRef<'_>,
        operation: &'static str,
        spent: &mut Spent,
    ) -> Result<Option<Value>> {
        // Names are checked before anything else, also where the value will not do.
        let fail = |error| Self::fail(name.check().err().unwrap_or(error), operation, name);
        self.transform.check_len(value.as_encoded().len()).map_err(fail)?;
        if !spent.is_too_much_with(value, self.transform.bytes_at_once()) {
            return self.transform.encode(name, value).map_err(fail);
        }
        let (transform, own, value) = (self.transform.clone(), OwnedName::new(name), value.to_value());
        let work = move || transform.encode(own.get(), value.as_ref());
        flavour::compute(work).await.map_err(fail)
    }

    /// The entry as the caller knows it, and whether it would be stored so today.
    #[maybe_async::maybe_async]
    pub(super) async fn decoded(
        &self,
        name: Name<'_>,
        entry: Entry,
        operation: &'static str,
        spent: &mut Spent,
    ) -> Result<(Entry, bool)> {
        let fail = |error| Self::fail(error, operation, name);
        if !spent.is_too_much_with(entry.value(), self.transform.stored_at_once()) {
            return decode(&self.transform, name, entry).map_err(fail);
        }
        let (transform, own) = (self.transform.clone(), OwnedName::new(name));
        let work = move || decode(&transform, own.get(), entry);
        flavour::compute(work).await.map_err(fail)
    }

    /// The entry that was read, for the one who asked.
    #[maybe_async::maybe_async]
    async fn opened(
        &self,
        name: Name<'_>,
        entry: Entry,
        operation: &'static str,
        call: &CallOptions,
        spent: &mut Spent,
    ) -> Result<Entry> {
        let (entry, current) = self.decoded(name, entry, operation, spent).await?;
        if current || !self.rewrites {
            return Ok(entry);
        }
        // It was read. That it could not be written is for the next reader to mend.
        let rewritten = flavour::cold(self.rewritten(name, &entry, call)).await;
        Ok(rewritten.ok().flatten().unwrap_or(entry))
    }

    /// Stores an entry as it would be today, unless somebody else has changed it.
    #[maybe_async::maybe_async]
    pub(super) async fn rewritten(&self, name: Name<'_>, entry: &Entry, call: &CallOptions) -> Result<Option<Entry>> {
        let record = entry.record();
        let condition = Condition::IfRevision(entry.revision());
        let options = PutOptions::of_record(&record).with_condition(condition).with_call(*call);
        let outcome = Store::put(self, name, record.value, &options).await?;
        Ok(outcome.written().map(|written| Entry::with_revision(&record, written.revision())))
    }

    #[maybe_async::maybe_async]
    async fn seen(&self, name: Name<'_>, entry: Option<Entry>, operation: &'static str) -> Result<Option<Entry>> {
        match entry {
            Some(entry) => Ok(Some(self.decoded(name, entry, operation, &mut Spent::default()).await?.0)),
            None => Ok(None),
        }
    }
}

fn decode<T: Transform>(transform: &T, name: Name<'_>, entry: Entry) -> Result<(Entry, bool)> {
    let decoded = transform.decode(name, &entry)?;
    Ok((decoded.entry.unwrap_or(entry), decoded.current))
}

/// The head of a record: its value is what is stored, or not there at all, and nothing to be read.
fn head(entry: &Entry) -> Entry {
    entry.with_value(ValueRef::Json(b"null"))
}

#[deny(clippy::missing_trait_methods)]
#[maybe_async::maybe_async(AFIT)]
impl<S: Store, T: Transform> crate::wrappers::Wrapper for Transformed<S, T> {
    type Inner = S;
    const NAME: &'static str = T::NAME;

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let mut description = self.store.describe().wrapped_in(T::NAME).with_parameters(self.transform.parameters());
        self.transform.narrow(&mut description.capabilities);
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
        let Some(entry) = self.store.at_hand(name)? else { return Some(None) };
        if Spent::default().is_too_much_with(entry.value(), self.transform.stored_at_once()) {
            return None;
        }
        // An error is for a get to tell, and what is to be written anew for it to write.
        let (entry, current) = decode(&self.transform, name, entry).ok()?;
        (current || !self.rewrites).then_some(Some(entry))
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        match self.store.get(name, options).await? {
            Some(entry) if options.head => Ok(Some(head(&entry))),
            Some(entry) => {
                let opened = self.opened(name, entry, "get", &options.call, &mut Spent::default()).await;
                opened.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let mut answers = self.store.get_many(collection, keys, options).await?;
        let mut spent = Spent::default();
        for (key, answer) in keys.iter().zip(&mut answers) {
            let Ok(Some(entry)) = answer else { continue };
            if options.head {
                *entry = head(entry);
                continue;
            }
            let (name, entry) = (Name::new(collection, key), entry.clone());
            let opened = self.opened(name, entry, "get_many", &options.call, &mut spent).await;
            *answer = opened.map(Some);
        }
        Ok(answers)
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let encoded = self.encoded(name, value, "put", &mut Spent::default()).await?;
        self.store.put(name, encoded.as_ref().map_or(value, Value::as_ref), options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let mut spent = Spent::default();
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let name = Name::new(collection, item.key);
            values.push(self.encoded(name, item.value, "put_many", &mut spent).await?);
        }
        let mut stored = items.to_vec();
        for (item, value) in stored.iter_mut().zip(&values) {
            item.value = value.as_ref().map_or(item.value, Value::as_ref);
        }
        self.store.put_many(collection, &stored, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.store.delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.store.delete_many(collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let operation = change.operation();
        // These do not look at the value; the others must not be made by the store, which knows another one.
        if let Change::Touch(_) | Change::Annotate(_) = change {
            let mut modified = self.store.modify(name, change, options).await?;
            modified.before = self.seen(name, modified.before, operation).await?;
            modified.after = self.seen(name, modified.after, operation).await?;
            return Ok(modified);
        }
        let fail = |error| Self::fail(error, operation, name);
        name.check().map_err(fail)?;
        change.check(self.store.now()).map_err(fail)?;
        for len in change.value_lengths() {
            self.transform.check_len(len).map_err(fail)?;
        }
        if self.store.describe().capabilities.conditional == Atomicity::Unsupported {
            return Err(fail(Error::unsupported("a change that depends on what is there")));
        }
        modify_by_condition(self, name, change, options, Expiry::Never).await.map_err(fail)
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let mut page = self.store.list(collection, options).await?;
        let mut spent = Spent::default();
        for line in &mut page.items {
            if let Some(Ok(entry)) = &line.entry {
                let (name, entry) = (Name::new(collection, &line.key), entry.clone());
                let decoded = self.decoded(name, entry, "list", &mut spent).await;
                line.entry = Some(decoded.map(|(entry, _)| entry));
            }
        }
        Ok(page)
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
        let mut capabilities = self.store.capabilities().await?;
        self.transform.narrow(&mut capabilities);
        Ok(capabilities)
    }
}

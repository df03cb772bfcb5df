//! The handle of a collection.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{
    CallOptions, Change, Condition, DeleteOptions, DeleteOutcome, Entry, Expiry, GetOptions, KeyFilter, ListOptions,
    Metadata, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, Revision, TimeLeft, Timestamp, Ttl, Value,
    ValueRef, Written,
};

use crate::attempts::Attempts;
use crate::pager::{EntryPager, KeyAndEntry, KeyPager, entries};
use crate::store::Store;

/// One collection of a store. Cheap to clone.
///
/// Values are anything that serde can serialise as JSON, or bytes. A read answers `None` for a key that is missing or
/// expired, and an error for everything else: an outage is never a miss.
///
/// # Errors
///
/// Every operation may answer [`InvalidKey`](kv_core::ErrorKind::InvalidKey) or
/// [`InvalidCollection`](kv_core::ErrorKind::InvalidCollection),
/// [`Connection`](kv_core::ErrorKind::Connection) or
/// [`Timeout`](kv_core::ErrorKind::Timeout) where there is a backend to lose, and
/// [`Unsupported`](kv_core::ErrorKind::Unsupported) where the backend has no such thing. Those of an operation's own
/// are named with it.
#[derive(Debug, Clone)]
pub struct Collection {
    store: Arc<dyn Store>,
    name: Arc<str>,
    call: CallOptions,
}

impl Collection {
    pub(crate) fn new(store: Arc<dyn Store>, name: Arc<str>, call: CallOptions) -> Self {
        Self { store, name, call }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store that it is in.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Its name, to be kept.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Another collection of the same store.
    pub(crate) fn sibling(&self, name: &str) -> Self {
        Self::new(Arc::clone(&self.store), name.into(), self.call)
    }

    /// What every call through this handle is given.
    pub fn call_options(&self) -> CallOptions {
        self.call
    }

    /// This collection with a time-out for each call; see [`CallOptions::timeout`].
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { call: self.call.with_timeout(timeout), ..self.clone() }
    }

    pub(crate) fn at<'a>(&'a self, key: &'a str) -> Name<'a> {
        Name::new(&self.name, key)
    }

    fn reading(&self) -> GetOptions {
        GetOptions::default().with_call(self.call)
    }

    pub(crate) fn writing(&self) -> PutOptions {
        PutOptions::default().with_call(self.call)
    }

    /// Options given with a call count before this handle's.
    fn call_or(&self, call: CallOptions) -> CallOptions {
        if call.timeout.is_some() { call } else { self.call }
    }
}

/// Reading.
#[maybe_async::maybe_async]
impl Collection {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`Decode`](kv_core::ErrorKind::Decode) if the value does not fit the type;
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read. It is left in place.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let entry = self.get_entry(key).await?;
        entry.map(|entry| self.decode(key, &entry, "get")).transpose()
    }

    /// Reads a value with its record: instants, revision, metadata.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read.
    pub async fn get_entry(&self, key: &str) -> Result<Option<Entry>> {
        match self.store.at_hand(self.at(key)) {
            Some(entry) => Ok(entry),
            None => self.store.get(self.at(key), &self.reading()).await,
        }
    }

    /// Reads a bytes value.
    ///
    /// # Errors
    ///
    /// [`Decode`](kv_core::ErrorKind::Decode) if it is a JSON value.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.get_entry(key).await? else { return Ok(None) };
        match entry.as_bytes() {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => {
                let message = "the value is JSON, not bytes; read it with `get`";
                Err(kv_core::Error::new(kv_core::ErrorKind::Decode, message).during("get_bytes").at(self.at(key)))
            }
        }
    }

    /// Reads values: one answer for each key, in order, double ones included.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), each at its own position.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: &[impl AsRef<str> + Sync],
    ) -> Result<Vec<Result<Option<T>>>> {
        let found = self.get_entries(keys).await?;
        let decode = |(answer, key): (Result<Option<Entry>>, &_)| {
            let key: &str = AsRef::<str>::as_ref(key);
            answer?.map(|entry| self.decode(key, &entry, "get_many")).transpose()
        };
        Ok(found.into_iter().zip(keys).map(decode).collect())
    }

    /// Reads values with their records: one answer for each key, in order, double ones included.
    ///
    /// # Errors
    ///
    /// Those of [`get_entry`](Self::get_entry), each at its own position.
    pub async fn get_entries(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Result<Option<Entry>>>> {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        self.store.get_many(&self.name, &keys, &self.reading()).await
    }

    /// Whether there is a live entry.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read, so that it is not known.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.head(key).await?.is_some())
    }

    /// How much longer the entry is there; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read.
    pub async fn ttl(&self, key: &str) -> Result<Option<TimeLeft>> {
        let head = self.head(key).await?;
        Ok(head.map(|entry| time_left(&entry, self.store.now())))
    }

    /// How much longer each entry is there: one answer for each key, in order.
    ///
    /// # Errors
    ///
    /// Those of [`ttl`](Self::ttl), each at its own position.
    pub async fn ttl_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Result<Option<TimeLeft>>>> {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        let heads = self.store.get_many(&self.name, &keys, &self.reading().head_only()).await?;
        let now = self.store.now();
        Ok(heads.into_iter().map(|head| Ok(head?.map(|entry| time_left(&entry, now)))).collect())
    }

    /// The user's notes beside the value; empty ones if there are none, `None` if there is no entry.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read.
    pub async fn metadata(&self, key: &str) -> Result<Option<Metadata>> {
        Ok(self.head(key).await?.map(|entry| entry.metadata().cloned().unwrap_or_default()))
    }

    async fn head(&self, key: &str) -> Result<Option<Entry>> {
        self.store.get(self.at(key), &self.reading().head_only()).await
    }
}

/// Writing.
#[maybe_async::maybe_async]
impl Collection {
    /// Writes a permanent entry in place of whatever was there.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) if the value does not serialise or holds a NaN;
    /// [`TooLarge`](kv_core::ErrorKind::TooLarge).
    pub async fn put<T: Serialize + ?Sized + Sync>(&self, key: &str, value: &T) -> Result<Written> {
        self.put_unconditionally(key, value, &self.writing()).await
    }

    /// Writes an entry with a TTL, metadata or a condition.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put), and [`InvalidTtl`](kv_core::ErrorKind::InvalidTtl).
    pub async fn put_with<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        value: &T,
        options: &PutOptions,
    ) -> Result<PutOutcome> {
        let value = self.encode(key, value, "put")?;
        self.put_value(key, value.as_ref(), options).await
    }

    /// Writes an entry that is encoded already.
    ///
    /// # Errors
    ///
    /// Those of [`put_with`](Self::put_with).
    pub async fn put_value(&self, key: &str, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        if self.call == CallOptions::default() || options.call.timeout.is_some() {
            return self.write(key, value, options).await;
        }
        let options = options.clone().with_call(self.call_or(options.call));
        self.write(key, value, &options).await
    }

    async fn write(&self, key: &str, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        match self.store.put_at_hand(self.at(key), value, options) {
            Some(outcome) => outcome,
            None => self.store.put(self.at(key), value, options).await,
        }
    }

    /// Writes a permanent bytes entry in place of whatever was there.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](kv_core::ErrorKind::TooLarge).
    pub async fn put_bytes(&self, key: &str, bytes: &[u8]) -> Result<Written> {
        let outcome = self.write(key, ValueRef::Bytes(bytes), &self.writing()).await?;
        unconditional(outcome)
    }

    /// Writes entries with one round trip, or the fewest that the backend allows. Every name, value and TTL is checked
    /// before any is written; of double keys the last wins. Whether all are written in one step the store's
    /// [capabilities](kv_core::Capabilities::atomic_batches) say. The condition must be [`Condition::Always`].
    ///
    /// # Errors
    ///
    /// Those of [`put_with`](Self::put_with). What fails for one record alone fails at its position.
    pub async fn put_many<K: AsRef<str> + Sync, T: Serialize + Sync>(
        &self,
        items: &[(K, T)],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let mut text = Vec::with_capacity(items.len() * 64);
        let mut ends = Vec::with_capacity(items.len());
        for (key, value) in items {
            kv_core::encode_json(value, &mut text)
                .map_err(|error| error.during("put_many").at(self.at(key.as_ref())))?;
            ends.push(text.len());
        }
        let mut start = 0;
        let mut encoded = Vec::with_capacity(items.len());
        for ((key, _), end) in items.iter().zip(ends) {
            encoded.push(PutItem::new(key.as_ref(), ValueRef::Json(&text[start..end])));
            start = end;
        }
        self.put_items(&encoded, options).await
    }

    /// Writes entries that are encoded already; see [`put_many`](Self::put_many).
    ///
    /// # Errors
    ///
    /// Those of [`put_many`](Self::put_many).
    pub async fn put_items(&self, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        let options = options.clone().with_call(self.call_or(options.call));
        self.store.put_many(&self.name, items, &options).await
    }

    /// Writes a permanent entry where there is none; answers whether it did.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_absent<T: Serialize + ?Sized + Sync>(&self, key: &str, value: &T) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfAbsent).await
    }

    /// Writes a permanent entry in place of a live one; answers whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_present<T: Serialize + ?Sized + Sync>(&self, key: &str, value: &T) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfPresent).await
    }

    /// Writes a permanent entry in place of one in this state; answers whether it was in it.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_revision<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        value: &T,
        revision: &Revision,
    ) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfRevision(revision.clone())).await
    }

    async fn put_if<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        value: &T,
        condition: Condition,
    ) -> Result<Option<Written>> {
        let outcome = self.put_with(key, value, &self.writing().with_condition(condition)).await?;
        Ok(outcome.written())
    }

    async fn put_unconditionally<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        value: &T,
        options: &PutOptions,
    ) -> Result<Written> {
        let value = self.encode(key, value, "put")?;
        let outcome = self.write(key, value.as_ref(), options).await?;
        unconditional(outcome)
    }

    /// Removes an entry; answers whether there was a live one.
    ///
    /// # Errors
    ///
    /// None of its own: a record that cannot be read is removed too.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let options = DeleteOptions::default().with_call(self.call);
        Ok(self.store.delete(self.at(key), &options).await? == DeleteOutcome::Deleted)
    }

    /// Removes an entry if it is in this state.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn delete_if_revision(&self, key: &str, revision: &Revision) -> Result<DeleteOutcome> {
        let options = DeleteOptions::default().with_condition(Condition::IfRevision(revision.clone()));
        self.store.delete(self.at(key), &options.with_call(self.call)).await
    }

    /// Removes entries with one round trip, or the fewest that the backend allows; answers how many live ones there
    /// were. Double keys count once.
    ///
    /// # Errors
    ///
    /// The first of those met; the other keys are removed all the same.
    pub async fn delete_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<u64> {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        let answers = self.store.delete_many(&self.name, &keys, &self.call).await?;
        answers.into_iter().try_fold(0, |count, removed| Ok(count + u64::from(removed?)))
    }
}

/// Changing what is there, in one step.
///
/// What such a change does not name (TTL, metadata, created instant) stays as it was;
/// [`get_and_put`](Collection::get_and_put) alone replaces the record whole.
#[maybe_async::maybe_async]
impl Collection {
    pub(crate) async fn modify(&self, key: &str, change: &Change<'_>) -> Result<Modified> {
        self.store.modify(self.at(key), change, &self.call).await
    }

    /// Adds to an integer and answers the sum; a missing one is 0.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) on what is no integer of 64 bits, and where the sum is none.
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64> {
        let modified = self.modify(key, &Change::Increment(by)).await?;
        match modified.after {
            Some(entry) => self.decode(key, &entry, "increment"),
            None => Ok(by),
        }
    }

    /// Puts text after text, or elements after a list's; a missing value becomes this one.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) where the two are not of one kind.
    pub async fn append<T: Serialize + ?Sized + Sync>(&self, key: &str, more: &T) -> Result<()> {
        let more = self.encode(key, more, "append")?;
        self.modify(key, &Change::Append(more.as_ref())).await?;
        Ok(())
    }

    /// Puts bytes after bytes; a missing value becomes these.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) if there is a JSON value.
    pub async fn append_bytes(&self, key: &str, more: &[u8]) -> Result<()> {
        self.modify(key, &Change::Append(ValueRef::Bytes(more))).await?;
        Ok(())
    }

    /// Removes an entry and answers its value: of many that take one key at the same time, one gets it.
    ///
    /// # Errors
    ///
    /// [`Decode`](kv_core::ErrorKind::Decode) if the value does not fit the type; it is removed all the same, see
    /// [`take_entry`](Self::take_entry).
    pub async fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let entry = self.take_entry(key).await?;
        entry.map(|entry| self.decode(key, &entry, "take")).transpose()
    }

    /// Removes an entry and answers it.
    ///
    /// # Errors
    ///
    /// [`Corrupted`](kv_core::ErrorKind::Corrupted) if the record cannot be read. It is left in place.
    pub async fn take_entry(&self, key: &str) -> Result<Option<Entry>> {
        let modified = self.modify(key, &Change::Take).await?;
        Ok(modified.before)
    }

    /// Replaces an entry by a permanent one and answers the old value.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put), and [`Decode`](kv_core::ErrorKind::Decode) if the old value does not fit the type;
    /// it is replaced all the same.
    pub async fn get_and_put<T: Serialize + DeserializeOwned + Sync>(&self, key: &str, value: &T) -> Result<Option<T>> {
        let value = self.encode(key, value, "get_and_put")?;
        let change = Change::Replace { value: value.as_ref(), expiry: Expiry::Never, metadata: None };
        let modified = self.modify(key, &change).await?;
        modified.before.map(|entry| self.decode(key, &entry, "get_and_put")).transpose()
    }

    /// Puts `new` (`None`: removes the entry) where the value means `expected` (`None`: where there is no entry);
    /// answers whether it did. Objects are compared without order and numbers by exact value.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn compare_and_swap<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
    ) -> Result<bool> {
        let encode = |value: Option<&T>| value.map(|value| self.encode(key, value, "compare_and_swap")).transpose();
        let (expected, new) = (encode(expected)?, encode(new)?);
        let change =
            Change::Swap { expected: expected.as_ref().map(Value::as_ref), new: new.as_ref().map(Value::as_ref) };
        let nothing = expected.is_none() && new.is_none();
        let modified = self.modify(key, &change).await?;
        Ok(modified.applied || (nothing && modified.before.is_none()))
    }

    /// Changes a value by a function of what is there (`None`: no entry) to what shall be there (`None`: no entry), and
    /// answers what is there now. The function may be called several times, when others write at the same time.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`put`](Self::put), and [`Contended`](kv_core::ErrorKind::Contended) where
    /// others write all the time.
    pub async fn update<T: Serialize + DeserializeOwned + Send + Sync>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Option<T> + Send,
    ) -> Result<Option<T>> {
        self.replace(key, |before| {
            let old = before.map(|entry| self.decode(key, entry, "update")).transpose()?;
            let Some(new) = change(old) else { return Ok(None) };
            let options = before.map_or_else(PutOptions::default, |entry| PutOptions::of_record(&entry.record()));
            Ok(Some((self.encode(key, &new, "update")?, options, new)))
        })
        .await
    }

    /// Puts what `next` makes of the entry that is there (`None`: none) in its place, or removes it where it makes
    /// nothing (`None`), unless somebody else is first: then begins again. Answers what came with the new value.
    pub(crate) async fn replace<R: Send>(
        &self,
        key: &str,
        mut next: impl FnMut(Option<&Entry>) -> Result<Option<(Value, PutOptions, R)>> + Send,
    ) -> Result<Option<R>> {
        let mut attempts = Attempts::default();
        loop {
            let before = self.get_entry(key).await?;
            let condition =
                before.as_ref().map_or(Condition::IfAbsent, |entry| Condition::IfRevision(entry.revision()));
            let (done, answer) = match (next(before.as_ref())?, &before) {
                (None, None) => (true, None),
                (None, Some(_)) => {
                    let options = DeleteOptions::default().with_condition(condition).with_call(self.call);
                    (self.store.delete(self.at(key), &options).await? == DeleteOutcome::Deleted, None)
                }
                (Some((value, options, answer)), before) => {
                    let options = options.with_condition(condition).with_call(self.call);
                    let done = match self.store.put(self.at(key), value.as_ref(), &options).await {
                        Ok(outcome) => outcome.is_written(),
                        // It ended in between, so what is there now is another state, and there is none.
                        Err(_) if has_ended(before.as_ref(), self.store.now()) => false,
                        Err(error) => return Err(error),
                    };
                    (done, Some(answer))
                }
            };
            if done {
                return Ok(answer);
            }
            attempts.pause().await?;
        }
    }

    /// Gives a live entry another TTL, its value untouched; answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`InvalidTtl`](kv_core::ErrorKind::InvalidTtl).
    pub async fn touch(&self, key: &str, ttl: impl Into<Ttl> + Send) -> Result<bool> {
        let change = Change::Touch(Expiry::after(ttl));
        let modified = self.modify(key, &change).await?;
        Ok(modified.applied)
    }

    /// Lets a live entry end at this instant; answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`InvalidTtl`](kv_core::ErrorKind::InvalidTtl) if the instant has passed.
    pub async fn expire_at(&self, key: &str, instant: Timestamp) -> Result<bool> {
        let modified = self.modify(key, &Change::Touch(Expiry::At(instant))).await?;
        Ok(modified.applied)
    }

    /// Makes a live entry permanent; answers whether there was one.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn persist(&self, key: &str) -> Result<bool> {
        let modified = self.modify(key, &Change::Touch(Expiry::Never)).await?;
        Ok(modified.applied)
    }

    /// Gives a live entry these notes in place of its old ones, its value untouched; answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) for too much metadata.
    pub async fn set_metadata(&self, key: &str, metadata: &Metadata) -> Result<bool> {
        let modified = self.modify(key, &Change::Annotate(metadata)).await?;
        Ok(modified.applied)
    }
}

/// Listing and care.
#[maybe_async::maybe_async]
impl Collection {
    /// Lists live keys, one page of them: every key that was there throughout the listing, never an expired one. In
    /// which order, and whether a key may come twice, the store's [capabilities](kv_core::Capabilities) say.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](kv_core::ErrorKind::InvalidArgument) for a limit of 0 and for a cursor of another listing.
    pub async fn keys(&self, options: &ListOptions) -> Result<Page<String>> {
        let page = self.store.list(&self.name, &self.listing(options)).await?;
        Ok(page.map(|line| line.key))
    }

    /// Lists live entries with their keys, one page of them; like [`keys`](Self::keys), with a result for each entry,
    /// so that a damaged record does not hide the others.
    ///
    /// # Errors
    ///
    /// Those of [`keys`](Self::keys).
    pub async fn entries(&self, options: &ListOptions) -> Result<Page<KeyAndEntry>> {
        let page = self.store.list(&self.name, &self.listing(options).with_entries()).await?;
        Ok(entries(page))
    }

    fn listing(&self, options: &ListOptions) -> ListOptions {
        options.clone().with_call(self.call_or(options.call))
    }

    /// The pages of [`keys`](Self::keys), one after the other.
    pub fn key_pages(&self, options: ListOptions) -> KeyPager {
        KeyPager::new(self.clone(), self.listing(&options))
    }

    /// The pages of [`entries`](Self::entries), one after the other.
    pub fn entry_pages(&self, options: ListOptions) -> EntryPager {
        EntryPager::new(self.clone(), self.listing(&options))
    }

    /// Lists all live keys that the filter asks for. For a large collection see [`key_pages`](Self::key_pages).
    ///
    /// # Errors
    ///
    /// Those of [`keys`](Self::keys).
    pub async fn all_keys(&self, filter: &KeyFilter) -> Result<Vec<String>> {
        let mut pages = self.key_pages(ListOptions::default().with_filter(filter.clone()));
        let mut keys = Vec::new();
        while let Some(page) = pages.next_page().await? {
            keys.extend(page);
        }
        Ok(keys)
    }

    /// Counts live entries.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn count(&self, filter: &KeyFilter) -> Result<u64> {
        self.store.count(&self.name, filter, &self.call).await
    }

    /// Removes the entries that the filter asks for; answers how many live ones there were.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn delete_matching(&self, filter: &KeyFilter) -> Result<u64> {
        self.store.clear(&self.name, filter, &self.call).await
    }

    /// Removes all entries of the collection; answers how many live ones there were.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn clear(&self) -> Result<u64> {
        self.delete_matching(&KeyFilter::all()).await
    }
}

impl Collection {
    fn encode<T: Serialize + ?Sized>(&self, key: &str, value: &T, operation: &'static str) -> Result<Value> {
        Value::encode(value).map_err(|error| error.during(operation).at(self.at(key)))
    }

    fn decode<T: DeserializeOwned>(&self, key: &str, entry: &Entry, operation: &'static str) -> Result<T> {
        entry.decode().map_err(|error| error.during(operation).at(self.at(key)))
    }
}

fn has_ended(entry: Option<&Entry>, now: Timestamp) -> bool {
    entry.and_then(Entry::expires).is_some_and(|expires| expires <= now)
}

fn time_left(entry: &Entry, now: Timestamp) -> TimeLeft {
    entry.expires().map_or(TimeLeft::Forever, |expires| TimeLeft::For(expires.duration_since(now)))
}

/// What a write on no condition answered.
pub(crate) fn unconditional(outcome: PutOutcome) -> Result<Written> {
    outcome.written().ok_or_else(|| {
        let message = "the store answered a conflict to a write without a condition";
        kv_core::Error::new(kv_core::ErrorKind::Backend, message)
    })
}

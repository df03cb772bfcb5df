//! A value where there is none.

use std::fmt;
use std::time::Duration;

use kv_core::{
    Condition, DeleteOptions, DeleteOutcome, Entry, Error, ErrorKind, Expiry, GetOptions, Name, PutOptions, PutOutcome,
    Record, Result, Revision, Ttl, Value, ValueRef,
};
use serde::Serialize;

use crate::store::Store;

/// The revision of the default: the state of a record that is not there.
const REVISION: &str = "default of a missing record";

/// Answers a default where there is no entry, to every reading operation: get, get_many, exists, ttl, metadata.
///
/// The default is not stored: listings and counts do not know it, and delete and the changes of a record (increment,
/// append, take, get_and_put, touch, compare_and_swap) see what is stored. `update` reads first, so it begins from the
/// default. With [`with_ttl`](Self::with_ttl) the default has that TTL whenever it is read, and what `update` makes of
/// it ends then.
///
/// The default has a revision, which stands for "not stored": a put on that condition is one on the condition that
/// there is none, and a delete on it succeeds where nothing is stored. An error, as of a store that cannot be reached
/// or a record that cannot be read, stays an error.
///
/// ```
/// use kv_source::{KeyFilter, Kv};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::DefaultValue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(DefaultValue::new(MemoryStore::new(), &10)?.only_in("limits"));
/// let limits = kv.collection("limits");
/// assert_eq!(limits.get::<i32>("alice").await?, Some(10));
/// assert_eq!(limits.count(&KeyFilter::all()).await?, 0);
///
/// assert_eq!(limits.update("alice", |limit: Option<i32>| limit.map(|limit| limit + 1)).await?, Some(11));
/// assert_eq!(limits.get::<i32>("alice").await?, Some(11));
/// assert_eq!(kv.get::<i32>("elsewhere").await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// None for what is there. For what is not, with a TTL, a copy of the default. A delete on the condition of the
/// default's revision is a read.
///
/// # Order
///
/// Who reads past it, misses:
///
/// * right: `DefaultValue` around a cache: what is missing is found to be missing, and then gets its default;
/// * wrong: a cache around `DefaultValue`: the default is taken for an entry of the store behind, and kept, so that a
///   value that somebody else writes there later is not seen until the copy has ended.
///
/// A wrapper that changes values (compression, encryption) stands within it: the default is as a program reads it.
///
/// # Different from Python
///
/// Python gives its default to get, get_many, ttl and ttl_many; it has no other reading operations. It cannot be kept
/// to one collection.
#[derive(Clone)]
pub struct DefaultValue<S> {
    store: S,
    value: Value,
    /// The default as it is read where it has no TTL.
    permanent: Entry,
    ttl: Option<Duration>,
    collection: Option<String>,
}

impl<S: Store> DefaultValue<S> {
    /// This store with a default for what is missing. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if the value cannot be encoded.
    pub fn new<T: Serialize + ?Sized>(store: S, value: &T) -> Result<Self> {
        Ok(Self::of_value(store, Value::encode(value)?))
    }

    /// The same for a value that is encoded already, or is bytes.
    pub fn of_value(store: S, value: Value) -> Self {
        let permanent = Entry::with_revision(&Record::new(value.as_ref(), 0), revision());
        Self { store, value, permanent, ttl: None, collection: None }
    }

    /// With this TTL for the default, counted from every reading of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or does not end before year 9999.
    pub fn with_ttl(mut self, ttl: Duration) -> Result<Self> {
        if Ttl::from(ttl).expires_at(self.store.now()).is_err() {
            let message =
                format!("the default's TTL must be a positive time that ends before year 9999, and is {ttl:?}");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        self.ttl = Some(ttl);
        Ok(self)
    }

    /// Only for this collection; in the others what is missing is missing.
    #[must_use]
    pub fn only_in(mut self, collection: impl Into<String>) -> Self {
        self.collection = Some(collection.into());
        self
    }

    fn applies_to(&self, collection: &str) -> bool {
        self.collection.as_deref().is_none_or(|only| only == collection)
    }

    fn default(&self) -> Result<Entry> {
        let Some(ttl) = self.ttl else { return Ok(self.permanent.clone()) };
        let expires = Expiry::after(ttl).resolve(self.store.now())?;
        Ok(Entry::with_revision(&Record::new(self.value.as_ref(), 0).with_expires(expires), revision()))
    }
}

fn revision() -> Revision {
    Revision::from_text(REVISION)
}

fn is_default(condition: &Condition) -> bool {
    matches!(condition, Condition::IfRevision(revision) if revision.as_text() == Some(REVISION))
}

/// Shows no value.
impl<S: fmt::Debug> fmt::Debug for DefaultValue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, ttl, collection, .. } = self;
        f.debug_struct("DefaultValue")
            .field("store", store)
            .field("ttl", ttl)
            .field("collection", collection)
            .finish_non_exhaustive()
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for DefaultValue<S> {
    type Inner = S;
    const NAME: &'static str = "DefaultValue";

    fn inner(&self) -> &S {
        &self.store
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        match self.store.get(name, options).await? {
            None if self.applies_to(name.collection) => self.default().map(Some),
            found => Ok(found),
        }
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let mut answers = self.store.get_many(collection, keys, options).await?;
        if self.applies_to(collection) {
            for answer in &mut answers {
                if matches!(answer, Ok(None)) {
                    *answer = self.default().map(Some);
                }
            }
        }
        Ok(answers)
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        if is_default(&options.condition) {
            let options = options.clone().with_condition(Condition::IfAbsent);
            return self.store.put(name, value, &options).await;
        }
        self.store.put(name, value, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        if is_default(&options.condition) {
            let reading = GetOptions::default().head_only().with_call(options.call);
            let stored = self.store.get(name, &reading).await?;
            return Ok(if stored.is_none() { DeleteOutcome::Deleted } else { DeleteOutcome::Conflict });
        }
        self.store.delete(name, options).await
    }
}

#[cfg(test)]
mod tests;

//! What a stack is made of.

use std::fmt;

use kv_core::{
    CallOptions, Capabilities, Change, Clock, Condition, DEFAULT_COLLECTION, Decision, DeleteOptions, DeleteOutcome,
    Description, Entry, Error, ErrorKind, Expiry, GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, Page,
    PutItem, PutOptions, PutOutcome, Result, SystemClock, Timestamp, ValueRef, Written,
};

use crate::attempts::Attempts;

/// A store, or a wrapper around one, as a trait object: small, on encoded values, without generics.
///
/// Programs use [`Kv`](crate::Kv). Authors of a backend implement [`Driver`](crate::Driver) and get a store that keeps
/// the whole contract from [`Managed`](crate::Managed); authors of a wrapper implement
/// [`Wrapper`](crate::wrappers::Wrapper), which forwards what it does not change.
///
/// # Behaviour
///
/// * Names are checked before anything else: [`InvalidKey`](kv_core::ErrorKind::InvalidKey),
///   [`InvalidCollection`](kv_core::ErrorKind::InvalidCollection).
/// * An entry is there until the instant stored in it, and from that instant on for no operation.
/// * An outage is an error ([`Connection`](kv_core::ErrorKind::Connection), [`Timeout`](kv_core::ErrorKind::Timeout)),
///   never a miss. A write whose fate is unknown says so ([`Error::outcome_unknown`]).
/// * Bulk operations answer in order, one result a position: one damaged record does not hide the others.
/// * What a backend cannot do answers [`Unsupported`](kv_core::ErrorKind::Unsupported), as its
///   [`Capabilities`] say.
/// * An operation that is dropped before it ends leaves the store usable and no record torn; whether a write happened
///   is then not known.
#[maybe_async::maybe_async]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What this store is and can do, as far as it knows without asking the backend.
    fn describe(&self) -> Description;

    /// The collection of the operations that name none.
    fn default_collection(&self) -> &str {
        DEFAULT_COLLECTION
    }

    /// The present instant by this store's clock.
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// Whether that instant has come. Answers as [`now`](Self::now) would; a store may have a cheaper way.
    fn has_come(&self, instant: Timestamp) -> bool {
        instant <= self.now()
    }

    /// What [`get`](Self::get) would answer, of a store that has its entries at hand: it fails never and awaits nothing.
    /// `None` where that is not known, and `get` is to be asked; so it is with every store and every wrapper that does
    /// not say otherwise.
    fn at_hand(&self, _name: Name<'_>) -> Option<Option<Entry>> {
        None
    }

    /// What [`put`](Self::put) would answer, of a store that has its entries at hand: it was done, and nothing awaited.
    /// `None` where nothing was done, and `put` is to be asked.
    fn put_at_hand(&self, _name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Option<Result<PutOutcome>> {
        None
    }

    /// Reads an entry.
    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>>;

    /// Reads entries of one collection; one answer for each key, in order, double ones included.
    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>>;

    /// Writes a record whole, if the condition of the options holds.
    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome>;

    /// Writes records of one collection. All names, values and TTLs are checked before any is written; of double keys
    /// the last wins. The condition must be [`Condition::Always`].
    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>>;

    /// Removes an entry, if the condition of the options holds.
    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome>;

    /// Removes entries of one collection; one answer for each key, in order: whether a live entry was removed for it,
    /// so that a double key counts once.
    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>>;

    /// Changes a record depending on what is there, in one step.
    ///
    /// Built from [`get`](Self::get) and conditional writes unless the store has something better.
    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        modify_by_condition(self, name, change, options, Expiry::Never).await
    }

    /// Lists a collection's live keys, or entries, one page of them.
    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let _ = (collection, options);
        Err(Error::unsupported("listing"))
    }

    /// Lists the collections that hold live entries, one page of them. The filter of the options is about their names.
    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let _ = options;
        Err(Error::unsupported("listing collections"))
    }

    /// Counts a collection's live entries.
    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let _ = (collection, filter, options);
        Err(Error::unsupported("counting"))
    }

    /// Removes a collection's entries and answers how many live ones there were.
    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let _ = (collection, filter, options);
        Err(Error::unsupported("clearing a collection"))
    }

    /// Removes all that this store keeps under its names, and nothing else; answers how many live entries there were.
    /// The store works on.
    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let _ = options;
        Err(Error::unsupported("destroying the store's data"))
    }

    /// Frees expired entries and answers how many there were.
    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let _ = options;
        Err(Error::unsupported("culling"))
    }

    /// Asks the backend for a sign of life.
    async fn ping(&self, options: &CallOptions) -> Result<()>;

    /// Sets the store up, as its first use would.
    async fn setup(&self) -> Result<()>;

    /// Lets go of what the store opened, and of nothing that was handed in. The next use opens it again.
    async fn close(&self) -> Result<()>;

    /// What this store can do, asking the backend where that matters.
    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.describe().capabilities)
    }
}

/// Makes a change by reading, deciding, and writing on the condition that nothing happened in between. An entry that
/// was not there before, and for which the change names no end, gets the expiry `created`.
#[maybe_async::maybe_async]
pub(crate) async fn modify_by_condition<S: Store + ?Sized>(
    store: &S,
    name: Name<'_>,
    change: &Change<'_>,
    options: &CallOptions,
    created: Expiry,
) -> Result<Modified> {
    let mut attempts = Attempts::default();
    loop {
        let now = store.now();
        let before = store.get(name, &GetOptions::default().with_call(*options)).await?;
        let condition = before.as_ref().map_or(Condition::IfAbsent, |entry| Condition::IfRevision(entry.revision()));
        let applied = match change.decide(before.as_ref(), now, 0)? {
            Decision::Leave => return Ok(Modified::unapplied(before)),
            Decision::Delete => {
                let options = DeleteOptions::default().with_condition(condition).with_call(*options);
                store.delete(name, &options).await? == DeleteOutcome::Deleted
            }
            Decision::Put(next) => {
                let record = next.record();
                let mut put = PutOptions::of_record(&record).with_condition(condition).with_call(*options);
                if before.is_none() && put.expiry == Expiry::Never {
                    put.expiry = created;
                }
                match store.put(name, record.value, &put).await {
                    Ok(PutOutcome::Written(written)) => {
                        let record = record.with_expires(written.expires());
                        let after = Entry::with_revision(&record, written.revision());
                        return Ok(Modified::applied(before, Some(after)));
                    }
                    Ok(PutOutcome::Conflict) => false,
                    // The entry ended in between, and with it the instant that it was to keep.
                    Err(error)
                        if error.kind() == ErrorKind::InvalidTtl && ended_since(before.as_ref(), store.now()) =>
                    {
                        false
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if applied {
            return Ok(Modified::applied(before, None));
        }
        attempts.pause().await?;
    }
}

fn ended_since(entry: Option<&Entry>, now: Timestamp) -> bool {
    entry.and_then(Entry::expires).is_some_and(|expires| expires <= now)
}

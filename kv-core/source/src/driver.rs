//! What a backend implements.

use std::fmt;
use std::time::Duration;

use kv_core::{
    CallOptions, Capabilities, Change, Condition, Decision, DeleteOutcome, Description, Entry, Error, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutOutcome, Record, Result, Revision, Revisions, Timestamp, Written,
};

use crate::attempts::Attempts;

/// What a driver is told with a call: the instant by which to judge expiry, a source of fresh revisions, and how long
/// it may take.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The present instant, by the store's clock.
    pub now: Timestamp,
    /// The longest this call may take; the driver's own time-out if `None`.
    pub timeout: Option<Duration>,
    revisions: &'a Revisions,
}

impl<'a> Context<'a> {
    pub(crate) fn new(now: Timestamp, call: &CallOptions, revisions: &'a Revisions) -> Self {
        Self { now, timeout: call.timeout, revisions }
    }

    /// A number that makes a state of a record unlike every other.
    pub fn fresh_revision(&self) -> u64 {
        self.revisions.fresh()
    }

    /// Whether a record with this expiry has ended.
    pub fn has_ended(&self, expires: Option<Timestamp>) -> bool {
        expires.is_some_and(|expires| expires <= self.now)
    }

    /// The entry, unless it has ended.
    pub fn live(&self, entry: Option<Entry>) -> Option<Entry> {
        entry.filter(|entry| !self.has_ended(entry.expires()))
    }
}

/// Records that are at hand: to read or to write one waits for nothing, so that the awaiting flavour needs no future for
/// it.
pub trait AtHand {
    /// Reads a record, whether it has ended or not.
    fn get(&self, name: Name<'_>) -> Option<Entry>;

    /// Writes a record if the condition holds; see [`Driver::put`].
    fn put(&self, name: Name<'_>, record: &Record<'_>, condition: &Condition, cx: Context<'_>) -> Result<PutOutcome>;
}

/// A backend: what a store must know of it, and nothing of what all stores share.
///
/// [`Managed`](crate::Managed) makes a [`Store`](crate::Store) of it. By the time a driver is called, names are
/// checked, instants are resolved, [`setup`](Self::setup) has succeeded, and a batch is not empty. Errors need no
/// context: the policy adds store, operation and names. [`SimpleDriver`](crate::stores::SimpleDriver) is one to read
/// first.
///
/// Methods without a default are the core. The others answer
/// [`Unsupported`](kv_core::ErrorKind::Unsupported) or are built from conditional writes; what is overridden
/// must be what [`describe`](Self::describe) says.
#[maybe_async::maybe_async(AFIT)]
pub trait Driver: fmt::Debug + Send + Sync + 'static {
    /// What the store is called in errors and descriptions.
    const KIND: &'static str;

    /// What the store is and can do.
    fn describe(&self) -> Description;

    /// Opens what there is to open. Called before the first use, by one caller at a time, and again by the next use
    /// after it failed or after [`close`](Self::close).
    fn setup(&self) -> impl Future<Output = Result<()>> + Send;

    /// The records, of a driver that has them at hand; `None` for all others. They are what [`get`](Self::get) and
    /// [`put`](Self::put) read and write.
    fn at_hand(&self) -> Option<&dyn AtHand> {
        None
    }

    /// Reads a record, whether it has ended or not. With `head` the value may be given as `null`.
    fn get(&self, name: Name<'_>, head: bool, call: &CallOptions)
    -> impl Future<Output = Result<Option<Entry>>> + Send;

    /// Reads records of one collection, one answer for each key, whether they have ended or not.
    fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> impl Future<Output = Result<Vec<Result<Option<Entry>>>>> + Send;

    /// Writes a record whole, if the condition holds. A record that has ended counts as absent.
    fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> impl Future<Output = Result<PutOutcome>> + Send;

    /// Writes records of one collection; of double keys the last wins.
    fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> impl Future<Output = Result<Vec<Result<Written>>>> + Send;

    /// Removes a record, if the condition holds. A record that has ended counts as absent, and may be freed.
    fn delete(
        &self,
        name: Name<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> impl Future<Output = Result<DeleteOutcome>> + Send;

    /// Removes records of one collection: for each key whether a live one was removed.
    fn delete_many(
        &self,
        collection: &str,
        keys: &[&str],
        cx: Context<'_>,
    ) -> impl Future<Output = Result<Vec<Result<bool>>>> + Send;

    /// Asks the backend for a sign of life.
    fn ping(&self, cx: Context<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Lets go of what [`setup`](Self::setup) opened.
    fn close(&self) -> impl Future<Output = Result<()>> + Send;

    /// Changes a record in one step.
    fn modify(
        &self,
        name: Name<'_>,
        change: &Change<'_>,
        cx: Context<'_>,
    ) -> impl Future<Output = Result<Modified>> + Send {
        modify_by_condition(self, name, change, cx)
    }

    /// Lists live keys, or entries, one page of them.
    fn list(
        &self,
        collection: &str,
        options: &ListOptions,
        cx: Context<'_>,
    ) -> impl Future<Output = Result<Page<Listed>>> + Send {
        let _ = (collection, options, cx);
        unsupported("listing")
    }

    /// Lists the collections that hold live records, one page of them.
    fn collections(&self, options: &ListOptions, cx: Context<'_>) -> impl Future<Output = Result<Page<String>>> + Send {
        let _ = (options, cx);
        unsupported("listing collections")
    }

    /// Counts live records.
    fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> impl Future<Output = Result<u64>> + Send {
        count_by_listing(self, collection, filter, cx)
    }

    /// Removes a collection's records; answers how many were live.
    fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> impl Future<Output = Result<u64>> + Send {
        let _ = (collection, filter, cx);
        unsupported("clearing a collection")
    }

    /// Removes all that this store keeps; answers how many records were live.
    fn destroy(&self, cx: Context<'_>) -> impl Future<Output = Result<u64>> + Send {
        let _ = cx;
        unsupported("destroying the store's data")
    }

    /// Frees records that have ended; answers how many.
    fn cull(&self, cx: Context<'_>) -> impl Future<Output = Result<u64>> + Send {
        let _ = cx;
        unsupported("culling")
    }

    /// What the store can do, asking the backend where that matters.
    fn capabilities(&self) -> impl Future<Output = Result<Capabilities>> + Send {
        described(self)
    }
}

#[maybe_async::maybe_async]
async fn unsupported<T: Send>(what: &'static str) -> Result<T> {
    Err(Error::unsupported(what))
}

#[maybe_async::maybe_async]
async fn described<D: Driver + ?Sized>(driver: &D) -> Result<Capabilities> {
    Ok(driver.describe().capabilities)
}

#[maybe_async::maybe_async]
async fn count_by_listing<D: Driver + ?Sized>(
    driver: &D,
    collection: &str,
    filter: &KeyFilter,
    cx: Context<'_>,
) -> Result<u64> {
    let mut options = ListOptions::default().with_filter(filter.clone());
    let mut count = 0;
    loop {
        let page = driver.list(collection, &options, cx).await?;
        count += page.items.len() as u64;
        match page.next {
            Some(next) => options.cursor = Some(next),
            None => return Ok(count),
        }
    }
}

/// Makes a change by reading, deciding, and writing on the condition that nothing happened in between.
#[maybe_async::maybe_async]
async fn modify_by_condition<D: Driver + ?Sized>(
    driver: &D,
    name: Name<'_>,
    change: &Change<'_>,
    cx: Context<'_>,
) -> Result<Modified> {
    let call = CallOptions::default();
    let call = cx.timeout.map_or(call, |timeout| call.with_timeout(timeout));
    let mut attempts = Attempts::default();
    loop {
        let before = cx.live(driver.get(name, false, &call).await?);
        let condition = before.as_ref().map_or(Condition::IfAbsent, |entry| Condition::IfRevision(entry.revision()));
        let after = match change.decide(before.as_ref(), cx.now, cx.fresh_revision())? {
            Decision::Leave => return Ok(Modified::unapplied(before)),
            Decision::Delete => match driver.delete(name, &condition, cx).await? {
                DeleteOutcome::Deleted => Some(None),
                _ => None,
            },
            Decision::Put(next) => {
                let record = next.record();
                let outcome = driver.put(name, &record, &condition, cx).await?;
                outcome.written().map(|written| Some(Entry::with_revision(&record, written.revision())))
            }
        };
        if let Some(after) = after {
            return Ok(Modified::applied(before, after));
        }
        attempts.pause().await?;
    }
}

/// The write that a plain number of a revision makes.
pub(crate) fn written(record: &Record<'_>) -> Written {
    Written::new(Revision::from_number(record.revision), record.expires)
}

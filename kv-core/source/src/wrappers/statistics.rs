//! Counts and latencies.

use std::time::Instant;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Operation, Page, PutItem, PutOptions, PutOutcome, Result, StatisticsHandle,
    StatisticsSnapshot, Tally, Timestamp, ValueRef, Written,
};

use crate::store::Store;

/// Counts what passes through, by collection and operation: calls, hits, misses, writes, deletes, errors and latency.
///
/// A bulk call counts once for each key, and is timed once. Reads without the value (`exists`, `ttl`, `metadata`) are
/// counted as [`head`](Operation::Head). A delete is a hit or a miss, and so is a change of what is there. A listing is
/// a call; what stands on its page is not counted. A call that is dropped before it ends is not counted.
///
/// The counters are read through a [`StatisticsHandle`], taken before the wrapper goes into a stack. Memory is bounded:
/// beyond 1,024 collections, or [so many](Self::with_max_collections), the rest is counted together.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{Operation, Statistics};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = Statistics::new(MemoryStore::new());
/// let statistics = store.handle();
/// let kv = Kv::new(store);
///
/// let users = kv.collection("users");
/// users.put("alice", &1).await?;
/// users.get_many::<u32>(&["alice", "bob"]).await?;
///
/// let snapshot = statistics.snapshot();
/// let read = snapshot.tally("users", Operation::GetMany);
/// assert_eq!((read.calls, read.hits, read.misses), (2, 1, 1));
/// assert_eq!(snapshot.tally("users", Operation::Put).writes, 1);
/// assert_eq!(snapshot.latency("users", Operation::Put).count, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// Two readings of the system's monotonic clock and a few atomic additions a call, and no lock that a second reader
/// waits for. A collection's first use, and an operation's first use on it, allocate.
///
/// # Order
///
/// It counts what reaches it, under the names it is given. No order is wrong; each counts something else:
///
/// * `Statistics` around a cache counts what the program asked, around the store behind the cache what the cache
///   missed;
/// * around a retrying wrapper it counts a call once with its pauses, within it every attempt;
/// * around [`PrefixCollections`](super::PrefixCollections) the names are the program's, within it they carry the
///   prefix: with one counter around the store that many prefixes share, their collections are told apart.
///
/// # Different from Python
///
/// Python counts get, put, delete and ttl, without their errors and their time. Here every operation is counted, bulk
/// forms by themselves, failures as errors, and the number of collections told apart is bounded.
#[derive(Debug, Clone)]
pub struct Statistics<S> {
    store: S,
    statistics: StatisticsHandle,
}

impl<S: Store> Statistics<S> {
    /// This store, counted from zero.
    pub fn new(store: S) -> Self {
        Self { store, statistics: StatisticsHandle::new() }
    }

    /// With at most so many collections told apart; the others are counted together.
    #[must_use]
    pub fn with_max_collections(self, most: usize) -> Self {
        self.statistics.set_max_collections(most);
        self
    }

    /// The counters, to be read wherever this wrapper goes.
    pub fn handle(&self) -> StatisticsHandle {
        self.statistics.clone()
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> StatisticsSnapshot {
        self.statistics.snapshot()
    }

    /// Begins again from zero.
    pub fn reset(&self) {
        self.statistics.reset();
    }

    /// The store within.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn note(&self, collection: &str, operation: Operation, began: Instant, tally: Tally) {
        self.statistics.record(Some(collection), operation, tally, began.elapsed());
    }

    /// Notes a call on no one collection, or one of which nothing but its failure is counted.
    fn note_call<T>(&self, collection: Option<&str>, operation: Operation, began: Instant, answer: &Result<T>) {
        let tally = Tally { calls: 1, errors: u64::from(answer.is_err()), ..Tally::default() };
        self.statistics.record(collection, operation, tally, began.elapsed());
    }

    /// Notes a bulk call: what each answer comes to, or an error for each key.
    fn note_bulk<T>(
        &self,
        collection: &str,
        operation: Operation,
        began: Instant,
        keys: usize,
        answers: &Result<Vec<Result<T>>>,
        count: impl Fn(&mut Tally, &T),
    ) {
        let keys = keys as u64;
        let mut tally = Tally { calls: keys, ..Tally::default() };
        match answers {
            Ok(answers) => {
                for answer in answers {
                    match answer {
                        Ok(answer) => count(&mut tally, answer),
                        Err(_) => tally.errors += 1,
                    }
                }
            }
            Err(_) => tally.errors = keys,
        }
        self.note(collection, operation, began, tally);
    }
}

fn meet(tally: &mut Tally, there: bool) {
    if there { tally.hits += 1 } else { tally.misses += 1 }
}

/// What one call comes to.
fn tally<T>(answer: &Result<T>, count: impl FnOnce(&mut Tally, &T)) -> Tally {
    let mut tally = Tally { calls: 1, ..Tally::default() };
    match answer {
        Ok(answer) => count(&mut tally, answer),
        Err(_) => tally.errors = 1,
    }
    tally
}

fn removes(change: &Change<'_>) -> bool {
    matches!(change, Change::Take | Change::Swap { new: None, .. })
}

#[maybe_async::maybe_async]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Statistics<S> {
    fn describe(&self) -> Description {
        self.store.describe().wrapped_in("Statistics")
    }

    fn default_collection(&self) -> &str {
        self.store.default_collection()
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let began = Instant::now();
        let answer = self.store.get(name, options).await;
        let operation = if options.head { Operation::Head } else { Operation::Get };
        let tally = tally(&answer, |tally, entry| meet(tally, entry.is_some()));
        self.note(name.collection, operation, began, tally);
        answer
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let began = Instant::now();
        let answers = self.store.get_many(collection, keys, options).await;
        let operation = if options.head { Operation::HeadMany } else { Operation::GetMany };
        let count = |tally: &mut Tally, entry: &Option<Entry>| meet(tally, entry.is_some());
        self.note_bulk(collection, operation, began, keys.len(), &answers, count);
        answers
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let began = Instant::now();
        let answer = self.store.put(name, value, options).await;
        let tally = tally(&answer, |tally, outcome| tally.writes = u64::from(outcome.is_written()));
        self.note(name.collection, Operation::Put, began, tally);
        answer
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let began = Instant::now();
        let answers = self.store.put_many(collection, items, options).await;
        let count = |tally: &mut Tally, _: &Written| tally.writes += 1;
        self.note_bulk(collection, Operation::PutMany, began, items.len(), &answers, count);
        answers
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let began = Instant::now();
        let answer = self.store.delete(name, options).await;
        let tally = tally(&answer, |tally, outcome| {
            meet(tally, *outcome != DeleteOutcome::Missing);
            tally.deletes = u64::from(*outcome == DeleteOutcome::Deleted);
        });
        self.note(name.collection, Operation::Delete, began, tally);
        answer
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let began = Instant::now();
        let answers = self.store.delete_many(collection, keys, options).await;
        let count = |tally: &mut Tally, removed: &bool| {
            meet(tally, *removed);
            tally.deletes += u64::from(*removed);
        };
        self.note_bulk(collection, Operation::DeleteMany, began, keys.len(), &answers, count);
        answers
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let began = Instant::now();
        let answer = self.store.modify(name, change, options).await;
        let tally = tally(&answer, |tally, modified| {
            meet(tally, modified.before.is_some());
            let removed = removes(change);
            tally.writes = u64::from(modified.applied && !removed);
            tally.deletes = u64::from(modified.applied && removed);
        });
        self.note(name.collection, Operation::of_change(change), began, tally);
        answer
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let began = Instant::now();
        let answer = self.store.list(collection, options).await;
        self.note_call(Some(collection), Operation::List, began, &answer);
        answer
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let began = Instant::now();
        let answer = self.store.collections(options).await;
        self.note_call(None, Operation::Collections, began, &answer);
        answer
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let began = Instant::now();
        let answer = self.store.count(collection, filter, options).await;
        self.note_call(Some(collection), Operation::Count, began, &answer);
        answer
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let began = Instant::now();
        let answer = self.store.clear(collection, filter, options).await;
        let tally = tally(&answer, |tally, removed| tally.deletes = *removed);
        self.note(collection, Operation::Clear, began, tally);
        answer
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let began = Instant::now();
        let answer = self.store.destroy(options).await;
        let tally = tally(&answer, |tally, removed| tally.deletes = *removed);
        self.statistics.record(None, Operation::Destroy, tally, began.elapsed());
        answer
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let began = Instant::now();
        let answer = self.store.cull(options).await;
        self.note_call(None, Operation::Cull, began, &answer);
        answer
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        let began = Instant::now();
        let answer = self.store.ping(options).await;
        self.note_call(None, Operation::Ping, began, &answer);
        answer
    }

    async fn setup(&self) -> Result<()> {
        let began = Instant::now();
        let answer = self.store.setup().await;
        self.note_call(None, Operation::Setup, began, &answer);
        answer
    }

    async fn close(&self) -> Result<()> {
        let began = Instant::now();
        let answer = self.store.close().await;
        self.note_call(None, Operation::Close, began, &answer);
        answer
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let began = Instant::now();
        let answer = self.store.capabilities().await;
        self.note_call(None, Operation::Capabilities, began, &answer);
        answer
    }
}

#[cfg(test)]
mod tests;

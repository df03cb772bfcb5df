//! Counts and latencies.

use std::time::Instant;

use kv_core::{Result, StatisticsHandle, StatisticsSnapshot};

use super::request::Request;
use crate::store::Store;

#[cfg(feature = "metrics")]
mod export;

/// Counts what passes through, by collection and operation: calls, hits, misses, writes, deletes, errors and latency.
///
/// A bulk call counts once for each key, and is timed once. Reads without the value (`exists`, `ttl`, `metadata`) are
/// counted as [`head`](kv_core::Operation::Head). A delete is a hit or a miss, and so is a change of what is there. A
/// listing is a call; what stands on its page is not counted. A call that is dropped before it ends is not counted.
///
/// The counters are read through a [`StatisticsHandle`], taken before the wrapper goes into a stack. Memory is bounded:
/// beyond 1,024 collections, or [so many](Self::with_max_collections), the rest is counted together. With the feature
/// `metrics` they can be exported as well: `with_metrics`.
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
    #[cfg(feature = "metrics")]
    exported: bool,
}

impl<S: Store> Statistics<S> {
    /// This store, counted from zero.
    pub fn new(store: S) -> Self {
        Self {
            store,
            statistics: StatisticsHandle::new(),
            #[cfg(feature = "metrics")]
            exported: false,
        }
    }

    /// Also told to the recorder of the `metrics` facade that the program has installed: the counters
    /// `kv_calls_total`, `kv_hits_total`, `kv_misses_total`, `kv_writes_total`, `kv_deletes_total` and
    /// `kv_errors_total`, and the histogram `kv_call_duration_seconds`, all labelled with `operation` and `collection`.
    ///
    /// The label of collections that are not told apart is empty, and so is that of operations on no collection: there
    /// are no more labels than counters here. Every call costs a look-up in the recorder for each number that is not 0.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        export::describe();
        self.exported = true;
        self
    }

    /// Counted by these counters instead of new ones: of another wrapper, or made before the stack was.
    #[must_use]
    pub fn with_handle(mut self, counters: StatisticsHandle) -> Self {
        self.statistics = counters;
        self
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
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for Statistics<S> {
    type Inner = S;
    const NAME: &'static str = "Statistics";

    fn inner(&self) -> &S {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        let began = Instant::now();
        let answer = request.send(&self.store).await;
        let tally = request.tally(&answer);
        let took = began.elapsed();
        self.statistics.record(request.collection(), request.operation(), tally, took);
        #[cfg(feature = "metrics")]
        if self.exported {
            let collection = request.collection().filter(|collection| self.statistics.tells_apart(collection));
            export::record(collection, request.operation(), tally, took);
        }
        answer
    }
}

#[cfg(test)]
mod tests;

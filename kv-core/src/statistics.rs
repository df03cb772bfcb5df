//! What a store was asked, how it answered, and how long it took.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{Change, Expiry, check_collection};

mod counters;

use counters::Counters;

/// An operation of a store, as errors name it.
///
/// # Examples
///
/// ```
/// use kv_core::Operation;
///
/// assert_eq!(Operation::GetMany.as_str(), "get_many");
/// assert_eq!(serde_json::to_string(&Operation::GetMany).unwrap(), "\"get_many\"");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the operation of that name")]
pub enum Operation {
    Get,
    /// A read without the value: `exists`, `ttl`, `metadata`.
    Head,
    GetMany,
    HeadMany,
    Put,
    PutMany,
    Delete,
    DeleteMany,
    Increment,
    Append,
    Take,
    GetAndPut,
    Touch,
    Persist,
    SetMetadata,
    CompareAndSwap,
    List,
    Count,
    Clear,
    Collections,
    Destroy,
    Cull,
    Ping,
    Setup,
    Close,
    Capabilities,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 26] = [
        Self::Get,
        Self::Head,
        Self::GetMany,
        Self::HeadMany,
        Self::Put,
        Self::PutMany,
        Self::Delete,
        Self::DeleteMany,
        Self::Increment,
        Self::Append,
        Self::Take,
        Self::GetAndPut,
        Self::Touch,
        Self::Persist,
        Self::SetMetadata,
        Self::CompareAndSwap,
        Self::List,
        Self::Count,
        Self::Clear,
        Self::Collections,
        Self::Destroy,
        Self::Cull,
        Self::Ping,
        Self::Setup,
        Self::Close,
        Self::Capabilities,
    ];

    /// The operation that makes this change.
    pub fn of_change(change: &Change<'_>) -> Self {
        match change {
            Change::Increment(_) => Self::Increment,
            Change::Append(_) => Self::Append,
            Change::Take => Self::Take,
            Change::Replace { .. } => Self::GetAndPut,
            Change::Touch(Expiry::Never) => Self::Persist,
            Change::Touch(_) => Self::Touch,
            Change::Annotate(_) => Self::SetMetadata,
            Change::Swap { .. } => Self::CompareAndSwap,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::GetMany => "get_many",
            Self::HeadMany => "head_many",
            Self::Put => "put",
            Self::PutMany => "put_many",
            Self::Delete => "delete",
            Self::DeleteMany => "delete_many",
            Self::Increment => "increment",
            Self::Append => "append",
            Self::Take => "take",
            Self::GetAndPut => "get_and_put",
            Self::Touch => "touch",
            Self::Persist => "persist",
            Self::SetMetadata => "set_metadata",
            Self::CompareAndSwap => "compare_and_swap",
            Self::List => "list",
            Self::Count => "count",
            Self::Clear => "clear",
            Self::Collections => "collections",
            Self::Destroy => "destroy",
            Self::Cull => "cull",
            Self::Ping => "ping",
            Self::Setup => "setup",
            Self::Close => "close",
            Self::Capabilities => "capabilities",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often what was asked and answered. A bulk call counts once for each of its keys.
///
/// A conditional write that met another state than its condition's is a call and none of the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// What was asked: keys for the operations on keys, calls for the others.
    pub calls: u64,
    /// Live entries met.
    pub hits: u64,
    /// Names without a live entry.
    pub misses: u64,
    /// Records written.
    pub writes: u64,
    /// Live entries removed.
    pub deletes: u64,
    /// Errors answered.
    pub errors: u64,
}

/// How long calls took, whatever they answered. A bulk call counts once.
///
/// The percentiles are read from buckets whose widths grow with the time: what is told is never less than the truth,
/// and at most a quarter more (from 137 seconds on it is 137 seconds).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// The calls.
    pub count: u64,
    /// What they took together.
    pub total: Duration,
    /// What they took on average; zero if there were none.
    pub mean: Duration,
    /// What half of them did not exceed; zero if there were none.
    pub p50: Duration,
    /// What 99 of 100 did not exceed; zero if there were none.
    pub p99: Duration,
}

/// What is known of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OperationStatistics {
    /// How often.
    pub tally: Tally,
    /// How long.
    pub latency: Latency,
}

/// What is known of the operations on one collection. Those that never happened are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CollectionStatistics {
    /// By operation.
    pub operations: BTreeMap<Operation, OperationStatistics>,
}

impl CollectionStatistics {
    /// How often an operation happened, and with what result; zeros if it never did.
    pub fn tally(&self, operation: Operation) -> Tally {
        self.operations.get(&operation).map_or_else(Tally::default, |known| known.tally)
    }

    /// How long an operation took; zeros if it never happened.
    pub fn latency(&self, operation: Operation) -> Latency {
        self.operations.get(&operation).map_or_else(Latency::default, |known| known.latency)
    }
}

/// Everything counted up to one moment. Numbers of calls that end at that very moment may be in it in part.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::{Operation, StatisticsHandle, StatisticsSnapshot, Tally};
///
/// let statistics = StatisticsHandle::new();
/// let tally = Tally { calls: 2, hits: 1, misses: 1, ..Tally::default() };
/// statistics.record(Some("users"), Operation::GetMany, tally, Duration::from_micros(80));
///
/// let snapshot = statistics.snapshot();
/// assert_eq!(snapshot.tally("users", Operation::GetMany).hits, 1);
/// let json = serde_json::to_string(&snapshot).unwrap();
/// assert_eq!(serde_json::from_str::<StatisticsSnapshot>(&json).unwrap(), snapshot);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatisticsSnapshot {
    /// By collection.
    pub collections: BTreeMap<String, CollectionStatistics>,
    /// All collections beyond the most that are told apart, and names that no store takes.
    pub other: CollectionStatistics,
    /// The operations that are about no one collection: `collections`, `destroy`, `cull`, `ping`, `setup`, `close`,
    /// `capabilities`.
    pub store: CollectionStatistics,
}

impl StatisticsSnapshot {
    /// How often an operation on this collection happened, and with what result; zeros if it never did.
    pub fn tally(&self, collection: &str, operation: Operation) -> Tally {
        self.collections.get(collection).map_or_else(Tally::default, |known| known.tally(operation))
    }

    /// How long an operation on this collection took; zeros if it never happened.
    pub fn latency(&self, collection: &str, operation: Operation) -> Latency {
        self.collections.get(collection).map_or_else(Latency::default, |known| known.latency(operation))
    }
}

/// The counters behind a statistics wrapper: to read them while the wrapper stands inside a stack. Cheap to clone;
/// clones are the same counters.
///
/// Its memory is bounded: about 1.2 KiB for each operation that was used, of at most so many collections (1,024 unless
/// told otherwise).
#[derive(Debug, Clone)]
pub struct StatisticsHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max_collections: AtomicUsize,
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    collections: HashMap<Box<str>, Arc<Counters>, RandomState>,
    other: Arc<Counters>,
    store: Arc<Counters>,
}

impl StatisticsHandle {
    /// The most collections told apart unless told otherwise.
    pub const DEFAULT_MAX_COLLECTIONS: usize = 1024;

    /// Counters at zero.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            max_collections: AtomicUsize::new(Self::DEFAULT_MAX_COLLECTIONS),
            tables: RwLock::default(),
        }))
    }

    /// Tells at most so many collections apart. Those that already are remain so until the next [`reset`](Self::reset).
    pub fn set_max_collections(&self, most: usize) {
        self.0.max_collections.store(most, Ordering::Relaxed);
    }

    /// Whether this collection is one of those that are told apart, and was met.
    pub fn tells_apart(&self, collection: &str) -> bool {
        self.0.tables.read().collections.contains_key(collection)
    }

    /// Notes one call: on a collection or on none, what came of it, how long it took.
    pub fn record(&self, collection: Option<&str>, operation: Operation, tally: Tally, took: Duration) {
        {
            let tables = self.0.tables.read();
            let known = match collection {
                Some(collection) => tables.collections.get(collection),
                None => Some(&tables.store),
            };
            let known = known.or_else(|| self.is_full(&tables).then_some(&tables.other));
            if let Some(counters) = known {
                return counters.add(operation, tally, took);
            }
        }
        if let Some(collection) = collection {
            self.introduce(collection).add(operation, tally, took);
        }
    }

    fn is_full(&self, tables: &Tables) -> bool {
        tables.collections.len() >= self.0.max_collections.load(Ordering::Relaxed)
    }

    /// The counters of a collection that was not met before.
    #[cold]
    fn introduce(&self, collection: &str) -> Arc<Counters> {
        let mut tables = self.0.tables.write();
        if let Some(counters) = tables.collections.get(collection) {
            return Arc::clone(counters);
        }
        // Names that no store takes may be of any length.
        if self.is_full(&tables) || check_collection(collection).is_err() {
            return Arc::clone(&tables.other);
        }
        Arc::clone(tables.collections.entry(collection.into()).or_default())
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> StatisticsSnapshot {
        // The counters are summed up after the lock is let go.
        let (collections, other, store) = {
            let tables = self.0.tables.read();
            let collections: Vec<_> =
                tables.collections.iter().map(|(name, counters)| (name.to_string(), Arc::clone(counters))).collect();
            (collections, Arc::clone(&tables.other), Arc::clone(&tables.store))
        };
        StatisticsSnapshot {
            collections: collections.into_iter().map(|(name, counters)| (name, counters.snapshot())).collect(),
            other: other.snapshot(),
            store: store.snapshot(),
        }
    }

    /// Begins again from zero, and forgets the collections. A call that ends at this very moment may be lost.
    pub fn reset(&self) {
        *self.0.tables.write() = Tables::default();
    }
}

impl Default for StatisticsHandle {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;

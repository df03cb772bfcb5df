//! A second store for when the first cannot be reached.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use kv_core::{
    Atomicity, CallOptions, Capabilities, Condition, DeleteOptions, Description, DivergenceHandle, Entry, Error,
    ErrorKind, Expiry, GetOptions, Listing, Name, Newer, Note, PutOptions, Result, ValueRef,
};

use crate::flavour;
use crate::store::Store;

mod calls;
mod listing;
mod stand_in;

/// Asks a second store where the first is unavailable: where it answers
/// [`Connection`](kv_core::ErrorKind::Connection) or [`Timeout`](kv_core::ErrorKind::Timeout). A miss is an answer, and
/// so is every other error.
///
/// **Without write-through** the second store is only read. Somebody else keeps it up to date (a replica of the backend
/// does); what it gives is as old as that is, and may hold what was deleted since. The
/// [handle](Self::handle) tells how many reads it has answered.
///
/// **With [write-through](Self::with_write_through)** what is written to the first store is then written to the second,
/// and where the first is unavailable put, put_many, delete and delete_many without a condition go to the second alone.
/// Writes that depend on what is there (conditions, increment, ..., clear, destroy) need the first.
///
/// A record on which the stores disagree afterwards is noted, and no operation through this wrapper gives the older of
/// the two: not the value that was overwritten, nor the one that was deleted.
///
/// * Where the second is right, the record is copied to the first before it is used again; until the first is back,
///   only the second is asked.
/// * Where the first is right, the second is not asked for it, so that such a read answers the first's error in an
///   outage, until a write has reached both again.
///
/// [`reconcile`](Self::reconcile) brings all of them in line, and the [handle](Self::handle) lists them. The list is
/// bounded: when it is full, writes that only the second could take answer the first's error; and if something that the
/// second missed cannot be listed (also a clear or a destroy), the second is asked no more until the stores have been
/// brought in line and the handle told to [forget](kv_core::DivergenceHandle::forget).
///
/// ```
/// use kv_source::{Kv, PutOptions, Store};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::Fallback;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// // Say, a server and a file.
/// let store = Fallback::new(MemoryStore::new(), MemoryStore::new()).with_write_through();
/// let divergence = store.handle();
/// let kv = Kv::new(store);
/// kv.put("k", &1).await?;
/// assert_eq!(kv.get::<i32>("k").await?, Some(1));
/// assert!(divergence.report().is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Limits
///
/// Writes of one record through this wrapper reach both stores in the same order; those of two processes may not, and
/// that is not noticed. What diverged is known to this wrapper alone: not to other processes, and not after a restart;
/// reconcile before. What another process wrote to the first store meanwhile is overwritten when a record is copied
/// there. So conditional writes are `ProcessLocal` with write-through. The second store gives revisions of its own: one
/// that was read there does not hold as a condition in the first. A listing goes on in the store where it began.
///
/// # Cost
///
/// Without write-through none, until the first fails; then its time-outs, on every call: put a circuit breaker around
/// the first. With write-through a write takes a round trip of each store, one after the other.
///
/// # Order
///
/// * right: `Fallback` around `Retry(first)` and around `Timeout(first)`: the first has its chance, and then the
///   second;
/// * wrong: `Retry` around `Fallback`, or a `Timeout` as short as the first's: the second is never asked, or asked
///   late;
/// * wrong: a cache around `Fallback` without write-through, where what was read in an outage must not outlive it.
///
/// # Different from Python
///
/// Python falls back on any exception, and with `write_to_fallback` writes the second only while the first fails: after
/// that neither store has all, and what was deleted in the meantime is there again. It tells nobody.
#[derive(Debug)]
pub struct Fallback<A, B> {
    first: A,
    second: B,
    through: bool,
    known: DivergenceHandle,
    /// Whether the second store stands in for the first, or follows it only.
    stands_in: bool,
    /// Held while a record, or any that falls to the same one, is written to both stores: they see the same order.
    turns: Vec<flavour::Mutex<()>>,
}

/// How many turns there are.
const TURNS: usize = 64;

/// Where a record can be used.
enum Place {
    /// In the first store, and in the second if that is unavailable.
    Both,
    /// In the first alone: the second missed a write.
    First,
    /// In the second alone: the first missed a write, and is unavailable still, as the error says.
    Second(Error),
}

/// What the second store is to do after the first.
enum Follow<'a> {
    Put(ValueRef<'a>, PutOptions),
    Delete,
}

impl<A: Store, B: Store> Fallback<A, B> {
    const DEFAULT_MAX_DIVERGED: usize = 10_000;

    /// The first store, and the second to be read where it is unavailable. Does no I/O.
    pub fn new(first: A, second: B) -> Self {
        let known = DivergenceHandle::new(Self::DEFAULT_MAX_DIVERGED);
        let turns = (0..TURNS).map(|_| flavour::Mutex::default()).collect();
        Self { first, second, through: false, known, stands_in: true, turns }
    }

    /// With the second store written as well.
    #[must_use]
    pub fn with_write_through(mut self) -> Self {
        self.through = true;
        self
    }

    /// With room for so many names of records that have diverged, 10,000 unless told otherwise. Takes a new
    /// [handle](Self::handle).
    #[must_use]
    pub fn with_max_diverged(mut self, most: usize) -> Self {
        self.known = DivergenceHandle::new(most);
        self
    }

    /// What is known to have diverged, to be read wherever this wrapper goes.
    pub fn handle(&self) -> DivergenceHandle {
        self.known.clone()
    }

    /// What is left of the first store's capabilities.
    fn narrowed(&self, mut can: Capabilities) -> Capabilities {
        let other = self.second.describe().capabilities;
        can.expiry_resolution = can.expiry_resolution.max(other.expiry_resolution);
        if other.listing != Listing::Unsupported {
            can.listing = can.listing.min(other.listing);
            can.ordered &= other.ordered;
        }
        if self.through {
            can.atomic_batches = false;
            if self.stands_in {
                can.conditional = can.conditional.min(Atomicity::ProcessLocal);
            }
            can.clear &= other.clear;
            can.metadata &= other.metadata;
            can.max_key_bytes = can.max_key_bytes.min(other.max_key_bytes);
            can.max_collection_bytes = can.max_collection_bytes.min(other.max_collection_bytes);
            can.max_value_bytes = can.max_value_bytes.into_iter().chain(other.max_value_bytes).min();
        }
        can
    }

    /// Whether this is an outage of the first that the second may stand in for.
    fn is_bridged(&self, error: &Error) -> bool {
        self.stands_in && is_unavailable(error)
    }

    /// Whether the second store may answer for the first in general.
    fn is_trusted(&self) -> bool {
        self.known.unnamed() == 0
    }

    /// Both stores written, and the first alone asked.
    pub(super) fn following(first: A, second: B) -> Self {
        Self { stands_in: false, ..Self::new(first, second).with_write_through() }
    }

    pub(super) fn second(&self) -> &B {
        &self.second
    }

    pub(super) fn describe_as(&self, wrapper: &str) -> Description {
        let mut description = self.first.describe().wrapped_in(wrapper).with_beside(self.second.describe());
        description.capabilities = self.narrowed(description.capabilities);
        description
    }

    /// Notes that the second missed a write.
    pub(super) fn is_behind(&self, name: Name<'_>) {
        if !self.known.note(name, Newer::First) {
            self.known.note_unnamed();
        }
    }
}

/// The turns of these records, each once, in the order in which everybody takes them.
fn turns_of<'k>(collection: &str, keys: impl Iterator<Item = &'k str>) -> Vec<usize> {
    let turn = |key: &str| {
        let mut hasher = DefaultHasher::new();
        (collection, key).hash(&mut hasher);
        usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default()
    };
    let turns: BTreeSet<usize> = keys.map(turn).collect();
    turns.into_iter().collect()
}

/// Whether the error says that a store cannot be reached, and not that it has refused.
fn is_unavailable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

/// While a write is under way: if it is dropped, the second store may have missed it.
struct Doubt<'a, A: Store, B: Store> {
    of: Option<(&'a Fallback<A, B>, Name<'a>)>,
}

impl<A: Store, B: Store> Doubt<'_, A, B> {
    fn dispel(mut self) {
        self.of = None;
    }
}

impl<A: Store, B: Store> Drop for Doubt<'_, A, B> {
    fn drop(&mut self) {
        if let Some((fallback, name)) = self.of.take() {
            fallback.is_behind(name);
        }
    }
}

#[maybe_async::maybe_async]
impl<A: Store, B: Store> Fallback<A, B> {
    /// Brings in line what is known to have diverged, and answers how many records that were. What could not be named
    /// is not among them: copy the stores, and tell the handle to forget.
    ///
    /// # Errors
    ///
    /// Those of either store; what was not brought in line is still noted.
    pub async fn reconcile(&self) -> Result<u64> {
        let mut settled = 0;
        for diverged in self.known.report().names {
            let name = Name::new(&diverged.collection, &diverged.key);
            let _turn = self.turn(name).await;
            if let Some(note) = self.known.get(name) {
                self.settle(name, note, &CallOptions::default()).await?;
                settled += 1;
            }
        }
        Ok(settled)
    }

    /// Copies the record from the store that is right to the other. The turn must be held.
    async fn settle(&self, name: Name<'_>, note: Note, call: &CallOptions) -> Result<()> {
        match note.newer {
            Newer::First => copy(&self.first, &self.second, name, call).await?,
            Newer::Second => copy(&self.second, &self.first, name, call).await?,
        }
        self.known.settle(name, note);
        Ok(())
    }

    /// Where this record can be used, after it was tried to bring the first store in line. The turn must be held if it
    /// has diverged, or is written.
    async fn place(&self, name: Name<'_>, call: &CallOptions) -> Result<Place> {
        match self.known.get(name) {
            None => Ok(Place::Both),
            Some(note) if note.newer == Newer::First => Ok(Place::First),
            Some(note) => match self.settle(name, note, call).await {
                Ok(()) => Ok(Place::Both),
                Err(error) if is_unavailable(&error) => Ok(Place::Second(error)),
                Err(error) => Err(error),
            },
        }
    }

    /// The turn of this record.
    async fn turn(&self, name: Name<'_>) -> Vec<impl Sized + use<'_, A, B>> {
        self.turns(&turns_of(name.collection, std::iter::once(name.key))).await
    }

    /// These turns, which are in order.
    async fn turns(&self, turns: &[usize]) -> Vec<impl Sized + use<'_, A, B>> {
        let mut held = Vec::with_capacity(turns.len());
        for turn in turns {
            if let Some(turn) = self.turns.get(*turn) {
                held.push(turn.lock().await);
            }
        }
        held
    }

    /// All turns.
    async fn all_turns(&self) -> Vec<impl Sized + use<'_, A, B>> {
        let all: Vec<usize> = (0..TURNS).collect();
        self.turns(&all).await
    }

    /// Makes the second store follow the first, and notes whether it did.
    async fn follow(&self, name: Name<'_>, what: Follow<'_>, call: &CallOptions) {
        let seen = self.known.get(name);
        let done = match what {
            Follow::Put(value, options) => {
                let options = options.with_condition(Condition::Always).with_call(*call);
                write(&self.second, name, value, options).await
            }
            Follow::Delete => self.second.delete(name, &DeleteOptions::default().with_call(*call)).await.map(drop),
        };
        match (done, seen) {
            (Ok(()), Some(note)) => self.known.settle(name, note),
            (Ok(()), None) => {}
            (Err(_), _) => self.is_behind(name),
        }
    }

    /// Brings the first store in line before the whole of it is used, or tells why that cannot be.
    async fn all_in_line(&self, call: &CallOptions) -> Result<()> {
        if self.known.is_empty() {
            return Ok(());
        }
        for diverged in self.known.report().names {
            if diverged.newer == Newer::Second {
                let name = Name::new(&diverged.collection, &diverged.key);
                let _turn = self.turn(name).await;
                if let Some(note) = self.known.get(name) {
                    self.settle(name, note, call).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether the second store may give what is about many records.
    fn may_ask_second(&self, error: &Error) -> bool {
        let is_behind = || self.known.report().names.iter().any(|name| name.newer == Newer::First);
        self.is_bridged(error) && self.is_trusted() && (self.known.is_empty() || !is_behind())
    }
}

/// Copies a record as it is, or its absence.
#[maybe_async::maybe_async]
async fn copy<X: Store, Y: Store>(from: &X, to: &Y, name: Name<'_>, call: &CallOptions) -> Result<()> {
    let entry: Option<Entry> = from.get(name, &GetOptions::default().with_call(*call)).await?;
    match entry {
        Some(entry) => {
            let options = PutOptions::of_record(&entry.record()).with_call(*call);
            write(to, name, entry.value(), options).await
        }
        None => to.delete(name, &DeleteOptions::default().with_call(*call)).await.map(drop),
    }
}

/// Writes a record, or removes it if it has ended on the way.
#[maybe_async::maybe_async]
async fn write<X: Store>(store: &X, name: Name<'_>, value: ValueRef<'_>, options: PutOptions) -> Result<()> {
    match store.put(name, value, &options).await {
        Err(error)
            if error.kind() == ErrorKind::InvalidTtl
                && matches!(options.expiry, Expiry::At(instant) if instant <= store.now()) =>
        {
            store.delete(name, &DeleteOptions::default().with_call(options.call)).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

#[cfg(test)]
mod tests;

//! A near store before a far one.

use std::fmt;
use std::time::Duration;

use kv_core::cache::{Generations, Stamp, Writing};
use kv_core::{
    CallOptions, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, GetOptions, KeyFilter,
    Modified, Name, PutItem, PutOptions, PutOutcome, Result, Ttl, ValueRef, Written,
};

use crate::flavour;
use crate::single_flight::SingleFlight;
use crate::store::Store;

mod reading;
use reading::{Answer, Flight, Near, instead, is_outage};

/// Keeps copies of what is read from a far store in a near one, and answers from there while they are good.
///
/// * A copy ends no later than its entry does, and no later than the longest TTL: 30 minutes, or
///   [`with_max_ttl`](Self::with_max_ttl). That is also how long a write past this wrapper, by another program or
///   process, may stay unseen.
/// * After a write through this wrapper no read through it answers what was before, however reads and writes overlap
///   and whatever becomes of the near store. While a write goes on, reads of its name ask the far store, and keep
///   nothing.
/// * Everything that writes, conditions and changes included, goes to the far store and is judged there; a copy has the
///   revision, the instants and the metadata of the entry, so that a conditional write can be built on it. A write that
///   meets a conflict drops the copy, so that the next read sees what was in its way.
/// * Many who miss the same entry at the same time are one read of the far store.
/// * That there is no entry is remembered only [if wished](Self::with_missing_ttl). `null`, `{}` and empty bytes are
///   values, and are kept as any other.
/// * When the near store fails, the far one is asked; a read fails only if that fails too. With
///   [`with_stale_on_error`](Self::with_stale_on_error), a copy that is no longer good stands in for a far store that
///   is out of reach.
///
/// Listings, counts, `cull` and `ping` are about the far store.
///
/// ```
/// use kv_source::{DEFAULT_COLLECTION, Kv};
/// use kv_source::stores::{MemoryOptions, MemoryStore};
/// use kv_source::wrappers::{Operation, PassthroughCache, Statistics};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// // A server, say.
/// let far = Statistics::new(MemoryStore::new());
/// let asked = far.handle();
/// let near = MemoryStore::bounded(MemoryOptions::default().with_max_entries(10_000))?;
/// let kv = Kv::new(PassthroughCache::new(near, far));
///
/// kv.put("k", &1).await?;
/// for _ in 0..3 {
///     assert_eq!(kv.get::<u32>("k").await?, Some(1));
/// }
/// kv.put("k", &2).await?;
/// assert_eq!(kv.get::<u32>("k").await?, Some(2));
/// assert_eq!(asked.snapshot().tally(DEFAULT_COLLECTION, Operation::Get).calls, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A read that finds a good copy is one read of the near store and a copy of the value: one allocation. One that does
/// not is a read of the near store, one of the far store, and a write of the near store; `get_many` asks each once, the
/// far one for what was missed. A write is one of the far store and a delete of the near one. Reads without the value
/// (`exists`, `ttl`) use copies and make none. A cache takes 128 KB to tell good copies from stale ones; what is said
/// here of a write and the copies of its name is true of one name in 8,192 others too.
///
/// # Order
///
/// The near store is the cache's own: what is in it is not readable without it, copies that another cache made are of
/// no use unless it [shares](Self::with_shared_near) them, and `destroy` clears it. It should be bounded. A near store
/// that can hang belongs in a wrapper that gives up on it.
///
/// * right: `PassthroughCache(near, Retry(far))`: a hit is not slowed by what guards the far store;
/// * right: `Encryption(PassthroughCache(near, far))`: copies are as secret as what is stored;
/// * wrong: `PassthroughCache(near on a shared disk, Encryption(far))`: the copies there are plain text;
/// * wrong: two caches before one far store in one program: neither knows of the other's writes. Make one, and share
///   it.
///
/// A write whose fate is unknown drops the copy as any other. If the far store makes it later, after somebody has read
/// the old entry again, that copy is good for as long as any other.
///
/// # Different from Python
///
/// Python's cache can keep what it read before a write for half an hour after it, drops `{}` and `null`, tells the
/// cache's TTL for the entry's, remembers every missing key, writes what it caches one by one, and fails with its cache
/// store. Its copies are records like others; here they have a form of their own.
pub struct PassthroughCache<N, F> {
    near: N,
    far: F,
    max_ttl: Option<Duration>,
    missing_ttl: Option<Duration>,
    stale_for: Option<Duration>,
    is_near_shared: bool,
    generations: Generations,
    flights: SingleFlight<Flight, Answer>,
}

/// The longest that a copy is good, unless told otherwise.
const MAX_TTL: Duration = Duration::from_secs(30 * 60);

const NAME: &str = "PassthroughCache";

impl<N: Store, F: Store> PassthroughCache<N, F> {
    /// This near store before that far one. Does no I/O.
    pub fn new(near: N, far: F) -> Self {
        Self {
            near,
            far,
            max_ttl: Some(MAX_TTL),
            missing_ttl: None,
            stale_for: None,
            is_near_shared: false,
            generations: Generations::new(),
            flights: SingleFlight::new(),
        }
    }

    /// With this as the longest that a copy is good; `None`: until its entry ends, or is written through this wrapper.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or does not end before year 9999, and for `None` together with
    /// [`with_stale_on_error`](Self::with_stale_on_error).
    pub fn with_max_ttl(mut self, ttl: Option<Duration>) -> Result<Self> {
        self.max_ttl = ttl;
        self.checked()
    }

    /// With a memory for so long, and no longer than the longest TTL, that there is no entry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or does not end before year 9999.
    pub fn with_missing_ttl(mut self, ttl: Duration) -> Result<Self> {
        self.missing_ttl = Some(ttl);
        self.checked()
    }

    /// With copies kept for so much longer than they are good, to stand in where the far store is out of reach
    /// ([`Connection`](ErrorKind::Connection), [`Timeout`](ErrorKind::Timeout)). Neither an entry that has ended nor
    /// one that was since written through this wrapper is ever answered so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or does not end before year 9999, and without a longest TTL, for then
    /// copies are good until their entries end.
    pub fn with_stale_on_error(mut self, grace: Duration) -> Result<Self> {
        self.stale_for = Some(grace);
        self.checked()
    }

    /// With copies that other caches made taken for good: those of other processes where the near store is one that
    /// they share, or of an earlier run where it outlives the process. Then a write here may be followed by a stale
    /// read of what another cache copied just before.
    #[must_use]
    pub fn with_shared_near(mut self) -> Self {
        self.is_near_shared = true;
        self
    }

    /// The near store.
    pub fn near(&self) -> &N {
        &self.near
    }

    /// The far store.
    pub fn far(&self) -> &F {
        &self.far
    }

    fn checked(self) -> Result<Self> {
        let refusal = |message: String| Err(Error::new(ErrorKind::Configuration, message).in_store(NAME));
        for (what, ttl) in [("longest", self.max_ttl), ("missing", self.missing_ttl), ("stale", self.stale_for)] {
            if let Some(ttl) = ttl
                && Ttl::from(ttl).expires_at(self.far.now()).is_err()
            {
                let message = "must be a positive time that ends before year 9999, and is";
                return refusal(format!("the {what} TTL of copies {message} {ttl:?}"));
            }
        }
        if self.max_ttl.is_none() && self.stale_for.is_some() {
            return refusal("copies that are good without end never stand in for an error".to_owned());
        }
        Ok(self)
    }

    /// Nobody who reads these while they are written copies them, and what was copied before is stale.
    fn write_many(&self, collection: &str, keys: &[&str]) -> Vec<Writing<'_>> {
        keys.iter().map(|key| self.generations.slot(Name::new(collection, key)).write()).collect()
    }

    /// Frees the copy of what was written. That it is no good its stamp tells; so whether it is freed does not matter.
    #[maybe_async::maybe_async]
    async fn free(&self, name: Name<'_>, call: CallOptions) {
        let _ = self.near.delete(name, &DeleteOptions::default().with_call(call)).await;
    }

    #[maybe_async::maybe_async]
    async fn free_many(&self, collection: &str, keys: &[&str], call: &CallOptions) {
        let _ = self.near.delete_many(collection, keys, call).await;
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<N: Store, F: Store> crate::wrappers::Wrapper for PassthroughCache<N, F> {
    type Inner = F;
    const NAME: &'static str = NAME;

    fn inner(&self) -> &F {
        &self.far
    }

    fn describe(&self) -> Description {
        self.far.describe().wrapped_in(NAME).with_beside(self.near.describe())
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        let now = self.generations.slot(name).stamp()?;
        match self.judge(self.near.at_hand(name)?.as_ref(), now) {
            Near::Good(entry) => Some(entry),
            Near::Miss(_) => None,
        }
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let slot = self.generations.slot(name);
        let Some(now) = slot.stamp() else {
            return flavour::cold(self.far.get(name, options)).await;
        };
        let fills = slot.fills();
        let near = match self.near.at_hand(name) {
            Some(found) => self.judge(found.as_ref(), now),
            None => self.ask_near(name, now, options.call).await,
        };
        match near {
            Near::Good(entry) => Ok(entry),
            Near::Miss(stale) => flavour::cold(self.ask_far(name, options, slot, (now, fills), stale)).await,
        }
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let stamps: Vec<Option<Stamp>> =
            keys.iter().map(|key| self.generations.slot(Name::new(collection, key)).stamp()).collect();
        let asking = GetOptions::default().with_call(options.call);
        let found = self.near.get_many(collection, keys, &asking).await.unwrap_or_default();
        let mut found = found.into_iter();
        let mut answers = Vec::with_capacity(keys.len());
        // Where the misses are in `keys`.
        let mut missed = Vec::new();
        let mut stales = Vec::new();
        for (at, stamp) in stamps.iter().enumerate() {
            let near = found.next().and_then(|answer| answer.ok().flatten());
            match stamp.map_or(Near::Miss(None), |stamp| self.judge(near.as_ref(), stamp)) {
                Near::Good(entry) => answers.push(Ok(entry)),
                Near::Miss(stale) => {
                    answers.push(Ok(None));
                    missed.push(at);
                    stales.push(stale);
                }
            }
        }
        if missed.is_empty() && !keys.is_empty() {
            return Ok(answers);
        }
        let asked: Vec<&str> = missed.iter().map(|at| keys[*at]).collect();
        let read = match self.far.get_many(collection, &asked, options).await {
            Ok(read) => read,
            // All or none: an outage is not a matter of one position.
            Err(error) if is_outage(&error) && !stales.is_empty() && stales.iter().all(Option::is_some) => {
                missed.into_iter().zip(stales).for_each(|(at, stale)| answers[at] = Ok(stale.flatten()));
                return Ok(answers);
            }
            Err(error) => return Err(error),
        };
        if !options.head {
            self.keep_many(collection, &asked, &read, missed.iter().map(|at| stamps[*at]), options.call).await;
        }
        for ((at, answer), stale) in missed.into_iter().zip(read).zip(stales) {
            answers[at] = instead(answer, stale);
        }
        Ok(answers)
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let writing = self.generations.slot(name).write();
        let answer = self.far.put(name, value, options).await;
        drop(writing);
        self.free(name, options.call).await;
        answer
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let keys: Vec<&str> = items.iter().map(|item| item.key).collect();
        let writing = self.write_many(collection, &keys);
        let answers = self.far.put_many(collection, items, options).await;
        drop(writing);
        self.free_many(collection, &keys, &options.call).await;
        answers
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let writing = self.generations.slot(name).write();
        let answer = self.far.delete(name, options).await;
        drop(writing);
        self.free(name, options.call).await;
        answer
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let writing = self.write_many(collection, keys);
        let answers = self.far.delete_many(collection, keys, options).await;
        drop(writing);
        self.free_many(collection, keys, options).await;
        answers
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let writing = self.generations.slot(name).write();
        let answer = self.far.modify(name, change, options).await;
        drop(writing);
        self.free(name, *options).await;
        answer
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let writing = self.generations.write_all();
        let answer = self.far.clear(collection, filter, options).await;
        drop(writing);
        let _ = self.near.clear(collection, filter, options).await;
        answer
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        let writing = self.generations.write_all();
        let answer = self.far.destroy(options).await;
        drop(writing);
        let _ = self.near.destroy(options).await;
        answer
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let _ = self.near.cull(options).await;
        self.far.cull(options).await
    }

    async fn setup(&self) -> Result<()> {
        // If it fails, its first use tries again, and reads do without.
        let _ = self.near.setup().await;
        self.far.setup().await
    }

    async fn close(&self) -> Result<()> {
        let near = self.near.close().await;
        self.far.close().await?;
        near
    }
}

impl<N: fmt::Debug, F: fmt::Debug> fmt::Debug for PassthroughCache<N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(NAME)
            .field("near", &self.near)
            .field("far", &self.far)
            .field("max_ttl", &self.max_ttl)
            .field("missing_ttl", &self.missing_ttl)
            .field("stale_for", &self.stale_for)
            .field("is_near_shared", &self.is_near_shared)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

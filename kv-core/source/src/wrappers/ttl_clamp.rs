//! TTLs between bounds.

use std::time::Duration;

use kv_core::{
    CallOptions, Change, Condition, Description, Error, ErrorKind, Expiry, GetOptions, Modified, Name, PutItem,
    PutOptions, PutOutcome, Result, Timestamp, Ttl, TtlBounds, ValueRef, Written,
};

use crate::store::{Store, modify_by_condition};

/// Keeps TTLs between two bounds, and gives one to entries without.
///
/// A TTL below the least is raised to it, one above the most is lowered to it; an expiry given as an instant is treated
/// by the time that is left until it. It holds for every way to give an entry an end: put, put_many, touch, expire_at,
/// get_and_put. A TTL that no store takes (zero, negative, NaN, past year 9999) is refused as everywhere, not clamped.
///
/// Without [`with_missing_ttl`](Self::with_missing_ttl) an entry without a TTL stays permanent, whatever the most is.
/// With it, every new or replaced entry has an end: those of put and get_and_put without a TTL, those that increment,
/// append and compare_and_swap make, and those that persist would make permanent.
///
/// What is there keeps its end: increment, append, update and set_metadata change no entry's expiry, and an entry that
/// was written past this wrapper is not clamped when it is read.
///
/// ```
/// use std::time::Duration;
/// use kv_source::{Kv, PutOptions, TimeLeft};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::TtlClamp;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
/// let store = TtlClamp::new(MemoryStore::new(), Some(minute), Some(hour))?.with_missing_ttl(hour)?;
/// let kv = Kv::new(store);
///
/// kv.put_with("short", &1, &PutOptions::ttl(1.0)).await?;
/// let left = kv.ttl("short").await?.and_then(TimeLeft::duration);
/// assert!(left > Some(Duration::from_secs(50)));
///
/// kv.put("none", &2).await?;
/// let left = kv.ttl("none").await?.and_then(TimeLeft::duration);
/// assert!(left > Some(Duration::from_secs(3500)) && left <= Some(hour));
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// None beyond the store's own, with two exceptions. With a missing TTL, increment and append, and compare_and_swap
/// where no entry is expected, are a read and a conditional write instead of what the store has natively. And a write
/// on the condition of a revision, as `update` makes it, is preceded by a read of the record's head where its expiry
/// would be clamped: if that is the one which the entry has already, it is kept.
///
/// # Order
///
/// It binds what passes through it. Wrappers that write entries of their own (a cache does) stand around it, not in it:
///
/// * right: a cache whose cache store is `TtlClamp(MemoryStore)`: what the cache keeps is bound;
/// * wrong: `TtlClamp` around the cache: what the cache copies from the primary store keeps the TTL it has there.
///
/// Of two clamps the inner one has the last word: of `TtlClamp(TtlClamp(store, at least 60 s), at most 10 s)` every TTL
/// comes out as 60 s.
///
/// # Different from Python
///
/// Bounds that contradict each other are refused when the wrapper is made; in Python the least wins. The TTL for
/// entries without one is clamped too; in Python it is not. Bounds hold for touch, persist and what creates entries by
/// a change, which Python's protocol does not have.
#[derive(Debug, Clone)]
pub struct TtlClamp<S> {
    store: S,
    min: Option<Duration>,
    max: Option<Duration>,
    missing: Option<Duration>,
}

impl<S: Store> TtlClamp<S> {
    /// This store with TTLs of at least `min` and at most `max`; `None` is no bound. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if `min` is more than `max`, if either is zero, and if `min` does not end before
    /// year 9999.
    pub fn new(store: S, min: Option<Duration>, max: Option<Duration>) -> Result<Self> {
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let message = format!("the least TTL, {min:?}, is more than the most, {max:?}");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        if max.is_some_and(|max| max.is_zero()) {
            return Err(refusal("most", Duration::ZERO));
        }
        if let Some(min) = min {
            check(min, store.now()).map_err(|_| refusal("least", min))?;
        }
        Ok(Self { store, min, max, missing: None })
    }

    /// With this TTL, clamped as any other, for entries that are written without one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is zero or does not end before year 9999.
    pub fn with_missing_ttl(mut self, ttl: Duration) -> Result<Self> {
        check(ttl, self.store.now()).map_err(|_| refusal("missing", ttl))?;
        self.missing = Some(self.bound(ttl).unwrap_or(ttl));
        Ok(self)
    }

    /// The bound that this TTL is beyond.
    fn bound(&self, ttl: Duration) -> Option<Duration> {
        let below = self.min.filter(|min| ttl < *min);
        below.or_else(|| self.max.filter(|max| ttl > *max))
    }

    /// The expiry to write in place of this one; `None` if it is to stay. One that is invalid stays, for the store to
    /// refuse in its own order.
    fn clamped(&self, expiry: Expiry) -> Option<Expiry> {
        match expiry {
            Expiry::Never => self.missing.map(Expiry::after),
            Expiry::After(ttl) => {
                let bound = self.bound(ttl.duration().ok()?)?;
                ttl.expires_at(self.store.now()).ok()?;
                Some(Expiry::after(bound))
            }
            Expiry::At(instant) => {
                let now = self.store.now();
                let bound = self.bound(instant.duration_since(now))?;
                (instant > now).then(|| Expiry::after(bound))
            }
            _ => None,
        }
    }

    /// Whether this is an entry written anew with the end that it has: another value for what is there, and no new TTL.
    #[maybe_async::maybe_async]
    async fn keeps_its_end(&self, name: Name<'_>, options: &PutOptions) -> Result<bool> {
        let end = match options.expiry {
            Expiry::Never => None,
            Expiry::At(instant) => Some(instant),
            _ => return Ok(false),
        };
        let Condition::IfRevision(revision) = &options.condition else { return Ok(false) };
        let reading = GetOptions::default().head_only().with_call(options.call);
        let head = self.store.get(name, &reading).await?;
        Ok(head.is_some_and(|entry| entry.expires() == end && entry.revision() == *revision))
    }
}

fn check(ttl: Duration, now: Timestamp) -> Result<()> {
    Ttl::from(ttl).expires_at(now).map(drop)
}

fn refusal(which: &str, ttl: Duration) -> Error {
    let message = format!("the {which} TTL must be a positive time that ends before year 9999, and is {ttl:?}");
    Error::new(ErrorKind::Configuration, message)
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Wrapper for TtlClamp<S> {
    type Inner = S;
    const NAME: &'static str = "TtlClamp";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        let bound = |bound: Option<Duration>| bound.map(|bound| format!("{bound:?}")).unwrap_or_default();
        let missing = self.missing.map(|missing| format!(", else {missing:?}")).unwrap_or_default();
        let description = self.store.describe().wrapped_in("TtlClamp");
        description
            .with_parameters(format!("{}..{}{missing}", bound(self.min), bound(self.max)))
            .with_ttls(TtlBounds::new(self.min, self.max))
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let Some(expiry) = self.clamped(options.expiry) else {
            return self.store.put(name, value, options).await;
        };
        if self.keeps_its_end(name, options).await? {
            return self.store.put(name, value, options).await;
        }
        let options = options.clone().with_expiry(expiry);
        self.store.put(name, value, &options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        // What an item says of its expiry replaces what the options say, so that each is clamped by itself.
        let clamped = |item: &PutItem<'_>| item.expiry.and_then(|expiry| self.clamped(expiry));
        let changed = self.clamped(options.expiry).map(|expiry| options.clone().with_expiry(expiry));
        let options = changed.as_ref().unwrap_or(options);
        if items.iter().all(|item| clamped(item).is_none()) {
            return self.store.put_many(collection, items, options).await;
        }
        let mut items = items.to_vec();
        for item in &mut items {
            item.expiry = clamped(item).or(item.expiry);
        }
        self.store.put_many(collection, &items, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let changed = match (*change, self.missing) {
            (Change::Touch(expiry), _) => self.clamped(expiry).map(Change::Touch),
            (Change::Replace { value, expiry, metadata }, _) => {
                self.clamped(expiry).map(|expiry| Change::Replace { value, expiry, metadata })
            }
            // What may make an entry has no word for its end, so that the write is made here, in one step by its
            // condition.
            (
                Change::Increment(_) | Change::Append(_) | Change::Swap { expected: None, new: Some(_) },
                Some(missing),
            ) => {
                let created = Expiry::after(missing);
                let answer = modify_by_condition(&self.store, name, change, options, created).await;
                return answer.map_err(|error| error.in_store("TtlClamp").during(change.operation()).at(name));
            }
            _ => None,
        };
        self.store.modify(name, changed.as_ref().unwrap_or(change), options).await
    }
}

#[cfg(test)]
mod tests;

//! Reading: what a copy is worth, who asks the far store, and what is kept of its answer.

use std::sync::Arc;
use std::time::Duration;

use kv_core::cache::{Copied, Slot, Stamp};
use kv_core::{
    CallOptions, Entry, Error, ErrorKind, Expiry, GetOptions, Name, PutItem, PutOptions, Result, Timestamp, ValueRef,
};

use super::{NAME, PassthroughCache};
use crate::single_flight::Role;
use crate::store::Store;

/// Reads that are one: of one name, with no write between them, and equally patient.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    collection: String,
    key: String,
    generation: u64,
    patience: Option<Duration>,
}

pub(super) type Answer = Result<Option<Entry>, Arc<Error>>;

/// What the near store has to say.
pub(super) enum Near {
    /// A good copy.
    Good(Option<Entry>),
    /// None, or one that is good only while the far store is out of reach.
    Miss(Stale),
}

pub(super) type Stale = Option<Option<Entry>>;

impl<N: Store, F: Store> PassthroughCache<N, F> {
    /// Whether a stamp found on a copy says that it is good at a moment with that other one.
    fn trusts(&self, found: Stamp, now: Stamp) -> bool {
        found == now || self.is_near_shared && found.cache != now.cache
    }

    /// What a record of the near store comes to.
    #[inline]
    pub(super) fn judge(&self, found: Option<&Entry>, now: Stamp) -> Near {
        let Some(copied) = found.and_then(|near| Copied::read(near.as_bytes()?)) else { return Near::Miss(None) };
        if !self.trusts(copied.stamp, now) {
            return Near::Miss(None);
        }
        // Beside the near store's own judgement, for its clock may be another, and of the two the far store's counts.
        let has_come = |instant: Option<Timestamp>| instant.is_some_and(|instant| self.far.has_come(instant));
        if has_come(copied.expires) {
            return Near::Miss(None);
        }
        match copied.entry() {
            Some(entry) if has_come(copied.fresh_until) => Near::Miss(Some(entry)),
            Some(entry) => Near::Good(entry),
            None => Near::Miss(None),
        }
    }

    /// A copy, and when it ends; `None` for what is not kept.
    pub(super) fn copy(&self, found: Option<&Entry>, stamp: Stamp) -> Option<(Vec<u8>, Expiry)> {
        let ttl = match (found, self.missing_ttl) {
            (Some(_), _) => self.max_ttl,
            (None, Some(missing)) => Some(self.max_ttl.map_or(missing, |most| most.min(missing))),
            (None, None) => return None,
        };
        let mut fresh_until = ttl.map(|ttl| self.far.now().saturating_add(ttl));
        let mut kept_until = fresh_until;
        match self.stale_for {
            Some(grace) => kept_until = fresh_until.map(|until| until.saturating_add(grace)),
            // The near store's own expiry says the same.
            None => fresh_until = None,
        }
        if let Some(expires) = found.and_then(Entry::expires) {
            kept_until = Some(kept_until.map_or(expires, |until| until.min(expires)));
        }
        Some((Copied::encode(stamp, fresh_until, found), kept_until.map_or(Expiry::Never, Expiry::At)))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn ask_near(&self, name: Name<'_>, now: Stamp, call: CallOptions) -> Near {
        // Never the head alone: all of the copy is in its value.
        let found = self.near.get(name, &GetOptions::default().with_call(call)).await;
        self.judge(found.ok().flatten().as_ref(), now)
    }

    /// Answers what the near store does not have.
    #[maybe_async::maybe_async]
    pub(super) async fn ask_far(
        &self,
        name: Name<'_>,
        options: &GetOptions,
        slot: Slot<'_>,
        (now, fills): (Stamp, u32),
        stale: Stale,
    ) -> Result<Option<Entry>> {
        if options.head {
            // What comes back may be without its value.
            let answer = self.far.get(name, options).await;
            return instead(answer, stale);
        }
        let flight = Flight {
            collection: name.collection.to_owned(),
            key: name.key.to_owned(),
            generation: now.generation,
            patience: options.call.timeout,
        };
        let joined = self.flights.join(flight, options.call.timeout).await;
        let leader = match joined {
            Ok(Role::Leader(leader)) => leader,
            Ok(Role::Follower(Ok(entry))) => return Ok(entry),
            Ok(Role::Follower(Err(error))) => return instead(Err(error.repeated()), stale),
            Err(error) => return instead(Err(error.in_store(NAME).during("get").at(name)), stale),
        };
        // Another flight may have landed between the look at the near store and the start of this one.
        if slot.fills() != fills
            && let Near::Good(entry) = self.ask_near(name, now, options.call).await
        {
            let _ = leader.finish(Ok(entry.clone()));
            return Ok(entry);
        }
        let answer = self.far.get(name, options).await;
        if let Ok(found) = &answer
            && let Some((copy, expiry)) = self.copy(found.as_ref(), now)
        {
            let put = PutOptions::default().with_expiry(expiry).with_call(options.call);
            // A near store that does not keep it costs time, and nothing else.
            let _ = self.near.put(name, ValueRef::Bytes(&copy), &put).await;
            slot.filled();
        }
        let _ = leader.finish(match &answer {
            Ok(entry) => Ok(entry.clone()),
            Err(error) => Err(Arc::new(error.repeated())),
        });
        instead(answer, stale)
    }

    /// Keeps what a bulk read of these keys answered, each with its stamp.
    #[maybe_async::maybe_async]
    pub(super) async fn keep_many(
        &self,
        collection: &str,
        keys: &[&str],
        read: &[Result<Option<Entry>>],
        stamps: impl Iterator<Item = Option<Stamp>> + Send,
        call: CallOptions,
    ) {
        let mut copies = Vec::with_capacity(keys.len());
        for ((key, answer), stamp) in keys.iter().zip(read).zip(stamps) {
            if let (Ok(found), Some(stamp)) = (answer, stamp)
                && let Some((copy, expiry)) = self.copy(found.as_ref(), stamp)
            {
                copies.push((*key, copy, expiry));
            }
        }
        if copies.is_empty() {
            return;
        }
        let items: Vec<PutItem<'_>> = copies
            .iter()
            .map(|(key, copy, expiry)| PutItem::new(key, ValueRef::Bytes(copy)).with_expiry(*expiry))
            .collect();
        let _ = self.near.put_many(collection, &items, &PutOptions::default().with_call(call)).await;
        items.iter().for_each(|item| self.generations.slot(Name::new(collection, item.key)).filled());
    }
}

/// The answer, or what stands in for it if the far store is out of reach.
pub(super) fn instead(answer: Result<Option<Entry>>, stale: Stale) -> Result<Option<Entry>> {
    match (answer, stale) {
        (Err(error), Some(stale)) if is_outage(&error) => Ok(stale),
        (answer, _) => answer,
    }
}

pub(super) fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

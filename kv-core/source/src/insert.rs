//! Get or insert: one computation for all who miss the same key.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{
    Atomicity, Codec, Condition, Entry, Error, ErrorKind, InsertOptions, LEASES, PutOptions, Record, Result, Revision,
    ValueRef, lease_key,
};

use crate::collection::Collection;
use crate::flavour;
use crate::single_flight::{Role, SingleFlight};
use crate::typed::TypedCollection;

#[cfg_attr(feature = "is_sync", path = "insert/compute_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "insert/compute_async.rs")]
mod compute;

pub use compute::Compute;

/// A store, by where it is in memory, and a record in it. Nobody else is there while somebody in a flight holds the
/// store.
type Flight = (usize, Arc<str>, String);

/// What the leader tells: the entry that it found or wrote, or why there is none.
type Answer = Arc<Result<Entry>>;

/// For all stores, so that all handles of one share its flights, however they were made.
static FLIGHTS: LazyLock<SingleFlight<Flight, Answer>> = LazyLock::new(SingleFlight::new);

/// Get or insert.
#[maybe_async::maybe_async]
impl Collection {
    /// Reads a value, or computes and writes it where it is missing.
    ///
    /// Of all who miss the same key of the same store in this process, one computes; the others wait and get the same
    /// answer, value or error. One that panics or is dropped leaves the work to the one who waits longest. A
    /// computation must not ask for its own key. What somebody puts there meanwhile is not overwritten, and is the
    /// answer, where the store has conditional writes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_source::{InsertOptions, Kv, Result};
    /// use kv_source::stores::MemoryStore;
    ///
    /// async fn render(page: &str) -> Result<String> {
    ///     Ok(page.to_uppercase())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> kv_source::Result<()> {
    /// let pages = Kv::new(MemoryStore::new()).collection("pages");
    /// let options = InsertOptions::ttl(Duration::from_secs(60));
    /// let page: String = pages.get_or_insert_with("home", &options, || render("home")).await?;
    /// assert_eq!(page, "HOME");
    /// assert!(pages.exists("home").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Several processes
    ///
    /// With [`InsertOptions::lease`] the one who computes also holds a lease in the store, a record in the collection
    /// `kv:leases`, and other processes look now and then (after 5 ms at first, every 200 ms at last) whether the value
    /// is there or the lease is free. A process that dies in the computation holds the others up until its lease ends;
    /// one that takes longer than its lease computes beside another. A failure frees the lease, and each process meets
    /// its own. Wrappers see the lease as any other record: one that makes TTLs longer makes leases longer.
    ///
    /// # Cost
    ///
    /// A get where the value is there. Else two gets and a put around the computation; with a lease also a conditional
    /// put, a get and a conditional delete.
    ///
    /// # Errors
    ///
    /// Those of the computation, of [`get`](Self::get) and of [`put_with`](Self::put_with).
    /// [`Unsupported`](kv_core::ErrorKind::Unsupported) for a lease in a store without conditional writes, and in one
    /// that other processes share without sharing its conditions.
    pub async fn get_or_insert_with<T: Serialize + DeserializeOwned + Send + Sync>(
        &self,
        key: &str,
        options: &InsertOptions,
        compute: impl Compute<T>,
    ) -> Result<T> {
        match self.get(key).await? {
            Some(value) => Ok(value),
            None => self.typed().insert(key, options, compute).await,
        }
    }
}

/// Get or insert.
#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned + Send + Sync, C: Codec> TypedCollection<T, C> {
    /// Reads a value, or computes and writes it where it is missing; see [`Collection::get_or_insert_with`].
    ///
    /// # Errors
    ///
    /// Those of [`Collection::get_or_insert_with`].
    pub async fn get_or_insert_with(&self, key: &str, options: &InsertOptions, compute: impl Compute<T>) -> Result<T> {
        match self.get(key).await? {
            Some(value) => Ok(value),
            None => self.insert(key, options, compute).await,
        }
    }

    async fn insert(&self, key: &str, options: &InsertOptions, compute: impl Compute<T>) -> Result<T> {
        options.check().map_err(|error| error.during(OPERATION).at(self.collection().at(key)))?;
        match FLIGHTS.join(self.collection().flight(key), None).await? {
            Role::Leader(leader) => {
                let answer = self.lead(key, options, compute).await;
                let (value, told) = match answer {
                    Ok((value, entry)) => (Ok(value), Ok(entry)),
                    Err(error) => {
                        let repeated = error.repeated();
                        (Err(error), Err(repeated))
                    }
                };
                leader.finish(Arc::new(told));
                value
            }
            Role::Follower(answer) => match &*answer {
                Ok(entry) => {
                    let misfit = || Error::new(ErrorKind::Decode, "what another call computed does not fit the type");
                    let value = self.decode(key, Some(entry), OPERATION)?;
                    value.ok_or_else(|| misfit().during(OPERATION).at(self.collection().at(key)))
                }
                Err(error) => Err(error.repeated()),
            },
        }
    }

    /// Computes the value and writes it, unless somebody else has by now.
    async fn lead(&self, key: &str, options: &InsertOptions, compute: impl Compute<T>) -> Result<(T, Entry)> {
        let missing = match self.look(key).await? {
            Look::There(value, entry) => return Ok((value, entry)),
            Look::Missing(condition) => condition,
        };
        let Some(lease) = options.lease else { return self.computed(key, &options.put, missing, compute).await };
        match self.lease(key, lease).await? {
            Leased::There(value, entry) => Ok((value, entry)),
            Leased::Held(lease, missing) => {
                let answer = self.computed(key, &options.put, missing, compute).await;
                self.release(Some(lease)).await;
                answer
            }
        }
    }

    async fn computed(
        &self,
        key: &str,
        options: &PutOptions,
        missing: Condition,
        compute: impl Compute<T>,
    ) -> Result<(T, Entry)> {
        let value = compute.compute().await?;
        let encoded = self.encode(key, &value, OPERATION)?;
        let options = self.noted(options).with_condition(missing);
        let outcome = self.collection().put_value(key, self.value(&encoded), &options).await?;
        // Somebody has put another meanwhile, past this.
        if !outcome.is_written()
            && let Look::There(value, entry) = self.look(key).await?
        {
            return Ok((value, entry));
        }
        let record = Record::new(self.value(&encoded), 0).with_metadata(Some(&options.metadata));
        Ok((value, Entry::new(&record)))
    }

    async fn look(&self, key: &str) -> Result<Look<T>> {
        let entry = self.collection().get_entry(key).await?;
        let value = self.decode(key, entry.as_ref(), OPERATION)?;
        let conditional = || self.collection().store().describe().capabilities.conditional;
        Ok(match (entry, value) {
            (Some(entry), Some(value)) => Look::There(value, entry),
            _ if conditional() == Atomicity::Unsupported => Look::Missing(Condition::Always),
            // It does not fit, and that counts as missing.
            (Some(entry), None) => Look::Missing(Condition::IfRevision(entry.revision())),
            (None, _) => Look::Missing(Condition::IfAbsent),
        })
    }

    /// Waits until the lease is this one's, or the value is there.
    async fn lease(&self, key: &str, ttl: Duration) -> Result<Leased<T>> {
        let name = self.collection().at(key);
        let capabilities = self.collection().store().describe().capabilities;
        if capabilities.shared && capabilities.conditional != Atomicity::Linearizable {
            let message = "a lease takes conditional writes that hold for every client; see the store's capabilities";
            return Err(Error::new(ErrorKind::Unsupported, message).during(OPERATION).at(name));
        }
        let leases = self.collection().sibling(LEASES);
        let lease = lease_key(name);
        let options = PutOptions::ttl(ttl).with_condition(Condition::IfAbsent);
        let mut pause = SHORTEST_PAUSE;
        loop {
            let outcome = leases.put_value(&lease, ValueRef::Json(b"true"), &options).await;
            let written = outcome.map_err(|error| error.renamed(name))?.written();
            let held = written.map(|written| Lease { key: lease.clone(), revision: written.revision() });
            // Who held it before may have written the value since this one missed it.
            let look = self.look(key).await;
            match (look, held) {
                (Ok(Look::Missing(condition)), Some(held)) => return Ok(Leased::Held(held, condition)),
                (Ok(Look::Missing(_)), None) => {}
                (Ok(Look::There(value, entry)), held) => {
                    self.release(held).await;
                    return Ok(Leased::There(value, entry));
                }
                (Err(error), held) => {
                    self.release(held).await;
                    return Err(error);
                }
            }
            flavour::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Frees the lease, if it is still this one's. Where that fails, it ends by its TTL.
    async fn release(&self, lease: Option<Lease>) {
        let Some(lease) = lease else { return };
        let leases = self.collection().sibling(LEASES);
        let _ = leases.delete_if_revision(&lease.key, &lease.revision).await;
    }
}

const OPERATION: &str = "get_or_insert";
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

struct Lease {
    key: String,
    revision: Revision,
}

enum Leased<T> {
    Held(Lease, Condition),
    There(T, Entry),
}

enum Look<T> {
    There(T, Entry),
    /// To be written on this condition: that it is missing still.
    Missing(Condition),
}

impl Collection {
    fn flight(&self, key: &str) -> Flight {
        (Arc::as_ptr(self.store()).cast::<()>() as usize, self.shared_name(), key.to_owned())
    }
}

#[cfg(test)]
mod tests;

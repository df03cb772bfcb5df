//! One computation for all who ask for the same at the same time.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;

#[cfg_attr(feature = "is_sync", path = "single_flight/turn_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "single_flight/turn_async.rs")]
mod turn;

use turn::{Turn, Waited};

/// Who comes first for a key leads: does the work, and says what came of it. Who comes meanwhile follows: waits, and is
/// given a copy. A leader that goes away without a word (an error, a panic, a dropped call) hands over to the follower
/// that waits longest.
///
/// Nothing is kept: when a leader has finished, the next to come leads anew, and a key takes memory only while somebody
/// is there for it. Work must not join its own key again.
///
/// ```text
/// match flights.join(key, None).await? {
///     Role::Leader(leader) => Ok(leader.finish(work().await?)),
///     Role::Follower(value) => Ok(value),
/// }
/// ```
pub(crate) struct SingleFlight<K, V> {
    flights: Mutex<HashMap<K, Listed<K, V>>>,
}

/// A flight that is found by its key, and how many are in it.
struct Listed<K, V> {
    flight: Arc<Flight<K, V>>,
    seats: usize,
}

struct Flight<K, V> {
    key: K,
    turn: Turn,
    outcome: OnceLock<V>,
}

/// What one is to do who joined.
pub(crate) enum Role<'a, K: Eq + Hash, V> {
    /// The work.
    Leader(Leader<'a, K, V>),
    /// Nothing: this is what came of it.
    Follower(V),
}

/// The one who does the work. Dropped before it has finished, it hands over.
pub(crate) struct Leader<'a, K: Eq + Hash, V> {
    seat: Seat<'a, K, V>,
}

/// A place in a flight. The last one to leave takes the flight with it.
struct Seat<'a, K: Eq + Hash, V> {
    all: &'a SingleFlight<K, V>,
    flight: Arc<Flight<K, V>>,
}

impl<K: Eq + Hash + Clone, V: Clone> SingleFlight<K, V> {
    pub(crate) fn new() -> Self {
        Self { flights: Mutex::new(HashMap::new()) }
    }

    /// Joins those who want the same, and waits, for so long at most, until there is a part to play.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if that time is over.
    #[maybe_async::maybe_async]
    pub(crate) async fn join(&self, key: K, patience: Option<Duration>) -> Result<Role<'_, K, V>> {
        let seat = self.seat(key);
        match seat.flight.turn.take(patience).await {
            Waited::Taken => Ok(Role::Leader(Leader { seat })),
            Waited::Over => match seat.flight.outcome.get() {
                Some(value) => Ok(Role::Follower(value.clone())),
                // A turn ends after its outcome is set.
                None => Err(Error::new(ErrorKind::Backend, "the call that this one waited for has no outcome")),
            },
            Waited::TooLong => {
                let message = "the call with the same purpose that this one waited for took too long";
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    fn seat(&self, key: K) -> Seat<'_, K, V> {
        let mut flights = self.flights.lock();
        let listed = flights.entry(key).or_insert_with_key(|key| {
            let flight = Flight { key: key.clone(), turn: Turn::new(), outcome: OnceLock::new() };
            Listed { flight: Arc::new(flight), seats: 0 }
        });
        listed.seats += 1;
        Seat { all: self, flight: Arc::clone(&listed.flight) }
    }

    /// How many keys somebody is there for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.flights.lock().len()
    }
}

impl<K: Eq + Hash, V: Clone> Leader<'_, K, V> {
    /// Gives all followers what came of it, and the caller too.
    pub(crate) fn finish(self, value: V) -> V {
        // Nobody who comes from now on finds this flight: its outcome is of what was before.
        self.seat.unlist_if(|_| true);
        // It was not set: a leader finishes once, and no other follows one who has.
        let _ = self.seat.flight.outcome.set(value.clone());
        self.seat.flight.turn.end();
        value
    }
}

impl<K: Eq + Hash, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        // Has no effect on a turn that has ended.
        self.seat.flight.turn.pass();
    }
}

impl<K: Eq + Hash, V> Seat<'_, K, V> {
    /// Takes the flight off the list, if it is there, and this says so of what is left in it.
    fn unlist_if(&self, is_done: impl FnOnce(&mut Listed<K, V>) -> bool) {
        let mut flights = self.all.flights.lock();
        if let Some(listed) = flights.get_mut(&self.flight.key)
            && Arc::ptr_eq(&listed.flight, &self.flight)
            && is_done(listed)
        {
            flights.remove(&self.flight.key);
        }
    }
}

impl<K: Eq + Hash, V> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        self.unlist_if(|listed| {
            listed.seats -= 1;
            listed.seats == 0
        });
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").field("keys", &self.flights.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests;

//! Places, blocking.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// So many places. Whoever waits has one in the order of coming: a place that becomes free is handed to the first.
#[derive(Debug)]
pub(super) struct Places(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: VecDeque<Arc<Turn>>,
}

/// Somebody who waits.
#[derive(Debug, Default)]
struct Turn {
    /// Set, under the lock of the places, when a place was handed over.
    has_come: Mutex<bool>,
    called: Condvar,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self(Mutex::new(State { free: places, queue: VecDeque::new() }))
    }

    /// A place that is free, unless others wait for it.
    pub(super) fn free(&self) -> Option<Place<'_>> {
        let mut state = self.0.lock();
        // Nobody waits while a place is free: it would have been handed over.
        state.free = state.free.checked_sub(1)?;
        Some(Place(self))
    }

    /// A place, if one is free within this time.
    pub(super) fn wait(&self, within: Duration) -> Option<Place<'_>> {
        let turn = {
            let mut state = self.0.lock();
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                return Some(Place(self));
            }
            let turn = Arc::new(Turn::default());
            state.queue.push_back(Arc::clone(&turn));
            turn
        };
        let until = Instant::now().checked_add(within);
        let mut has_come = turn.has_come.lock();
        while !*has_come {
            let is_late = match until {
                None => {
                    turn.called.wait(&mut has_come);
                    false
                }
                Some(until) => turn.called.wait_until(&mut has_come, until).timed_out(),
            };
            if is_late && !*has_come {
                drop(has_come);
                return self.leave(&turn);
            }
        }
        Some(Place(self))
    }

    /// Leaves the queue, unless a place was handed over just now.
    fn leave(&self, turn: &Arc<Turn>) -> Option<Place<'_>> {
        let mut state = self.0.lock();
        match state.queue.iter().position(|one| Arc::ptr_eq(one, turn)) {
            Some(at) => {
                state.queue.remove(at);
                None
            }
            None => Some(Place(self)),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        match state.queue.pop_front() {
            None => state.free += 1,
            Some(next) => {
                *next.has_come.lock() = true;
                drop(state);
                next.called.notify_one();
            }
        }
    }
}

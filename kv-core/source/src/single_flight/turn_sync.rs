//! Whose turn it is, blocking.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// One at a time, in the order in which they came, until one of them ends it for all.
pub(super) struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_taken: bool,
    /// It was passed on to the one who waits longest, who has not woken yet; so it stays taken.
    is_passed: bool,
    is_over: bool,
    waiting: usize,
}

/// What came of waiting for a turn.
pub(super) enum Waited {
    Taken,
    Over,
    TooLong,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn take(&self, patience: Option<Duration>) -> Waited {
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut state = self.state.lock();
        if !state.is_taken && !state.is_over {
            state.is_taken = true;
            return Waited::Taken;
        }
        state.waiting += 1;
        let waited = loop {
            if state.is_over {
                break Waited::Over;
            }
            if state.is_passed {
                state.is_passed = false;
                break Waited::Taken;
            }
            let is_late = match until {
                Some(until) => self.changed.wait_until(&mut state, until).timed_out(),
                None => {
                    self.changed.wait(&mut state);
                    false
                }
            };
            if is_late && !state.is_over && !state.is_passed {
                break Waited::TooLong;
            }
        };
        state.waiting -= 1;
        waited
    }

    /// Leaves the turn to the one who waits longest, or to the next to come.
    pub(super) fn pass(&self) {
        let mut state = self.state.lock();
        if state.is_over {
            return;
        }
        if state.waiting == 0 {
            state.is_taken = false;
        } else {
            state.is_passed = true;
            self.changed.notify_one();
        }
    }

    /// Ends it for all who wait.
    pub(super) fn end(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }
}

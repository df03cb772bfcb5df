//! What truly differs between the flavours, blocking.

use std::time::Duration;

/// A lock that may be held while an operation of the store runs.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> parking_lot::MutexGuard<'_, T> {
        self.0.lock()
    }
}

/// Lets so much time pass.
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Lets other tasks run; a matter of the other flavour.
pub(crate) fn breathe() {}

/// Keeps what is rarely run out of the state of what often is; a matter of the other flavour.
pub(crate) fn cold<T>(result: T) -> T {
    result
}

/// Whether work on so many bytes must be done elsewhere; a matter of the other flavour.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) fn is_long(_bytes: usize) -> bool {
    false
}

/// Does long work where it holds up no other task: here.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) fn compute<T>(work: impl FnOnce() -> kv_core::Result<T>) -> kv_core::Result<T> {
    work()
}

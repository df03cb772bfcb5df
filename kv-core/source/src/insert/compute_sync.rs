//! What computes a value, blocking.

use kv_core::Result;

/// A computation of a missing value: a closure that answers a result, `|| ...`.
pub trait Compute<T> {
    /// Computes it.
    ///
    /// # Errors
    ///
    /// Its own.
    fn compute(self) -> Result<T>;
}

impl<T, F: FnOnce() -> Result<T>> Compute<T> for F {
    fn compute(self) -> Result<T> {
        self()
    }
}

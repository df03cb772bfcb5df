//! What computes a value, awaiting.

use kv_core::Result;

/// A computation of a missing value: a closure that answers a result, `async || ...`.
pub trait Compute<T>: Send {
    /// Computes it.
    fn compute(self) -> impl Future<Output = Result<T>> + Send;
}

impl<T, A: Future<Output = Result<T>> + Send, F: FnOnce() -> A + Send> Compute<T> for F {
    fn compute(self) -> impl Future<Output = Result<T>> + Send {
        self()
    }
}

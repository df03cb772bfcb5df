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

/// Whether work on so many bytes, of which so many can be done at once, must be done elsewhere; a matter of the other flavour.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) fn is_long(_bytes: usize, _at_once: usize) -> bool {
    false
}

/// Does long work where it holds up no other task: here.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) fn compute<T>(work: impl FnOnce() -> kv_core::Result<T>) -> kv_core::Result<T> {
    work()
}

/// Does work that a client does by a runtime of its own, which panics on a thread of another one: there it is done on a
/// thread beside this one, for 20 to 50 us more.
///
/// # Errors
///
/// [`ErrorKind::Backend`](kv_core::ErrorKind::Backend) where the system gives no thread.
#[cfg(any(feature = "mongodb", feature = "postgres"))]
pub(crate) fn outside_runtime<T: Send>(work: impl FnOnce() -> kv_core::Result<T> + Send) -> kv_core::Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new().name("kv-call".to_owned()).spawn_scoped(scope, work);
        let beside = beside.map_err(|error| {
            kv_core::Error::new(
                kv_core::ErrorKind::Backend,
                "no thread for a blocking call inside an async runtime; use kv-async there",
            )
            .with_source(error)
        })?;
        beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

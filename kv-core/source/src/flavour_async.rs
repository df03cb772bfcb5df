//! What truly differs between the flavours, awaiting.

use std::time::Duration;

/// A lock that may be held while an operation of the store runs.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(tokio::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(tokio::sync::Mutex::new(value))
    }

    pub(crate) async fn lock(&self) -> tokio::sync::MutexGuard<'_, T> {
        self.0.lock().await
    }
}

/// Lets so much time pass.
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Lets other tasks run.
pub(crate) async fn breathe() {
    tokio::task::yield_now().await;
}

/// What comes of a call that waits for nothing; `None` if it does wait, and then it is given up.
#[inline]
pub(crate) fn at_once<F: Future>(call: F) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(call).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Keeps what is rarely run out of the state of what often is: every call allocates its state.
#[cold]
pub(crate) fn cold<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    Box::pin(future)
}

/// Whether work on so many bytes, of which so many can be done at once, takes too long to be done between two awaits.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) fn is_long(bytes: usize, at_once: usize) -> bool {
    bytes > at_once
}

/// Does long work where it holds up no other task: on a thread for such, or here where there is no runtime to have one.
#[cfg(any(feature = "compression", feature = "encryption"))]
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> kv_core::Result<T> + Send + 'static,
) -> kv_core::Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => {
                Err(kv_core::Error::new(kv_core::ErrorKind::Backend, "the runtime ended before the work was done"))
            }
        },
    }
}

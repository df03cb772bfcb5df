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

/// Keeps what is rarely run out of the state of what often is: every call allocates its state.
#[cold]
pub(crate) fn cold<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    Box::pin(future)
}

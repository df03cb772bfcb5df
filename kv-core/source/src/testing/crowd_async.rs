//! Several at the same time, awaiting.

use std::sync::Arc;

use super::Task;

/// Whether a call can be dropped midway.
pub(crate) const CAN_DROP: bool = true;

/// A task that was started.
pub(crate) struct Running<T>(tokio::task::JoinHandle<T>);

/// Starts a task; it runs whether its output is asked for or not.
pub(crate) fn start<T: Task>(task: &Arc<T>, number: usize) -> Running<T::Output> {
    let task = Arc::clone(task);
    Running(tokio::spawn(async move { task.run(number).await }))
}

impl<T: Send + 'static> Running<T> {
    /// What it answers; `None` if it panicked.
    pub(crate) async fn output(self) -> Option<T> {
        self.0.await.ok()
    }
}

/// Runs a task to the first point at which it waits, and drops it there. Answers whether it could be.
pub(crate) async fn dropped_midway<T: Task>(task: &Arc<T>, number: usize) -> bool {
    let mut midway = Box::pin(task.run(number));
    std::future::poll_fn(|cx| std::task::Poll::Ready(midway.as_mut().poll(cx).is_pending())).await
}

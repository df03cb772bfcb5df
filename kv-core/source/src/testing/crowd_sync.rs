//! Several at the same time, blocking.

use std::sync::Arc;

use super::Task;

/// Whether a call can be dropped midway: a blocking one cannot.
pub(crate) const CAN_DROP: bool = false;

/// A task that was started.
pub(crate) struct Running<T>(std::thread::JoinHandle<T>);

/// Starts a task; it runs whether its output is asked for or not.
pub(crate) fn start<T: Task>(task: &Arc<T>, number: usize) -> Running<T::Output> {
    let task = Arc::clone(task);
    Running(std::thread::spawn(move || task.run(number)))
}

impl<T: Send + 'static> Running<T> {
    /// What it answers; `None` if it panicked.
    pub(crate) fn output(self) -> Option<T> {
        self.0.join().ok()
    }
}

/// Nothing: a blocking call cannot be dropped midway. Answers whether it could be.
pub(crate) fn dropped_midway<T: Task>(_task: &Arc<T>, _number: usize) -> bool {
    false
}

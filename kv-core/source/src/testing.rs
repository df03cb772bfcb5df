//! What unit tests share: several at the same time, in both flavours.

#[cfg_attr(feature = "is_sync", path = "testing/crowd_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "testing/crowd_async.rs")]
mod crowd;

pub(crate) use crowd::{CAN_DROP, Running, dropped_midway, start};

/// What one of several does. A trait and no closure, because that is what both flavours have.
#[maybe_async::maybe_async]
pub(crate) trait Task: Send + Sync + 'static {
    type Output: Send + 'static;

    async fn run(&self, number: usize) -> Self::Output;
}

/// Runs a task so many times at the same time; each is told its number.
#[maybe_async::maybe_async]
pub(crate) async fn together<T: Task>(count: usize, task: T) -> Vec<T::Output> {
    let task = std::sync::Arc::new(task);
    let running: Vec<Running<T::Output>> = (0..count).map(|number| start(&task, number)).collect();
    let mut outputs = Vec::with_capacity(count);
    for one in running {
        outputs.push(one.output().await.expect("no panic"));
    }
    outputs
}

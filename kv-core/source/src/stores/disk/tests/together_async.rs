//! Doing things at the same time: tasks.

/// Runs `work` as often as `times` says, all at once, and gives what each came to.
pub(super) async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..times).map(|number| tokio::spawn(work(number))).collect();
    let mut all = Vec::with_capacity(times);
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

//! Doing things at the same time: threads.

/// Runs `work` as often as `times` says, all at once, and gives what each came to.
pub(super) fn together<T: Send + 'static>(times: usize, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..times).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

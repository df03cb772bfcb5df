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

/// The timer of one connection, for one call after the other, in the runtime of the first.
///
/// To set a timer for each call and to take it away again is a good part of what a short call costs. This one stays
/// where an earlier call set it, and if it rings before the end of the call that waits, it is set to that. So it is set
/// about once in the time that a call may take, however many calls there are. A task whose call is over may be woken
/// once for nothing.
#[cfg(feature = "postgres")]
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

#[cfg(feature = "postgres")]
impl Alarm {
    /// The answer, or `None` if it does not come within this time.
    pub(crate) async fn within<T>(
        &mut self,
        time: Duration,
        mut answer: std::pin::Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        use std::task::{Poll, ready};

        // What ends after the end of time does not end.
        let Some(end) = tokio::time::Instant::now().checked_add(time) else { return Some(answer.await) };
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            loop {
                ready!(timer.as_mut().poll(cx));
                if timer.deadline() == end {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(end);
            }
        })
        .await
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_millis(200);
    const SHORT: Duration = Duration::from_millis(20);

    /// How long a call was waited for that gets no answer.
    async fn waited(alarm: &mut Alarm, time: Duration) -> Duration {
        let begin = Instant::now();
        assert_eq!(alarm.within(time, pin!(pending::<()>())).await, None);
        begin.elapsed()
    }

    #[tokio::test]
    async fn each_call_has_its_own_time_whatever_those_before_it_had() {
        let alarm = &mut Alarm::default();
        assert_eq!(alarm.within(LONG, pin!(async { 1 })).await, Some(1));
        let short = waited(alarm, SHORT).await;
        assert!(short >= SHORT && short < LONG, "{short:?} after one that might have taken longer");
        assert_eq!(alarm.within(SHORT, pin!(async { 2 })).await, Some(2));
        assert!(waited(alarm, LONG).await >= LONG, "after one that might have taken less");
        let slow = async { sleep(SHORT * 2).await };
        assert_eq!(alarm.within(SHORT, pin!(async { 3 })).await, Some(3));
        assert_eq!(alarm.within(LONG, pin!(slow)).await, Some(()), "the alarm rang meanwhile, for the one before");
        assert_eq!(alarm.within(Duration::MAX, pin!(async { 4 })).await, Some(4));
    }
}

//! Threads that calls are made on, so that their callers can leave.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long a thread waits for something to do before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Longer than any program runs: where an instant for the end of the wait cannot be named.
const FOR_EVER: Duration = Duration::from_secs(30 * 366 * 86_400);

type Job = Box<dyn FnOnce() + Send>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The call was sent, and its time is up.
    Late,
    /// It was not sent: no thread was free in time.
    Busy { most: usize },
    /// It was not sent: every thread works for a caller who has left.
    Stragglers { most: usize },
    /// It was not sent: the system starts no thread.
    NoThread(io::Error),
}

/// A bounded set of threads.
pub(super) struct Workers(Arc<Shared>);

struct Shared {
    most: usize,
    state: Mutex<State>,
    /// Something was put in the queue, or all is over.
    work: Condvar,
    /// Something was taken from the queue, or a thread is free, or has ended.
    free: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Calls under way whose callers have left.
    stragglers: usize,
    closed: bool,
}

/// Where a call's answer is left. Its lock is taken before that of the state.
struct Place<T> {
    answer: Mutex<Answer<T>>,
    there: Condvar,
}

enum Answer<T> {
    Awaited,
    There(Result<T, Box<dyn Any + Send>>),
    /// The caller has left.
    Abandoned,
}

impl Workers {
    pub(super) fn new(most: usize) -> Self {
        let state = Mutex::new(State::default());
        Self(Arc::new(Shared { most, state, work: Condvar::new(), free: Condvar::new() }))
    }

    /// What the work comes to, if it does so in time. A panic of the work is the caller's.
    pub(super) fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let now = Instant::now();
        let until = now.checked_add(limit).unwrap_or(now + FOR_EVER);
        let place = Arc::new(Place { answer: Mutex::new(Answer::Awaited), there: Condvar::new() });
        let (at, shared) = (Arc::clone(&place), Arc::clone(&self.0));
        self.start(until, Box::new(move || shared.answer(&at, work)))?;

        let mut answer = place.answer.lock();
        loop {
            match std::mem::replace(&mut *answer, Answer::Awaited) {
                Answer::There(Ok(answer)) => return Ok(answer),
                Answer::There(Err(panic)) => {
                    drop(answer);
                    resume_unwind(panic)
                }
                _ => {}
            }
            let timed_out = place.there.wait_until(&mut answer, until).timed_out();
            if timed_out && matches!(*answer, Answer::Awaited) {
                *answer = Answer::Abandoned;
                self.0.state.lock().stragglers += 1;
                return Err(Unanswered::Late);
            }
        }
    }

    /// Hands the job to a thread that does nothing else.
    fn start(&self, until: Instant, job: Job) -> Result<(), Unanswered> {
        let most = self.0.most;
        let mut state = self.0.state.lock();
        loop {
            if state.idle > state.queue.len() {
                state.queue.push_back(job);
                self.0.work.notify_one();
                return Ok(());
            }
            if state.threads < most {
                let shared = Arc::clone(&self.0);
                let started = std::thread::Builder::new().name("kv-timeout".to_owned()).spawn(move || shared.serve());
                started.map_err(Unanswered::NoThread)?;
                state.threads += 1;
                state.queue.push_back(job);
                return Ok(());
            }
            if state.stragglers >= most {
                return Err(Unanswered::Stragglers { most });
            }
            if self.0.free.wait_until(&mut state, until).timed_out() {
                return Err(Unanswered::Busy { most });
            }
        }
    }
}

impl Shared {
    /// Does the work, unless its caller has left, and leaves the answer.
    fn answer<T>(&self, place: &Place<T>, work: impl FnOnce() -> T) {
        let abandoned = matches!(*place.answer.lock(), Answer::Abandoned);
        let answer = (!abandoned).then(|| catch_unwind(AssertUnwindSafe(work)));
        let mut left = place.answer.lock();
        if matches!(*left, Answer::Abandoned) {
            self.state.lock().stragglers -= 1;
        } else if let Some(answer) = answer {
            *left = Answer::There(answer);
            place.there.notify_one();
        }
    }

    /// A thread's life. It begins with a job in the queue.
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                self.free.notify_one();
                drop(state);
                job();
                state = self.state.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            self.free.notify_one();
            let timed_out = self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        self.free.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_all();
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("most", &self.0.most).finish_non_exhaustive()
    }
}

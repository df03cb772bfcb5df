//! Where work on a database file is done: short reads in place, other reads on a thread of the runtime, writes on a
//! thread of the file's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connect::{Opening, Reader, Readers};
use super::fault::Fault;
use super::group::{Job, Steps, Writer, refuse, waited_in_vain};

/// How long a read takes if what it needs is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Some microseconds.
    Short,
    /// More.
    Long,
}

/// One database file, opened by its first use. Reads run side by side. Writes that wait for each other share a
/// transaction.
#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    opening: Opening,
    readers: Readers,
    pace: Pace,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    orders: Vec<Order>,
    /// Whether there is a thread that works on them.
    attended: bool,
    /// Whether nobody will add any.
    abandoned: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("orders", &self.orders.len()).field("attended", &self.attended).finish()
    }
}

enum Order {
    Job(Box<dyn Job>),
    Open { create: bool, reply: oneshot::Sender<Result<bool>> },
    Close { reply: oneshot::Sender<Result<()>> },
}

struct Queued<F, T> {
    job: F,
    steps: Steps,
    deadline: Instant,
    kept: Option<T>,
    progress: Arc<AtomicU8>,
    reply: oneshot::Sender<Result<T>>,
}

const WAITING: u8 = 0;
const STARTED: u8 = 1;
const TAKEN_BACK: u8 = 2;

/// Moves on from `WAITING`; who succeeds decides what becomes of the job.
fn claim(progress: &AtomicU8, next: u8) -> bool {
    progress.compare_exchange(WAITING, next, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

impl<T: Send, F: FnMut(&Connection) -> Result<T, Fault> + Send> Job for Queued<F, T> {
    fn steps(&self) -> Steps {
        self.steps
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn start(&mut self) -> bool {
        !self.reply.is_closed() && claim(&self.progress, STARTED)
    }

    fn attempt(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.kept = None;
        self.kept = Some((self.job)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { kept, reply, .. } = *self;
        // Nobody may be there to hear it.
        let _ = reply.send(outcome.and_then(|()| kept.ok_or_else(unanswered)));
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Backend, "the writing thread ended before it answered").with_outcome_unknown()
}

/// What a read in place takes of the 128 units that a task has before it lets others run.
const BUDGET: u32 = 4;

impl Engine {
    /// Does no I/O.
    pub(crate) fn new(opening: Opening) -> Self {
        let (readers, pace, queue, more) = (Readers::default(), Pace::default(), Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { opening, readers, pace, queue, more }) }
    }

    /// Opens the file, and prepares it, unless it is open. Answers whether it is; with `create` it always is.
    pub(crate) async fn open(&self, create: bool) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        Shared::order(&self.shared, Order::Open { create, reply })?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    /// Runs work on a connection for reading. The work may be begun anew, so that nothing of it may last.
    pub(crate) async fn read<T, F>(&self, effort: Effort, timeout: Option<Duration>, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Reader<'_>) -> Result<T, Fault> + Send + 'static,
    {
        if effort == Effort::Short
            && let Some(answer) = self.shared.read_in_place(&mut work)
        {
            // A task that only ever finds what it asks for must let others run now and then. A unit of its budget is
            // meant for less than a read of some microseconds.
            for _ in 0..BUDGET {
                tokio::task::consume_budget().await;
            }
            return answer;
        }
        let shared = Arc::clone(&self.shared);
        let patience = shared.opening.patience(timeout);
        run_blocking(move || shared.readers.read(&shared.opening, patience, work)).await
    }

    /// Runs a job on the connection that writes: by itself or with others, in one transaction, and answers when it is
    /// kept. The job may be begun anew, after what it did was undone.
    pub(crate) async fn write<T, F>(&self, steps: Steps, timeout: Option<Duration>, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let patience = self.shared.opening.patience(timeout);
        let deadline = Instant::now() + patience;
        let progress = Arc::<AtomicU8>::default();
        let (reply, mut answer) = oneshot::channel();
        let queued = Queued { job, steps, deadline, kept: None, progress: Arc::clone(&progress), reply };
        Shared::order(&self.shared, Order::Job(Box::new(queued)))?;
        // Without a time-out of the call's own the thread keeps time: it works in order, and waits for no lock longer
        // than the first of its jobs may.
        let answer = match timeout {
            None => answer.await,
            Some(_) => match tokio::time::timeout_at(deadline.into(), &mut answer).await {
                Ok(answer) => answer,
                Err(_) if claim(&progress, TAKEN_BACK) => return Err(waited_in_vain(&self.shared.opening, patience)),
                // It runs, and what comes of it is worth the little time that is left.
                Err(_) => answer.await,
            },
        };
        answer.unwrap_or_else(|_| Err(unanswered()))
    }

    /// Closes the file. The next use opens it again.
    pub(crate) async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        Shared::order(&self.shared, Order::Close { reply })?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }
}

/// The thread ends, and closes the file: closing takes its time, and the runtime has none.
impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.queue.lock().abandoned = true;
        self.shared.more.notify_one();
    }
}

impl Shared {
    /// Runs a short read here, if the last ones were short and there is a connection at hand.
    fn read_in_place<T>(&self, work: &mut impl FnMut(&Reader<'_>) -> Result<T, Fault>) -> Option<Result<T>> {
        if !self.pace.allows() {
            return None;
        }
        let mut idle = self.readers.idle()?;
        let start = Instant::now();
        let answer = idle.run(Duration::ZERO, true, work);
        self.pace.note(start.elapsed());
        self.readers.give_back(idle, &self.opening);
        match answer {
            Err(Fault::TooMuchInPlace) => None,
            Err(fault) if fault.is_busy() => None,
            answer => Some(answer.map_err(|fault| fault.into_error(self.opening.path(), Duration::ZERO))),
        }
    }

    /// Gives an order to the thread, which is started if there is none.
    fn order(self: &Arc<Self>, order: Order) -> Result<()> {
        let mut queue = self.queue.lock();
        queue.orders.push(order);
        if std::mem::replace(&mut queue.attended, true) {
            drop(queue);
            self.more.notify_one();
            return Ok(());
        }
        drop(queue);
        let shared = Arc::clone(self);
        let thread =
            std::thread::Builder::new().name("kv-disk".to_owned()).spawn(move || Attendant { shared }.attend());
        thread.map(drop).map_err(|error| {
            self.unattended();
            Error::new(ErrorKind::Backend, "no thread could be started to write with").with_source(error)
        })
    }

    /// Drops all orders, which tells who gave them, and lets the next one start a thread.
    fn unattended(&self) {
        let mut queue = self.queue.lock();
        queue.attended = false;
        let orders = std::mem::take(&mut queue.orders);
        drop(queue);
        drop(orders);
    }
}

/// The thread that writes.
struct Attendant {
    shared: Arc<Shared>,
}

impl Attendant {
    fn attend(&self) {
        let mut writer = None;
        while let Some(orders) = self.next_orders() {
            let mut jobs = Vec::new();
            for order in orders {
                match order {
                    Order::Job(job) => jobs.push(job),
                    Order::Open { create, reply } => {
                        self.run(&mut writer, &mut jobs);
                        let opened = if writer.is_some() { Ok(true) } else { self.open(&mut writer, create) };
                        let _ = reply.send(opened);
                    }
                    Order::Close { reply } => {
                        self.run(&mut writer, &mut jobs);
                        drop(self.shared.readers.take_all());
                        drop(writer.take());
                        let _ = reply.send(Ok(()));
                    }
                }
            }
            self.run(&mut writer, &mut jobs);
            if writer.is_none() && self.may_leave() {
                return;
            }
        }
        drop(self.shared.readers.take_all());
    }

    /// Waits for orders; `None` if there will be none.
    fn next_orders(&self) -> Option<Vec<Order>> {
        let mut queue = self.shared.queue.lock();
        while queue.orders.is_empty() {
            if queue.abandoned {
                return None;
            }
            self.shared.more.wait(&mut queue);
        }
        Some(std::mem::take(&mut queue.orders))
    }

    /// Whether there is nothing to do; then the next order starts another thread.
    fn may_leave(&self) -> bool {
        let mut queue = self.shared.queue.lock();
        queue.attended = !queue.orders.is_empty();
        !queue.attended
    }

    fn open(&self, writer: &mut Option<Writer>, create: bool) -> Result<bool> {
        *writer = Writer::open(&self.shared.opening, create)?;
        if writer.is_some() {
            // So that the first read need not open one in place.
            let Shared { opening, readers, .. } = &*self.shared;
            let reader = readers.any(opening).map_err(|fault| fault.into_error(opening.path(), Duration::ZERO))?;
            readers.give_back(reader, opening);
        }
        Ok(writer.is_some())
    }

    fn run(&self, writer: &mut Option<Writer>, jobs: &mut Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        let jobs = std::mem::take(jobs);
        // Closed since it was set up.
        let opened = if writer.is_some() { Ok(true) } else { self.open(writer, true) };
        match (opened, writer.as_mut()) {
            (Ok(_), Some(writer)) => writer.run_all(jobs),
            (Ok(_), None) => drop(jobs),
            (Err(error), _) => refuse(jobs, error),
        }
    }
}

/// A thread that panics leaves nobody waiting.
impl Drop for Attendant {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.unattended();
        }
    }
}

/// Whether reads are short enough to be run in place.
#[derive(Debug, Default)]
struct Pace {
    /// The reads that are still to be run elsewhere.
    elsewhere: AtomicU32,
    /// How many that was the last time.
    detour: AtomicU32,
}

/// A read in place that takes longer has missed the cache, and the next ones may too. What takes its time there keeps
/// the other tasks of the thread waiting.
const SHORT: Duration = Duration::from_micros(200);
const FIRST_DETOUR: u32 = 16;
const LONGEST_DETOUR: u32 = 1024;

impl Pace {
    fn allows(&self) -> bool {
        let left = self.elsewhere.load(Ordering::Relaxed);
        if left > 0 {
            // Two that count at once may count one: this is a rule of thumb.
            self.elsewhere.store(left - 1, Ordering::Relaxed);
        }
        left == 0
    }

    fn note(&self, took: Duration) {
        let last = self.detour.load(Ordering::Relaxed);
        if took > SHORT {
            let detour = if last == 0 { FIRST_DETOUR } else { (last * 2).min(LONGEST_DETOUR) };
            self.detour.store(detour, Ordering::Relaxed);
            self.elsewhere.store(detour, Ordering::Relaxed);
        } else if last != 0 {
            self.detour.store(0, Ordering::Relaxed);
        }
    }
}

/// Runs what takes its time where that delays nobody.
pub(crate) async fn run_blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    // Another executor than tokio's has no such threads, and has to wait.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work() };
    runtime
        .spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Connection, "the runtime shut down before the operation ended")))
}

/// Lets so much time pass, on a thread that may wait.
pub(super) fn nap(duration: Duration) {
    std::thread::sleep(duration);
}

//! Where work on a database file is done: by whoever calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

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
///
/// Lock order: `turns`, then a waiter's `signal`; `writer` is locked by whoever has the turn, while it holds neither.
#[derive(Debug)]
pub(crate) struct Engine {
    opening: Opening,
    readers: Readers,
    writer: Mutex<Option<Writer>>,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    /// Whether somebody writes.
    taken: bool,
    waiting: Vec<Waiting>,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").field("taken", &self.taken).field("waiting", &self.waiting.len()).finish()
    }
}

struct Waiting {
    job: Box<dyn Job>,
    signal: Arc<Signal>,
}

/// What a waiter is waiting for.
#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    /// It is this waiter's turn to write for all that wait.
    Leads,
    /// Its job was answered.
    Done,
}

impl Signal {
    fn set(&self, state: State) {
        *self.state.lock() = state;
        self.changed.notify_one();
    }

    /// Waits for a change; until the deadline, if there is one.
    fn wait(&self, deadline: Option<Instant>) -> State {
        let mut state = self.state.lock();
        while *state == State::Waiting {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) if self.changed.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
            }
        }
        *state
    }
}

type Slot<T> = Arc<Mutex<Option<Result<T>>>>;

struct Queued<F, T> {
    job: F,
    steps: Steps,
    deadline: Instant,
    kept: Option<T>,
    slot: Slot<T>,
}

impl<T: Send, F: FnMut(&Connection) -> Result<T, Fault> + Send> Job for Queued<F, T> {
    fn steps(&self) -> Steps {
        self.steps
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn start(&mut self) -> bool {
        true
    }

    fn attempt(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.kept = None;
        self.kept = Some((self.job)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { kept, slot, .. } = *self;
        *slot.lock() = Some(outcome.and_then(|()| kept.ok_or_else(unanswered)));
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Backend, "the writing thread ended before it answered").with_outcome_unknown()
}

impl Engine {
    /// Does no I/O.
    pub(crate) fn new(opening: Opening) -> Self {
        let (writer, turns) = (Mutex::new(None), Mutex::default());
        Self { opening, readers: Readers::default(), writer, turns }
    }

    /// Opens the file, and prepares it, unless it is open. Answers whether it is; with `create` it always is.
    pub(crate) fn open(&self, create: bool) -> Result<bool> {
        let mut writer = self.writer.lock();
        if writer.is_none() {
            *writer = Writer::open(&self.opening, create)?;
        }
        Ok(writer.is_some())
    }

    /// Runs work on a connection for reading. The work may be begun anew, so that nothing of it may last.
    pub(crate) fn read<T, F>(&self, effort: Effort, timeout: Option<Duration>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Reader<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let _ = effort;
        self.readers.read(&self.opening, self.opening.patience(timeout), work)
    }

    /// Runs a job on the connection that writes: by itself or with others, in one transaction, and answers when it is
    /// kept. The job may be begun anew, after what it did was undone.
    pub(crate) fn write<T, F>(&self, steps: Steps, timeout: Option<Duration>, mut job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let patience = self.opening.patience(timeout);
        let mut turns = self.turns.lock();
        if turns.taken {
            let deadline = Instant::now() + patience;
            let slot = Slot::default();
            let queued = Queued { job, steps, deadline, kept: None, slot: Arc::clone(&slot) };
            let signal = Arc::<Signal>::default();
            turns.waiting.push(Waiting { job: Box::new(queued), signal: Arc::clone(&signal) });
            drop(turns);
            self.wait(&signal, deadline, patience)?;
            let answer = slot.lock().take();
            return answer.unwrap_or_else(|| Err(unanswered()));
        }
        turns.taken = true;
        drop(turns);
        let _turn = Turn { engine: self };
        self.with_writer(|writer| writer.run_alone(steps, patience, &mut job))?
    }

    /// Closes the file. The next use opens it again.
    pub(crate) fn close(&self) -> Result<()> {
        let writer = self.writer.lock().take();
        drop(self.readers.take_all());
        drop(writer);
        Ok(())
    }

    fn with_writer<T>(&self, work: impl FnOnce(&mut Writer) -> T) -> Result<T> {
        let mut slot = self.writer.lock();
        let writer = match slot.as_mut() {
            Some(writer) => writer,
            // Closed since it was set up.
            None => match Writer::open(&self.opening, true)? {
                Some(writer) => slot.insert(writer),
                None => return Err(unanswered()),
            },
        };
        Ok(work(writer))
    }

    /// Waits until the job behind this signal is answered, and writes for all if its turn comes first.
    fn wait(&self, signal: &Arc<Signal>, deadline: Instant, patience: Duration) -> Result<()> {
        let mut state = signal.wait(Some(deadline));
        if state == State::Waiting {
            let mut turns = self.turns.lock();
            let own = turns.waiting.iter().position(|waiting| Arc::ptr_eq(&waiting.signal, signal));
            // Who was told to lead has to, or nobody would.
            match own {
                Some(own) if *signal.state.lock() == State::Waiting => {
                    drop(turns.waiting.remove(own));
                    return Err(waited_in_vain(&self.opening, patience));
                }
                _ => {}
            }
            drop(turns);
            state = signal.wait(None);
        }
        if state == State::Leads {
            let _turn = Turn { engine: self };
            let waiting = std::mem::take(&mut self.turns.lock().waiting);
            let (jobs, signals): (Vec<_>, Vec<_>) = waiting.into_iter().map(|it| (it.job, it.signal)).unzip();
            // Whatever happens, who waits is woken.
            let _wake = Wake { signals };
            let mut jobs = Some(jobs);
            let opened = self.with_writer(|writer| writer.run_all(jobs.take().unwrap_or_default()));
            if let Err(error) = opened {
                refuse(jobs.unwrap_or_default(), error);
            }
        }
        Ok(())
    }
}

/// The right to write; handed on when dropped.
struct Turn<'e> {
    engine: &'e Engine,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.engine.turns.lock();
        match turns.waiting.first() {
            Some(next) => next.signal.set(State::Leads),
            None => turns.taken = false,
        }
    }
}

struct Wake {
    signals: Vec<Arc<Signal>>,
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.signals.iter().for_each(|signal| signal.set(State::Done));
    }
}

/// Runs what takes its time where that delays nobody.
pub(crate) fn run_blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    work()
}

/// Lets so much time pass, on a thread that may wait.
pub(super) fn nap(duration: Duration) {
    std::thread::sleep(duration);
}

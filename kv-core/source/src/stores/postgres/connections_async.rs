//! The connections to the server, awaiting: a pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::{Security, Settings};
use super::failure::Lost;
use super::line::Line;
use super::params::{Answer, Request};
use crate::within::{Effect, STALE, Within};

/// Own rather than `deadpool`'s, whose connections are used wherever they are asked for: one is a task of the runtime
/// that it was made in, and stands still when that does.
pub(super) struct Connections {
    settings: Settings,
    security: OnceCell<Security>,
    room: Semaphore,
    in_use: AtomicUsize,
    /// The one used last is used next, so that the others may be closed by the server when they are not needed.
    idle: Mutex<Vec<Idle>>,
    /// Those of an earlier era are not taken back.
    era: AtomicUsize,
}

struct Idle {
    line: Line,
    runtime: Id,
    since: Instant,
}

/// A connection in use, or the right to make one.
struct Loan<'p> {
    pool: &'p Connections,
    _permit: SemaphorePermit<'p>,
    runtime: Id,
    line: Option<Line>,
    /// When it was used before, if it was.
    idle_since: Option<Instant>,
    era: usize,
    /// Nothing is left over on it: it may be used again.
    sound: bool,
}

impl Connections {
    /// No I/O.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            room: Semaphore::new(settings.size.min(Semaphore::MAX_PERMITS)),
            settings,
            security: OnceCell::new(),
            in_use: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
            era: AtomicUsize::new(0),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        self.forget_idle();
    }

    fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        self.era.fetch_add(1, Ordering::AcqRel);
        drop(idle);
    }

    async fn take(&self, within: Within) -> Result<Loan<'_>> {
        let runtime = Handle::try_current().map(|handle| handle.id()).map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no Tokio runtime here, which this store is to be used in")
        })?;
        let patience = within.at_most(self.settings.connect_timeout)?;
        let permit = match self.room.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match timeout(patience, self.room.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => {
                    let message = format!("all {} connections of the pool stayed in use", self.settings.size);
                    return Err(Error::new(ErrorKind::Timeout, message));
                }
            },
        };
        let in_use = self.in_use.fetch_add(1, Ordering::AcqRel) + 1;
        let mut loan = Loan {
            pool: self,
            _permit: permit,
            runtime,
            line: None,
            idle_since: None,
            era: self.era.load(Ordering::Acquire),
            sound: false,
        };
        let (found, closing) = self.pick(runtime, in_use);
        drop(closing);
        match found {
            Some(idle) => (loan.line, loan.idle_since) = (Some(idle.line), Some(idle.since)),
            None => loan.connect(within).await?,
        }
        Ok(loan)
    }

    /// An idle connection of this runtime, and those that make room or are gone.
    fn pick(&self, runtime: Id, in_use: usize) -> (Option<Idle>, Vec<Idle>) {
        let mut idle = self.idle.lock();
        let (gone, mut standing): (Vec<_>, Vec<_>) = match idle.iter().any(|idle| idle.line.is_closed()) {
            true => std::mem::take(&mut *idle).into_iter().partition(|idle| idle.line.is_closed()),
            false => (Vec::new(), std::mem::take(&mut *idle)),
        };
        let mut closing = gone;
        let found = standing.iter().rposition(|idle| idle.runtime == runtime).map(|at| standing.remove(at));
        if found.is_none() && standing.len() + in_use > self.settings.size && !standing.is_empty() {
            // The first one is the oldest, of a runtime that may be gone.
            closing.push(standing.remove(0));
        }
        *idle = standing;
        (found, closing)
    }

    /// Sends and waits for the answer.
    pub(super) async fn ask(&self, request: &Request<'_>, effect: Effect, within: Within) -> Result<Answer> {
        let mut loan = self.take(within).await?;
        let stale = loan.idle_since.is_some_and(|since| since.elapsed() >= STALE);
        let may_repeat = match effect {
            Effect::Read => loan.idle_since.is_some(),
            Effect::Put => stale,
            Effect::Change => false,
        };
        match loan.exchange(request, within).await? {
            Err(lost) if (may_repeat || lost.is_unsent()) && lost.is_broken() => {
                let unsent = lost.is_unsent();
                // The server went away, so the others are gone too.
                self.forget_idle();
                let known = unsent || effect == Effect::Read;
                let unknown = |later: Error| if known { later } else { later.with_outcome_unknown() };
                loan.connect(within).await.map_err(unknown)?;
                loan.exchange(request, within).await.map_err(unknown)?.map_err(|lost| lost.told(effect))
            }
            answer => answer.map_err(|lost| lost.told(effect)),
        }
    }

    /// Runs several statements in one transaction.
    pub(super) async fn script(&self, sql: &str, within: Within) -> Result<()> {
        let mut loan = self.take(within).await?;
        let patience = within.for_answer(self.settings.response_timeout)?;
        let Some(line) = &mut loan.line else { return Err(crate::within::timed_out()) };
        let answer = line.script(sql, patience).await;
        loan.sound = answer.is_ok();
        answer.map_err(|lost| lost.told(Effect::Read))
    }
}

impl Loan<'_> {
    /// A new connection in its place.
    async fn connect(&mut self, within: Within) -> Result<()> {
        self.line = None;
        let (pool, settings) = (self.pool, &self.pool.settings);
        let security = pool.security.get_or_try_init(async || settings.security()).await?;
        let line = Line::open(settings, security, within.at_most(settings.connect_timeout)?).await?;
        self.line = Some(line);
        self.era = pool.era.load(Ordering::Acquire);
        Ok(())
    }

    /// The outer error: nothing was sent.
    async fn exchange(&mut self, request: &Request<'_>, within: Within) -> Result<Result<Answer, Lost>> {
        self.sound = false;
        let settings = &self.pool.settings;
        let patience = within.for_answer(settings.response_timeout)?;
        let Some(line) = &mut self.line else { return Err(crate::within::timed_out()) };
        let answer = line.ask(request, settings, patience).await;
        self.sound = answer.as_ref().map_or_else(Lost::leaves_sound, |_| true) && !line.is_closed();
        Ok(answer)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let line = self.line.take().filter(|_| self.sound);
        if let Some(line) = line {
            let mut idle = self.pool.idle.lock();
            if self.era == self.pool.era.load(Ordering::Acquire) {
                idle.push(Idle { line, runtime: self.runtime, since: Instant::now() });
            } else {
                drop(idle);
                drop(line);
            }
        }
        self.pool.in_use.fetch_sub(1, Ordering::AcqRel);
    }
}

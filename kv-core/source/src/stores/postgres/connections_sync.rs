//! The connections to the server, blocking: a pool.

use std::time::Instant;

use kv_core::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::Arc;

use super::connect::{Security, Settings};
use super::failure::Lost;
use super::line::Line;
use super::params::{Answer, Request};
use crate::within::{Effect, STALE, Within};

/// Own rather than `r2d2`'s, which would keep the reason why the server cannot be reached to itself, wait until the end
/// of the time-out before it says that much, and make connections in threads of its own.
pub(super) struct Connections {
    settings: Settings,
    security: RwLock<Option<Arc<Security>>>,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    /// The one used last is used next, so that the others may be closed by the server when they are not needed.
    idle: Vec<(Line, Instant)>,
    /// How many there are, those in use included.
    open: usize,
    /// Those of an earlier era are not taken back.
    era: u64,
}

/// A connection in use, or the right to make one.
struct Loan<'p> {
    pool: &'p Connections,
    line: Option<Line>,
    /// When it was used before, if it was.
    idle_since: Option<Instant>,
    era: u64,
    /// Nothing is left over on it: it may be used again.
    sound: bool,
}

impl Connections {
    /// No I/O.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            security: RwLock::new(None),
            state: Mutex::new(State { idle: Vec::new(), open: 0, era: 0 }),
            freed: Condvar::new(),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        self.forget_idle();
    }

    fn security(&self) -> Result<Arc<Security>> {
        if let Some(security) = &*self.security.read() {
            return Ok(Arc::clone(security));
        }
        let security = Arc::new(self.settings.security()?);
        *self.security.write() = Some(Arc::clone(&security));
        Ok(security)
    }

    fn take(&self, within: Within) -> Result<Loan<'_>> {
        let patience = within.at_most(self.settings.connect_timeout)?;
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            let loan = |line, idle_since, era| Loan { pool: self, line, idle_since, era, sound: false };
            if let Some((line, since)) = state.idle.pop() {
                let mut loan = loan(Some(line), Some(since), state.era);
                drop(state);
                // What was idle for long may be known to be gone.
                if since.elapsed() >= STALE && loan.line.as_ref().is_some_and(Line::is_closed) {
                    loan.idle_since = None;
                    loan.connect(within)?;
                }
                return Ok(loan);
            }
            if state.open < self.settings.size {
                state.open += 1;
                let mut loan = loan(None, None, state.era);
                drop(state);
                loan.connect(within)?;
                return Ok(loan);
            }
            // What ends after the end of time does not end.
            let deadline = *deadline.get_or_insert_with(|| Instant::now().checked_add(patience));
            let timed_out = match deadline {
                Some(deadline) => self.freed.wait_until(&mut state, deadline).timed_out(),
                None => {
                    self.freed.wait(&mut state);
                    false
                }
            };
            if timed_out {
                let message = format!("all {} connections of the pool stayed in use", self.settings.size);
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
    }

    /// Sends and waits for the answer.
    pub(super) fn ask(&self, request: &Request<'_>, effect: Effect, within: Within) -> Result<Answer> {
        let mut loan = self.take(within)?;
        let stale = loan.idle_since.is_some_and(|since| since.elapsed() >= STALE);
        let may_repeat = match effect {
            Effect::Read => loan.idle_since.is_some(),
            Effect::Put => stale,
            Effect::Change => false,
        };
        match loan.exchange(request, within)? {
            Err(lost) if (may_repeat || lost.is_unsent()) && lost.is_broken() => {
                let unsent = lost.is_unsent();
                // The server went away, so the others are gone too.
                self.forget_idle();
                let known = unsent || effect == Effect::Read;
                let unknown = |later: Error| if known { later } else { later.with_outcome_unknown() };
                loan.connect(within).map_err(unknown)?;
                loan.exchange(request, within).map_err(unknown)?.map_err(|lost| lost.told(effect))
            }
            answer => answer.map_err(|lost| lost.told(effect)),
        }
    }

    /// Runs several statements in one transaction.
    pub(super) fn script(&self, sql: &str, within: Within) -> Result<()> {
        let mut loan = self.take(within)?;
        let patience = within.for_answer(self.settings.response_timeout)?;
        let Some(line) = &mut loan.line else { return Err(crate::within::timed_out()) };
        let answer = line.script(sql, patience);
        loan.sound = answer.is_ok();
        answer.map_err(|lost| lost.told(Effect::Read))
    }

    fn forget_idle(&self) {
        let mut state = self.state.lock();
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        state.era += 1;
        drop(state);
        self.freed.notify_all();
        drop(idle);
    }
}

impl Loan<'_> {
    /// A new connection in its place.
    fn connect(&mut self, within: Within) -> Result<()> {
        self.line = None;
        let pool = self.pool;
        let patience = within.at_most(pool.settings.connect_timeout)?;
        self.line = Some(Line::open(&pool.settings, &*pool.security()?, patience)?);
        self.era = pool.state.lock().era;
        Ok(())
    }

    /// The outer error: nothing was sent.
    fn exchange(&mut self, request: &Request<'_>, within: Within) -> Result<Result<Answer, Lost>> {
        self.sound = false;
        let settings = &self.pool.settings;
        let patience = within.for_answer(settings.response_timeout)?;
        let Some(line) = &mut self.line else { return Err(crate::within::timed_out()) };
        let answer = line.ask(request, settings, patience);
        self.sound = answer.as_ref().map_or_else(Lost::leaves_sound, |_| true);
        Ok(answer)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let line = self.line.take().filter(|_| self.sound);
        let mut state = self.pool.state.lock();
        let closing = match line {
            Some(line) if self.era == state.era => {
                state.idle.push((line, Instant::now()));
                None
            }
            other => {
                state.open -= 1;
                other
            }
        };
        drop(state);
        self.pool.freed.notify_one();
        drop(closing);
    }
}

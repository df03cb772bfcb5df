//! The connections to the server, blocking: a pool.

use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use redis::{RedisResult, Value};

use super::commands::Commands;
use super::failure::{is_broken, told, unanswered};
use super::options::RedisOptions;
use crate::within::Effect;
use crate::within::timed_out;
use crate::within::{STALE, Within};

/// Own rather than `r2d2`'s, which would keep the reason why the server cannot be reached to itself, wait until the end
/// of the time-out before it says that much, and make connections in threads of its own.
pub(super) struct Connections {
    client: redis::Client,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    size: usize,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    /// The one used last is used next, so that the others may be closed by the server when they are not needed. In a
    /// box, for it goes from hand to hand with every call.
    idle: Vec<(Box<redis::Connection>, Instant)>,
    /// How many there are, those in use included.
    open: usize,
    /// Those of an earlier era are not taken back.
    era: u64,
}

/// A connection in use, or the right to make one.
struct Loan<'p> {
    pool: &'p Connections,
    connection: Option<Box<redis::Connection>>,
    /// When it was used before, if it was.
    idle_since: Option<Instant>,
    era: u64,
    /// Nothing is left over on it: it may be used again.
    sound: bool,
}

impl Connections {
    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self {
            client: options.client()?,
            address: options.endpoint.to_string(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            size: options.pool_size,
            state: Mutex::new(State { idle: Vec::new(), open: 0, era: 0 }),
            freed: Condvar::new(),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Makes the first one, if there is none.
    pub(super) fn open(&self) -> Result<()> {
        let mut loan = self.take(Within::new(None))?;
        loan.sound = true;
        Ok(())
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        self.forget_idle();
    }

    fn take(&self, within: Within) -> Result<Loan<'_>> {
        let patience = within.at_most(self.connect_timeout)?;
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            let loan = |connection, idle_since, era| Loan { pool: self, connection, idle_since, era, sound: false };
            if let Some((connection, since)) = state.idle.pop() {
                return Ok(loan(Some(connection), Some(since), state.era));
            }
            if state.open < self.size {
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
                let message = format!("all {} connections of the pool stayed in use", self.size);
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
    }

    /// Sends and waits for the answers.
    pub(super) fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        let mut loan = self.take(within)?;
        let stale = loan.idle_since.is_some_and(|since| since.elapsed() >= STALE);
        if stale && effect == Effect::Change {
            let mut ping = Commands::new(1, 4);
            ping.begin(1, 4);
            ping.part(b"PING");
            if loan.exchange(&ping, within)?.is_err() {
                self.forget_idle();
                loan.connect(within)?;
            }
        }
        let may_repeat = match effect {
            Effect::Read => loan.idle_since.is_some(),
            Effect::Put => stale,
            Effect::Change => false,
        };
        match loan.exchange(commands, within)? {
            Err(error) if may_repeat && is_broken(&error) => {
                // The server went away, so the others are gone too.
                self.forget_idle();
                let lost = |later: Error| if effect == Effect::Read { later } else { later.with_outcome_unknown() };
                loan.connect(within).map_err(lost)?;
                loan.exchange(commands, within).map_err(lost)?.map_err(|error| unanswered(&error, effect))
            }
            answer => answer.map_err(|error| unanswered(&error, effect)),
        }
    }

    fn forget_idle(&self) {
        let mut state = self.state.lock();
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        state.era += 1;
        drop(state);
        self.freed.notify_all();
    }
}

impl Loan<'_> {
    /// A new connection in its place.
    fn connect(&mut self, within: Within) -> Result<()> {
        self.connection = None;
        let pool = self.pool;
        let connect = || {
            let connection = pool.client.get_connection_with_timeout(within.at_most(pool.connect_timeout)?);
            let connection = connection.map_err(|error| told(&error))?;
            set_timeouts(&connection, Some(pool.response_timeout)).map_err(|error| told(&error))?;
            Ok(Box::new(connection))
        };
        self.connection = Some(connect()?);
        self.era = pool.state.lock().era;
        Ok(())
    }

    /// The outer error: nothing was sent.
    fn exchange(&mut self, commands: &Commands, within: Within) -> Result<RedisResult<Vec<Value>>> {
        self.sound = false;
        let usual = self.pool.response_timeout;
        let timeout = within.for_answer(usual)?;
        let Some(connection) = &mut self.connection else { return Err(timed_out()) };
        if timeout != usual {
            set_timeouts(connection, Some(timeout)).map_err(|error| told(&error))?;
        }
        let answer = commands.send(connection);
        self.sound = answer.is_ok() && (timeout == usual || set_timeouts(connection, Some(usual)).is_ok());
        Ok(answer)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|_| self.sound);
        let mut state = self.pool.state.lock();
        let closing = match connection {
            Some(connection) if self.era == state.era => {
                state.idle.push((connection, Instant::now()));
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

pub(super) fn set_timeouts(connection: &redis::Connection, timeout: Option<Duration>) -> RedisResult<()> {
    connection.set_read_timeout(timeout)?;
    connection.set_write_timeout(timeout)
}

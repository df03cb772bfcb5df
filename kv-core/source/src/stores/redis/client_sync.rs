//! The connection to the server, blocking: a pool.

use std::fmt;
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use redis::{RedisError, RedisResult, Value};

use super::failure::{Effect, is_broken, timed_out, told, unanswered, unexpected};
use super::options::RedisOptions;
use super::within::{STALE, Within};

/// A client that the user has: a pool of connections, of major version 1 of the crate `redis`.
pub type SharedClient = r2d2::Pool<redis::Client>;

/// Commands that are sent in one write, as they are written.
#[derive(Debug)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    len: usize,
}

impl Commands {
    /// For so many commands, with about so many bytes in all.
    pub(super) fn new(commands: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(commands * 16 + bytes), len: 0 }
    }

    /// Begins a command of so many parts, with about so many bytes.
    pub(super) fn begin(&mut self, parts: usize, bytes: usize) {
        self.bytes.reserve(bytes + parts * 16 + 16);
        self.len += 1;
        self.line(b'*', parts);
    }

    /// The next part of the command that was begun.
    pub(super) fn part(&mut self, part: &[u8]) {
        self.line(b'$', part.len());
        self.bytes.extend_from_slice(part);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn line(&mut self, kind: u8, number: usize) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            // The remainder is a digit.
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&digits[at..]);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Sends and reads the answers. Errors of the server are values. After an error, answers may be left over.
    fn send(&self, connection: &mut redis::Connection) -> RedisResult<Vec<Value>> {
        connection.send_packed_command(&self.bytes)?;
        // The client's own way to read many answers waits for each of them anew after the first time-out.
        (0..self.len).map(|_| connection.recv_response()).collect()
    }
}

/// The client of a store.
pub(super) enum Client {
    Own(Box<Pool>),
    /// Handed in: its connections are not ours to close, and a new one is made by it.
    Lent { pool: SharedClient, timeout: Duration },
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(pool) => write!(f, "Client({})", pool.address),
            Self::Lent { .. } => f.write_str("Client(handed in)"),
        }
    }
}

impl Client {
    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self::Own(Box::new(Pool {
            client: options.client()?,
            address: options.endpoint.to_string(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            size: options.pool_size,
            state: Mutex::new(State { idle: Vec::new(), open: 0, era: 0 }),
            freed: Condvar::new(),
        })))
    }

    /// No I/O.
    pub(super) fn lent(pool: SharedClient) -> Self {
        Self::Lent { pool, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Makes a first connection, if there is none.
    pub(super) fn open(&self) -> Result<()> {
        match self {
            Self::Own(pool) => {
                let mut loan = pool.take(Within::new(None))?;
                loan.sound = true;
                Ok(())
            }
            Self::Lent { .. } => Ok(()),
        }
    }

    /// Sends and waits for the answers.
    pub(super) fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        match self {
            Self::Own(pool) => pool.ask(commands, effect, within),
            Self::Lent { pool, timeout } => match borrow(pool, commands, *timeout, within)? {
                Err(error) if is_broken(&error) && effect == Effect::Read => {
                    borrow(pool, commands, *timeout, within)?.map_err(|error| told(&error))
                }
                answer => answer.map_err(|error| unanswered(&error, effect)),
            },
        }
    }

    /// Sends one command and waits for its answer.
    pub(super) fn ask_one(&self, command: &Commands, effect: Effect, within: Within) -> Result<Value> {
        self.ask(command, effect, within)?.pop().ok_or_else(unexpected)
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        if let Self::Own(pool) = self {
            pool.forget_idle();
        }
    }
}

/// Own rather than `r2d2`'s, which would keep the reason why the server cannot be reached to itself, wait until the end of
/// the time-out before it says that much, and make connections in threads of its own.
pub(super) struct Pool {
    client: redis::Client,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    size: usize,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    /// The one used last is used next, so that the others may be closed by the server when they are not needed.
    idle: Vec<(redis::Connection, Instant)>,
    /// How many there are, those in use included.
    open: usize,
    /// Those of an earlier era are not taken back.
    era: u64,
}

/// A connection in use, or the right to make one.
struct Loan<'p> {
    pool: &'p Pool,
    connection: Option<redis::Connection>,
    /// When it was used before, if it was.
    idle_since: Option<Instant>,
    era: u64,
    /// Nothing is left over on it: it may be used again.
    sound: bool,
}

impl Pool {
    fn take(&self, within: Within) -> Result<Loan<'_>> {
        let deadline = Instant::now() + within.at_most(self.connect_timeout)?;
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
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                let message = format!("all {} connections of the pool stayed in use", self.size);
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
    }

    fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
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
            Ok(connection)
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

fn set_timeouts(connection: &redis::Connection, timeout: Option<Duration>) -> RedisResult<()> {
    connection.set_read_timeout(timeout)?;
    connection.set_write_timeout(timeout)
}

/// Over a connection of somebody else's pool. The outer error: nothing was sent.
fn borrow(
    pool: &SharedClient,
    commands: &Commands,
    usual: Duration,
    within: Within,
) -> Result<RedisResult<Vec<Value>>> {
    let unavailable = |error: r2d2::Error| {
        let says = error.to_string();
        match says.contains("AuthenticationFailed") {
            true => Error::new(ErrorKind::PermissionDenied, "the server refused the user or the password"),
            false => Error::new(ErrorKind::Connection, "the pool gave no connection").with_source(says),
        }
    };
    let mut connection = pool.get_timeout(within.at_most(usual)?).map_err(unavailable)?;
    set_timeouts(&connection, Some(within.for_answer(usual)?)).map_err(|error| told(&error))?;
    let answer = commands.send(&mut connection);
    if answer.as_ref().is_err_and(RedisError::is_timeout) && commands.len() > 1 {
        // The connection goes back, and each read that finds no answer makes it skip one that comes late.
        let _ = connection.set_read_timeout(Some(Duration::from_millis(1)));
        (1..commands.len()).for_each(|_| drop(connection.recv_response()));
    }
    // As the client makes them.
    let _ = set_timeouts(&connection, None);
    Ok(answer)
}

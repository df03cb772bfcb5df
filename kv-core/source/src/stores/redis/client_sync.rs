//! The client of a store, blocking, and what is sent by it.

use std::fmt;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use redis::{RedisError, RedisResult, Value};

use super::connections::{Connections, set_timeouts};
use super::failure::{is_broken, told, unanswered, unexpected};
use super::options::RedisOptions;
use crate::within::Effect;
use crate::within::Within;

/// A client that the user has: a pool of connections, of major version 1 of the crate `redis`.
///
/// It is for [`from_client_v1`](crate::Managed::from_client_v1). The other flavour takes its own form of one.
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
    pub(super) fn send(&self, connection: &mut redis::Connection) -> RedisResult<Vec<Value>> {
        connection.send_packed_command(&self.bytes)?;
        // The client's own way to read many answers waits for each of them anew after the first time-out.
        (0..self.len).map(|_| connection.recv_response()).collect()
    }
}

/// The client of a store.
pub(super) enum Client {
    Own(Box<Connections>),
    /// Handed in: its connections are not ours to close, and a new one is made by it.
    Lent {
        pool: SharedClient,
        timeout: Duration,
    },
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => write!(f, "Client({})", own.address()),
            Self::Lent { .. } => f.write_str("Client(handed in)"),
        }
    }
}

impl Client {
    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self::Own(Box::new(Connections::new(options)?)))
    }

    /// No I/O.
    pub(super) fn lent(pool: SharedClient) -> Self {
        Self::Lent { pool, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Makes a first connection, if there is none.
    pub(super) fn open(&self) -> Result<()> {
        match self {
            Self::Own(own) => own.open(),
            Self::Lent { .. } => Ok(()),
        }
    }

    /// Sends and waits for the answers.
    pub(super) fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        match self {
            Self::Own(own) => own.ask(commands, effect, within),
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
        if let Self::Own(own) = self {
            own.close();
        }
    }
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

//! A client that was handed in, blocking.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use redis::{RedisError, RedisResult, Value};

use super::commands::Commands;
use super::connections::set_timeouts;
use super::failure::{is_broken, told, unanswered};
use super::options::RedisOptions;
use crate::within::{Effect, Within};

/// A client that the user has: a pool of connections, of major version 1 of the crate `redis`.
///
/// It is for [`from_client_v1`](crate::Managed::from_client_v1). The other flavour takes its own form of one.
pub type SharedClient = r2d2::Pool<redis::Client>;

/// Its connections are not ours to close, and a new one is made by it.
pub(super) struct Lent {
    pool: SharedClient,
    timeout: Duration,
}

impl Lent {
    pub(super) fn new(pool: SharedClient) -> Self {
        Self { pool, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Sends and waits for the answers.
    pub(super) fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        match self.exchange(commands, within)? {
            Err(error) if is_broken(&error) && effect == Effect::Read => {
                self.exchange(commands, within)?.map_err(|error| told(&error))
            }
            answer => answer.map_err(|error| unanswered(&error, effect)),
        }
    }

    /// Over one connection of the pool. The outer error: nothing was sent.
    fn exchange(&self, commands: &Commands, within: Within) -> Result<RedisResult<Vec<Value>>> {
        let unavailable = |error: r2d2::Error| {
            let says = error.to_string();
            match says.contains("AuthenticationFailed") {
                true => Error::new(ErrorKind::PermissionDenied, "the server refused the user or the password"),
                false => Error::new(ErrorKind::Connection, "the pool gave no connection").with_source(says),
            }
        };
        let mut connection = self.pool.get_timeout(within.at_most(self.timeout)?).map_err(unavailable)?;
        set_timeouts(&connection, Some(within.for_answer(self.timeout)?)).map_err(|error| told(&error))?;
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
}

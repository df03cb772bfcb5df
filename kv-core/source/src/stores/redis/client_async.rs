//! The client of a store, awaiting, and what is sent by it.

use std::fmt;
use std::time::Duration;

use kv_core::Result;
use redis::aio::{ConnectionLike, ConnectionManager};
use redis::{Cmd, Pipeline, RedisResult, Value};

use super::connections::{Connections, in_time};
use super::failure::{is_broken, told, unanswered, unexpected};
use super::options::RedisOptions;
use crate::within::Effect;
use crate::within::Within;

/// A client that the user has: a connection that mends itself, of major version 1 of the crate `redis`.
///
/// It is for [`from_client_v1`](crate::Managed::from_client_v1). The other flavour takes its own form of one.
pub type SharedClient = ConnectionManager;

/// Commands that are sent in one write.
#[derive(Debug)]
pub(super) struct Commands(Pipeline);

impl Commands {
    /// For so many commands, with about so many bytes in all.
    pub(super) fn new(commands: usize, _bytes: usize) -> Self {
        Self(Pipeline::with_capacity(commands))
    }

    /// Begins a command of so many parts, with about so many bytes.
    pub(super) fn begin(&mut self, parts: usize, bytes: usize) {
        self.0.add_command(Cmd::with_capacity(parts, bytes));
    }

    /// The next part of the command that was begun.
    pub(super) fn part(&mut self, part: &[u8]) {
        self.0.arg(part);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Sends and reads the answers. Errors of the server are values.
    pub(super) async fn send<C: ConnectionLike + Send>(&self, connection: &mut C) -> RedisResult<Vec<Value>> {
        if self.len() == 1
            && let Some(command) = self.0.cmd_iter().next()
        {
            return connection.req_packed_command(command).await.map(|answer| vec![answer]);
        }
        connection.req_packed_commands(&self.0, 0, self.len()).await
    }
}

/// The client of a store.
pub(super) enum Client {
    Own(Box<Connections>),
    /// Handed in: not ours to close, and it reconnects by itself.
    Lent {
        manager: SharedClient,
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
    pub(super) fn lent(manager: SharedClient) -> Self {
        Self::Lent { manager, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Makes a first connection, if there is none.
    pub(super) async fn open(&self) -> Result<()> {
        match self {
            Self::Own(own) => own.open().await,
            Self::Lent { .. } => Ok(()),
        }
    }

    /// Sends and waits for the answers.
    pub(super) async fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        match self {
            Self::Own(own) => own.ask(commands, effect, within).await,
            Self::Lent { manager, timeout } => Box::pin(borrow(manager, commands, effect, *timeout, within)).await,
        }
    }

    /// Sends one command and waits for its answer.
    pub(super) async fn ask_one(&self, command: &Commands, effect: Effect, within: Within) -> Result<Value> {
        self.ask(command, effect, within).await?.pop().ok_or_else(unexpected)
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) async fn close(&self) {
        if let Self::Own(own) = self {
            own.close();
        }
    }
}

async fn borrow(
    manager: &SharedClient,
    commands: &Commands,
    effect: Effect,
    usual: Duration,
    within: Within,
) -> Result<Vec<Value>> {
    let mut manager = manager.clone();
    match in_time(commands.send(&mut manager), within.for_answer(usual)?).await {
        Err(error) if is_broken(&error) && effect == Effect::Read => {
            // It has begun to reconnect.
            let answers = in_time(commands.send(&mut manager), within.for_answer(usual)?).await;
            answers.map_err(|error| told(&error))
        }
        answers => answers.map_err(|error| unanswered(&error, effect)),
    }
}

//! The client of a store.

use std::fmt;

use kv_core::Result;
use redis::Value;

use super::commands::Commands;
use super::connections::Connections;
use super::failure::unexpected;
use super::lent::{Lent, SharedClient};
use super::options::RedisOptions;
use crate::within::{Effect, Within};

pub(super) enum Client {
    Own(Box<Connections>),
    Lent(Lent),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => write!(f, "Client({})", own.address()),
            Self::Lent(_) => f.write_str("Client(handed in)"),
        }
    }
}

#[maybe_async::maybe_async]
impl Client {
    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self::Own(Box::new(Connections::new(options)?)))
    }

    /// No I/O.
    pub(super) fn lent(client: SharedClient) -> Self {
        Self::Lent(Lent::new(client))
    }

    /// Makes a first connection, if there is none.
    pub(super) async fn open(&self) -> Result<()> {
        match self {
            Self::Own(own) => own.open().await,
            Self::Lent(_) => Ok(()),
        }
    }

    /// Sends and waits for the answers.
    pub(super) async fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        match self {
            Self::Own(own) => own.ask(commands, effect, within).await,
            Self::Lent(lent) => lent.ask(commands, effect, within).await,
        }
    }

    /// Sends one command and waits for its answer.
    pub(super) async fn ask_one(&self, command: &Commands, effect: Effect, within: Within) -> Result<Value> {
        self.ask(command, effect, within).await?.pop().ok_or_else(unexpected)
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        if let Self::Own(own) = self {
            own.close();
        }
    }
}

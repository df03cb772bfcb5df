//! A client that was handed in, awaiting.

use std::time::Duration;

use kv_core::Result;
use redis::Value;
use redis::aio::ConnectionManager;

use super::commands::Commands;
use super::connections::in_time;
use super::failure::{is_broken, told, unanswered};
use super::options::RedisOptions;
use crate::within::{Effect, Within};

/// A client that the user has: a connection that mends itself, of major version 1 of the crate `redis`.
///
/// It is for [`from_client_v1`](crate::Managed::from_client_v1). The other flavour takes its own form of one.
pub type SharedClient = ConnectionManager;

/// It is not ours to close, and reconnects by itself.
pub(super) struct Lent {
    manager: SharedClient,
    timeout: Duration,
}

impl Lent {
    pub(super) fn new(manager: SharedClient) -> Self {
        Self { manager, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Sends and waits for the answers.
    pub(super) async fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        Box::pin(self.exchange(commands, effect, within)).await
    }

    async fn exchange(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        let mut manager = self.manager.clone();
        match in_time(commands.send(&mut manager), within.for_answer(self.timeout)?).await {
            Err(error) if is_broken(&error) && effect == Effect::Read => {
                // It has begun to reconnect.
                let answers = in_time(commands.send(&mut manager), within.for_answer(self.timeout)?).await;
                answers.map_err(|error| told(&error))
            }
            answers => answers.map_err(|error| unanswered(&error, effect)),
        }
    }
}

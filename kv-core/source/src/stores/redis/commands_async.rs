//! What is sent, by the awaiting client.

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisResult, Value};

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

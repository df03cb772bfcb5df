//! What is sent, by the awaiting client.

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisResult, Value};

/// Commands that are sent in one write.
#[derive(Debug)]
pub(super) struct Commands {
    expected: usize,
    begun: Begun,
}

/// One command, as most are sent, needs no list.
#[derive(Debug)]
enum Begun {
    None,
    One(Cmd),
    Many(Pipeline),
}

impl Commands {
    /// For so many commands, with about so many bytes in all.
    pub(super) fn new(commands: usize, _bytes: usize) -> Self {
        Self { expected: commands, begun: Begun::None }
    }

    /// Begins a command of so many parts, with about so many bytes.
    pub(super) fn begin(&mut self, parts: usize, bytes: usize) {
        let command = Cmd::with_capacity(parts, bytes);
        self.begun = match std::mem::replace(&mut self.begun, Begun::None) {
            Begun::None => Begun::One(command),
            Begun::One(first) => {
                let mut all = Pipeline::with_capacity(self.expected);
                all.add_command(first).add_command(command);
                Begun::Many(all)
            }
            Begun::Many(mut all) => {
                all.add_command(command);
                Begun::Many(all)
            }
        };
    }

    /// The next part of the command that was begun.
    pub(super) fn part(&mut self, part: &[u8]) {
        match &mut self.begun {
            Begun::None => {}
            Begun::One(command) => _ = command.arg(part),
            Begun::Many(all) => _ = all.arg(part),
        }
    }

    /// Sends and reads the answers. Errors of the server are values.
    pub(super) async fn send<C: ConnectionLike + Send>(&self, connection: &mut C) -> RedisResult<Vec<Value>> {
        match &self.begun {
            Begun::None => Ok(Vec::new()),
            Begun::One(command) => connection.req_packed_command(command).await.map(|answer| vec![answer]),
            Begun::Many(all) => connection.req_packed_commands(all, 0, all.len()).await,
        }
    }
}

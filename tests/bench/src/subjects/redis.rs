//! The floor of Redis: the client crate as it is, on the same bytes, a connection a lane.

use std::sync::Arc;

use kv_core::formats::{self, Stamp};
use kv_core::{Name, Record, Timestamp, ValueRef};
use parking_lot::{Mutex, MutexGuard};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Connection, IntoConnectionInfo, RedisResult};

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::{TTL, VALUE};

/// As long as the name of the default collection.
const COLLECTION: &str = "floors__collection";
const FAILED: &str = "Redis does it";

/// A document as ours writes it.
fn document() -> Vec<u8> {
    let at = |micros: u64| Timestamp::from_micros(micros as i64);
    let record = Record::new(ValueRef::Json(VALUE), 0x0123_4567_89ab_cdef)
        .with_created(at(now()))
        .with_expires(at(now() + TTL.as_micros() as u64));
    let mut document = Vec::new();
    formats::encode(Name::new("default_collection", "user:00000000"), &record, &mut Stamp::default(), &mut document);
    document
}

fn name(key: &str) -> String {
    format!("{COLLECTION}::{key}")
}

fn milliseconds() -> u64 {
    TTL.as_millis() as u64
}

/// One command, or a hundred in one write.
struct Commands {
    document: Vec<u8>,
}

impl Commands {
    fn put(&self, key: &str) -> redis::Cmd {
        let mut command = redis::cmd("SET");
        command.arg(name(key)).arg(&self.document).arg("PX").arg(milliseconds());
        command
    }

    fn get(key: &str) -> redis::Cmd {
        let mut command = redis::cmd("GET");
        command.arg(name(key));
        command
    }

    fn delete(key: &str) -> redis::Cmd {
        let mut command = redis::cmd("DEL");
        command.arg(name(key));
        command
    }

    fn get_many(keys: &[String]) -> redis::Cmd {
        let mut command = redis::cmd("MGET");
        keys.iter().for_each(|key| _ = command.arg(name(key)));
        command
    }

    fn put_many(&self, keys: &[String]) -> redis::Pipeline {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("SET").arg(name(key)).arg(&self.document).arg("PX").arg(milliseconds()).ignore();
        }
        pipeline
    }
}

/// Connections that block.
pub struct RawBlocking {
    connections: [Mutex<Connection>; 2],
    commands: Commands,
}

impl RawBlocking {
    pub fn connect(url: &str) -> RedisResult<Arc<Self>> {
        let client = Client::open(url)?;
        let connect = || client.get_connection().map(Mutex::new);
        let commands = Commands { document: document() };
        Ok(Arc::new(Self { connections: [connect()?, connect()?], commands }))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connections[0].try_lock().unwrap_or_else(|| self.connections[1].lock())
    }
}

impl Blocking for RawBlocking {
    fn get(&self, key: &str) -> bool {
        let found: Option<Vec<u8>> = Commands::get(key).query(&mut *self.connection()).expect(FAILED);
        found.is_some_and(|document| !document.is_empty())
    }

    fn put(&self, key: &str) {
        self.commands.put(key).exec(&mut *self.connection()).expect(FAILED);
    }

    fn delete(&self, key: &str) -> bool {
        Commands::delete(key).query(&mut *self.connection()).expect(FAILED)
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let found: Vec<Option<Vec<u8>>> = Commands::get_many(keys).query(&mut *self.connection()).expect(FAILED);
        found.iter().flatten().count()
    }

    fn put_many(&self, keys: &[String]) {
        self.commands.put_many(keys).exec(&mut *self.connection()).expect(FAILED);
    }
}

/// One connection that all tasks share.
pub struct RawAsync {
    connection: MultiplexedConnection,
    commands: Commands,
}

impl RawAsync {
    /// With `no_delay` small writes are sent at once, where by default they wait for one another.
    pub async fn connect(url: &str, no_delay: bool) -> RedisResult<Arc<Self>> {
        let settings = TcpSettings::default().set_nodelay(no_delay);
        let info = url.into_connection_info()?.set_tcp_settings(settings);
        let connection = Client::open(info)?.get_multiplexed_async_connection().await?;
        Ok(Arc::new(Self { connection, commands: Commands { document: document() } }))
    }
}

impl Awaiting for RawAsync {
    async fn get(&self, key: &str) -> bool {
        let found: Option<Vec<u8>> = Commands::get(key).query_async(&mut self.connection.clone()).await.expect(FAILED);
        found.is_some_and(|document| !document.is_empty())
    }

    async fn put(&self, key: &str) {
        self.commands.put(key).exec_async(&mut self.connection.clone()).await.expect(FAILED);
    }

    async fn delete(&self, key: &str) -> bool {
        Commands::delete(key).query_async(&mut self.connection.clone()).await.expect(FAILED)
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let found: Vec<Option<Vec<u8>>> =
            Commands::get_many(keys).query_async(&mut self.connection.clone()).await.expect(FAILED);
        found.iter().flatten().count()
    }

    async fn put_many(&self, keys: &[String]) {
        self.commands.put_many(keys).exec_async(&mut self.connection.clone()).await.expect(FAILED);
    }
}

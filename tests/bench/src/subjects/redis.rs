//! The floor of Redis: the client crate as it is, on the same bytes, a connection a lane.

use std::borrow::Cow;
use std::sync::Arc;

use kv_core::formats::{self, Stamp};
use kv_core::{Name, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, Connection, FromRedisValue, IntoConnectionInfo, Pipeline, RedisResult, Value};

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::{TTL, record};

/// Ours: how a server finds and reads a value depends on how it came to lie where it lies, so the floor and ours have
/// the same ones.
const COLLECTION: &str = "default_collection";
const FAILED: &str = "Redis does it";

/// What is done around the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// What ours does, too: the document is made for every record that is written, the value is taken out of what is
    /// read, unless it has ended, and what is deleted is asked whether it had.
    Records,
    /// Nothing: bytes that are at hand are written, what is read is not looked at, and a key is deleted.
    Nothing,
}

/// What was read.
struct Read {
    #[expect(dead_code, reason = "what a reader of the record gets")]
    created: Option<Timestamp>,
    value: Box<[u8]>,
}

/// What is sent, and what is made of the answers.
struct Records {
    work: Work,
    at_hand: Vec<u8>,
}

impl Records {
    fn new(work: Work) -> Self {
        let mut at_hand = Vec::new();
        Self::write("user:00000000", now(), &mut Stamp::default(), &mut at_hand);
        Self { work, at_hand }
    }

    fn name(&self, key: &str) -> Vec<u8> {
        let collection = if self.work == Work::Records { COLLECTION } else { "floors__collection" };
        [collection.as_bytes(), b"::", key.as_bytes()].concat()
    }

    /// The document of a key as ours writes it.
    fn write(key: &str, now: u64, stamp: &mut Stamp, out: &mut Vec<u8>) {
        formats::encode(Name::new(COLLECTION, key), &record(now), stamp, out);
    }

    fn document(&self, key: &str, now: u64, stamp: &mut Stamp) -> Cow<'_, [u8]> {
        match self.work {
            Work::Nothing => Cow::Borrowed(&self.at_hand),
            Work::Records => {
                let mut document = Vec::new();
                Self::write(key, now, stamp, &mut document);
                Cow::Owned(document)
            }
        }
    }

    /// The record in what was read, if it has not ended.
    fn read(stored: &[u8], now: u64) -> Option<Read> {
        let document = formats::decode(stored).expect("a document");
        if document.expires.is_some_and(|expires| expires.as_micros() <= now as i64) {
            return None;
        }
        Some(Read { created: document.created, value: document.value.as_encoded().into() })
    }

    /// Whether there is such a record.
    fn found(&self, stored: Option<Vec<u8>>) -> bool {
        match self.work {
            Work::Nothing => stored.is_some_and(|stored| !stored.is_empty()),
            Work::Records => {
                stored.and_then(|stored| Self::read(&stored, now())).is_some_and(|read| !read.value.is_empty())
            }
        }
    }

    fn count(&self, stored: Vec<Option<Vec<u8>>>) -> usize {
        match self.work {
            Work::Nothing => stored.iter().flatten().count(),
            Work::Records => {
                let now = now();
                let read: Vec<_> = stored.iter().map(|stored| Self::read(stored.as_deref()?, now)).collect();
                std::hint::black_box(&read).iter().flatten().count()
            }
        }
    }

    fn put(&self, key: &str) -> Cmd {
        let mut command = redis::cmd("SET");
        let document = self.document(key, now(), &mut Stamp::default());
        command.arg(self.name(key)).arg(&*document).arg("PX").arg(TTL.as_millis() as u64);
        command
    }

    fn get(&self, key: &str) -> Cmd {
        let mut command = redis::cmd("GET");
        command.arg(self.name(key));
        command
    }

    /// Only the document tells whether the record had ended.
    fn delete(&self, key: &str) -> Cmd {
        let mut command = redis::cmd(if self.work == Work::Records { "GETDEL" } else { "DEL" });
        command.arg(self.name(key));
        command
    }

    fn deleted(&self, answer: Value) -> RedisResult<bool> {
        match self.work {
            Work::Nothing => Ok(FromRedisValue::from_redis_value(answer)?),
            Work::Records => Ok(self.found(FromRedisValue::from_redis_value(answer)?)),
        }
    }

    fn get_many(&self, keys: &[String]) -> Cmd {
        let mut command = redis::cmd("MGET");
        keys.iter().for_each(|key| _ = command.arg(self.name(key)));
        command
    }

    fn put_many(&self, keys: &[String]) -> Pipeline {
        let mut pipeline = redis::pipe();
        let (now, mut stamp) = (now(), Stamp::default());
        for key in keys {
            let document = self.document(key, now, &mut stamp);
            let set = pipeline.cmd("SET").arg(self.name(key)).arg(&*document);
            set.arg("PX").arg(TTL.as_millis() as u64).ignore();
        }
        pipeline
    }
}

/// Connections that block.
pub struct RawBlocking {
    connections: [Mutex<Connection>; 2],
    records: Records,
}

impl RawBlocking {
    pub fn connect(url: &str, work: Work) -> RedisResult<Arc<Self>> {
        let client = Client::open(url)?;
        let connect = || client.get_connection().map(Mutex::new);
        let records = Records::new(work);
        Ok(Arc::new(Self { connections: [connect()?, connect()?], records }))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connections[0].try_lock().unwrap_or_else(|| self.connections[1].lock())
    }
}

impl Blocking for RawBlocking {
    fn get(&self, key: &str) -> bool {
        self.records.found(self.records.get(key).query(&mut *self.connection()).expect(FAILED))
    }

    fn put(&self, key: &str) {
        self.records.put(key).exec(&mut *self.connection()).expect(FAILED);
    }

    fn delete(&self, key: &str) -> bool {
        let answer = self.records.delete(key).query(&mut *self.connection()).expect(FAILED);
        self.records.deleted(answer).expect(FAILED)
    }

    fn get_many(&self, keys: &[String]) -> usize {
        self.records.count(self.records.get_many(keys).query(&mut *self.connection()).expect(FAILED))
    }

    fn put_many(&self, keys: &[String]) {
        self.records.put_many(keys).exec(&mut *self.connection()).expect(FAILED);
    }
}

/// One connection that all tasks share.
pub struct RawAsync {
    connection: MultiplexedConnection,
    records: Records,
}

impl RawAsync {
    /// With `no_delay` small writes are sent at once, where by default they wait for one another.
    pub async fn connect(url: &str, work: Work, no_delay: bool) -> RedisResult<Arc<Self>> {
        let settings = TcpSettings::default().set_nodelay(no_delay);
        let info = url.into_connection_info()?.set_tcp_settings(settings);
        let connection = Client::open(info)?.get_multiplexed_async_connection().await?;
        Ok(Arc::new(Self { connection, records: Records::new(work) }))
    }
}

impl Awaiting for RawAsync {
    async fn get(&self, key: &str) -> bool {
        self.records.found(self.records.get(key).query_async(&mut self.connection.clone()).await.expect(FAILED))
    }

    async fn put(&self, key: &str) {
        self.records.put(key).exec_async(&mut self.connection.clone()).await.expect(FAILED);
    }

    async fn delete(&self, key: &str) -> bool {
        let answer = self.records.delete(key).query_async(&mut self.connection.clone()).await.expect(FAILED);
        self.records.deleted(answer).expect(FAILED)
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        self.records.count(self.records.get_many(keys).query_async(&mut self.connection.clone()).await.expect(FAILED))
    }

    async fn put_many(&self, keys: &[String]) {
        self.records.put_many(keys).exec_async(&mut self.connection.clone()).await.expect(FAILED);
    }
}

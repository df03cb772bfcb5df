//! The floor of disks: rusqlite with the same tables, log, durability and page cache, and statements that stay prepared.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kv_core::formats::disk::SCHEMA;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{CachedStatement, Connection, params};

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::{TTL, VALUE};

const COLLECTION: &str = "default_collection";
const GET: &str = "SELECT expires, created, revision, metadata, value FROM entries WHERE collection = ?1 AND key = ?2";
const PUT: &str = "INSERT INTO entries (collection, key, created, expires, revision, metadata, value) \
     VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6) ON CONFLICT (collection, key) DO UPDATE SET created = excluded.created, \
     expires = excluded.expires, revision = excluded.revision, metadata = excluded.metadata, value = excluded.value";
const DELETE: &str = "DELETE FROM entries WHERE collection = ?1 AND key = ?2";

/// A connection that writes and two that read.
pub struct Raw {
    writer: Mutex<Connection>,
    readers: [Mutex<Connection>; 2],
}

/// What was read.
struct Read {
    #[expect(dead_code, reason = "what a reader of the row gets")]
    stamps: (Option<i64>, i64),
    value: Box<[u8]>,
}

impl Raw {
    /// In this file; `synchronous` as SQLite calls it.
    pub fn open(path: &Path, synchronous: &str) -> rusqlite::Result<Arc<Self>> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.pragma_update(None, "cache_size", -(32 * 1024 / 9))?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        };
        let writer = open()?;
        writer.execute_batch(SCHEMA)?;
        Ok(Arc::new(Self { writer: Mutex::new(writer), readers: [Mutex::new(open()?), Mutex::new(open()?)] }))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.readers[0].try_lock().unwrap_or_else(|| self.readers[1].lock())
    }

    fn put_into(statement: &mut CachedStatement<'_>, key: &str) -> rusqlite::Result<()> {
        let value = str::from_utf8(VALUE).unwrap_or_default();
        let (now, revision) = (now() as i64, std::hint::black_box(7_i64));
        statement.execute(params![COLLECTION, key, now, now + TTL.as_micros() as i64, revision, value])?;
        Ok(())
    }

    fn read(statement: &mut CachedStatement<'_>, key: &str) -> rusqlite::Result<Option<Read>> {
        let mut rows = statement.query((COLLECTION, key))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let expires: Option<i64> = row.get(0)?;
        if expires.is_some_and(|expires| expires <= now() as i64) {
            return Ok(None);
        }
        let value = row.get_ref(4)?.as_bytes()?.into();
        Ok(Some(Read { stamps: (row.get(1)?, row.get(2)?), value }))
    }

    fn try_get_many(&self, keys: &[String]) -> rusqlite::Result<usize> {
        let connection = self.reader();
        connection.prepare_cached("BEGIN")?.execute(())?;
        let mut statement = connection.prepare_cached(GET)?;
        let found: Vec<Option<Read>> =
            keys.iter().map(|key| Self::read(&mut statement, key)).collect::<Result<_, _>>()?;
        drop(statement);
        connection.prepare_cached("COMMIT")?.execute(())?;
        Ok(std::hint::black_box(&found).iter().flatten().count())
    }

    fn try_put_many(&self, keys: &[String]) -> rusqlite::Result<()> {
        let connection = self.writer.lock();
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let mut statement = connection.prepare_cached(PUT)?;
        keys.iter().try_for_each(|key| Self::put_into(&mut statement, key))?;
        drop(statement);
        connection.prepare_cached("COMMIT")?.execute(())?;
        Ok(())
    }
}

const FAILED: &str = "SQLite does it";

impl Blocking for Raw {
    fn get(&self, key: &str) -> bool {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(GET).expect(FAILED);
        Self::read(&mut statement, key).expect(FAILED).is_some_and(|read| !read.value.is_empty())
    }

    fn put(&self, key: &str) {
        let connection = self.writer.lock();
        Self::put_into(&mut connection.prepare_cached(PUT).expect(FAILED), key).expect(FAILED);
    }

    fn delete(&self, key: &str) -> bool {
        let connection = self.writer.lock();
        let mut statement = connection.prepare_cached(DELETE).expect(FAILED);
        statement.execute((COLLECTION, key)).expect(FAILED) > 0
    }

    fn get_many(&self, keys: &[String]) -> usize {
        self.try_get_many(keys).expect(FAILED)
    }

    fn put_many(&self, keys: &[String]) {
        self.try_put_many(keys).expect(FAILED);
    }
}

/// The floor's calls, each handed to a thread that may block: what async programs do.
pub struct Spawning(pub Arc<Raw>);

impl Spawning {
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Raw) -> T + Send + 'static) -> T {
        let raw = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&raw)).await.expect("the thread ends")
    }
}

impl Awaiting for Spawning {
    async fn get(&self, key: &str) -> bool {
        let key = key.to_owned();
        self.run(move |raw| raw.get(&key)).await
    }

    async fn put(&self, key: &str) {
        let key = key.to_owned();
        self.run(move |raw| raw.put(&key)).await;
    }

    async fn delete(&self, key: &str) -> bool {
        let key = key.to_owned();
        self.run(move |raw| raw.delete(&key)).await
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let keys = keys.to_vec();
        self.run(move |raw| raw.get_many(&keys)).await
    }

    async fn put_many(&self, keys: &[String]) {
        let keys = keys.to_vec();
        self.run(move |raw| raw.put_many(&keys)).await;
    }
}

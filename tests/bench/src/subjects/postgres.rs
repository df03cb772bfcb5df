//! The floor of PostgreSQL: the client crate as it is, with the same statements, prepared, on the same bytes.

use std::error::Error;
use std::sync::{Arc, LazyLock};

use kv_core::Timestamp;
use kv_core::formats::postgres::{Query, Statements, Table, to_server};
use parking_lot::{Mutex, MutexGuard};
use tokio_postgres::NoTls;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::{TTL, VALUE};

/// As long as the name of the default collection.
const COLLECTION: &str = "floors__collection";
const FAILED: &str = "PostgreSQL does it";

/// Bytes in the form that the server has them in.
#[derive(Debug, Clone, Copy)]
struct Raw<'a>(&'a [u8]);

impl ToSql for Raw<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, sort: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(sort, out)
    }
}

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The value as the server takes it.
static SENT: LazyLock<Vec<u8>> = LazyLock::new(|| [b"\x01", VALUE].concat());

/// What is written, as the server takes it: as in any program, each at an instant of its own, and a state of its own.
struct Document {
    value: &'static [u8],
    ttl: f64,
    created: [u8; 8],
    expires: [u8; 8],
}

impl Document {
    fn new() -> Self {
        let at = |micros: u64| to_server(Timestamp::from_micros(micros as i64).expect("an instant")).to_be_bytes();
        let now = now();
        Self { value: &SENT, ttl: TTL.as_secs_f64(), created: at(now), expires: at(now + TTL.as_micros() as u64) }
    }
}

const QUERIES: [Query; 5] = [Query::Get, Query::GetMany, Query::Put, Query::PutMany, Query::Delete];

/// The texts, in the order of [`QUERIES`], on the table that the store makes.
fn texts() -> [String; 5] {
    let statements = Statements::new(&Table::new("public", "kv_store").expect("names"));
    QUERIES.map(|query| statements.text(query, true).to_owned())
}

fn has_value(row: &tokio_postgres::Row, column: usize) -> bool {
    row.get::<_, Option<Raw<'_>>>(column).is_some_and(|value| !value.0.is_empty())
}

/// What stands in the last column of a record.
const VALUE_AT: usize = 9;

/// The five operations of one client, whose calls are followed by these words.
macro_rules! operations {
    (get $client:expr, $statements:expr, $key:expr, [$($wait:tt)*]) => {{
        let found = $client.query_opt(&$statements[0], &[&COLLECTION, &$key]) $($wait)* .expect(FAILED);
        found.is_some_and(|row| has_value(&row, VALUE_AT))
    }};
    (get_many $client:expr, $statements:expr, $keys:expr, [$($wait:tt)*]) => {{
        let keys: Vec<&str> = $keys.iter().map(String::as_str).collect();
        let found = $client.query(&$statements[1], &[&COLLECTION, &keys]) $($wait)* .expect(FAILED);
        found.iter().filter(|row| has_value(row, VALUE_AT + 1)).count()
    }};
    (put $client:expr, $statements:expr, $key:expr, [$($wait:tt)*]) => {{
        let document = Document::new();
        let (text, bytes) = (None::<&str>, None::<&[u8]>);
        $client.execute(&$statements[2], &[
            &COLLECTION, &$key, &Raw(document.value), &document.ttl, &Raw(&document.created), &Raw(&document.expires),
            &fastrand::i64(..), &text, &text, &bytes, &bytes, &bytes,
        ]) $($wait)* .expect(FAILED);
    }};
    (put_many $client:expr, $statements:expr, $keys:expr, [$($wait:tt)*]) => {{
        let (document, count) = (Document::new(), $keys.len());
        let revisions: Vec<i64> = (0..count).map(|_| fastrand::i64(..)).collect();
        let keys: Vec<&str> = $keys.iter().map(String::as_str).collect();
        let (texts, bytes) = (vec![None::<&str>; count], vec![None::<&[u8]>; count]);
        $client.execute(&$statements[3], &[
            &COLLECTION, &None::<&[u8]>, &keys, &vec![Raw(document.value); count], &vec![document.ttl; count],
            &vec![Raw(&document.created); count], &vec![Raw(&document.expires); count],
            &revisions, &texts, &texts, &bytes, &bytes,
        ]) $($wait)* .expect(FAILED);
    }};
    (delete $client:expr, $statements:expr, $key:expr, [$($wait:tt)*]) => {{
        let document = Document::new();
        let now = Raw(&document.created);
        $client.query_opt(&$statements[4], &[&COLLECTION, &$key, &now]) $($wait)* .expect(FAILED).is_some()
    }};
}

type Line = (postgres::Client, Vec<postgres::Statement>);

/// Connections that block.
pub struct RawBlocking {
    lines: [Mutex<Line>; 2],
}

impl RawBlocking {
    pub fn connect(url: &str) -> Result<Arc<Self>, postgres::Error> {
        let line = || {
            let mut client = postgres::Client::connect(url, NoTls)?;
            let statements = texts().iter().map(|text| client.prepare(text)).collect::<Result<Vec<_>, _>>()?;
            Ok(Mutex::new((client, statements)))
        };
        Ok(Arc::new(Self { lines: [line()?, line()?] }))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.lines[0].try_lock().unwrap_or_else(|| self.lines[1].lock())
    }
}

impl Blocking for RawBlocking {
    fn get(&self, key: &str) -> bool {
        let (client, statements) = &mut *self.line();
        operations!(get client, statements, key, [])
    }

    fn put(&self, key: &str) {
        let (client, statements) = &mut *self.line();
        operations!(put client, statements, key, [])
    }

    fn delete(&self, key: &str) -> bool {
        let (client, statements) = &mut *self.line();
        operations!(delete client, statements, key, [])
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let (client, statements) = &mut *self.line();
        operations!(get_many client, statements, keys, [])
    }

    fn put_many(&self, keys: &[String]) {
        let (client, statements) = &mut *self.line();
        operations!(put_many client, statements, keys, [])
    }
}

/// Connections that tasks share in turn: the client sends what comes while it waits.
pub struct RawAsync {
    lines: Vec<(tokio_postgres::Client, Vec<tokio_postgres::Statement>)>,
    next: std::sync::atomic::AtomicUsize,
}

impl RawAsync {
    /// With so many connections.
    pub async fn connect(url: &str, connections: usize) -> Result<Arc<Self>, tokio_postgres::Error> {
        let mut lines = Vec::new();
        for _ in 0..connections {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(async move {
                // It ends with its client.
                let _ = connection.await;
            });
            let mut statements = Vec::new();
            for text in texts() {
                statements.push(client.prepare(&text).await?);
            }
            lines.push((client, statements));
        }
        Ok(Arc::new(Self { lines, next: Default::default() }))
    }

    fn line(&self) -> &(tokio_postgres::Client, Vec<tokio_postgres::Statement>) {
        &self.lines[self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % self.lines.len()]
    }
}

impl Awaiting for RawAsync {
    async fn get(&self, key: &str) -> bool {
        let (client, statements) = self.line();
        operations!(get client, statements, key, [.await])
    }

    async fn put(&self, key: &str) {
        let (client, statements) = self.line();
        operations!(put client, statements, key, [.await])
    }

    async fn delete(&self, key: &str) -> bool {
        let (client, statements) = self.line();
        operations!(delete client, statements, key, [.await])
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let (client, statements) = self.line();
        operations!(get_many client, statements, keys, [.await])
    }

    async fn put_many(&self, keys: &[String]) {
        let (client, statements) = self.line();
        operations!(put_many client, statements, keys, [.await])
    }
}

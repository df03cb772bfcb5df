//! PostgreSQL.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kv_core::formats::postgres::{Found, Query, Statements, Table, setup_script};
use kv_core::{
    Atomicity, CallOptions, Capabilities, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Listing, Name, Page, PutOutcome, Record, Result, Stability, Written,
};

use crate::attempts::Attempts;
use crate::driver::{Context, Driver};
use crate::managed::Managed;
use crate::within::{Effect, Within};

mod connect;
mod failure;
mod listing;
mod options;
mod params;
mod records;
mod url;

#[cfg_attr(feature = "is_sync", path = "postgres/client_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "postgres/client_async.rs")]
mod client;

#[cfg_attr(feature = "is_sync", path = "postgres/connections_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "postgres/connections_async.rs")]
mod connections;

#[cfg_attr(feature = "is_sync", path = "postgres/line_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "postgres/line_async.rs")]
mod line;

pub use client::SharedPool as PostgresPoolV0;
pub use options::PostgresOptions;

use client::Client;
use connect::Settings;
use params::{Answer, Param, Request, flag, float, text};

/// A store in a table of PostgreSQL 14 or later, over TCP, TLS (feature `postgres-tls`) or a Unix socket.
///
/// ```
/// use kv_source::stores::PostgresStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = PostgresStore::connect("postgres://app:secret@localhost/shop")?;
/// // Nothing was contacted yet: the first use connects, and makes the table.
/// let kv = kv_source::Kv::new(store);
/// # Ok(())
/// # }
/// ```
///
/// # What it stores
///
/// A row for each record, in the table `public.kv_store` unless [another](PostgresOptions::with_table) is named, which
/// is the store's alone. The value is JSONB. Instants have microseconds. Python's `py-key-value-aio` reads and writes the
/// same table; [`formats::postgres`](kv_core::formats::postgres) tells the columns. Set-up makes the table, or adds to
/// Python's what this store needs beside (six columns, a trigger, an index or two), which Python does not mind. It finds
/// out with one statement whether there is anything to do. Several programs may do it at the same time.
///
/// JSONB keeps integers of any length, but it makes an integer of `1e300` and drops the sign of `-0.0`; the exact text of
/// such a value is kept beside it, and Python reads what JSONB made of it, as it does of its own. It takes no `\u0000`, no
/// half of a surrogate pair, no number of more than 4,000 digits or an exponent beyond 400, and no nesting of more than 512
/// levels; of such a value, of one of more than 32 MiB and of bytes, there is only what is beside, and Python cannot read
/// it. A value is at most 255 MiB.
///
/// A key or a collection's name that holds a NUL, or begins with U+10FFFF, is stored as a hash with the true name beside it;
/// so is a key that together with its collection's name has more than 2,660 bytes, for which the index has no room.
///
/// # Round trips
///
/// Every operation on one record and on a batch takes one, however large the batch, but for
/// * `update`, `increment`, `take`, `get_and_put`, `touch` and their like: two, read and write, and again where another
///   writer was first;
/// * the first use of a statement on a connection: one more, which prepares it;
/// * a call that may take longer than an answer usually may: one more on that connection, and one to set it back;
/// * one of 1,000 writes, each record of a batch counted: one more, which frees some records that have ended, if there are
///   any.
///
/// A page of a listing takes one, and reads 20,000 rows at most (1,000 with entries); counting takes one, with a pattern one a
/// page. Clearing, destroying and culling take one for every 5,000 rows, so that no lock is held for long.
///
/// Keys are listed in the order of their bytes, each once. A table that this store made has an index in this order, and one
/// whose columns have another collation is given one, if it has no more than 200,000 rows; else run
/// `CREATE INDEX CONCURRENTLY idx_kv_store_kv_order ON kv_store (collection, key COLLATE "C")`.
///
/// # Failures
///
/// A call that finds its connection broken connects anew, and reads are sent again. So is a put, if the connection had been
/// idle, so that it most likely broke before. Any other write whose answer did not come fails with
/// [`Error::outcome_unknown`](kv_core::Error::outcome_unknown). Connections time out, answers time out, by default after 5 s
/// each; the server is told to end a statement after the same time. What the server ends because of a deadlock is sent again.
///
/// # Blocking and awaiting
///
/// The blocking store drives each connection by a small runtime of its own, as the crate `postgres` does. Inside an async
/// runtime its calls work, on a thread of their own, for 20 to 50 µs more each.
pub type PostgresStore = Managed<PostgresDriver>;

impl Managed<PostgresDriver> {
    /// A store on the server of this URL; see [`PostgresOptions::from_url`]. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::with_options(PostgresOptions::from_url(url)?)
    }

    /// A store with these options. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work, such as TLS where that is not built in.
    pub fn with_options(options: PostgresOptions) -> Result<Self> {
        let client = Client::new(Settings::new(&options)?);
        Ok(Self::from_driver(PostgresDriver::new(&options, client)?))
    }

    /// A store over a pool that the program has, in the table `public.kv_store`; no I/O. It is never closed by the store.
    /// Answers are waited for 5 s unless a call says otherwise.
    ///
    /// The blocking store takes an `r2d2::Pool` whose connections are `postgres::Client`s, of whatever manager, and sends
    /// each call from a thread of its own, since that client knows no time-out; the awaiting store takes a
    /// `deadpool_postgres::Pool`.
    ///
    /// The name carries the major version of the crates that the pool is of. A later one will be taken by a function of its
    /// own, beside this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`]; not as it stands.
    pub fn from_pool_v0(pool: impl Into<PostgresPoolV0>) -> Result<Self> {
        Self::from_pool_v0_with(pool, PostgresOptions::default())
    }

    /// As [`from_pool_v0`](Self::from_pool_v0), with what these options say of the table, of set-up, of a pooler and of
    /// time-outs; where the server is, and how to log in, is the pool's to say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work.
    pub fn from_pool_v0_with(pool: impl Into<PostgresPoolV0>, options: PostgresOptions) -> Result<Self> {
        let client = Client::lent(pool.into(), Settings::new(&options)?);
        Ok(Self::from_driver(PostgresDriver::new(&options, client)?))
    }
}

/// The driver of [`PostgresStore`].
pub struct PostgresDriver {
    client: Client,
    table: Table,
    statements: Statements,
    auto_create: bool,
    /// The column of keys has the order of bytes.
    in_byte_order: AtomicBool,
    /// Writes since some records that have ended were freed.
    writes: AtomicUsize,
}

impl fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::KIND).field("table", &self.table).field("client", &self.client).finish()
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for PostgresDriver {
    const KIND: &'static str = "PostgreSQL";

    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.stores = true;
        capabilities.conditional = Atomicity::Linearizable;
        capabilities.atomic_batches = true;
        capabilities.listing = Listing::ExactlyOnce;
        capabilities.ordered = true;
        capabilities.collections = true;
        capabilities.clear = true;
        capabilities.cull = true;
        capabilities.metadata = true;
        capabilities.persistent = true;
        capabilities.shared = true;
        capabilities.max_value_bytes = Some(255 << 20);
        Description::new(Self::KIND, Stability::Preview, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        self.make_table().await
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        self.read(name, head, Within::new(call.timeout)).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.read_many(collection, keys, head, Within::new(call.timeout)).await
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        self.write(name, record, condition, cx).await
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        self.write_many(collection, records, cx).await
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        self.remove(name, condition, cx).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        self.remove_many(collection, keys, cx).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        self.ask(Query::Ping, Vec::new(), Effect::Read, Within::new(cx.timeout)).await.map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.client.close().await;
        Ok(())
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        self.list_page(collection, options, cx, Within::new(cx.timeout)).await
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        self.list_collections(options, cx).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        self.count_live(collection, filter, cx).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        self.clear_collection(collection, filter, cx).await
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        self.destroy_all(cx).await
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        self.cull_all(cx).await
    }
}

/// What the parts of the driver need of it.
impl PostgresDriver {
    /// So many writes, and some records that have ended are freed. It is a statement of its own: a batch is not to pay
    /// for one each time, and it is not to hold up the one write that it comes after for long.
    const WRITES_TO_CULL: usize = 1_000;

    fn new(options: &PostgresOptions, client: Client) -> Result<Self> {
        let table = Table::new(&*options.schema, &*options.table)?;
        Ok(Self {
            client,
            statements: Statements::new(&table),
            table,
            auto_create: options.auto_create,
            in_byte_order: AtomicBool::new(false),
            writes: AtomicUsize::new(0),
        })
    }

    /// Sends a statement. What the server took back because others were in the way is sent again.
    #[maybe_async::maybe_async]
    async fn ask(&self, query: Query, params: Vec<Param<'_>>, effect: Effect, within: Within) -> Result<Answer> {
        let in_byte_order = self.in_byte_order.load(Ordering::Acquire);
        let sql = self.statements.text(query, in_byte_order);
        let request = Request { query, sql, number: Statements::number(query, in_byte_order), params };
        let mut attempts = Attempts::default();
        loop {
            match self.client.ask(&request, effect, within).await {
                Err(error) if error.kind() == ErrorKind::Contended => attempts.pause().await?,
                answer => return answer,
            }
        }
    }

    /// Frees some records that have ended, after every so many writes; whether or not that succeeds, they succeeded.
    #[maybe_async::maybe_async]
    async fn after_writes(&self, writes: usize, cx: Context<'_>, within: Within) {
        let before = self.writes.fetch_add(writes, Ordering::Relaxed);
        if before % Self::WRITES_TO_CULL + writes >= Self::WRITES_TO_CULL {
            let most = writes.max(Self::WRITES_TO_CULL) * 2;
            // It is tried again by a later write.
            let _ = self.cull_some(most, cx, within).await;
        }
    }

    #[maybe_async::maybe_async]
    async fn inspect(&self) -> Result<Found> {
        let belongings = self.table.belongings();
        let names = [self.table.schema(), self.table.name()].into_iter();
        let params = names.chain(belongings.iter().map(String::as_str)).map(Param::text).collect();
        let answer = self.ask(Query::Inspect, params, Effect::Read, Within::new(None)).await?;
        let row = answer.rows.first().ok_or_else(params::unexpected)?;
        let mut found = Found::default();
        found.schema = flag(row, 0)?;
        found.table = flag(row, 1)?;
        found.columns = text(row, 2)?.to_owned();
        found.unique = flag(row, 3)?;
        found.trigger = flag(row, 4)?;
        found.expiry_index = flag(row, 5)?;
        found.name_index = flag(row, 6)?;
        found.order_index = flag(row, 7)?;
        found.in_byte_order = flag(row, 8)?;
        found.rows = float(row, 9)?;
        text(row, 10)?.clone_into(&mut found.encoding);
        Ok(found)
    }

    #[maybe_async::maybe_async]
    async fn make_table(&self) -> Result<()> {
        let mut attempts = Attempts::default();
        let mut tries = 0;
        loop {
            let found = self.inspect().await?;
            if found.is_complete()? {
                self.in_byte_order.store(found.in_byte_order, Ordering::Release);
                return Ok(());
            }
            let script = setup_script(&self.table, &found);
            if !self.auto_create {
                let message = format!("the table {} is not there, or lacks something; run: {script}", self.table);
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            tries += 1;
            match self.client.script(&script, Within::new(None)).await {
                // Others may make the same, and not all of them wait for each other.
                Err(error) if tries >= 8 || is_final(&error) => return Err(error),
                Err(_) => attempts.pause().await?,
                Ok(()) if tries >= 8 => {
                    return Err(Error::new(ErrorKind::Backend, "the table was made, and is not there"));
                }
                Ok(()) => {}
            }
        }
    }
}

/// Whether a set-up that failed so would fail again.
fn is_final(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Backend | ErrorKind::Contended | ErrorKind::Configuration)
}

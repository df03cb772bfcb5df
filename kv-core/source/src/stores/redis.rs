//! Redis and Valkey.

use std::fmt;
use std::time::Duration;

use kv_core::formats::redis::RedisKeys;
use kv_core::{
    Atomicity, CallOptions, Capabilities, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Listing, Name, Page, PutOutcome, Record, Result, Stability, Written,
};

use crate::driver::{Context, Driver};
use crate::managed::Managed;

mod client;
mod conditional;
mod failure;
mod listing;
mod misses;
mod options;
mod records;
mod url;
mod walk;

#[cfg_attr(feature = "is_sync", path = "redis/commands_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "redis/commands_async.rs")]
mod commands;

#[cfg_attr(feature = "is_sync", path = "redis/connections_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "redis/connections_async.rs")]
mod connections;

#[cfg_attr(feature = "is_sync", path = "redis/lent_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "redis/lent_async.rs")]
mod lent;

pub use lent::SharedClient as RedisClientV1;
pub use options::RedisOptions;

use crate::within::Effect;
use crate::within::Within;
use client::Client;
use misses::Misses;

/// A store in Redis 6.2 or later: a single server, over TCP, TLS (feature `redis-tls`) or a Unix socket.
///
/// ```
/// use kv_source::stores::RedisStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = RedisStore::connect("redis://localhost:6379/0")?;
/// // Nothing was contacted yet: the first use connects.
/// let kv = kv_source::Kv::new(store);
/// # Ok(())
/// # }
/// ```
///
/// # What it stores
///
/// A string for each record, under the key `collection::key`: a JSON document that Python's `py-key-value-aio` reads
/// and writes too, or for bytes a binary envelope, which it does not read. Where Python's keys do not tell records
/// apart (a collection that holds `::`, ends with `:` or begins with `%`) ours are escaped, and Python's are still
/// read; a record is only ever taken for what the names in it say. A put replaces whatever stands under its key. A
/// namespace ([`RedisOptions::with_namespace`]) is a prefix of all keys.
///
/// Expiry is judged by this process's clock, to the microsecond. The server's own is set to the millisecond after.
///
/// # Round trips
///
/// Every operation on one record and on a batch takes one, however large the batch, but for
/// * `get_many` that meets a missing key after 64 of them met none, or a key that holds no string: one more, which
///   makes sure that what reads as missing is;
/// * `update`, `increment`, `take`, `get_and_put` and their like, and the condition `IfPresent`: two, read and write,
///   and again where another writer was first;
/// * deleting a key that itself holds `::` (or begins with `:`) outside a namespace: two, since the record that stands
///   there may be of another collection of Python's;
/// * a delete or a conditional write on a connection that had been idle for a tenth of a second: one more, which makes
///   sure that it still stands, since what broke off halfway could not be repeated.
///
/// Listings walk through all keys of the database, with `SCAN`. While the server resizes its table a key may be
/// listed twice. Listing collections does it anew for every page; `destroy` and `cull` do it once. Without a namespace
/// these three regard only documents that carry their names: other programs' keys stay.
///
/// # Failures
///
/// A call that finds its connection broken connects anew, and reads are sent again. So is a put, if the connection had
/// been idle, so that it most likely broke before. Any other write whose answer did not come fails with
/// [`Error::outcome_unknown`](kv_core::Error::outcome_unknown). Connections time out, answers time out, by default
/// after 5 s each; see [`RedisOptions`]. Whatever is no string under a record's key reads as
/// [`Corrupted`](kv_core::ErrorKind::Corrupted), and is replaced by a put and removed by a delete.
pub type RedisStore = Managed<RedisDriver>;

/// A store in Valkey: all that is said of [`RedisStore`] holds.
///
/// ```
/// use kv_source::Store as _;
/// use kv_source::stores::ValkeyStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = ValkeyStore::connect("valkey://localhost:6379")?;
/// assert_eq!(store.describe().name, "Valkey");
/// # Ok(())
/// # }
/// ```
pub type ValkeyStore = Managed<RedisDriver<true>>;

impl<const VALKEY: bool> Managed<RedisDriver<VALKEY>> {
    /// A store on the server of this URL; see [`RedisOptions::from_url`]. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::with_options(RedisOptions::from_url(url)?)
    }

    /// A store with these options. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work, such as TLS where that is not built in.
    pub fn with_options(options: RedisOptions) -> Result<Self> {
        let client = Client::new(&options)?;
        let keys = RedisKeys::new(options.namespace.as_deref());
        Ok(Self::from_driver(RedisDriver::new(keys, client)))
    }

    /// A store over a client that the program has; no I/O. It is never closed by the store, reconnects by its own
    /// rules, and answers are waited for 5 s unless a call says otherwise (or its own time-out is shorter).
    ///
    /// Give the store a client of its own: it sets time-outs on a pool's connections, and takes them off again.
    ///
    /// The name carries the major version of the crate `redis` that the client's type is of. A later one will be taken
    /// by a function of its own, beside this.
    pub fn from_client_v1(client: RedisClientV1) -> Self {
        Self::from_driver(RedisDriver::new(RedisKeys::new(None), Client::lent(client)))
    }

    /// As [`from_client_v1`](Self::from_client_v1), in a namespace; see [`RedisOptions::with_namespace`].
    pub fn from_client_v1_in(client: RedisClientV1, namespace: &str) -> Self {
        Self::from_driver(RedisDriver::new(RedisKeys::new(Some(namespace)), Client::lent(client)))
    }
}

/// The driver of [`RedisStore`] and, with another name, of [`ValkeyStore`].
pub struct RedisDriver<const VALKEY: bool = false> {
    keys: RedisKeys,
    client: Client,
    misses: Misses,
}

impl<const VALKEY: bool> fmt::Debug for RedisDriver<VALKEY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::KIND).field("keys", &self.keys).field("client", &self.client).finish()
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<const VALKEY: bool> Driver for RedisDriver<VALKEY> {
    const KIND: &'static str = if VALKEY { "Valkey" } else { "Redis" };

    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.stores = true;
        capabilities.conditional = Atomicity::Linearizable;
        capabilities.atomic_batches = true;
        capabilities.listing = Listing::AtLeastOnce;
        capabilities.collections = true;
        capabilities.clear = true;
        capabilities.cull = true;
        capabilities.expiry_resolution = Duration::from_millis(1);
        capabilities.metadata = true;
        capabilities.persistent = true;
        capabilities.shared = true;
        // A string has at most 512 MiB, and the names and the notes take their part.
        capabilities.max_value_bytes = Some(511 << 20);
        Description::new(Self::KIND, Stability::Stable, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        self.client.open().await
    }

    async fn get(&self, name: Name<'_>, _head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        self.read(name, Within::new(call.timeout)).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        _head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.read_many(collection, keys, Within::new(call.timeout)).await
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        match condition {
            Condition::Always => Ok(PutOutcome::Written(self.write(name, record, cx).await?)),
            condition => self.put_if(name, record, condition, cx).await,
        }
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
        match condition {
            Condition::IfRevision(revision) => self.delete_if(name, revision, cx).await,
            _ if self.may_be_another_s(name) => self.delete_carefully(name, cx).await,
            _ => self.delete_plainly(name, cx).await,
        }
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        self.delete_each(collection, keys, cx).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        let answer = self.client.ask_one(&records::command(&[b"PING"]), Effect::Read, Within::new(cx.timeout)).await?;
        records::accepted(answer)
    }

    async fn close(&self) -> Result<()> {
        self.client.close();
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
        self.sweep(walk::Sweep::Destroy, cx).await
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        self.sweep(walk::Sweep::Cull, cx).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let info = records::command(&[b"INFO", b"server"]);
        let answer = self.client.ask_one(&info, Effect::Read, Within::new(None)).await?;
        match records::bytes(answer) {
            Ok(Some(info)) => records::check_version(&info)?,
            // A user may be kept from asking, and still do all else.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Ok(None) => return Err(failure::unexpected()),
            Err(error) => return Err(error),
        }
        Ok(self.describe().capabilities)
    }
}

/// What the parts of the driver need of it.
impl<const VALKEY: bool> RedisDriver<VALKEY> {
    fn new(keys: RedisKeys, client: Client) -> Self {
        Self { keys, client, misses: Misses::default() }
    }

    /// Whether the record under this name's key could be one of Python's with other names, or this name's could
    /// stand under another key: then it takes a look before something is removed.
    fn may_be_another_s(&self, name: Name<'_>) -> bool {
        let no_namespace = self.keys.split(b"c::k").is_some();
        no_namespace && (name.key.contains("::") || name.key.starts_with(':') || self.keys.legacy_key(name).is_some())
    }
}

/// A contradiction between what was sent and what was answered.
#[cold]
fn contradiction(what: &'static str) -> Error {
    Error::new(ErrorKind::Backend, what)
}

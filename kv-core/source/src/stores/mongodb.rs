//! MongoDB.

use std::fmt;
use std::time::Duration;

use kv_core::formats::mongodb::{MAX_VALUE_BYTES, MongoNames};
use kv_core::{
    Atomicity, CallOptions, Capabilities, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Listing, Name, Page, PutOutcome, Record, Result, Stability, Written,
};
use mongodb::bson::doc;

use crate::driver::{Context, Driver};
use crate::managed::Managed;
use crate::within::{Effect, Within};

mod bulk;
mod failure;
mod filter;
mod listing;
mod options;
mod prepare;
mod records;

#[cfg_attr(feature = "is_sync", path = "mongodb/client_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "mongodb/client_async.rs")]
mod client;

pub use client::SharedClient as MongoClientV3;
pub use options::MongoOptions;

use bulk::Lacking;
use client::Client;
use prepare::Prepared;

/// A store in MongoDB 5.0 or later: a single server, a replica set or a sharded cluster, over TCP or TLS.
///
/// ```
/// use kv_source::stores::MongoStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = MongoStore::connect("mongodb://localhost:27017/shop")?;
/// // Nothing was contacted yet: the first use connects.
/// let kv = kv_source::Kv::new(store);
/// # Ok(())
/// # }
/// ```
///
/// # What it stores
///
/// A MongoDB collection for each collection, and in it a document for each record, in the layout of Python's
/// `py-key-value-aio`, which reads and writes it too: the value is a sub-document where BSON holds it exactly, and JSON
/// text otherwise (Python reads that of objects). Values of bytes are BSON binaries, which Python does not find, nor does
/// it find a JSON value that is no object. See [`formats::mongodb`](kv_core::formats::mongodb).
///
/// Where MongoDB does not take a collection's name (a `$`, `system.`, above 255 bytes with the database's, ...) it is
/// escaped, or hashed where too long. A namespace ([`MongoOptions::with_namespace`]) is a prefix of all these names.
///
/// The first write to a collection looks for its two indexes, and makes what is missing: a unique one on the key, beside
/// Python's own, and one by which the server frees what has ended. It is looked for again after a minute, since somebody
/// may have dropped the collection. A collection with several documents of one key (Python's library makes them where two
/// writers meet), with a collation of its own, or with an index on `expires_at` that does not expire is refused with
/// [`ErrorKind::Configuration`].
///
/// Expiry is judged by this process's clock, to the microsecond. The server's own is set to the millisecond after, and
/// runs about once a minute. A put without a TTL takes the old expiry away. Python's does not: it leaves the old
/// `expires_at`, which is then read as it stands, for by that the server will remove the record.
///
/// # Round trips
///
/// Every operation on one record takes one, and so do `get_many`, `put_many` and `delete_many` for every 50,000 keys or
/// 10 to 14 MiB, but for
/// * the first write to a collection, and one a minute: one more, or two where indexes are made;
/// * a delete at a revision that did not happen: one more, which tells whether the record is there;
/// * a condition on a record that another program wrote: one more, which reads it;
/// * `exists`, `ttl` and `metadata` of such a record: one more, for they first ask for what this store keeps beside a
///   value, and not for the value;
/// * `update`, `increment`, `take` and their like: two, read and write, and again where another writer was first;
/// * `delete_many` on servers before 8.0: two. If others remove the same keys at that moment, how many were removed is
///   told right, and not which.
///
/// Listings go by the index, a page a round trip. Listing collections, `destroy` and `cull` take one or more for every
/// collection in the database.
///
/// # Failures
///
/// The driver sends a read again whose connection broke, and so every single write where the servers know retried writes
/// (replica sets and sharded clusters): those carry a number by which the server does it once. What it did not get an
/// answer to after that, and every batch, fails with [`Error::outcome_unknown`](kv_core::Error::outcome_unknown).
/// `retryWrites=false` and `retryReads=false` in the URL turn that off. Writes are confirmed by a majority of the servers
/// unless the URL says otherwise, and reads go to the primary. With the server's usual read concern, `local`, a read may see
/// a write that is not confirmed yet, and that is undone if the primary fails just then; a `readConcernLevel` in the URL
/// changes that.
///
/// Looking for a server, connecting, and every answer have a time-out, 5 s by default; see [`MongoOptions`]. As the driver
/// does it, a server that refuses the connection is tried until that time is up.
///
/// # Flavours
///
/// The blocking flavour hides a runtime: the driver has no other way, nor time-outs without one. A thread of it runs for
/// all such stores of a process. Called from within a Tokio runtime, a call is made on a thread of its own.
pub type MongoStore = Managed<MongoDriver>;

impl Managed<MongoDriver> {
    /// A store on the servers of this URL; see [`MongoOptions::from_url`]. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::with_options(MongoOptions::from_url(url)?)
    }

    /// A store with these options. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work.
    pub fn with_options(options: MongoOptions) -> Result<Self> {
        let names = MongoNames::new(&options.database, options.namespace.as_deref())?;
        Ok(Self::from_driver(MongoDriver::new(names, Client::new(&options)?)))
    }

    /// A store in this database over a client that the program has; no I/O. It is never closed by the store, and its own
    /// write concern and retries hold. Answers are waited for 5 s, unless a call says otherwise.
    ///
    /// An awaiting client works as long as the runtime that it was made in.
    ///
    /// The name carries the major version of the crate `mongodb` that the client's type is of. A later one will be taken
    /// by a function of its own, beside this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a name of a database that MongoDB does not take.
    pub fn from_client_v3(client: MongoClientV3, database: &str) -> Result<Self> {
        Self::from_client_v3_in(client, database, "")
    }

    /// As [`from_client_v3`](Self::from_client_v3), in a namespace; see [`MongoOptions::with_namespace`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for names that cannot be.
    pub fn from_client_v3_in(client: MongoClientV3, database: &str, namespace: &str) -> Result<Self> {
        let names = MongoNames::new(database, Some(namespace))?;
        Ok(Self::from_driver(MongoDriver::new(names, Client::lent(client, database))))
    }
}

/// The driver of [`MongoStore`].
pub struct MongoDriver {
    names: MongoNames,
    client: Client,
    prepared: Prepared,
    lacking: Lacking,
}

impl fmt::Debug for MongoDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::KIND).field("names", &self.names).field("client", &self.client).finish_non_exhaustive()
    }
}

impl MongoDriver {
    fn new(names: MongoNames, client: Client) -> Self {
        Self { names, client, prepared: Prepared::default(), lacking: Lacking::default() }
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for MongoDriver {
    const KIND: &'static str = "MongoDB";

    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.stores = true;
        capabilities.conditional = Atomicity::Linearizable;
        capabilities.listing = Listing::ExactlyOnce;
        capabilities.ordered = true;
        capabilities.collections = true;
        capabilities.clear = true;
        capabilities.cull = true;
        // The server's own expiry goes by milliseconds, and by its own clock.
        capabilities.expiry_resolution = Duration::from_millis(1);
        capabilities.metadata = true;
        capabilities.persistent = true;
        capabilities.shared = true;
        capabilities.max_value_bytes = Some(MAX_VALUE_BYTES as u64);
        Description::new(Self::KIND, Stability::Preview, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        self.sign_of_life(Within::new(None)).await
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
        match condition {
            Condition::Always => Ok(PutOutcome::Written(self.write(name, record, Within::new(cx.timeout)).await?)),
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
        self.remove(name, condition, cx).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        self.remove_many(collection, keys, cx).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        self.sign_of_life(Within::new(cx.timeout)).await
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
        self.free_ended(cx).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.sign_of_life(Within::new(None)).await?;
        Ok(self.describe().capabilities)
    }
}

impl MongoDriver {
    #[maybe_async::maybe_async]
    async fn sign_of_life(&self, within: Within) -> Result<()> {
        let line = self.client.line(within).await?;
        self.client.run(&line, line.database.run_command(doc! { "ping": 1 }), Effect::Read, within).await?;
        Ok(())
    }
}

/// A contradiction between what was sent and what was answered.
#[cold]
fn contradiction(what: &'static str) -> Error {
    Error::new(ErrorKind::Backend, what)
}

//! Elasticsearch and OpenSearch.

use std::fmt;

use kv_core::formats::elasticsearch::{Dialect, Indices, refusal_of, root, server};
use kv_core::formats::http::{Request, Response};
use kv_core::{
    Atomicity, CallOptions, Capabilities, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Listing, Name, Page, PutOutcome, Record, Result, Stability, Written,
};

use crate::driver::{Context, Driver};
use crate::http::{Http, HttpClientV1};
use crate::managed::Managed;
use crate::within::{Effect, Within};

mod conditional;
mod deletes;
mod failure;
mod listing;
mod options;
mod places;
mod records;
mod starting;

pub use options::ElasticsearchOptions;

use failure::refused;
use places::Places;
use starting::Starting;

/// A value has at most so many bytes: 14 MiB. In base64 that is less than the 20 million characters which newer servers
/// let a text have, and far less than the 100 MB of a request.
const MAX_VALUE_BYTES: u64 = 14 << 20;

/// A store in Elasticsearch 7.10 or later.
///
/// ```
/// use kv_source::stores::ElasticsearchStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = ElasticsearchStore::connect("http://localhost:9200")?;
/// // Nothing was contacted yet: the first use connects.
/// let kv = kv_source::Kv::new(store);
/// # Ok(())
/// # }
/// ```
///
/// # What it stores
///
/// An index for each collection, made at the first write to it, and a document for each record, which Python's
/// `py-key-value-aio` reads and writes too; see [`kv_core::formats::elasticsearch`]. Python does not see values that are
/// bytes or no objects.
///
/// The index is Python's `prefix-collection` where that is one collection's alone. Collections that are not lower-case,
/// hold characters that index names lack, or are too long, stand in an escaped `prefix-~...`, or a hashed one; Python,
/// which puts `A` and `a` into one index, is followed there if
/// [the options](ElasticsearchOptions::with_python_indices) say so, and otherwise its records of such collections are not
/// found. An escaped index have also collections whose plain one is of a store with another prefix: `a-b-c` is either of
/// `a` or of `a-b`, and the one that was first has it.
///
/// An index that the store makes keeps values without looking into them: they cannot be searched, and none is refused
/// for what it holds. An index that Python made is used as it is, and gets the fields of ours and an alias. An index is
/// written to by its alias (the same name and `~`), so that a write to an index that somebody dropped makes it anew,
/// with its mapping. An empty index stays: the server numbers writes by index, and conditional writes go by those numbers.
/// Do not drop an index of a store in use: a conditional write that knew the old one could be fooled by the new.
///
/// Expiry is judged by this process's clock, to the microsecond. Only what [`clear`] counts, and whether a collection is
/// listed, goes for Python's records by the millisecond, which is all that the server's dates have. The server frees
/// nothing by itself: [`cull`] does.
///
/// # Round trips
///
/// Every operation on one record takes one, and a batch one for each 5,000 records or 8 MiB, but for
/// * the first write to a collection by this store, which makes its index sure (one more, or two if it makes it), and
///   where the collection is not lower-case, or a `-` is in it or in the prefix, also the first read;
/// * `update`, `increment`, `take`, `get_and_put` and their like, and the condition `IfPresent`: two, read and write,
///   and again where another writer was first; the condition `IfAbsent` over a record that has ended: two;
/// * a value that the server refuses as an object (double names, more than a thousand levels, numbers of a thousand
///   digits): two, since it is then sent as text;
/// * deletes in an index that Python made, or that is to be its: two, since another collection's record could stand
///   there.
///
/// What needs no value (`exists`, `ttl`, `metadata`) does not read it.
///
/// Reads by key see every write. Searches see what was written before the server's last refresh: so the first page of a
/// listing, `count`, `clear` and `cull` ask for one, which is a request more. Nothing else does.
///
/// # Listings
///
/// They are in order of the keys' bytes, page by page after the last key, so that a cursor is good for ever, holds
/// nothing on the server, and a key that stays is listed once.
///
/// # Failures
///
/// A node that cannot be connected to is passed over for the next. A read whose connection broke is sent again; so is a
/// put, if nothing had been heard for a while. Any other write whose answer did not come fails with
/// [`Error::outcome_unknown`](kv_core::Error::outcome_unknown). What was acknowledged outlives a crash of the server; a
/// read may see a write that is not acknowledged yet, and that such a crash undoes. 429 and 503 are worth a retry, and tell for how long to
/// wait. A read waits up to 1.3 s for an index that was made this moment and cannot be read yet. The most bytes of a value are 14 MiB.
///
/// [`clear`]: crate::Collection::clear
/// [`cull`]: crate::Kv::cull
pub type ElasticsearchStore = Managed<ElasticsearchDriver>;

/// A store in OpenSearch 1.0 or later: all that is said of [`ElasticsearchStore`] holds.
///
/// It keeps documents as Python's `OpenSearchStore` does, in which a field has another name. On the other server
/// each of the two says so, and does nothing.
///
/// ```
/// use kv_source::Store as _;
/// use kv_source::stores::OpenSearchStore;
///
/// # fn main() -> kv_source::Result<()> {
/// let store = OpenSearchStore::connect("http://localhost:9200")?;
/// assert_eq!(store.describe().name, "OpenSearch");
/// # Ok(())
/// # }
/// ```
pub type OpenSearchStore = Managed<ElasticsearchDriver<true>>;

impl<const OPEN: bool> Managed<ElasticsearchDriver<OPEN>> {
    /// A store on the server of this URL, with the index prefix `kv`; see [`ElasticsearchOptions::from_url`]. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::with_options(ElasticsearchOptions::from_url(url)?)
    }

    /// A store with these options. No I/O.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work.
    pub fn with_options(options: ElasticsearchOptions) -> Result<Self> {
        let http = Http::new(options.http.clone())?;
        Ok(Self::from_driver(ElasticsearchDriver::new(http, &options)?))
    }

    /// A store over an HTTP client that the program has, with these options but for those of connections, which are the
    /// client's. No I/O. The client is never closed by the store.
    ///
    /// The name carries the version of the client's crate that its type is of. A later one will be taken by a function
    /// of its own, beside this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work.
    pub fn from_client_v1(client: HttpClientV1, options: ElasticsearchOptions) -> Result<Self> {
        let http = Http::lent(client, options.http.clone())?;
        Ok(Self::from_driver(ElasticsearchDriver::new(http, &options)?))
    }
}

/// The driver of [`ElasticsearchStore`] and, in the other dialect, of [`OpenSearchStore`].
pub struct ElasticsearchDriver<const OPEN: bool = false> {
    http: Http,
    indices: Indices,
    /// Whether every collection stands where Python has it.
    python_indices: bool,
    settings: serde_json::Value,
    places: Places,
}

impl<const OPEN: bool> fmt::Debug for ElasticsearchDriver<OPEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::KIND).field("indices", &self.indices).field("http", &self.http).finish_non_exhaustive()
    }
}

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    const DIALECT: Dialect = if OPEN { Dialect::OpenSearch } else { Dialect::Elasticsearch };

    fn new(http: Http, options: &ElasticsearchOptions) -> Result<Self> {
        let (indices, settings) = (options.indices()?, options.settings());
        Ok(Self { http, indices, python_indices: options.python_indices, settings, places: Places::default() })
    }

    /// The answer, if it is a success.
    #[maybe_async::maybe_async]
    async fn ask(&self, request: &Request, effect: Effect, within: Within) -> Result<Response> {
        let mut starting = Starting::default();
        loop {
            let response = self.http.send(request, effect, within).await?;
            if response.is_success() {
                return Ok(response);
            }
            let is_starting = effect == Effect::Read && refusal_of(&response).is_starting();
            if !(is_starting && starting.pause(within).await) {
                return Err(refused(&response, effect));
            }
        }
    }

    /// Refuses a server of the other kind, and one that is too old.
    #[maybe_async::maybe_async]
    async fn check(&self, within: Within) -> Result<()> {
        let response = self.http.send(&root(), Effect::Read, within).await?;
        if response.status == 403 {
            // A user may be kept from asking, and still do all else.
            return Ok(());
        }
        if !response.is_success() {
            return Err(refused(&response, Effect::Read));
        }
        let server = server(&response)?;
        let (found, wanted) = (server.dialect.name(), Self::DIALECT.name());
        let message = if server.dialect != Self::DIALECT {
            format!("the server is {found} {}; take the {found}Store for it, not the {wanted}Store", server.version)
        } else if !server.is_recent() {
            format!(
                "the server is {found} {}; this store takes Elasticsearch 7.10 or OpenSearch 1.0 or later",
                server.version
            )
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Configuration, message))
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<const OPEN: bool> Driver for ElasticsearchDriver<OPEN> {
    const KIND: &'static str = if OPEN { "OpenSearch" } else { "Elasticsearch" };

    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.stores = true;
        capabilities.conditional = Atomicity::Linearizable;
        capabilities.listing = Listing::ExactlyOnce;
        capabilities.ordered = true;
        capabilities.collections = true;
        capabilities.clear = true;
        capabilities.cull = true;
        capabilities.metadata = true;
        capabilities.persistent = true;
        capabilities.shared = true;
        capabilities.max_value_bytes = Some(MAX_VALUE_BYTES);
        Description::new(Self::KIND, Stability::Preview, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        self.check(Within::new(None)).await
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        records::entry(self.find_one(name, head, Within::new(call.timeout)).await?)
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let found = self.find(collection, keys, head, Within::new(call.timeout)).await?;
        Ok(found.into_iter().map(records::entry).collect())
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        self.put_if(name, record, condition, cx).await
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        self.write_many(collection, records, Within::new(cx.timeout)).await
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        match condition {
            Condition::IfRevision(revision) => self.delete_if(name, revision, cx).await,
            _ => self.remove(name, cx, Within::new(cx.timeout)).await,
        }
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        self.remove_many(collection, keys, cx).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        self.check(Within::new(cx.timeout)).await
    }

    async fn close(&self) -> Result<()> {
        self.places.forget_all();
        self.http.close();
        Ok(())
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        self.list_page(collection, options, cx).await
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
        self.sweep_store(true, cx).await
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        self.sweep_store(false, cx).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.check(Within::new(None)).await?;
        Ok(self.describe().capabilities)
    }
}

#[cold]
fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server gave an answer that the request does not have")
}

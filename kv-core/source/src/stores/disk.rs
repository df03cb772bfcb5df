//! The store in one SQLite file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use kv_core::{
    Atomicity, CallOptions, Capabilities, Change, Condition, Decision, DeleteOutcome, Description, Entry, KeyFilter,
    ListOptions, Listed, Listing, Modified, Name, OwnedChange, OwnedKeys, OwnedName, Page, PutOutcome, Record, Result,
    Stability, Timestamp, Written,
};

use crate::driver::{Context, Driver, written};
use crate::managed::Managed;

mod connect;
mod fault;
mod group;
mod layout;
mod listing;
mod options;
mod owned;
mod rows;
#[cfg(test)]
mod tests;

#[cfg_attr(feature = "is_sync", path = "disk/engine_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "disk/engine_async.rs")]
mod engine;

pub(crate) use connect::{Opening, Reader, keep_a_log};
pub(crate) use engine::{Effort, Engine, run_blocking};
pub(crate) use fault::Fault;
pub(crate) use group::Steps;
pub use options::{DiskOptions, Durability};

use owned::OwnedRecords;

/// A store in one SQLite file, for several processes at once.
///
/// * Readers never wait for a writer, nor the other way round. Writers wait for each other, in this process and in
///   others; those that wait in one process share a transaction.
/// * A [`put_many`](crate::Collection::put_many) is written whole or not at all. So is a
///   [`clear`](crate::Collection::clear), which keeps other writers waiting while it runs.
/// * A write that was acknowledged survives the end of the process; with [`Durability::Power`] a loss of power too.
/// * Expired entries are freed with the writes, and by [`cull`](crate::Kv::cull), which also makes the file smaller.
/// * The directory must exist; the file is made by the first use. Beside it SQLite keeps a log (`-wal`, `-shm`) while
///   the store is open. The file must be on a local disk: file systems of a network lack the locks.
/// * A file that is no database, damaged, another application's, or of a newer version is an error and left as it is.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::DiskStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let kv = Kv::new(DiskStore::open(&path));
/// kv.put("greeting", "hello").await?;
/// kv.close().await?;
///
/// let kv = Kv::new(DiskStore::open(&path));
/// assert_eq!(kv.get::<String>("greeting").await?.as_deref(), Some("hello"));
/// # Ok(())
/// # }
/// ```
pub type DiskStore = Managed<DiskDriver>;

impl DiskStore {
    /// A store in this file. Does no I/O: the first use opens the file, and makes it if there is none.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self::with_options(path, DiskOptions::default())
    }

    /// A store in this file, kept so.
    ///
    /// ```
    /// use kv_source::{ErrorKind, Kv};
    /// use kv_source::stores::{DiskOptions, DiskStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("app.db");
    /// let writer = Kv::new(DiskStore::open(&path));
    /// writer.put("a", &1).await?;
    /// let reader = Kv::new(DiskStore::with_options(&path, DiskOptions::default().with_read_only(true)));
    /// assert_eq!(reader.get::<u8>("a").await?, Some(1));
    /// assert_eq!(reader.put("a", &2).await.unwrap_err().kind(), ErrorKind::ReadOnly);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_options(path: impl Into<PathBuf>, options: DiskOptions) -> Self {
        Self::from_driver(DiskDriver::new(path.into(), options, None))
    }
}

/// The driver of [`DiskStore`].
#[derive(Debug)]
pub struct DiskDriver {
    engine: Engine,
    /// Rows written since expired ones were last looked for.
    unswept: AtomicU64,
}

/// A row may have 10^9 bytes in SQLite, its names and its metadata included.
const MOST_VALUE_BYTES: u64 = 1_000_000_000 - 64 * 1024;

/// After so many rows written, twice as many are freed if they have expired, in the same transaction: it costs a write
/// little, and what has expired goes faster than it can come.
const SWEEP_AFTER: u64 = 16;

/// The records freed in one transaction, and the pages given back in one.
const BATCH: u64 = 1000;

/// The most keys that are read in place.
const MOST_SHORT: usize = 32;

impl DiskDriver {
    /// For the file of a store, or for that of one collection.
    pub(super) fn new(path: PathBuf, options: DiskOptions, collection: Option<String>) -> Self {
        let patience = options.busy_timeout;
        let at = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let opening = Opening::new(path, options, move |connection, can_write| {
            layout::prepare(connection, can_write, &at, patience, collection.as_deref())
        });
        // The first write of a process looks for expired records, and then it depends.
        Self { engine: Engine::new(opening), unswept: AtomicU64::new(SWEEP_AFTER) }
    }

    /// How many expired records to free with a write of so many.
    fn to_sweep(&self, written: usize) -> u64 {
        let due = self.unswept.fetch_add(written as u64, Ordering::Relaxed) + written as u64;
        if due < SWEEP_AFTER {
            return 0;
        }
        self.unswept.store(0, Ordering::Relaxed);
        2 * due
    }
}

/// What both disk stores can do.
pub(super) fn capabilities() -> Capabilities {
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
    capabilities.max_value_bytes = Some(MOST_VALUE_BYTES);
    capabilities
}

/// Whether a job is one statement, given how many records it frees beside.
fn steps(swept: u64) -> Steps {
    if swept == 0 { Steps::One } else { Steps::Many }
}

fn sweep(connection: &rusqlite::Connection, now: Timestamp, most: u64) -> Result<(), Fault> {
    // First, so that a full store has room.
    if most > 0 {
        rows::sweep(connection, now, most)?;
    }
    Ok(())
}

#[maybe_async::maybe_async]
impl DiskDriver {
    /// Opens the file unless it is open; without `create`, only if it is there. Answers whether it is open.
    pub(super) async fn open(&self, create: bool) -> Result<bool> {
        self.engine.open(create).await
    }

    /// Whether the collection holds a live record.
    pub(super) async fn has_live(&self, collection: &str, cx: Context<'_>) -> Result<bool> {
        let (collection, now) = (collection.to_owned(), cx.now);
        let work = move |reader: &Reader<'_>| listing::has_live(reader, &collection, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    /// The true name of the one collection that this file holds.
    pub(super) async fn collection_name(&self) -> Result<Option<String>> {
        self.engine.read(Effort::Short, None, |reader| layout::collection_name(reader)).await
    }

    /// Gives free pages back, page by page, so that others can write in between.
    async fn shrink(&self, cx: Context<'_>) -> Result<()> {
        let step = |connection: &rusqlite::Connection| listing::give_back_pages(connection, BATCH);
        while self.engine.write(Steps::One, cx.timeout, step).await? {}
        Ok(())
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for DiskDriver {
    const KIND: &'static str = "Disk";

    fn describe(&self) -> Description {
        Description::new(Self::KIND, Stability::Stable, capabilities())
    }

    async fn setup(&self) -> Result<()> {
        self.engine.open(true).await.map(drop)
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        let name = OwnedName::new(name);
        let work = move |reader: &Reader<'_>| Ok(rows::Get::new(reader, head)?.one(name.get())??);
        self.engine.read(Effort::Short, call.timeout, work).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let effort = if keys.len() <= MOST_SHORT { Effort::Short } else { Effort::Long };
        let keys = OwnedKeys::new(collection, keys.iter().copied());
        let work = move |reader: &Reader<'_>| {
            let mut answers = Vec::with_capacity(keys.len());
            // One snapshot for all, and the locks of one.
            reader.prepare_cached("BEGIN")?.execute(())?;
            let mut get = rows::Get::new(reader, head)?;
            for key in keys.iter() {
                answers.push(get.one(Name::new(keys.collection(), key))?);
            }
            reader.prepare_cached("COMMIT")?.execute(())?;
            Ok(answers)
        };
        self.engine.read(effort, call.timeout, work).await
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let records = OwnedRecords::new(name.collection, &[(name.key, *record)])?;
        let (condition, now, swept) = (condition.clone(), cx.now, self.to_sweep(1));
        let job = move |connection: &rusqlite::Connection| {
            sweep(connection, now, swept)?;
            let mut met = true;
            for (name, value, stamp) in records.iter() {
                met = rows::put_if(connection, name, value, stamp, &condition, now)?;
            }
            Ok(met)
        };
        let met = self.engine.write(steps(swept), cx.timeout, job).await?;
        Ok(if met { PutOutcome::Written(written(record)) } else { PutOutcome::Conflict })
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let owned = OwnedRecords::new(collection, records)?;
        let (now, swept) = (cx.now, self.to_sweep(records.len()));
        let job = move |connection: &rusqlite::Connection| {
            sweep(connection, now, swept)?;
            let mut statement = rows::putting(connection)?;
            for (name, value, stamp) in owned.iter() {
                rows::put(&mut statement, name, value, stamp)?;
            }
            Ok(())
        };
        self.engine.write(Steps::Many, cx.timeout, job).await?;
        Ok(records.iter().map(|(_, record)| Ok(written(record))).collect())
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        let (name, now) = (OwnedName::new(name), cx.now);
        if let Condition::IfRevision(revision) = condition {
            let revision = revision.as_number();
            let job = move |connection: &rusqlite::Connection| rows::delete_if(connection, name.get(), revision, now);
            return self.engine.write(Steps::Many, cx.timeout, job).await;
        }
        let job =
            move |connection: &rusqlite::Connection| rows::delete(&mut rows::deleting(connection)?, name.get(), now);
        let live = self.engine.write(Steps::One, cx.timeout, job).await?;
        Ok(if live { DeleteOutcome::Deleted } else { DeleteOutcome::Missing })
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        let (keys, now) = (OwnedKeys::new(collection, keys.iter().copied()), cx.now);
        let job = move |connection: &rusqlite::Connection| {
            let mut statement = rows::deleting(connection)?;
            let mut answers = Vec::with_capacity(keys.len());
            for key in keys.iter() {
                answers.push(Ok(rows::delete(&mut statement, Name::new(keys.collection(), key), now)?));
            }
            Ok(answers)
        };
        self.engine.write(Steps::Many, cx.timeout, job).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        let work = |reader: &Reader<'_>| {
            reader.prepare_cached("SELECT 1 FROM entries LIMIT 1")?.exists(())?;
            Ok(())
        };
        self.engine.read(Effort::Short, cx.timeout, work).await
    }

    async fn close(&self) -> Result<()> {
        self.engine.close().await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, cx: Context<'_>) -> Result<Modified> {
        let (name, change) = (OwnedName::new(name), OwnedChange::new(change));
        let (now, revision, swept) = (cx.now, cx.fresh_revision(), self.to_sweep(1));
        let job = move |connection: &rusqlite::Connection| {
            sweep(connection, now, swept)?;
            modify(connection, name.get(), &change.get(), now, revision)
        };
        self.engine.write(Steps::Many, cx.timeout, job).await
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        let (collection, options, now) = (collection.to_owned(), options.clone(), cx.now);
        let work = move |reader: &Reader<'_>| listing::list(reader, &collection, &options, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let (options, now) = (options.clone(), cx.now);
        let work = move |reader: &Reader<'_>| listing::collections(reader, &options, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let (collection, filter, now) = (collection.to_owned(), filter.clone(), cx.now);
        let work = move |reader: &Reader<'_>| listing::count(reader, &collection, &filter, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let (collection, filter, now) = (collection.to_owned(), filter.clone(), cx.now);
        let job = move |connection: &rusqlite::Connection| listing::clear(connection, &collection, &filter, now);
        self.engine.write(Steps::Many, cx.timeout, job).await
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        let now = cx.now;
        let job = move |connection: &rusqlite::Connection| listing::destroy(connection, now);
        let live = self.engine.write(Steps::Many, cx.timeout, job).await?;
        self.shrink(cx).await?;
        Ok(live)
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        let (now, mut total) = (cx.now, 0);
        loop {
            let job = move |connection: &rusqlite::Connection| rows::sweep(connection, now, BATCH);
            let freed = self.engine.write(Steps::One, cx.timeout, job).await?;
            total += freed;
            if freed < BATCH {
                break;
            }
        }
        self.shrink(cx).await?;
        Ok(total)
    }
}

fn modify(
    connection: &rusqlite::Connection,
    name: Name<'_>,
    change: &Change<'_>,
    now: Timestamp,
    revision: u64,
) -> Result<Modified, Fault> {
    let ended = |entry: &Entry| entry.expires().is_some_and(|expires| expires <= now);
    let before = rows::get(connection, name)?.filter(|entry| !ended(entry));
    let after = match change.decide(before.as_ref(), now, revision)? {
        Decision::Leave => return Ok(Modified::unapplied(before)),
        Decision::Delete => {
            rows::delete(&mut rows::deleting(connection)?, name, now)?;
            None
        }
        Decision::Put(next) => {
            let record = next.record();
            let records = OwnedRecords::new(name.collection, &[(name.key, record)])?;
            let mut statement = rows::putting(connection)?;
            for (name, value, stamp) in records.iter() {
                rows::put(&mut statement, name, value, stamp)?;
            }
            Some(Entry::new(&record))
        }
    };
    Ok(Modified::applied(before, after))
}

//! The store in a directory of Python's diskcache.

mod files;
mod listing;
mod open;
mod record;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kv_core::formats::Stamp;
use kv_core::formats::diskcache::{DATABASE, Settings, sql};
use kv_core::{
    CallOptions, Capabilities, Change, Condition, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Modified, Name, OwnedChange, Page, PutOutcome, Record, Result, Stability, Timestamp, Written,
};
use parking_lot::Mutex;
use rusqlite::Connection;

use self::files::{Changes, Files, NewFile};
use self::record::{Draft, Wanted};
use self::rows::Table;
use super::disk::{DiskOptions, DiskStore, Durability, Effort, Engine, Fault, Opening, Reader, Steps, run_blocking};
use crate::driver::{Context, Driver};
use crate::managed::Managed;

/// A store in a directory of Python's `diskcache` 5.6.3, the one that `DiskStore` of Python's `py-key-value-aio` makes:
/// both languages can use it at the same time. For a store of one's own take [`DiskStore`], which is faster.
///
/// * A new directory is laid out as that `DiskStore` lays it out without `max_size`. The settings of an existing one
///   are kept to: what is long enough for a file (`disk_min_file_size`, 32,768 characters), how many expired rows a
///   write frees (`cull_limit`, 10), and with an `eviction_policy` the `size_limit`. Then writes remove other rows, in
///   the order of the policy, but never the row just written, which Python does. Reads change no row, so that the
///   policies that go by use know only of Python's.
/// * Python reads what it has words for: values that are JSON objects. Other JSON is an error to it; bytes it takes for
///   missing. Metadata and revisions it ignores, and drops when it writes.
/// * A collection whose name holds `::`, ends with `:` or begins with `%` stands under keys of its own, because Python
///   would share them among collections. What Python wrote into one is found all the same; what is written here Python
///   does not find.
/// * What else is in the directory stays there: [`clear`](crate::Collection::clear) and [`destroy`](crate::Kv::destroy)
///   remove records alone. A record that cannot be read, such as one with a `NaN` of Python's or one that diskcache
///   pickled, is [`Corrupted`](ErrorKind::Corrupted), can be replaced and deleted, and is listed.
/// * Entries end at the instant that their document tells, exactly; or where another program has moved it, in the row
///   alone, at that one. An entry that Python wrote may be listed up to a millisecond longer.
/// * Writes are transactions for all processes, Python's too. With [`Durability::Process`] a long value may be
///   missing or damaged after a loss of power, as with diskcache; with [`Durability::Power`] its file is on the disk
///   before its row. A process that is killed in the middle of a write may leave a file that no row has; diskcache's
///   `Cache.check(fix=True)` removes it.
/// * Listing [collections](crate::Kv::collections) reads all keys of the directory.
/// * Python's `MultiDiskStore` has a directory for each collection, whose keys do not tell it; it is not read.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::DiskStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let parent = tempfile::tempdir()?;
/// # let dir = parent.path().join("cache");
/// // In Python: DiskStore(directory=dir)
/// let kv = Kv::new(DiskStore::diskcache(&dir));
/// let users = kv.collection("users");
/// users.put("alice", &serde_json::json!({"age": 42})).await?;
/// assert_eq!(users.all_keys(&kv_source::KeyFilter::all()).await?, ["alice"]);
/// # Ok(())
/// # }
/// ```
pub type DiskcacheStore = Managed<DiskcacheDriver>;

impl DiskStore {
    /// A store in a directory of Python's `diskcache`, for programs of both languages: see [`DiskcacheStore`]. Does no
    /// I/O: the first use opens the directory, and makes it if there is none.
    ///
    /// ```
    /// use kv_source::Kv;
    /// use kv_source::stores::DiskStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let dir = parent.path().join("cache");
    /// let kv = Kv::new(DiskStore::diskcache(&dir));
    /// kv.put("visits", &serde_json::json!({"count": 1})).await?;
    /// assert!(dir.join("cache.db").exists());
    /// # Ok(())
    /// # }
    /// ```
    pub fn diskcache(dir: impl Into<PathBuf>) -> DiskcacheStore {
        Self::diskcache_with_options(dir, DiskOptions::default())
    }

    /// The same, kept so. [`max_file_bytes`](DiskOptions::max_file_bytes) is about the database, in which long values
    /// are not.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_source::Kv;
    /// use kv_source::stores::{DiskOptions, DiskStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let dir = parent.path().join("cache");
    /// let options = DiskOptions::default().with_busy_timeout(Duration::from_secs(60));
    /// let kv = Kv::new(DiskStore::diskcache_with_options(&dir, options));
    /// assert!(!kv.exists("nothing").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn diskcache_with_options(dir: impl Into<PathBuf>, options: DiskOptions) -> DiskcacheStore {
        Managed::from_driver(DiskcacheDriver::new(&dir.into(), options))
    }
}

/// The driver of [`DiskcacheStore`].
#[derive(Debug)]
pub struct DiskcacheDriver {
    engine: Engine,
    dir: PathBuf,
    read_only: bool,
    files: Files,
    settings: Arc<Mutex<Settings>>,
}

/// The most keys that are read in place.
const MOST_SHORT: usize = 32;

/// The records freed in one transaction.
const BATCH: u32 = 1000;

impl DiskcacheDriver {
    fn new(dir: &Path, options: DiskOptions) -> Self {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let path = dir.join(DATABASE);
        let (patience, read_only) = (options.busy_timeout, options.read_only);
        let files = Files::new(dir.clone(), options.durability == Durability::Power);
        let settings = Arc::<Mutex<Settings>>::default();
        let (noted, at) = (Arc::clone(&settings), path.clone());
        let opening = Opening::new(path, options, move |connection, can_write| {
            *noted.lock() = open::prepare(connection, can_write, &at, patience)?;
            Ok(())
        });
        Self { engine: Engine::new(opening), dir, read_only, files, settings }
    }
}

/// What a write answers, and what is to be done when it is kept.
type Outcome<T> = Result<(T, Changes), Fault>;

#[maybe_async::maybe_async]
impl DiskcacheDriver {
    /// Runs a job as a transaction, and deals with the files that were made for it and with those that it left over.
    async fn write<T, F>(&self, cx: Context<'_>, made: &[Arc<NewFile>], job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Outcome<T> + Send + 'static,
    {
        let outcome = self.engine.write(Steps::Many, cx.timeout, job).await;
        let answer = match outcome {
            Ok((answer, mut changes)) => {
                if changes.keep() {
                    let remove = move || {
                        changes.remove_doomed();
                        Ok(())
                    };
                    // The write is kept, whatever becomes of files that nothing refers to.
                    let _ = run_blocking(remove).await;
                }
                Ok(answer)
            }
            Err(error) => Err(error),
        };
        made.iter().for_each(|file| file.write_ended());
        if self.files.are_in_doubt() {
            let files = self.files.clone();
            let work = move |reader: &Reader<'_>| files.settle_doubts(reader);
            let _ = self.engine.read(Effort::Long, None, work).await;
        }
        answer
    }

    /// Writes the files of the long ones among these, and answers them too.
    async fn prepare(&self, drafts: Vec<Draft>) -> Result<(Vec<Draft>, Vec<Arc<NewFile>>)> {
        let settings = *self.settings.lock();
        // Where nothing is written, the write will say so.
        if self.read_only || !drafts.iter().any(|draft| draft.wants_file(&settings)) {
            return Ok((drafts, Vec::new()));
        }
        let (files, mut drafts) = (self.files.clone(), drafts);
        let work = move || {
            drafts.iter_mut().try_for_each(|draft| draft.make_file(&settings, &files))?;
            let made = drafts.iter().filter_map(|draft| draft.file.clone()).collect();
            Ok((drafts, made))
        };
        run_blocking(work).await
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for DiskcacheDriver {
    const KIND: &'static str = "Diskcache";

    fn describe(&self) -> Description {
        let mut capabilities: Capabilities = super::disk::capabilities();
        // How far a row's end may be behind that in its document.
        capabilities.expiry_resolution = std::time::Duration::from_millis(1);
        Description::new(Self::KIND, Stability::Stable, capabilities)
    }

    async fn setup(&self) -> Result<()> {
        if !self.read_only {
            let dir = self.dir.clone();
            let make = move || {
                std::fs::create_dir_all(&dir).map_err(|error| {
                    let message = format!("the directory {} could not be made", dir.display());
                    Error::new(ErrorKind::Configuration, message).with_source(error)
                })
            };
            run_blocking(make).await?;
        }
        self.engine.open(true).await.map(drop)
    }

    async fn get(&self, name: Name<'_>, _head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        let (wanted, files) = (Wanted::new(name), self.files.clone());
        let work = move |reader: &Reader<'_>| Ok(reading(reader, &files).get(&wanted)??);
        self.engine.read(Effort::Short, call.timeout, work).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        _head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let effort = if keys.len() <= MOST_SHORT { Effort::Short } else { Effort::Long };
        let wanted: Vec<_> = keys.iter().map(|key| Wanted::new(Name::new(collection, key))).collect();
        let files = self.files.clone();
        // Each by itself, and not one snapshot of all: a file that is gone may have a successor that only later reads
        // see.
        let work = move |reader: &Reader<'_>| {
            let table = reading(reader, &files);
            wanted.iter().map(|wanted| table.get(wanted)).collect()
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
        let draft = Draft::new(name, record, &mut Stamp::default(), &mut Vec::new());
        let (stored, condition, now) = (Arc::clone(&draft.stored), condition.clone(), cx.now);
        let (drafts, made) = self.prepare(vec![draft]).await?;
        let (files, settings) = (self.files.clone(), *self.settings.lock());
        let job = move |connection: &Connection| {
            let (table, mut changes) = (Table::new(connection, &files), Changes::new(&files));
            let mut met = true;
            for draft in &drafts {
                met = table.put(draft, &condition, now, &mut changes)?;
            }
            table.tidy(&settings, now, &mut changes)?;
            Ok((met, changes))
        };
        let met = self.write(cx, &made, job).await?;
        Ok(if met { PutOutcome::Written(written(&stored, record.expires)) } else { PutOutcome::Conflict })
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let (mut stamp, mut buffer) = (Stamp::default(), Vec::new());
        let draft = |(key, record): &(&str, Record<'_>)| {
            Draft::new(Name::new(collection, key), record, &mut stamp, &mut buffer)
        };
        let drafts: Vec<_> = records.iter().map(draft).collect();
        let answers: Vec<_> = drafts.iter().map(|draft| Ok(written(&draft.stored, draft.expires))).collect();
        let (drafts, made) = self.prepare(drafts).await?;
        let (files, settings, now) = (self.files.clone(), *self.settings.lock(), cx.now);
        let job = move |connection: &Connection| {
            let (table, mut changes) = (Table::new(connection, &files), Changes::new(&files));
            for draft in &drafts {
                table.put(draft, &Condition::Always, now, &mut changes)?;
            }
            table.tidy(&settings, now, &mut changes)?;
            Ok(((), changes))
        };
        self.write(cx, &made, job).await?;
        Ok(answers)
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        let (wanted, files, condition, now) = (Wanted::new(name), self.files.clone(), condition.clone(), cx.now);
        let job = move |connection: &Connection| {
            let mut changes = Changes::new(&files);
            let outcome = Table::new(connection, &files).delete(&wanted, &condition, now, &mut changes)?;
            Ok((outcome, changes))
        };
        self.write(cx, &[], job).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        let wanted: Vec<_> = keys.iter().map(|key| Wanted::new(Name::new(collection, key))).collect();
        let (files, now) = (self.files.clone(), cx.now);
        let job = move |connection: &Connection| {
            let (table, mut changes) = (Table::new(connection, &files), Changes::new(&files));
            let mut answers = Vec::with_capacity(wanted.len());
            for wanted in &wanted {
                let outcome = table.delete(wanted, &Condition::Always, now, &mut changes)?;
                answers.push(Ok(outcome == DeleteOutcome::Deleted));
            }
            Ok((answers, changes))
        };
        self.write(cx, &[], job).await
    }

    async fn ping(&self, cx: Context<'_>) -> Result<()> {
        let work = |reader: &Reader<'_>| {
            reader.prepare_cached(sql::SETTINGS)?.exists(())?;
            Ok(())
        };
        self.engine.read(Effort::Short, cx.timeout, work).await
    }

    async fn close(&self) -> Result<()> {
        self.engine.close().await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, cx: Context<'_>) -> Result<Modified> {
        let (wanted, change) = (Wanted::new(name), OwnedChange::new(change));
        let (now, revision, files, settings) = (cx.now, cx.fresh_revision(), self.files.clone(), *self.settings.lock());
        let job = move |connection: &Connection| {
            let (table, mut changes) = (Table::new(connection, &files), Changes::new(&files));
            let modified = table.modify(&wanted, &change.get(), (now, revision), &settings, &mut changes)?;
            table.tidy(&settings, now, &mut changes)?;
            Ok((modified, changes))
        };
        self.write(cx, &[], job).await
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        let (files, collection, options, now) = (self.files.clone(), collection.to_owned(), options.clone(), cx.now);
        let work = move |reader: &Reader<'_>| reading(reader, &files).list(&collection, &options, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let (files, options, now) = (self.files.clone(), options.clone(), cx.now);
        let work = move |reader: &Reader<'_>| reading(reader, &files).collections(&options, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let (files, collection, filter, now) = (self.files.clone(), collection.to_owned(), filter.clone(), cx.now);
        let work = move |reader: &Reader<'_>| reading(reader, &files).count(&collection, &filter, now);
        self.engine.read(Effort::Long, cx.timeout, work).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let (files, collection, filter, now) = (self.files.clone(), collection.to_owned(), filter.clone(), cx.now);
        let job = move |connection: &Connection| {
            let mut changes = Changes::new(&files);
            let live = Table::new(connection, &files).clear(&collection, &filter, now, &mut changes)?;
            Ok((live, changes))
        };
        self.write(cx, &[], job).await
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        let (files, now) = (self.files.clone(), cx.now);
        let job = move |connection: &Connection| {
            let mut changes = Changes::new(&files);
            let live = Table::new(connection, &files).destroy(now, &mut changes)?;
            Ok((live, changes))
        };
        self.write(cx, &[], job).await
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        let mut total = 0;
        loop {
            let (files, now) = (self.files.clone(), cx.now);
            let job = move |connection: &Connection| {
                let mut changes = Changes::new(&files);
                let freed = Table::new(connection, &files).free_ended(now, BATCH, &mut changes)?;
                Ok((freed, changes))
            };
            let freed = self.write(cx, &[], job).await?;
            total += freed;
            if freed < u64::from(BATCH) {
                return Ok(total);
            }
        }
    }
}

fn reading<'c>(reader: &'c Reader<'_>, files: &'c Files) -> Table<'c> {
    Table { connection: reader, files, in_place: reader.is_in_place() }
}

fn written(stored: &[u8], expires: Option<Timestamp>) -> Written {
    Written::of_document(stored.to_vec(), expires)
}

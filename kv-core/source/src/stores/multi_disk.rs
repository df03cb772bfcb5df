//! The store with one SQLite file a collection.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_core::formats::disk::{FileName, file_name};
use kv_core::{
    CallOptions, Change, Condition, Cursor, DeleteOutcome, Description, Entry, Error, ErrorKind, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutOutcome, Record, Result, Stability, Written,
};
use parking_lot::Mutex;

use super::disk::{DiskDriver, DiskOptions, capabilities, run_blocking};
use crate::driver::{Context, Driver};
use crate::managed::Managed;

mod directory;
#[cfg(test)]
mod tests;

/// A store in one directory, with an SQLite file for each collection: collections that are written to at the same time
/// do not wait for each other, and one can be copied or removed as a file.
///
/// * Each file is what a [`DiskStore`](super::DiskStore) keeps, with everything that is said there.
/// * Any collection name has a file of its own, on file systems that ignore letter case too: lower-case letters,
///   digits, `_` and `-` stand for themselves, other bytes are escaped (`%2F`), long names are hashed (160 bits) and
///   the file holds the true name.
/// * The first write makes a collection's file; reads make none. The directory is made if its parent is there.
/// * [`destroy`](crate::Kv::destroy) empties the files and leaves them, because another process may have them open.
///   Files that are not the store's are left alone by everything.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MultiDiskStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let kv = Kv::new(MultiDiskStore::open(directory));
/// kv.collection("users").put("alice", &42).await?;
/// assert!(directory.join("users.db").exists());
/// assert_eq!(kv.all_collections().await?, ["users"]);
/// # Ok(())
/// # }
/// ```
pub type MultiDiskStore = Managed<MultiDiskDriver>;

impl MultiDiskStore {
    /// A store in this directory. Does no I/O.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self::with_options(directory, MultiDiskOptions::default())
    }

    /// A store in this directory, kept so.
    pub fn with_options(directory: impl Into<PathBuf>, options: MultiDiskOptions) -> Self {
        let directory = directory.into();
        let directory = std::path::absolute(&directory).unwrap_or(directory);
        Self::from_driver(MultiDiskDriver { directory, options, files: Mutex::default() })
    }
}

/// How a [`MultiDiskStore`] keeps its files.
///
/// ```
/// use kv_source::stores::{DiskOptions, MultiDiskOptions};
///
/// let options = MultiDiskOptions::default().with_max_open(16).with_disk(DiskOptions::default().with_readers(1));
/// assert_eq!(options.max_open, 16);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiDiskOptions {
    /// How each file is kept: its bounds are those of one file. Unless told otherwise a file has 4 MiB of page cache
    /// and 2 idle connections for reading.
    pub disk: DiskOptions,
    /// The most files that are kept open, at least 1; 64 unless told otherwise. The one not used for the longest time
    /// is closed.
    pub max_open: usize,
}

impl Default for MultiDiskOptions {
    fn default() -> Self {
        Self { disk: DiskOptions::default().with_cache_bytes(4 * 1024 * 1024).with_readers(2), max_open: 64 }
    }
}

impl MultiDiskOptions {
    /// With files kept so.
    #[must_use]
    pub fn with_disk(mut self, disk: DiskOptions) -> Self {
        self.disk = disk;
        self
    }

    /// With at most so many open files.
    #[must_use]
    pub fn with_max_open(mut self, max_open: usize) -> Self {
        self.max_open = max_open;
        self
    }
}

/// The driver of [`MultiDiskStore`].
#[derive(Debug)]
pub struct MultiDiskDriver {
    directory: PathBuf,
    options: MultiDiskOptions,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    open: HashMap<String, Slot>,
    uses: u64,
    /// The true names of collections by their hashed files, which never change.
    hashed: HashMap<String, String>,
}

#[derive(Debug)]
struct Slot {
    file: Arc<File>,
    last_use: u64,
}

/// A collection's file.
#[derive(Debug)]
struct File {
    driver: DiskDriver,
    is_open: AtomicBool,
}

/// The files that are opened for one page of a listing of collections, however few of them hold anything.
const MOST_FILES: usize = 1000;

impl MultiDiskDriver {
    /// The file of this collection, opened or not.
    fn slot(&self, collection: &str) -> Arc<File> {
        let mut files = self.files.lock();
        files.uses += 1;
        let last_use = files.uses;
        if let Some(slot) = files.open.get_mut(collection) {
            slot.last_use = last_use;
            return Arc::clone(&slot.file);
        }
        let path = self.directory.join(file_name(collection));
        let driver = DiskDriver::new(path, self.options.disk.clone(), Some(collection.to_owned()));
        let file = Arc::new(File { driver, is_open: AtomicBool::new(false) });
        let mut evicted = Vec::new();
        while files.open.len() >= self.options.max_open {
            let oldest = files.open.iter().min_by_key(|(_, slot)| slot.last_use).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { break };
            evicted.extend(files.open.remove(&oldest));
        }
        files.open.insert(collection.to_owned(), Slot { file: Arc::clone(&file), last_use });
        drop(files);
        // Closed by whoever uses it last.
        drop(evicted);
        file
    }

    fn forget(&self, collection: &str, file: &Arc<File>) {
        let mut files = self.files.lock();
        if files.open.get(collection).is_some_and(|slot| Arc::ptr_eq(&slot.file, file)) {
            let slot = files.open.remove(collection);
            drop(files);
            drop(slot);
        }
    }

    fn is_missing(&self) -> Error {
        let message = format!("the collection has no file in {}, and the store is only read", self.directory.display());
        Error::new(ErrorKind::ReadOnly, message)
    }
}

#[maybe_async::maybe_async]
impl MultiDiskDriver {
    /// The open file of this collection, if there is one.
    async fn existing(&self, collection: &str) -> Result<Option<Arc<File>>> {
        self.file(collection, false).await
    }

    /// The open file of this collection, made if there is none.
    async fn made(&self, collection: &str) -> Result<Arc<File>> {
        let file = self.file(collection, !self.options.disk.read_only).await?;
        file.ok_or_else(|| self.is_missing())
    }

    async fn file(&self, collection: &str, create: bool) -> Result<Option<Arc<File>>> {
        let file = self.slot(collection);
        if file.is_open.load(Ordering::Acquire) {
            return Ok(Some(file));
        }
        let opened = file.driver.open(create).await;
        if matches!(opened, Ok(true)) {
            file.is_open.store(true, Ordering::Release);
            return Ok(Some(file));
        }
        // What is not there takes no room among what is.
        self.forget(collection, &file);
        opened.map(|_| None)
    }

    /// The names of all collections that have a file, in order.
    async fn names(&self) -> Result<Vec<String>> {
        let directory = self.directory.clone();
        let found = run_blocking(move || directory::ours(&directory)).await?;
        let mut names = Vec::with_capacity(found.len());
        for (file, name) in found {
            match name {
                FileName::Collection(name) => names.push(name),
                FileName::Hashed => names.extend(self.hashed_name(file).await?),
                _ => {}
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The true name of the collection in a file whose name is a hash.
    async fn hashed_name(&self, file: String) -> Result<Option<String>> {
        let known = self.files.lock().hashed.get(&file).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let driver = DiskDriver::new(self.directory.join(&file), self.options.disk.clone().with_read_only(true), None);
        if !driver.open(false).await? {
            return Ok(None);
        }
        let name = driver.collection_name().await?;
        driver.close().await?;
        let name = name.filter(|name| file_name(name) == file).ok_or_else(|| {
            let path = self.directory.join(&file);
            let message = format!("{} does not hold the collection that its name says", path.display());
            Error::new(ErrorKind::Corrupted, message)
        })?;
        self.files.lock().hashed.insert(file, name.clone());
        Ok(Some(name))
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for MultiDiskDriver {
    const KIND: &'static str = "MultiDisk";

    fn describe(&self) -> Description {
        Description::new(Self::KIND, Stability::Stable, capabilities())
    }

    async fn setup(&self) -> Result<()> {
        if self.options.max_open == 0 {
            return Err(Error::new(ErrorKind::Configuration, "`max_open` is 0; it takes 1 or more"));
        }
        let (directory, read_only) = (self.directory.clone(), self.options.disk.read_only);
        run_blocking(move || directory::make(&directory, read_only)).await
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        match self.existing(name.collection).await? {
            Some(file) => file.driver.get(name, head, call).await,
            None => Ok(None),
        }
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        match self.existing(collection).await? {
            Some(file) => file.driver.get_many(collection, keys, head, call).await,
            None => Ok(keys.iter().map(|_| Ok(None)).collect()),
        }
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let needs_one = matches!(condition, Condition::IfPresent | Condition::IfRevision(_));
        if needs_one && self.existing(name.collection).await?.is_none() {
            return Ok(PutOutcome::Conflict);
        }
        let file = self.made(name.collection).await?;
        file.driver.put(name, record, condition, cx).await
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let file = self.made(collection).await?;
        file.driver.put_many(collection, records, cx).await
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        match self.existing(name.collection).await? {
            Some(file) => file.driver.delete(name, condition, cx).await,
            None => Ok(DeleteOutcome::Missing),
        }
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        match self.existing(collection).await? {
            Some(file) => file.driver.delete_many(collection, keys, cx).await,
            None => Ok(keys.iter().map(|_| Ok(false)).collect()),
        }
    }

    async fn ping(&self, _cx: Context<'_>) -> Result<()> {
        let directory = self.directory.clone();
        run_blocking(move || directory::ours(&directory).map(drop)).await
    }

    async fn close(&self) -> Result<()> {
        let slots: Vec<Slot> = self.files.lock().open.drain().map(|(_, slot)| slot).collect();
        for slot in slots {
            slot.file.driver.close().await?;
        }
        Ok(())
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, cx: Context<'_>) -> Result<Modified> {
        let changes_only_what_is_there = matches!(change, Change::Take | Change::Touch(_) | Change::Annotate(_));
        if changes_only_what_is_there && self.existing(name.collection).await?.is_none() {
            return Ok(Modified::unapplied(None));
        }
        let file = self.made(name.collection).await?;
        file.driver.modify(name, change, cx).await
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        match self.existing(collection).await? {
            Some(file) => file.driver.list(collection, options, cx).await,
            None => Ok(Page::new(Vec::new(), None)),
        }
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let names = self.names().await?;
        let seen = |name: &str| options.cursor.as_ref().is_some_and(|cursor| name <= cursor.as_str());
        let mut items: Vec<String> = Vec::new();
        let wanted = names.into_iter().filter(|name| !seen(name) && options.filter.matches(name));
        let mut tried = None;
        for (number, name) in wanted.enumerate() {
            if number == MOST_FILES {
                return Ok(Page::new(items, tried.map(Cursor::new)));
            }
            let file = self.existing(&name).await?;
            let live = match file {
                Some(file) => file.driver.has_live(&name, cx).await?,
                None => false,
            };
            if live && items.len() >= options.limit {
                let next = items.last().map(Cursor::new);
                return Ok(Page::new(items, next));
            }
            if live {
                items.push(name.clone());
            }
            tried = Some(name);
        }
        Ok(Page::new(items, None))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        match self.existing(collection).await? {
            Some(file) => file.driver.count(collection, filter, cx).await,
            None => Ok(0),
        }
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        match self.existing(collection).await? {
            Some(file) => file.driver.clear(collection, filter, cx).await,
            None => Ok(0),
        }
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        let names = self.names().await?;
        let mut live = 0;
        for name in names {
            if let Some(file) = self.existing(&name).await? {
                live += file.driver.destroy(cx).await?;
            }
        }
        Ok(live)
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        let names = self.names().await?;
        let mut freed = 0;
        for name in names {
            if let Some(file) = self.existing(&name).await? {
                freed += file.driver.cull(cx).await?;
            }
        }
        Ok(freed)
    }
}

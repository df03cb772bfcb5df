//! The smallest honest store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use kv_core::{
    CallOptions, Condition, Cursor, DeleteOutcome, Description, Entry, KeyFilter, ListOptions, Listed, Name, Page,
    PutOutcome, Record, Result, Stability, Written,
};

use crate::driver::{Context, Driver, written};
use crate::managed::Managed;

/// A store in one ordered map of this process: the smallest that keeps the whole contract, to read before writing a
/// driver of one's own, and for tests that want listings in order. For speed, or with bounds, take
/// [`MemoryStore`](super::MemoryStore).
///
/// ```
/// use kv_source::{Kv, KeyFilter};
/// use kv_source::stores::SimpleStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(SimpleStore::new());
/// kv.put("b", &2).await?;
/// kv.put("a", &1).await?;
/// assert_eq!(kv.all_keys(&KeyFilter::all()).await?, ["a", "b"]);
/// # Ok(())
/// # }
/// ```
pub type SimpleStore = Managed<SimpleDriver>;

impl SimpleStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::from_driver(SimpleDriver::default())
    }
}

impl Default for SimpleStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The driver of [`SimpleStore`].
#[derive(Debug, Default)]
pub struct SimpleDriver {
    collections: Mutex<Collections>,
    /// Writes until expired entries are looked for again: as many as there were entries, so that it costs a write
    /// little and the map is never more than half expired for long.
    writes_to_sweep: AtomicUsize,
}

impl SimpleDriver {
    fn sweep_a_little(&self, collections: &mut Collections, cx: Context<'_>) {
        if self.writes_to_sweep.load(Ordering::Relaxed) == 0 {
            remove_where(collections, cx, |_, _, entry| cx.has_ended(entry.expires()));
            let left = collections.values().map(BTreeMap::len).sum();
            self.writes_to_sweep.store(left, Ordering::Relaxed);
        } else {
            // Only written under the lock of the map.
            self.writes_to_sweep.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Keys in the order of their bytes, within collections in theirs.
type Collections = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Entry>>;

fn find(collections: &Collections, name: Name<'_>) -> Option<Entry> {
    collections.get(name.collection)?.get(name.key).cloned()
}

fn insert(collections: &mut Collections, name: Name<'_>, record: &Record<'_>) {
    // Only a new name is allocated.
    let entry = Entry::new(record);
    match collections.get_mut(name.collection) {
        Some(keys) => match keys.get_mut(name.key) {
            Some(old) => *old = entry,
            None => drop(keys.insert(name.key.into(), entry)),
        },
        None => drop(collections.insert(name.collection.into(), BTreeMap::from([(name.key.into(), entry)]))),
    }
}

fn remove(collections: &mut Collections, name: Name<'_>) -> Option<Entry> {
    let keys = collections.get_mut(name.collection)?;
    let entry = keys.remove(name.key);
    if keys.is_empty() {
        collections.remove(name.collection);
    }
    entry
}

/// Removes what is to go, and answers how many of it were live.
fn remove_where(
    collections: &mut Collections,
    cx: Context<'_>,
    mut goes: impl FnMut(&str, &str, &Entry) -> bool,
) -> u64 {
    let mut live = 0;
    collections.retain(|collection, keys| {
        keys.retain(|key, entry| {
            let goes = goes(collection, key, entry);
            live += u64::from(goes && !cx.has_ended(entry.expires()));
            !goes
        });
        !keys.is_empty()
    });
    live
}

/// The first `limit` of these names after the cursor, and where the next page begins.
fn page<T>(mut names: impl Iterator<Item = (Arc<str>, T)>, limit: usize) -> Page<(Arc<str>, T)> {
    let items: Vec<_> = names.by_ref().take(limit).collect();
    let more = names.next().is_some();
    let next = items.last().filter(|_| more).map(|(name, _)| Cursor::new(&**name));
    Page::new(items, next)
}

/// Where a listing begins: after the cursor, and not before the prefix.
fn start(options: &ListOptions) -> Bound<&str> {
    match &options.cursor {
        Some(cursor) if cursor.as_str() >= options.filter.prefix() => Bound::Excluded(cursor.as_str()),
        _ => Bound::Included(options.filter.prefix()),
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for SimpleDriver {
    const KIND: &'static str = "Simple";

    fn describe(&self) -> Description {
        Description::new(Self::KIND, Stability::Stable, super::in_process(true))
    }

    async fn setup(&self) -> Result<()> {
        Ok(())
    }

    async fn get(&self, name: Name<'_>, _head: bool, _call: &CallOptions) -> Result<Option<Entry>> {
        Ok(find(&self.collections.lock(), name))
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        _head: bool,
        _call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let collections = self.collections.lock();
        Ok(keys.iter().map(|key| Ok(find(&collections, Name::new(collection, key)))).collect())
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let mut collections = self.collections.lock();
        if *condition != Condition::Always {
            let current = cx.live(find(&collections, name));
            if !condition.holds(current.as_ref()) {
                return Ok(PutOutcome::Conflict);
            }
        }
        self.sweep_a_little(&mut collections, cx);
        insert(&mut collections, name, record);
        Ok(PutOutcome::Written(written(record)))
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let mut collections = self.collections.lock();
        let put = |(key, record): &(&str, Record<'_>)| {
            self.sweep_a_little(&mut collections, cx);
            insert(&mut collections, Name::new(collection, key), record);
            Ok(written(record))
        };
        Ok(records.iter().map(put).collect())
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        let mut collections = self.collections.lock();
        let Some(current) = cx.live(find(&collections, name)) else { return Ok(DeleteOutcome::Missing) };
        if !condition.holds(Some(&current)) {
            return Ok(DeleteOutcome::Conflict);
        }
        remove(&mut collections, name);
        Ok(DeleteOutcome::Deleted)
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        let mut collections = self.collections.lock();
        let mut delete = |key: &&str| Ok(cx.live(remove(&mut collections, Name::new(collection, key))).is_some());
        Ok(keys.iter().map(&mut delete).collect())
    }

    async fn ping(&self, _cx: Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        let collections = self.collections.lock();
        let Some(keys) = collections.get(collection) else { return Ok(Page::new(Vec::new(), None)) };
        let found = keys
            .range::<str, _>((start(options), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(options.filter.prefix()))
            .filter(|(key, entry)| options.filter.matches(key) && !cx.has_ended(entry.expires()))
            .map(|(key, entry)| (Arc::clone(key), entry.clone()));
        Ok(page(found, options.limit)
            .map(|(key, entry)| if options.entries { Listed::entry(&*key, Ok(entry)) } else { Listed::key(&*key) }))
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let collections = self.collections.lock();
        let found = collections
            .range::<str, _>((start(options), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(options.filter.prefix()))
            .filter(|(name, keys)| {
                options.filter.matches(name) && keys.values().any(|entry| !cx.has_ended(entry.expires()))
            })
            .map(|(name, _)| (Arc::clone(name), ()));
        Ok(page(found, options.limit).map(|(name, ())| name.to_string()))
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let mut collections = self.collections.lock();
        Ok(remove_where(&mut collections, cx, |of, key, _| of == collection && filter.matches(key)))
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        Ok(remove_where(&mut self.collections.lock(), cx, |_, _, _| true))
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        let mut collections = self.collections.lock();
        let mut freed = 0;
        remove_where(&mut collections, cx, |_, _, entry| {
            let ended = cx.has_ended(entry.expires());
            freed += u64::from(ended);
            ended
        });
        Ok(freed)
    }
}

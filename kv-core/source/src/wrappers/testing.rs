//! What the tests of wrappers share.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;

use kv_core::{
    CallOptions, Capabilities, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, GetOptions,
    KeyFilter, ListOptions, Listed, ManualClock, Name, Page, Pattern, PutItem, PutOptions, PutOutcome, Result,
    Stability, Timestamp, ValueRef, Written,
};

use crate::store::Store;
use crate::stores::SimpleStore;

/// A store with a clock that stands still.
pub(super) fn stopped() -> (SimpleStore, ManualClock) {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    (SimpleStore::new().with_clock(clock.clone()), clock)
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn matching(glob: &str) -> KeyFilter {
    KeyFilter::pattern(Pattern::new(glob).unwrap())
}

/// All pages of a listing of keys.
#[maybe_async::maybe_async]
pub(super) async fn keys<S: Store>(store: &S, collection: &str, mut options: ListOptions) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        let page = store.list(collection, &options).await.unwrap();
        assert!(page.items.len() <= options.limit);
        keys.extend(page.items.into_iter().map(|line| line.key));
        match page.next {
            Some(next) => options.cursor = Some(next),
            None => return keys,
        }
    }
}

/// All pages of a listing of collections.
#[maybe_async::maybe_async]
pub(super) async fn collections<S: Store>(store: &S, mut options: ListOptions) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = store.collections(&options).await.unwrap();
        assert!(page.items.len() <= options.limit);
        names.extend(page.items);
        match page.next {
            Some(next) => options.cursor = Some(next),
            None => return names,
        }
    }
}

/// A store that lets something happen just before a write on a condition.
pub(super) struct Interrupted<S> {
    pub(super) store: S,
    meanwhile: Mutex<Option<Meanwhile>>,
}

pub(super) enum Meanwhile {
    /// Somebody puts this permanent value.
    Put(&'static [u8]),
    /// So much time passes.
    Pass(ManualClock, Duration),
}

impl<S> Interrupted<S> {
    pub(super) fn new(store: S, meanwhile: Meanwhile) -> Self {
        Self { store, meanwhile: Mutex::new(Some(meanwhile)) }
    }

    pub(super) fn has_happened(&self) -> bool {
        self.meanwhile.lock().is_none()
    }
}

impl<S> fmt::Debug for Interrupted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupted")
    }
}

/// What is not said here is `Unsupported`, or built from conditions.
#[maybe_async::maybe_async]
impl<S: Store> Store for Interrupted<S> {
    fn describe(&self) -> Description {
        self.store.describe()
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.store.get(name, options).await
    }

    async fn get_many(&self, of: &str, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        self.store.get_many(of, keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let meanwhile = self.meanwhile.lock().take();
        match meanwhile {
            Some(Meanwhile::Put(value)) => {
                let _ = self.store.put(name, ValueRef::Json(value), &PutOptions::default()).await?;
            }
            Some(Meanwhile::Pass(clock, by)) => clock.advance(by),
            None => {}
        }
        self.store.put(name, value, options).await
    }

    async fn put_many(&self, of: &str, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        self.store.put_many(of, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.store.delete(name, options).await
    }

    async fn delete_many(&self, of: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.store.delete_many(of, keys, options).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        self.store.ping(options).await
    }

    async fn setup(&self) -> Result<()> {
        self.store.setup().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

/// A backend in which every record is damaged, that repeats itself in listings, and gives pages of one key.
#[derive(Debug)]
pub(super) struct Damaged {
    /// The collection and the key of every record.
    pub(super) collection: &'static str,
    pub(super) keys: &'static [&'static str],
}

impl Damaged {
    fn error(name: Name<'_>) -> Error {
        Error::new(ErrorKind::Corrupted, "damaged").in_store("Damaged").at(name)
    }
}

#[maybe_async::maybe_async]
impl Store for Damaged {
    fn describe(&self) -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.listing = kv_core::Listing::AtLeastOnce;
        capabilities.clear = true;
        Description::new("Damaged", Stability::Unstable, capabilities)
    }

    async fn get(&self, name: Name<'_>, _options: &GetOptions) -> Result<Option<Entry>> {
        Err(Self::error(name))
    }

    async fn get_many(&self, of: &str, keys: &[&str], _options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        Ok(keys.iter().map(|key| Err(Self::error(Name::new(of, key)))).collect())
    }

    async fn put(&self, name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Result<PutOutcome> {
        Err(Self::error(name))
    }

    async fn put_many(&self, of: &str, items: &[PutItem<'_>], _options: &PutOptions) -> Result<Vec<Result<Written>>> {
        Ok(items.iter().map(|item| Err(Self::error(Name::new(of, item.key)))).collect())
    }

    async fn delete(&self, name: Name<'_>, _options: &DeleteOptions) -> Result<DeleteOutcome> {
        Err(Self::error(name))
    }

    async fn delete_many(&self, of: &str, keys: &[&str], _options: &CallOptions) -> Result<Vec<Result<bool>>> {
        Ok(keys.iter().map(|key| Err(Self::error(Name::new(of, key)))).collect())
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        if collection != self.collection {
            return Err(Error::new(ErrorKind::Backend, "no such collection").in_collection(collection));
        }
        // Every key twice, one a page.
        let at = options.cursor.as_ref().map_or(0, |cursor| cursor.as_str().parse().unwrap());
        let Some(key) = self.keys.get(at / 2) else { return Ok(Page::new(Vec::new(), None)) };
        let next = Some(kv_core::Cursor::new((at + 1).to_string()));
        if !options.filter.matches(key) {
            return Ok(Page::new(Vec::new(), next));
        }
        let error = Self::error(Name::new(collection, key));
        Ok(Page::new(vec![if options.entries { Listed::entry(*key, Err(error)) } else { Listed::key(*key) }], next))
    }

    async fn count(&self, collection: &str, _filter: &KeyFilter, _options: &CallOptions) -> Result<u64> {
        Err(Error::new(ErrorKind::Connection, "gone").in_collection(collection))
    }

    async fn clear(&self, collection: &str, _filter: &KeyFilter, _options: &CallOptions) -> Result<u64> {
        Err(Error::new(ErrorKind::Connection, "gone").in_collection(collection))
    }

    async fn ping(&self, _options: &CallOptions) -> Result<()> {
        Err(Error::new(ErrorKind::Connection, "gone"))
    }

    async fn setup(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

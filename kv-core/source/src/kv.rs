//! The handle of a store.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{CallOptions, Capabilities, Description, Error, ErrorKind, ListOptions, Page, Result};

use crate::collection::Collection;
use crate::culler::Culler;
use crate::store::Store;

/// A store, ready for use. Cheap to clone; clones are the same store.
///
/// It reads and writes through [`Collection`]s. The methods of [`Collection`] called on `Kv` itself act on the store's
/// default collection.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(MemoryStore::new());
/// kv.put("greeting", "hello").await?;
/// kv.collection("users").put("alice", &42).await?;
/// assert_eq!(kv.get::<String>("greeting").await?.as_deref(), Some("hello"));
/// assert_eq!(kv.all_collections().await?, ["default_collection", "users"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Kv {
    root: Collection,
}

impl Kv {
    /// A handle of this store, or of this stack.
    pub fn new(store: impl Store) -> Self {
        Self::from_arc(Arc::new(store))
    }

    /// A handle of a store that is shared already.
    pub fn from_arc(store: Arc<dyn Store>) -> Self {
        let name = store.default_collection().into();
        Self { root: Collection::new(store, name, CallOptions::default()) }
    }

    /// The collection of that name. It need not be made; its name is checked when it is used.
    pub fn collection(&self, name: impl Into<Arc<str>>) -> Collection {
        Collection::new(Arc::clone(self.store()), name.into(), self.root.call_options())
    }

    /// This store with a time-out for each call. Collections made from the result have it too.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { root: self.root.with_timeout(timeout) }
    }

    /// Lists the collections that hold live entries, one page of them. The filter is about their names.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](kv_core::ErrorKind::Unsupported) where the backend cannot tell.
    #[maybe_async::maybe_async]
    pub async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        self.root.store().collections(options).await
    }

    /// Lists all collections that hold live entries.
    ///
    /// # Errors
    ///
    /// Those of [`collections`](Self::collections).
    #[maybe_async::maybe_async]
    pub async fn all_collections(&self) -> Result<Vec<String>> {
        let mut options = ListOptions::default().with_call(self.root.call_options());
        let mut names = Vec::new();
        loop {
            let page = self.collections(&options).await?;
            names.extend(page.items);
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(names),
            }
        }
    }

    /// Frees expired entries and answers how many there were. A store in use frees them by itself; this does it now.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](kv_core::ErrorKind::Unsupported) where the backend does it alone.
    #[maybe_async::maybe_async]
    pub async fn cull(&self) -> Result<u64> {
        self.root.store().cull(&self.root.call_options()).await
    }

    /// Culls now and then every `interval`, in the background, until what this answers is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_source::Kv;
    /// use kv_source::stores::MemoryStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> kv_source::Result<()> {
    /// let kv = Kv::new(MemoryStore::new());
    /// let _culler = kv.cull_every(Duration::from_secs(60)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`cull`](Self::cull), which is tried first; [`InvalidArgument`](kv_core::ErrorKind::InvalidArgument)
    /// for an interval of zero.
    #[maybe_async::maybe_async]
    pub async fn cull_every(&self, interval: Duration) -> Result<Culler> {
        if interval.is_zero() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the interval of culling is 0; it takes more"));
        }
        self.cull().await?;
        Culler::start(Arc::clone(self.store()), interval)
    }

    /// Removes all that the store keeps under its names, in every collection, and nothing else; answers how many live
    /// entries there were. The store works on.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](kv_core::ErrorKind::Unsupported) where the backend cannot tell what is the store's.
    #[maybe_async::maybe_async]
    pub async fn destroy(&self) -> Result<u64> {
        self.root.store().destroy(&self.root.call_options()).await
    }

    /// Asks the backend for a sign of life.
    ///
    /// # Errors
    ///
    /// [`Connection`](kv_core::ErrorKind::Connection) or [`Timeout`](kv_core::ErrorKind::Timeout).
    #[maybe_async::maybe_async]
    pub async fn ping(&self) -> Result<()> {
        self.root.store().ping(&self.root.call_options()).await
    }

    /// Sets the store up now instead of at its first use.
    ///
    /// # Errors
    ///
    /// What the first use would have met. The next use tries again.
    #[maybe_async::maybe_async]
    pub async fn setup(&self) -> Result<()> {
        self.root.store().setup().await
    }

    /// Lets go of connections and files that the store opened; of a client that was handed in it never does. The next
    /// use opens them again.
    ///
    /// # Errors
    ///
    /// What the backend met while it closed.
    #[maybe_async::maybe_async]
    pub async fn close(&self) -> Result<()> {
        self.root.store().close().await
    }

    /// What this store, or stack, can do, asking the backend where that matters.
    ///
    /// # Errors
    ///
    /// [`Connection`](kv_core::ErrorKind::Connection) or [`Timeout`](kv_core::ErrorKind::Timeout).
    #[maybe_async::maybe_async]
    pub async fn capabilities(&self) -> Result<Capabilities> {
        self.root.store().capabilities().await
    }

    /// What this store, or stack, is: its name, its stability, what it can do.
    pub fn describe(&self) -> Description {
        self.root.store().describe()
    }

    /// The store behind this handle.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.root.store()
    }
}

/// The default collection.
impl Deref for Kv {
    type Target = Collection;

    fn deref(&self) -> &Collection {
        &self.root
    }
}

//! Wrappers that treat all operations alike.

use std::fmt;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, ValueRef, Written,
};

use super::request::{self, Request};
use super::wrapper::Wrapper;
use crate::store::Store;

/// A [`Wrapper`] with one thing to do around every operation, whichever it is: count it, repeat it, refuse it.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use kv_source::{Kv, Result, Store};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::Request;
///
/// /// Counts calls.
/// #[derive(Debug)]
/// struct Counted<S> {
///     store: S,
///     calls: AtomicU64,
/// }
///
/// impl<S: Store> kv_source::wrappers::Around for Counted<S> {
///     type Inner = S;
///     const NAME: &'static str = "Counted";
///
///     fn inner(&self) -> &S {
///         &self.store
///     }
///
///     async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
///         self.calls.fetch_add(1, Ordering::Relaxed);
///         request.send(&self.store).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = std::sync::Arc::new(Counted { store: MemoryStore::new(), calls: AtomicU64::new(0) });
/// let kv = Kv::new(std::sync::Arc::clone(&store));
/// kv.put("k", &1).await?;
/// kv.increment("k", 1).await?;
/// assert_eq!(store.calls.load(Ordering::Relaxed), 2);
/// # Ok(())
/// # }
/// ```
#[maybe_async::maybe_async(AFIT)]
pub trait Around: fmt::Debug + Send + Sync + 'static {
    /// The store within.
    type Inner: Store + ?Sized;

    /// What the wrapper is called in errors and descriptions.
    const NAME: &'static str;

    /// The store within.
    fn inner(&self) -> &Self::Inner;

    /// See [`Store::describe`].
    fn describe(&self) -> Description {
        self.inner().describe().wrapped_in(Self::NAME)
    }

    /// Answers a call: sends it to the store within, or does not.
    fn around<R: Request>(&self, request: &R) -> impl Future<Output = Result<R::Answer>> + Send;
}

#[maybe_async::maybe_async(AFIT)]
impl<A: Around> Wrapper for A {
    type Inner = A::Inner;
    const NAME: &'static str = A::NAME;

    fn inner(&self) -> &Self::Inner {
        Around::inner(self)
    }

    fn describe(&self) -> Description {
        Around::describe(self)
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.around(&request::Get { name, options }).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.around(&request::GetMany { collection, keys, options }).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.around(&request::Put { name, value, options }).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.around(&request::PutMany { collection, items, options }).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.around(&request::Delete { name, options }).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.around(&request::DeleteMany { collection, keys, options }).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        self.around(&request::Modify { name, change, options }).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.around(&request::List { collection, options }).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        self.around(&request::Collections { options }).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.around(&request::Count { collection, filter, options }).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.around(&request::Clear { collection, filter, options }).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.around(&request::Destroy { options }).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.around(&request::Cull { options }).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        self.around(&request::Ping { options }).await
    }

    async fn setup(&self) -> Result<()> {
        self.around(&request::Setup {}).await
    }

    async fn close(&self) -> Result<()> {
        self.around(&request::Close {}).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.around(&request::AskCapabilities {}).await
    }
}

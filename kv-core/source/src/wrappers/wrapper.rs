//! What a wrapper says of itself.

use std::fmt;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, Timestamp, ValueRef, Written,
};

use crate::store::Store;

/// A store around another. Every operation goes to the one within, unless the wrapper has its own; so listings,
/// conditional writes, lifecycle and capabilities survive any stack.
///
/// Whatever implements it is a [`Store`]. A wrapper that treats all operations alike implements
/// [`Around`](super::Around) instead. Where a forgotten operation would be a hole (one that guards writes, or changes
/// values), `#[deny(clippy::missing_trait_methods)]` on the `impl` asks for a decision on each.
///
/// Import it only where it is implemented: its methods are named as those of [`Store`].
///
/// ```
/// use kv_source::{Error, ErrorKind, Kv, Name, PutOptions, PutOutcome, Result, Store, ValueRef};
/// use kv_source::stores::MemoryStore;
///
/// /// Takes no key that begins with an underscore.
/// #[derive(Debug)]
/// struct NoUnderscore<S>(S);
///
/// impl<S: Store> kv_source::wrappers::Wrapper for NoUnderscore<S> {
///     type Inner = S;
///     const NAME: &'static str = "NoUnderscore";
///
///     fn inner(&self) -> &S {
///         &self.0
///     }
///
///     async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
///         if name.key.starts_with('_') {
///             let error = Error::new(ErrorKind::InvalidKey, "a key must not begin with an underscore");
///             return Err(error.in_store("NoUnderscore").during("put").at(name));
///         }
///         self.0.put(name, value, options).await
///     }
///     // ... and put_many, and modify.
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(NoUnderscore(MemoryStore::new()));
/// assert_eq!(kv.put("_k", &1).await.unwrap_err().kind(), ErrorKind::InvalidKey);
/// kv.put("k", &1).await?;
/// assert_eq!(kv.get::<i32>("k").await?, Some(1));
/// # Ok(())
/// # }
/// ```
#[maybe_async::maybe_async(AFIT)]
pub trait Wrapper: fmt::Debug + Send + Sync + 'static {
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

    /// See [`Store::default_collection`].
    fn default_collection(&self) -> &str {
        self.inner().default_collection()
    }

    /// See [`Store::now`].
    fn now(&self) -> Timestamp {
        self.inner().now()
    }

    /// See [`Store::has_come`]. A wrapper with a clock of its own has this too.
    fn has_come(&self, instant: Timestamp) -> bool {
        self.inner().has_come(instant)
    }

    /// See [`Store::at_hand`]. `None`, unless the wrapper says otherwise: what it does around a get must not be gone
    /// without.
    fn at_hand(&self, _name: Name<'_>) -> Option<Option<Entry>> {
        None
    }

    /// See [`Store::get`].
    fn get<'a>(
        &'a self,
        name: Name<'a>,
        options: &'a GetOptions,
    ) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.inner().get(name, options)
    }

    /// See [`Store::get_many`].
    fn get_many<'a>(
        &'a self,
        collection: &'a str,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> impl Future<Output = Result<Vec<Result<Option<Entry>>>>> + Send {
        self.inner().get_many(collection, keys, options)
    }

    /// See [`Store::put`].
    fn put<'a>(
        &'a self,
        name: Name<'a>,
        value: ValueRef<'a>,
        options: &'a PutOptions,
    ) -> impl Future<Output = Result<PutOutcome>> + Send {
        self.inner().put(name, value, options)
    }

    /// See [`Store::put_many`].
    fn put_many<'a>(
        &'a self,
        collection: &'a str,
        items: &'a [PutItem<'a>],
        options: &'a PutOptions,
    ) -> impl Future<Output = Result<Vec<Result<Written>>>> + Send {
        self.inner().put_many(collection, items, options)
    }

    /// See [`Store::delete`].
    fn delete<'a>(
        &'a self,
        name: Name<'a>,
        options: &'a DeleteOptions,
    ) -> impl Future<Output = Result<DeleteOutcome>> + Send {
        self.inner().delete(name, options)
    }

    /// See [`Store::delete_many`].
    fn delete_many<'a>(
        &'a self,
        collection: &'a str,
        keys: &'a [&'a str],
        options: &'a CallOptions,
    ) -> impl Future<Output = Result<Vec<Result<bool>>>> + Send {
        self.inner().delete_many(collection, keys, options)
    }

    /// See [`Store::modify`].
    fn modify<'a>(
        &'a self,
        name: Name<'a>,
        change: &'a Change<'a>,
        options: &'a CallOptions,
    ) -> impl Future<Output = Result<Modified>> + Send {
        self.inner().modify(name, change, options)
    }

    /// See [`Store::list`].
    fn list<'a>(
        &'a self,
        collection: &'a str,
        options: &'a ListOptions,
    ) -> impl Future<Output = Result<Page<Listed>>> + Send {
        self.inner().list(collection, options)
    }

    /// See [`Store::collections`].
    fn collections<'a>(&'a self, options: &'a ListOptions) -> impl Future<Output = Result<Page<String>>> + Send {
        self.inner().collections(options)
    }

    /// See [`Store::count`].
    fn count<'a>(
        &'a self,
        collection: &'a str,
        filter: &'a KeyFilter,
        options: &'a CallOptions,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.inner().count(collection, filter, options)
    }

    /// See [`Store::clear`].
    fn clear<'a>(
        &'a self,
        collection: &'a str,
        filter: &'a KeyFilter,
        options: &'a CallOptions,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.inner().clear(collection, filter, options)
    }

    /// See [`Store::destroy`].
    fn destroy<'a>(&'a self, options: &'a CallOptions) -> impl Future<Output = Result<u64>> + Send {
        self.inner().destroy(options)
    }

    /// See [`Store::cull`].
    fn cull<'a>(&'a self, options: &'a CallOptions) -> impl Future<Output = Result<u64>> + Send {
        self.inner().cull(options)
    }

    /// See [`Store::ping`].
    fn ping<'a>(&'a self, options: &'a CallOptions) -> impl Future<Output = Result<()>> + Send {
        self.inner().ping(options)
    }

    /// See [`Store::setup`].
    fn setup(&self) -> impl Future<Output = Result<()>> + Send {
        self.inner().setup()
    }

    /// See [`Store::close`].
    fn close(&self) -> impl Future<Output = Result<()>> + Send {
        self.inner().close()
    }

    /// See [`Store::capabilities`].
    fn capabilities(&self) -> impl Future<Output = Result<Capabilities>> + Send {
        self.inner().capabilities()
    }
}

#[maybe_async::maybe_async]
#[deny(clippy::missing_trait_methods)]
impl<W: Wrapper> Store for W {
    fn describe(&self) -> Description {
        Wrapper::describe(self)
    }

    fn default_collection(&self) -> &str {
        Wrapper::default_collection(self)
    }

    fn now(&self) -> Timestamp {
        Wrapper::now(self)
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        Wrapper::has_come(self, instant)
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        Wrapper::at_hand(self, name)
    }

    fn put_at_hand(&self, _name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Option<Result<PutOutcome>> {
        None
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        Wrapper::get(self, name, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        Wrapper::get_many(self, collection, keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        Wrapper::put(self, name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        Wrapper::put_many(self, collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        Wrapper::delete(self, name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        Wrapper::delete_many(self, collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        Wrapper::modify(self, name, change, options).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        Wrapper::list(self, collection, options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        Wrapper::collections(self, options).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        Wrapper::count(self, collection, filter, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        Wrapper::clear(self, collection, filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        Wrapper::destroy(self, options).await
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        Wrapper::cull(self, options).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        Wrapper::ping(self, options).await
    }

    async fn setup(&self) -> Result<()> {
        Wrapper::setup(self).await
    }

    async fn close(&self) -> Result<()> {
        Wrapper::close(self).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Wrapper::capabilities(self).await
    }
}

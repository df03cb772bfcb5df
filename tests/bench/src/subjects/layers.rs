//! Wrappers that only hand on: what a layer of a stack costs by itself.

use std::sync::Arc;

use kv_core::{
    CallOptions, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, Name, PutItem, PutOptions, PutOutcome,
    Result, Timestamp, ValueRef, Written,
};

// `(*self.0)`, since a pointer to a store is a store too, and boxes a future of its own.

#[derive(Debug)]
struct Blocking(Arc<dyn kv_sync::Store>);

#[derive(Debug)]
struct Awaiting(Arc<dyn kv_async::Store>);

/// A store in memory below so many layers.
pub fn blocking(depth: usize) -> Arc<dyn kv_sync::Store> {
    let store: Arc<dyn kv_sync::Store> = Arc::new(kv_sync::stores::MemoryStore::new());
    (0..depth).fold(store, |store, _| Arc::new(Blocking(store)))
}

/// A store in memory below so many layers.
pub fn awaiting(depth: usize) -> Arc<dyn kv_async::Store> {
    let store: Arc<dyn kv_async::Store> = Arc::new(kv_async::stores::MemoryStore::new());
    (0..depth).fold(store, |store, _| Arc::new(Awaiting(store)))
}

impl kv_sync::Store for Blocking {
    fn describe(&self) -> Description {
        (*self.0).describe()
    }

    fn now(&self) -> Timestamp {
        (*self.0).now()
    }

    fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        (*self.0).get(name, options)
    }

    fn get_many(&self, collection: &str, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        (*self.0).get_many(collection, keys, options)
    }

    fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        (*self.0).put(name, value, options)
    }

    fn put_many(&self, collection: &str, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        (*self.0).put_many(collection, items, options)
    }

    fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        (*self.0).delete(name, options)
    }

    fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        (*self.0).delete_many(collection, keys, options)
    }

    fn ping(&self, options: &CallOptions) -> Result<()> {
        (*self.0).ping(options)
    }

    fn setup(&self) -> Result<()> {
        (*self.0).setup()
    }

    fn close(&self) -> Result<()> {
        (*self.0).close()
    }
}

#[async_trait::async_trait]
impl kv_async::Store for Awaiting {
    fn describe(&self) -> Description {
        (*self.0).describe()
    }

    fn now(&self) -> Timestamp {
        (*self.0).now()
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        (*self.0).get(name, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        (*self.0).get_many(collection, keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        (*self.0).put(name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        (*self.0).put_many(collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        (*self.0).delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        (*self.0).delete_many(collection, keys, options).await
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        (*self.0).ping(options).await
    }

    async fn setup(&self) -> Result<()> {
        (*self.0).setup().await
    }

    async fn close(&self) -> Result<()> {
        (*self.0).close().await
    }
}

//! A pointer to a store is that store.

use std::sync::Arc;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, Timestamp, ValueRef, Written,
};

use crate::store::Store;

#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn describe(&self) -> Description {
        (**self).describe()
    }

    fn default_collection(&self) -> &str {
        (**self).default_collection()
    }

    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        (**self).has_come(instant)
    }

    fn at_hand(&self, name: Name<'_>) -> Option<Option<Entry>> {
        (**self).at_hand(name)
    }

    fn put_at_hand(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Option<Result<PutOutcome>> {
        (**self).put_at_hand(name, value, options)
    }

    fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        (**self).get(name, options)
    }

    fn get_many(&self, collection: &str, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        (**self).get_many(collection, keys, options)
    }

    fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        (**self).put(name, value, options)
    }

    fn put_many(&self, collection: &str, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        (**self).put_many(collection, items, options)
    }

    fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        (**self).delete(name, options)
    }

    fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        (**self).delete_many(collection, keys, options)
    }

    fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        (**self).modify(name, change, options)
    }

    fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        (**self).list(collection, options)
    }

    fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        (**self).collections(options)
    }

    fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        (**self).count(collection, filter, options)
    }

    fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        (**self).clear(collection, filter, options)
    }

    fn destroy(&self, options: &CallOptions) -> Result<u64> {
        (**self).destroy(options)
    }

    fn cull(&self, options: &CallOptions) -> Result<u64> {
        (**self).cull(options)
    }

    fn ping(&self, options: &CallOptions) -> Result<()> {
        (**self).ping(options)
    }

    fn setup(&self) -> Result<()> {
        (**self).setup()
    }

    fn close(&self) -> Result<()> {
        (**self).close()
    }

    fn capabilities(&self) -> Result<Capabilities> {
        (**self).capabilities()
    }
}

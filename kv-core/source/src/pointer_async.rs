//! A pointer to a store is that store, awaiting: the future is the store's own, so that a pointer costs nothing.

use std::pin::Pin;
use std::sync::Arc;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, GetOptions, KeyFilter,
    ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, Timestamp, ValueRef, Written,
};

use crate::store::Store;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The signatures are those that `async_trait` gives the trait's.
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

    fn get<'l0, 'l1, 'l2, 'a>(&'l0 self, name: Name<'l1>, options: &'l2 GetOptions) -> Answer<'a, Option<Entry>>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        Self: 'a,
    {
        (**self).get(name, options)
    }

    fn get_many<'l0, 'l1, 'l2, 'l3, 'l4, 'a>(
        &'l0 self,
        collection: &'l1 str,
        keys: &'l2 [&'l3 str],
        options: &'l4 GetOptions,
    ) -> Answer<'a, Vec<Result<Option<Entry>>>>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        'l4: 'a,
        Self: 'a,
    {
        (**self).get_many(collection, keys, options)
    }

    fn put<'l0, 'l1, 'l2, 'l3, 'a>(
        &'l0 self,
        name: Name<'l1>,
        value: ValueRef<'l2>,
        options: &'l3 PutOptions,
    ) -> Answer<'a, PutOutcome>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        Self: 'a,
    {
        (**self).put(name, value, options)
    }

    fn put_many<'l0, 'l1, 'l2, 'l3, 'l4, 'a>(
        &'l0 self,
        collection: &'l1 str,
        items: &'l2 [PutItem<'l3>],
        options: &'l4 PutOptions,
    ) -> Answer<'a, Vec<Result<Written>>>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        'l4: 'a,
        Self: 'a,
    {
        (**self).put_many(collection, items, options)
    }

    fn delete<'l0, 'l1, 'l2, 'a>(&'l0 self, name: Name<'l1>, options: &'l2 DeleteOptions) -> Answer<'a, DeleteOutcome>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        Self: 'a,
    {
        (**self).delete(name, options)
    }

    fn delete_many<'l0, 'l1, 'l2, 'l3, 'l4, 'a>(
        &'l0 self,
        collection: &'l1 str,
        keys: &'l2 [&'l3 str],
        options: &'l4 CallOptions,
    ) -> Answer<'a, Vec<Result<bool>>>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        'l4: 'a,
        Self: 'a,
    {
        (**self).delete_many(collection, keys, options)
    }

    fn modify<'l0, 'l1, 'l2, 'l3, 'l4, 'a>(
        &'l0 self,
        name: Name<'l1>,
        change: &'l2 Change<'l3>,
        options: &'l4 CallOptions,
    ) -> Answer<'a, Modified>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        'l4: 'a,
        Self: 'a,
    {
        (**self).modify(name, change, options)
    }

    fn list<'l0, 'l1, 'l2, 'a>(&'l0 self, collection: &'l1 str, options: &'l2 ListOptions) -> Answer<'a, Page<Listed>>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        Self: 'a,
    {
        (**self).list(collection, options)
    }

    fn collections<'l0, 'l1, 'a>(&'l0 self, options: &'l1 ListOptions) -> Answer<'a, Page<String>>
    where
        'l0: 'a,
        'l1: 'a,
        Self: 'a,
    {
        (**self).collections(options)
    }

    fn count<'l0, 'l1, 'l2, 'l3, 'a>(
        &'l0 self,
        collection: &'l1 str,
        filter: &'l2 KeyFilter,
        options: &'l3 CallOptions,
    ) -> Answer<'a, u64>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        Self: 'a,
    {
        (**self).count(collection, filter, options)
    }

    fn clear<'l0, 'l1, 'l2, 'l3, 'a>(
        &'l0 self,
        collection: &'l1 str,
        filter: &'l2 KeyFilter,
        options: &'l3 CallOptions,
    ) -> Answer<'a, u64>
    where
        'l0: 'a,
        'l1: 'a,
        'l2: 'a,
        'l3: 'a,
        Self: 'a,
    {
        (**self).clear(collection, filter, options)
    }

    fn destroy<'l0, 'l1, 'a>(&'l0 self, options: &'l1 CallOptions) -> Answer<'a, u64>
    where
        'l0: 'a,
        'l1: 'a,
        Self: 'a,
    {
        (**self).destroy(options)
    }

    fn cull<'l0, 'l1, 'a>(&'l0 self, options: &'l1 CallOptions) -> Answer<'a, u64>
    where
        'l0: 'a,
        'l1: 'a,
        Self: 'a,
    {
        (**self).cull(options)
    }

    fn ping<'l0, 'l1, 'a>(&'l0 self, options: &'l1 CallOptions) -> Answer<'a, ()>
    where
        'l0: 'a,
        'l1: 'a,
        Self: 'a,
    {
        (**self).ping(options)
    }

    fn setup<'l0, 'a>(&'l0 self) -> Answer<'a, ()>
    where
        'l0: 'a,
        Self: 'a,
    {
        (**self).setup()
    }

    fn close<'l0, 'a>(&'l0 self) -> Answer<'a, ()>
    where
        'l0: 'a,
        Self: 'a,
    {
        (**self).close()
    }

    fn capabilities<'l0, 'a>(&'l0 self) -> Answer<'a, Capabilities>
    where
        'l0: 'a,
        Self: 'a,
    {
        (**self).capabilities()
    }
}

//! Calls with a deadline, blocking: made on threads of their own, with copies of what is sent.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, Expiry,
    GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, OwnedChange, OwnedKeys, OwnedName, Page, PutItem,
    PutOptions, PutOutcome, Result, Value, ValueRef, Written,
};

use super::workers::Unanswered;
use super::{Timeout, late, named};
use crate::store::Store;
use crate::wrappers::request::{self, Request};

impl<S: Store> Timeout<S> {
    /// Makes the call on another thread, and waits for the answer until its time is up.
    fn within<R: Request>(
        &self,
        request: &R,
        work: impl FnOnce(&S, CallOptions) -> Result<R::Answer> + Send + 'static,
    ) -> Result<R::Answer>
    where
        R::Answer: 'static,
    {
        let call = self.call(request);
        let limit = call.timeout.unwrap_or(Duration::MAX);
        let store = Arc::clone(&self.store);
        let unsent = |message: String| Err(named(Error::new(ErrorKind::Timeout, message), request));
        match self.workers.run(limit, move || work(&store, call)) {
            Ok(answer) => answer,
            Err(Unanswered::Late) => Err(late(request, limit)),
            Err(Unanswered::Busy { most }) => {
                unsent(format!("not sent: within {limit:?} none of the {most} threads for such calls was free"))
            }
            Err(Unanswered::Stragglers { most }) => {
                unsent(format!("not sent: {most} earlier calls have not been answered yet, and no more are taken on"))
            }
            Err(Unanswered::NoThread(error)) => {
                let error = Error::new(ErrorKind::Backend, "not sent: no thread could be started").with_source(error);
                Err(named(error, request))
            }
        }
    }
}

impl<S: Store> crate::wrappers::Wrapper for Timeout<S> {
    type Inner = S;
    const NAME: &'static str = "Timeout";

    fn inner(&self) -> &S {
        &self.store
    }

    fn describe(&self) -> Description {
        self.describe_limit()
    }

    fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let own = OwnedName::new(name);
        let sent = *options;
        self.within(&request::Get { name, options }, move |store, call| store.get(own.get(), &sent.with_call(call)))
    }

    fn get_many(&self, collection: &str, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        let own = OwnedKeys::new(collection, keys.iter().copied());
        let sent = *options;
        self.within(&request::GetMany { collection, keys, options }, move |store, call| {
            store.get_many(own.collection(), &own.iter().collect::<Vec<_>>(), &sent.with_call(call))
        })
    }

    fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let own = OwnedName::new(name);
        let own_value = value.to_value();
        let sent = options.clone();
        self.within(&request::Put { name, value, options }, move |store, call| {
            store.put(own.get(), own_value.as_ref(), &sent.with_call(call))
        })
    }

    fn put_many(&self, collection: &str, items: &[PutItem<'_>], options: &PutOptions) -> Result<Vec<Result<Written>>> {
        let own = collection.to_owned();
        let own_items: Vec<(String, Value, Option<Expiry>)> =
            items.iter().map(|item| (item.key.to_owned(), item.value.to_value(), item.expiry)).collect();
        let sent = options.clone();
        self.within(&request::PutMany { collection, items, options }, move |store, call| {
            let items: Vec<PutItem<'_>> = own_items
                .iter()
                .map(|(key, value, expiry)| {
                    let item = PutItem::new(key, value.as_ref());
                    expiry.map_or(item, |expiry| item.with_expiry(expiry))
                })
                .collect();
            store.put_many(&own, &items, &sent.with_call(call))
        })
    }

    fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        let own = OwnedName::new(name);
        let sent = options.clone();
        self.within(&request::Delete { name, options }, move |store, call| {
            store.delete(own.get(), &sent.with_call(call))
        })
    }

    fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let own = OwnedKeys::new(collection, keys.iter().copied());
        self.within(&request::DeleteMany { collection, keys, options }, move |store, call| {
            store.delete_many(own.collection(), &own.iter().collect::<Vec<_>>(), &call)
        })
    }

    fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let own = OwnedName::new(name);
        let own_change = OwnedChange::new(change);
        self.within(&request::Modify { name, change, options }, move |store, call| {
            store.modify(own.get(), &own_change.get(), &call)
        })
    }

    fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        let own = collection.to_owned();
        let sent = options.clone();
        self.within(&request::List { collection, options }, move |store, call| store.list(&own, &sent.with_call(call)))
    }

    fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let sent = options.clone();
        self.within(&request::Collections { options }, move |store, call| store.collections(&sent.with_call(call)))
    }

    fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let own = collection.to_owned();
        let own_filter = filter.clone();
        self.within(&request::Count { collection, filter, options }, move |store, call| {
            store.count(&own, &own_filter, &call)
        })
    }

    fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let own = collection.to_owned();
        let own_filter = filter.clone();
        self.within(&request::Clear { collection, filter, options }, move |store, call| {
            store.clear(&own, &own_filter, &call)
        })
    }

    fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.within(&request::Destroy { options }, move |store, call| store.destroy(&call))
    }

    fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.within(&request::Cull { options }, move |store, call| store.cull(&call))
    }

    fn ping(&self, options: &CallOptions) -> Result<()> {
        self.within(&request::Ping { options }, move |store, call| store.ping(&call))
    }

    fn setup(&self) -> Result<()> {
        self.within(&request::Setup {}, move |store, _call| store.setup())
    }

    fn close(&self) -> Result<()> {
        self.within(&request::Close {}, move |store, _call| store.close())
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.within(&request::AskCapabilities {}, move |store, _call| store.capabilities())
    }
}

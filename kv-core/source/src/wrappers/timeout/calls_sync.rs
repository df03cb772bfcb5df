//! Calls with a deadline, blocking: made on threads of their own, with copies of what is sent.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{
    CallOptions, Capabilities, Change, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind, Expiry,
    GetOptions, KeyFilter, ListOptions, Listed, Metadata, Modified, Name, Page, PutItem, PutOptions, PutOutcome,
    Result, Value, ValueRef, Written,
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

/// A name to take along.
struct OwnName {
    collection: String,
    key: String,
}

impl OwnName {
    fn of(name: Name<'_>) -> Self {
        Self { collection: name.collection.to_owned(), key: name.key.to_owned() }
    }

    fn name(&self) -> Name<'_> {
        Name::new(&self.collection, &self.key)
    }
}

fn own_keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

/// A change to take along.
enum OwnChange {
    Increment(i64),
    Append(Value),
    Take,
    Replace(Value, Expiry, Option<Metadata>),
    Touch(Expiry),
    Annotate(Metadata),
    Swap(Option<Value>, Option<Value>),
}

impl OwnChange {
    fn of(change: &Change<'_>) -> Result<Self> {
        let owned = |value: Option<ValueRef<'_>>| value.map(ValueRef::to_value);
        Ok(match *change {
            Change::Increment(by) => Self::Increment(by),
            Change::Append(value) => Self::Append(value.to_value()),
            Change::Take => Self::Take,
            Change::Replace { value, expiry, metadata } => Self::Replace(value.to_value(), expiry, metadata.cloned()),
            Change::Touch(expiry) => Self::Touch(expiry),
            Change::Annotate(metadata) => Self::Annotate(metadata.clone()),
            Change::Swap { expected, new } => Self::Swap(owned(expected), owned(new)),
            _ => return Err(Error::unsupported("this change")),
        })
    }

    fn change(&self) -> Change<'_> {
        match self {
            Self::Increment(by) => Change::Increment(*by),
            Self::Append(value) => Change::Append(value.as_ref()),
            Self::Take => Change::Take,
            Self::Replace(value, expiry, metadata) => {
                Change::Replace { value: value.as_ref(), expiry: *expiry, metadata: metadata.as_ref() }
            }
            Self::Touch(expiry) => Change::Touch(*expiry),
            Self::Annotate(metadata) => Change::Annotate(metadata),
            Self::Swap(expected, new) => {
                Change::Swap { expected: expected.as_ref().map(Value::as_ref), new: new.as_ref().map(Value::as_ref) }
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
        let own = OwnName::of(name);
        let sent = *options;
        self.within(&request::Get { name, options }, move |store, call| store.get(own.name(), &sent.with_call(call)))
    }

    fn get_many(&self, collection: &str, keys: &[&str], options: &GetOptions) -> Result<Vec<Result<Option<Entry>>>> {
        let own = collection.to_owned();
        let own_keys = own_keys(keys);
        let sent = *options;
        self.within(&request::GetMany { collection, keys, options }, move |store, call| {
            store.get_many(&own, &borrowed(&own_keys), &sent.with_call(call))
        })
    }

    fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        let own = OwnName::of(name);
        let own_value = value.to_value();
        let sent = options.clone();
        self.within(&request::Put { name, value, options }, move |store, call| {
            store.put(own.name(), own_value.as_ref(), &sent.with_call(call))
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
        let own = OwnName::of(name);
        let sent = options.clone();
        self.within(&request::Delete { name, options }, move |store, call| {
            store.delete(own.name(), &sent.with_call(call))
        })
    }

    fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        let own = collection.to_owned();
        let own_keys = own_keys(keys);
        self.within(&request::DeleteMany { collection, keys, options }, move |store, call| {
            store.delete_many(&own, &borrowed(&own_keys), &call)
        })
    }

    fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        let own = OwnName::of(name);
        let own_change = OwnChange::of(change)?;
        self.within(&request::Modify { name, change, options }, move |store, call| {
            store.modify(own.name(), &own_change.change(), &call)
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

//! Calls about collections and about the whole store.

use kv_core::{
    CallOptions, Capabilities, Entry, KeyFilter, ListOptions, Listed, Operation, Page, Result, Tally, ValueRef,
};

use super::{Effect, Request, one};
use crate::store::Store;

/// A call of [`Store::list`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct List<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) options: &'a ListOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for List<'_> {
    type Answer = Page<Listed>;

    fn operation(&self) -> Operation {
        Operation::List
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn each_answered(&self, answer: &Self::Answer, show: &mut dyn FnMut(ValueRef<'_>)) {
        let entries = answer.items.iter().filter_map(|line| line.entry.as_ref()?.as_ref().ok());
        entries.map(Entry::value).for_each(show);
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.list(self.collection, self.options).await
    }
}

/// A call of [`Store::collections`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Collections<'a> {
    pub(in crate::wrappers) options: &'a ListOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Collections<'_> {
    type Answer = Page<String>;

    fn operation(&self) -> Operation {
        Operation::Collections
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.collections(self.options).await
    }
}

/// A call of [`Store::count`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Count<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) filter: &'a KeyFilter,
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Count<'_> {
    type Answer = u64;

    fn operation(&self) -> Operation {
        Operation::Count
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.count(self.collection, self.filter, self.options).await
    }
}

/// A call of [`Store::clear`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Clear<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) filter: &'a KeyFilter,
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Clear<'_> {
    type Answer = u64;

    fn operation(&self) -> Operation {
        Operation::Clear
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, removed| tally.deletes = *removed)
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.clear(self.collection, self.filter, self.options).await
    }
}

/// A call of [`Store::destroy`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Destroy<'a> {
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Destroy<'_> {
    type Answer = u64;

    fn operation(&self) -> Operation {
        Operation::Destroy
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, removed| tally.deletes = *removed)
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.destroy(self.options).await
    }
}

/// A call of [`Store::cull`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Cull<'a> {
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Cull<'_> {
    type Answer = u64;

    fn operation(&self) -> Operation {
        Operation::Cull
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.cull(self.options).await
    }
}

/// A call of [`Store::ping`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Ping<'a> {
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Ping<'_> {
    type Answer = ();

    fn operation(&self) -> Operation {
        Operation::Ping
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.ping(self.options).await
    }
}

/// A call of [`Store::setup`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Setup {}

#[maybe_async::maybe_async(AFIT)]
impl Request for Setup {
    type Answer = ();

    fn operation(&self) -> Operation {
        Operation::Setup
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.setup().await
    }
}

/// A call of [`Store::close`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Close {}

#[maybe_async::maybe_async(AFIT)]
impl Request for Close {
    type Answer = ();

    fn operation(&self) -> Operation {
        Operation::Close
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.close().await
    }
}

/// A call of [`Store::capabilities`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct AskCapabilities {}

#[maybe_async::maybe_async(AFIT)]
impl Request for AskCapabilities {
    type Answer = Capabilities;

    fn operation(&self) -> Operation {
        Operation::Capabilities
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.capabilities().await
    }
}

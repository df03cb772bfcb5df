//! Calls about records.

use kv_core::{
    CallOptions, Change, Condition, DeleteOptions, DeleteOutcome, Entry, GetOptions, Modified, Name, Operation,
    PutItem, PutOptions, PutOutcome, Result, Tally, ValueRef, Written,
};

use super::{Effect, Request, each, meet, one};
use crate::store::Store;

/// A call of [`Store::get`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Get<'a> {
    pub(in crate::wrappers) name: Name<'a>,
    pub(in crate::wrappers) options: &'a GetOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Get<'_> {
    type Answer = Option<Entry>;

    fn operation(&self) -> Operation {
        if self.options.head { Operation::Head } else { Operation::Get }
    }

    fn collection(&self) -> Option<&str> {
        Some(self.name.collection)
    }

    fn key(&self) -> Option<&str> {
        Some(self.name.key)
    }

    fn keys(&self) -> usize {
        1
    }

    fn each_answered(&self, answer: &Self::Answer, show: &mut dyn FnMut(ValueRef<'_>)) {
        answer.iter().map(Entry::value).for_each(show);
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, entry| meet(tally, entry.is_some()))
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.get(self.name, self.options).await
    }
}

/// A call of [`Store::get_many`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct GetMany<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) keys: &'a [&'a str],
    pub(in crate::wrappers) options: &'a GetOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for GetMany<'_> {
    type Answer = Vec<Result<Option<Entry>>>;

    fn operation(&self) -> Operation {
        if self.options.head { Operation::HeadMany } else { Operation::GetMany }
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn each_key(&self, show: &mut dyn FnMut(&str)) {
        self.keys.iter().copied().for_each(show);
    }

    fn each_answered(&self, answer: &Self::Answer, show: &mut dyn FnMut(ValueRef<'_>)) {
        answer.iter().flatten().flatten().map(Entry::value).for_each(show);
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        each(self.keys.len(), answer, |tally, entry| meet(tally, entry.is_some()))
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.get_many(self.collection, self.keys, self.options).await
    }
}

/// A call of [`Store::put`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Put<'a> {
    pub(in crate::wrappers) name: Name<'a>,
    pub(in crate::wrappers) value: ValueRef<'a>,
    pub(in crate::wrappers) options: &'a PutOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Put<'_> {
    type Answer = PutOutcome;

    fn operation(&self) -> Operation {
        Operation::Put
    }

    fn collection(&self) -> Option<&str> {
        Some(self.name.collection)
    }

    fn key(&self) -> Option<&str> {
        Some(self.name.key)
    }

    fn keys(&self) -> usize {
        1
    }

    fn effect(&self) -> Effect {
        if self.options.condition == Condition::Always { Effect::Overwrite } else { Effect::Change }
    }

    fn each_value(&self, show: &mut dyn FnMut(ValueRef<'_>)) {
        show(self.value);
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, outcome| tally.writes = u64::from(outcome.is_written()))
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.put(self.name, self.value, self.options).await
    }
}

/// A call of [`Store::put_many`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct PutMany<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) items: &'a [PutItem<'a>],
    pub(in crate::wrappers) options: &'a PutOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for PutMany<'_> {
    type Answer = Vec<Result<Written>>;

    fn operation(&self) -> Operation {
        Operation::PutMany
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn keys(&self) -> usize {
        self.items.len()
    }

    fn effect(&self) -> Effect {
        Effect::Overwrite
    }

    fn each_key(&self, show: &mut dyn FnMut(&str)) {
        self.items.iter().map(|item| item.key).for_each(show);
    }

    fn each_value(&self, show: &mut dyn FnMut(ValueRef<'_>)) {
        self.items.iter().map(|item| item.value).for_each(show);
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        each(self.items.len(), answer, |tally, _| tally.writes += 1)
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.put_many(self.collection, self.items, self.options).await
    }
}

/// A call of [`Store::delete`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Delete<'a> {
    pub(in crate::wrappers) name: Name<'a>,
    pub(in crate::wrappers) options: &'a DeleteOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Delete<'_> {
    type Answer = DeleteOutcome;

    fn operation(&self) -> Operation {
        Operation::Delete
    }

    fn collection(&self) -> Option<&str> {
        Some(self.name.collection)
    }

    fn key(&self) -> Option<&str> {
        Some(self.name.key)
    }

    fn keys(&self) -> usize {
        1
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn call(&self) -> CallOptions {
        self.options.call
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, outcome| {
            meet(tally, *outcome != DeleteOutcome::Missing);
            tally.deletes = u64::from(*outcome == DeleteOutcome::Deleted);
        })
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.delete(self.name, self.options).await
    }
}

/// A call of [`Store::delete_many`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct DeleteMany<'a> {
    pub(in crate::wrappers) collection: &'a str,
    pub(in crate::wrappers) keys: &'a [&'a str],
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for DeleteMany<'_> {
    type Answer = Vec<Result<bool>>;

    fn operation(&self) -> Operation {
        Operation::DeleteMany
    }

    fn collection(&self) -> Option<&str> {
        Some(self.collection)
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn each_key(&self, show: &mut dyn FnMut(&str)) {
        self.keys.iter().copied().for_each(show);
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        each(self.keys.len(), answer, |tally, removed| {
            meet(tally, *removed);
            tally.deletes += u64::from(*removed);
        })
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.delete_many(self.collection, self.keys, self.options).await
    }
}

/// A call of [`Store::modify`].
#[derive(Debug, Clone, Copy)]
pub(in crate::wrappers) struct Modify<'a> {
    pub(in crate::wrappers) name: Name<'a>,
    pub(in crate::wrappers) change: &'a Change<'a>,
    pub(in crate::wrappers) options: &'a CallOptions,
}

#[maybe_async::maybe_async(AFIT)]
impl Request for Modify<'_> {
    type Answer = Modified;

    fn operation(&self) -> Operation {
        Operation::of_change(self.change)
    }

    fn collection(&self) -> Option<&str> {
        Some(self.name.collection)
    }

    fn key(&self) -> Option<&str> {
        Some(self.name.key)
    }

    fn keys(&self) -> usize {
        1
    }

    fn effect(&self) -> Effect {
        Effect::Change
    }

    fn each_value(&self, show: &mut dyn FnMut(ValueRef<'_>)) {
        match *self.change {
            Change::Append(value) | Change::Replace { value, .. } => show(value),
            Change::Swap { expected, new } => expected.into_iter().chain(new).for_each(show),
            _ => {}
        }
    }

    fn each_answered(&self, answer: &Self::Answer, show: &mut dyn FnMut(ValueRef<'_>)) {
        answer.before.iter().chain(&answer.after).map(Entry::value).for_each(show);
    }

    fn call(&self) -> CallOptions {
        *self.options
    }

    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |tally, modified| {
            meet(tally, modified.before.is_some());
            let removes = matches!(self.change, Change::Take | Change::Swap { new: None, .. });
            tally.writes = u64::from(modified.applied && !removes);
            tally.deletes = u64::from(modified.applied && removes);
        })
    }

    async fn send<S: Store + ?Sized>(&self, store: &S) -> Result<Self::Answer> {
        store.modify(self.name, self.change, self.options).await
    }
}

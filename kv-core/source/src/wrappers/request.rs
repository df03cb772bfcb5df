//! Calls as values.

use kv_core::{CallOptions, Error, Name, Operation, Result, Tally, ValueRef};

use crate::store::Store;

mod records;
mod whole;

pub(super) use records::{Delete, DeleteMany, Get, GetMany, Modify, Put, PutMany};
pub(super) use whole::{AskCapabilities, Clear, Close, Collections, Count, Cull, Destroy, List, Ping, Setup};

/// What a call does to what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it may be sent again at will.
    None,
    /// It writes what it is given, whatever is there: sent again, it answers the same.
    Overwrite,
    /// What it does or answers depends on what is there: sent again, it may do or answer otherwise.
    Change,
}

/// A call of one operation of a [`Store`], that can be sent to any store and as often as needed.
///
/// There is one type for each operation, all made by this library; wrappers meet them in [`Around`](super::Around).
#[maybe_async::maybe_async(AFIT)]
pub trait Request: Clone + Copy + Send + Sync {
    /// What it answers.
    type Answer: Send;

    /// Which operation.
    fn operation(&self) -> Operation;

    /// The collection it is about, if it is about one.
    fn collection(&self) -> Option<&str> {
        None
    }

    /// The key it is about, if it is about one.
    fn key(&self) -> Option<&str> {
        None
    }

    /// How many keys it is about; 0 if it names none.
    fn keys(&self) -> usize {
        0
    }

    /// Shows the keys it names, in order.
    fn each_key(&self, show: &mut dyn FnMut(&str)) {
        self.key().into_iter().for_each(show);
    }

    /// Shows the values it brings.
    fn each_value(&self, show: &mut dyn FnMut(ValueRef<'_>)) {
        let _ = show;
    }

    /// Shows the values that were answered.
    fn each_answered(&self, answer: &Self::Answer, show: &mut dyn FnMut(ValueRef<'_>)) {
        let _ = (answer, show);
    }

    /// What it does to what is stored.
    fn effect(&self) -> Effect {
        Effect::None
    }

    /// What the caller wants of this call.
    fn call(&self) -> CallOptions {
        CallOptions::default()
    }

    /// What the answer comes to.
    fn tally(&self, answer: &Result<Self::Answer>) -> Tally {
        one(answer, |_, _| {})
    }

    /// Sends it to a store.
    fn send<S: Store + ?Sized>(&self, store: &S) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// Names the operation, and the record or the collection that the call is about.
pub(super) fn named<R: Request>(error: Error, request: &R) -> Error {
    let error = error.during(request.operation().as_str());
    match (request.collection(), request.key()) {
        (Some(collection), Some(key)) => error.at(Name::new(collection, key)),
        (Some(collection), None) => error.in_collection(collection),
        _ => error,
    }
}

fn meet(tally: &mut Tally, there: bool) {
    if there { tally.hits += 1 } else { tally.misses += 1 }
}

/// What one answer comes to.
fn one<T>(answer: &Result<T>, count: impl FnOnce(&mut Tally, &T)) -> Tally {
    let mut tally = Tally { calls: 1, ..Tally::default() };
    match answer {
        Ok(answer) => count(&mut tally, answer),
        Err(_) => tally.errors = 1,
    }
    tally
}

/// What the answers for so many keys come to, or an error for each.
fn each<T>(keys: usize, answers: &Result<Vec<Result<T>>>, count: impl Fn(&mut Tally, &T)) -> Tally {
    let mut tally = Tally { calls: keys as u64, ..Tally::default() };
    match answers {
        Ok(answers) => {
            for answer in answers {
                match answer {
                    Ok(answer) => count(&mut tally, answer),
                    Err(_) => tally.errors += 1,
                }
            }
        }
        Err(_) => tally.errors = tally.calls,
    }
    tally
}

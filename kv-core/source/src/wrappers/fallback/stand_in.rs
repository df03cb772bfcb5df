//! What the second store does in the first's place, and what is known of it then.

use kv_core::{DeleteOptions, DeleteOutcome, Error, Name, Newer, PutOptions, PutOutcome, Result, ValueRef};

use super::Fallback;
use crate::store::Store;

/// What the first could not do and the second cannot either, is the first's to tell.
pub(super) fn second_or<T>(answer: Result<T>, error: Error) -> Result<T> {
    answer.map_err(|other| if other.outcome_unknown() { error.with_outcome_unknown() } else { error })
}

impl<A: Store, B: Store> Fallback<A, B> {
    pub(super) fn any_diverged<'k>(&self, collection: &str, mut keys: impl Iterator<Item = &'k str>) -> bool {
        !self.known.is_empty() && keys.any(|key| self.known.get(Name::new(collection, key)).is_some())
    }

    /// Notes that the second is about to be right about these records, none of which is noted yet; not if there is no
    /// room for all.
    pub(super) fn announce<'k>(
        &self,
        collection: &str,
        keys: impl Iterator<Item = &'k str> + Clone,
        error: &Error,
    ) -> bool {
        for (at, key) in keys.clone().enumerate() {
            if !self.known.note(Name::new(collection, key), Newer::Second) {
                keys.take(at).for_each(|key| self.take_back(Name::new(collection, key), None, error));
                return false;
            }
        }
        true
    }

    /// The second has not written it either: what was known before is known again. The error is the first's.
    fn take_back(&self, name: Name<'_>, before: Option<Newer>, error: &Error) {
        match (before, self.known.get(name)) {
            (Some(newer), _) => {
                let _ = self.known.note(name, newer);
            }
            (None, _) if error.outcome_unknown() => self.is_behind(name),
            (None, Some(note)) => self.known.settle(name, note),
            (None, None) => {}
        }
    }

    /// The same for each of a batch.
    pub(super) fn take_back_failed<'k, T>(
        &self,
        collection: &str,
        keys: impl Iterator<Item = &'k str>,
        answers: &Result<Vec<Result<T>>>,
        error: &Error,
    ) {
        for (at, key) in keys.enumerate() {
            let failure = match answers {
                Ok(answers) => answers.get(at).and_then(|answer| answer.as_ref().err()),
                Err(failure) => Some(failure),
            };
            if failure.is_some_and(|failure| !failure.outcome_unknown()) {
                self.take_back(Name::new(collection, key), None, error);
            }
        }
    }
}

#[maybe_async::maybe_async]
impl<A: Store, B: Store> Fallback<A, B> {
    /// Writes to the second alone, if there is room to note it.
    pub(super) async fn put_second(
        &self,
        name: Name<'_>,
        value: ValueRef<'_>,
        options: &PutOptions,
        error: Error,
    ) -> Result<PutOutcome> {
        let before = self.known.get(name).map(|note| note.newer);
        if !self.known.note(name, Newer::Second) {
            return Err(error);
        }
        let answer = self.second.put(name, value, options).await;
        if answer.as_ref().is_err_and(|failure| before.is_some() || !failure.outcome_unknown()) {
            self.take_back(name, before, &error);
        }
        second_or(answer, error)
    }

    /// Deletes in the second alone, likewise.
    pub(super) async fn delete_second(
        &self,
        name: Name<'_>,
        options: &DeleteOptions,
        error: Error,
    ) -> Result<DeleteOutcome> {
        let before = self.known.get(name).map(|note| note.newer);
        if !self.known.note(name, Newer::Second) {
            return Err(error);
        }
        let answer = self.second.delete(name, options).await;
        if answer.as_ref().is_err_and(|failure| before.is_some() || !failure.outcome_unknown()) {
            self.take_back(name, before, &error);
        }
        second_or(answer, error)
    }
}

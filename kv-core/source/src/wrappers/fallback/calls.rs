//! The operations, on two stores.

use kv_core::{
    CallOptions, Capabilities, Change, Condition, DeleteOptions, DeleteOutcome, Description, Entry, Error, ErrorKind,
    Expiry, GetOptions, KeyFilter, ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result,
    Timestamp, ValueRef, Written,
};

use super::listing::{Collections, Keys};
use super::stand_in::second_or;
use super::{Doubt, Fallback, Follow, Place, turns_of};
use crate::store::Store;

#[maybe_async::maybe_async(AFIT)]
#[deny(clippy::missing_trait_methods)]
impl<A: Store, B: Store> crate::wrappers::Wrapper for Fallback<A, B> {
    type Inner = A;
    const NAME: &'static str = "Fallback";

    fn inner(&self) -> &A {
        &self.first
    }

    fn describe(&self) -> Description {
        self.describe_as("Fallback")
    }

    fn default_collection(&self) -> &str {
        self.first.default_collection()
    }

    fn now(&self) -> Timestamp {
        self.first.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.first.has_come(instant)
    }

    fn at_hand(&self, _name: Name<'_>) -> Option<Option<Entry>> {
        None
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        let place = if self.known.get(name).is_none() {
            Place::Both
        } else {
            let _turn = self.turn(name).await;
            self.place(name, &options.call).await?
        };
        match place {
            Place::First => self.first.get(name, options).await,
            Place::Second(error) => {
                self.known.note_second_reads(1);
                second_or(self.second.get(name, options).await, error)
            }
            Place::Both => match self.first.get(name, options).await {
                Err(error) if self.is_bridged(&error) && self.is_trusted() => {
                    self.known.note_second_reads(1);
                    second_or(self.second.get(name, options).await, error)
                }
                answer => answer,
            },
        }
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        if self.any_diverged(collection, keys.iter().copied()) {
            let mut answers = Vec::with_capacity(keys.len());
            for key in keys {
                answers.push(Store::get(self, Name::new(collection, key), options).await);
            }
            return Ok(answers);
        }
        match self.first.get_many(collection, keys, options).await {
            Ok(mut answers) => {
                for (answer, key) in answers.iter_mut().zip(keys) {
                    if answer.as_ref().is_err_and(|error| self.is_bridged(error)) {
                        *answer = Store::get(self, Name::new(collection, key), options).await;
                    }
                }
                Ok(answers)
            }
            Err(error) if self.is_bridged(&error) && self.is_trusted() => {
                self.known.note_second_reads(keys.len() as u64);
                second_or(self.second.get_many(collection, keys, options).await, error)
            }
            Err(error) => Err(error),
        }
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        if !self.through {
            return self.first.put(name, value, options).await;
        }
        let _turn = self.turn(name).await;
        let always = options.condition == Condition::Always;
        if let Place::Second(error) = self.place(name, &options.call).await? {
            return if always { self.put_second(name, value, options, error).await } else { Err(error) };
        }
        let doubt = Doubt { of: Some((self, name)) };
        match self.first.put(name, value, options).await {
            Ok(PutOutcome::Written(written)) => {
                let expiry = written.expires().map_or(Expiry::Never, Expiry::At);
                let options = options.clone().with_expiry(expiry);
                let call = options.call;
                self.follow(name, Follow::Put(value, options), &call).await;
                doubt.dispel();
                Ok(PutOutcome::Written(written))
            }
            Ok(PutOutcome::Conflict) => {
                doubt.dispel();
                Ok(PutOutcome::Conflict)
            }
            Err(error) if always && self.is_bridged(&error) => {
                doubt.dispel();
                self.put_second(name, value, options, error).await
            }
            Err(error) => {
                if !error.outcome_unknown() {
                    doubt.dispel();
                }
                Err(error)
            }
        }
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        if !self.through {
            return self.first.put_many(collection, items, options).await;
        }
        // Checked whole by the store's own clock, before any of it is written one by one.
        let now = self.first.now();
        for item in items {
            let name = Name::new(collection, item.key);
            let checked = name.check().and_then(|()| item.expiry.unwrap_or(options.expiry).resolve(now).map(drop));
            checked.map_err(|error| error.in_store("Fallback").during("put_many").at(name))?;
        }
        let keys = items.iter().map(|item| item.key);
        let turns = self.turns(&turns_of(collection, keys.clone())).await;
        if self.any_diverged(collection, keys) {
            drop(turns);
            let mut answers = Vec::with_capacity(items.len());
            for item in items {
                let options = options.clone().with_expiry(item.expiry.unwrap_or(options.expiry));
                let answer = Store::put(self, Name::new(collection, item.key), item.value, &options).await;
                let unwritten = || Error::new(ErrorKind::InvalidArgument, "a batch takes no condition");
                answers.push(answer.and_then(|outcome| outcome.written().ok_or_else(unwritten)));
            }
            return Ok(answers);
        }
        let mut doubts: Vec<Doubt<'_, A, B>> = Vec::with_capacity(items.len());
        doubts.extend(items.iter().map(|item| Doubt { of: Some((self, Name::new(collection, item.key))) }));
        match self.first.put_many(collection, items, options).await {
            Ok(answers) => {
                let mut followers = Vec::with_capacity(items.len());
                for (item, answer) in items.iter().zip(&answers) {
                    if let Ok(written) = answer {
                        followers.push(item.with_expiry(written.expires().map_or(Expiry::Never, Expiry::At)));
                    }
                }
                let followed = self.second.put_many(collection, &followers, options).await;
                let mut followed = followed.unwrap_or_default().into_iter();
                for (answer, doubt) in answers.iter().zip(doubts) {
                    let in_line = match answer {
                        Ok(_) => matches!(followed.next(), Some(Ok(_))),
                        Err(error) => !error.outcome_unknown(),
                    };
                    if in_line {
                        doubt.dispel();
                    }
                }
                Ok(answers)
            }
            Err(error) if self.is_bridged(&error) => {
                doubts.into_iter().for_each(Doubt::dispel);
                let keys = items.iter().map(|item| item.key);
                if !self.announce(collection, keys.clone(), &error) {
                    return Err(error);
                }
                let answers = self.second.put_many(collection, items, options).await;
                self.take_back_failed(collection, keys, &answers, &error);
                second_or(answers, error)
            }
            Err(error) => {
                if !error.outcome_unknown() {
                    doubts.into_iter().for_each(Doubt::dispel);
                }
                Err(error)
            }
        }
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        if !self.through {
            return self.first.delete(name, options).await;
        }
        let _turn = self.turn(name).await;
        let always = options.condition == Condition::Always;
        if let Place::Second(error) = self.place(name, &options.call).await? {
            return if always { self.delete_second(name, options, error).await } else { Err(error) };
        }
        let doubt = Doubt { of: Some((self, name)) };
        match self.first.delete(name, options).await {
            Ok(DeleteOutcome::Conflict) => {
                doubt.dispel();
                Ok(DeleteOutcome::Conflict)
            }
            Ok(outcome) => {
                self.follow(name, Follow::Delete, &options.call).await;
                doubt.dispel();
                Ok(outcome)
            }
            Err(error) if always && self.is_bridged(&error) => {
                doubt.dispel();
                self.delete_second(name, options, error).await
            }
            Err(error) => {
                if !error.outcome_unknown() {
                    doubt.dispel();
                }
                Err(error)
            }
        }
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        if !self.through {
            return self.first.delete_many(collection, keys, options).await;
        }
        let turns = self.turns(&turns_of(collection, keys.iter().copied())).await;
        if self.any_diverged(collection, keys.iter().copied()) {
            drop(turns);
            let one = DeleteOptions::default().with_call(*options);
            let mut answers = Vec::with_capacity(keys.len());
            for key in keys {
                let answer = Store::delete(self, Name::new(collection, key), &one).await;
                answers.push(answer.map(|outcome| outcome == DeleteOutcome::Deleted));
            }
            return Ok(answers);
        }
        let mut doubts: Vec<Doubt<'_, A, B>> = Vec::with_capacity(keys.len());
        doubts.extend(keys.iter().map(|key| Doubt { of: Some((self, Name::new(collection, key))) }));
        match self.first.delete_many(collection, keys, options).await {
            Ok(answers) => {
                let followed = self.second.delete_many(collection, keys, options).await;
                let mut followed = followed.unwrap_or_default().into_iter();
                for doubt in doubts {
                    if matches!(followed.next(), Some(Ok(_))) {
                        doubt.dispel();
                    }
                }
                Ok(answers)
            }
            Err(error) if self.is_bridged(&error) => {
                doubts.into_iter().for_each(Doubt::dispel);
                if !self.announce(collection, keys.iter().copied(), &error) {
                    return Err(error);
                }
                let answers = self.second.delete_many(collection, keys, options).await;
                self.take_back_failed(collection, keys.iter().copied(), &answers, &error);
                second_or(answers, error)
            }
            Err(error) => {
                if !error.outcome_unknown() {
                    doubts.into_iter().for_each(Doubt::dispel);
                }
                Err(error)
            }
        }
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        if !self.through {
            return self.first.modify(name, change, options).await;
        }
        let _turn = self.turn(name).await;
        if let Place::Second(error) = self.place(name, options).await? {
            return Err(error);
        }
        let doubt = Doubt { of: Some((self, name)) };
        match self.first.modify(name, change, options).await {
            Ok(modified) => {
                match &modified.after {
                    _ if !modified.applied => {}
                    Some(after) => {
                        let put = PutOptions::of_record(&after.record());
                        self.follow(name, Follow::Put(after.value(), put), options).await;
                    }
                    None => self.follow(name, Follow::Delete, options).await,
                }
                doubt.dispel();
                Ok(modified)
            }
            Err(error) => {
                if !error.outcome_unknown() {
                    doubt.dispel();
                }
                Err(error)
            }
        }
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.page(&Keys { collection }, options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        self.page(&Collections {}, options).await
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        let error = match self.all_in_line(options).await {
            Ok(()) => match self.first.count(collection, filter, options).await {
                Ok(count) => return Ok(count),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if !self.may_ask_second(&error) {
            return Err(error);
        }
        self.known.note_second_reads(1);
        second_or(self.second.count(collection, filter, options).await, error)
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        if !self.through {
            return self.first.clear(collection, filter, options).await;
        }
        self.all_in_line(options).await?;
        let _turns = self.all_turns().await;
        let cleared = self.first.clear(collection, filter, options).await;
        let is_untouched = cleared.as_ref().is_err_and(|error| !error.outcome_unknown());
        if !is_untouched && self.second.clear(collection, filter, options).await.is_err() {
            self.known.note_unnamed();
        }
        cleared
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        if !self.through {
            return self.first.destroy(options).await;
        }
        self.all_in_line(options).await?;
        let _turns = self.all_turns().await;
        let destroyed = self.first.destroy(options).await;
        let is_untouched = destroyed.as_ref().is_err_and(|error| !error.outcome_unknown());
        if !is_untouched && self.second.destroy(options).await.is_err() {
            self.known.note_unnamed();
        }
        destroyed
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        let culled = self.first.cull(options).await;
        if self.through {
            // Only space is at stake.
            let _ = self.second.cull(options).await;
        }
        culled
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        match self.first.ping(options).await {
            Err(error) if self.is_bridged(&error) => second_or(self.second.ping(options).await, error),
            answer => answer,
        }
    }

    async fn setup(&self) -> Result<()> {
        let first = self.first.setup().await;
        let second = self.second.setup().await;
        match first {
            Err(error) if self.is_bridged(&error) => second_or(second, error),
            Err(error) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn close(&self) -> Result<()> {
        let first = self.first.close().await;
        let second = self.second.close().await;
        first.and(second)
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        match self.first.capabilities().await {
            Ok(can) => Ok(self.narrowed(can)),
            Err(error) if self.is_bridged(&error) => Ok(self.narrowed(self.first.describe().capabilities)),
            Err(error) => Err(error),
        }
    }
}

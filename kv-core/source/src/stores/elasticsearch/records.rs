//! Reading and writing records.

use std::collections::HashMap;

use kv_core::formats::elasticsearch::{
    Bulk, Done, Form, Found, Looked, Refusal, State, Step, bulk, bulk_answer, found, mget, redirect,
};
use kv_core::{Entry, ErrorKind, Name, Record, Result, ValueRef, Written};

use super::failure::step_refused;
use super::starting::Starting;
use super::{ElasticsearchDriver, unexpected};
use crate::attempts::Attempts;
use crate::within::{Effect, Within};

/// A request is sent when its body has so many bytes: the server takes 100 MB, and what stands before it often less.
const MOST_BYTES: usize = 8 << 20;
/// And when it is about so many records.
pub(super) const MOST_RECORDS: usize = 5_000;

pub(super) type Steps = Vec<(Step, Option<Looked>)>;

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    /// What stands under these keys, of a head without the value.
    #[maybe_async::maybe_async]
    pub(super) async fn find(&self, collection: &str, keys: &[&str], head: bool, within: Within) -> Result<Vec<Found>> {
        let Some(place) = self.place_to_read(collection, within).await? else {
            return Ok(keys.iter().map(|_| Found::Missing).collect());
        };
        let mut all = Vec::with_capacity(keys.len());
        let (mut size, mut starting) = (MOST_RECORDS, Starting::default());
        while all.len() < keys.len() {
            let part = &keys[all.len()..keys.len().min(all.len() + size)];
            match self.ask(&mget(&place.index, part, head), Effect::Read, within).await {
                Ok(response) => {
                    let part = found(&response.body, collection, part, head)?;
                    let is_starting = |found: &Found| matches!(found, Found::Refused(refusal) if refusal.is_starting());
                    if !(part.iter().any(is_starting) && starting.pause(within).await) {
                        all.extend(part);
                    }
                }
                // Fewer of them may fit into an answer.
                Err(error) if error.kind() == ErrorKind::TooLarge && part.len() > 1 => size = part.len() / 2,
                Err(error) => return Err(error),
            }
        }
        if all.iter().any(|found| matches!(found, Found::NoIndex)) {
            self.places.forget(collection);
        }
        Ok(all)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn find_one(&self, name: Name<'_>, head: bool, within: Within) -> Result<Found> {
        self.find(name.collection, &[name.key], head, within).await?.pop().ok_or_else(unexpected)
    }

    /// Does these steps; `None` if the collection has no index, and none is to be made.
    #[maybe_async::maybe_async]
    pub(super) async fn run(
        &self,
        collection: &str,
        steps: Bulk,
        effect: Effect,
        make: bool,
        within: Within,
    ) -> Result<Option<Steps>> {
        let count = steps.steps();
        let mut request = bulk("", steps);
        let mut attempts = Attempts::default();
        loop {
            let Some(place) = self.place_to_write(collection, make, within).await? else { return Ok(None) };
            redirect(&mut request, &place.index);
            let response = self.ask(&request, effect, within).await?;
            let answers = bulk_answer(&response.body, count)?;
            let is_gone = |(step, _): &_| matches!(step, Step::Refused(refusal) if refusal.is_missing_index());
            if !answers.iter().all(is_gone) {
                return Ok(Some(answers));
            }
            // The index was dropped behind our back, and nothing was done.
            self.places.forget(collection);
            attempts.pause().await?;
        }
    }

    /// Writes one record by a step of its own, over this state if one is given.
    #[maybe_async::maybe_async]
    pub(super) async fn write(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        at: Option<State>,
        within: Within,
    ) -> Result<Option<Written>> {
        let effect = if at.is_some() { Effect::Change } else { Effect::Put };
        let mut form = Form::Plain;
        loop {
            let mut steps = Bulk::default();
            steps.put(Self::DIALECT, form, name, record, at);
            let answers = self.run(name.collection, steps, effect, true, within).await?;
            match last(answers)? {
                Step::Done(done) => return Ok(Some(written(done, record))),
                Step::Refused(refusal) if may_be_text(&refusal, form, record) => form = Form::Text,
                Step::Refused(refusal) => return Err(step_refused(&refusal)),
                Step::Conflict { .. } | Step::Missing => return Ok(None),
                _ => return Err(unexpected()),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        within: Within,
    ) -> Result<Vec<Result<Written>>> {
        // Of double keys the last is written, and its answer is that of all of them.
        let mut lasts: HashMap<&str, usize> = HashMap::with_capacity(records.len());
        for (at, (key, _)) in records.iter().enumerate() {
            lasts.insert(key, at);
        }
        let mut answers: Vec<Option<Result<Written>>> = records.iter().map(|_| None).collect();
        let has_doubles = lasts.len() < records.len();
        let is_last = |at: &usize| !has_doubles || lasts[records[*at].0] == *at;
        let mut left: Vec<usize> = (0..records.len()).filter(is_last).collect();
        let mut form = Form::Plain;
        loop {
            let refused = self.write_each(collection, records, &left, form, &mut answers, within).await?;
            if refused.is_empty() {
                break;
            }
            (left, form) = (refused, Form::Text);
        }
        if !has_doubles {
            return Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unexpected()))).collect());
        }
        let answer = |key: &str| match &answers[lasts[key]] {
            Some(Ok(written)) => Ok(written.clone()),
            Some(Err(error)) => Err(error.repeated()),
            None => Err(unexpected()),
        };
        Ok(records.iter().map(|(key, _)| answer(key)).collect())
    }

    /// Writes those of the records, and answers which of them are to be written as text.
    #[maybe_async::maybe_async]
    async fn write_each(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        which: &[usize],
        form: Form,
        answers: &mut [Option<Result<Written>>],
        within: Within,
    ) -> Result<Vec<usize>> {
        let mut refused = Vec::new();
        let mut rest = which;
        while !rest.is_empty() {
            let mut steps = Bulk::default();
            for at in rest.iter().take(MOST_RECORDS) {
                let (key, record) = &records[*at];
                steps.put(Self::DIALECT, form, Name::new(collection, key), record, None);
                if steps.bytes() >= MOST_BYTES {
                    break;
                }
            }
            let (sent, left) = rest.split_at(steps.steps());
            rest = left;
            let steps = self.run(collection, steps, Effect::Put, true, within).await;
            let steps = match steps {
                Ok(steps) => steps.ok_or_else(unexpected)?,
                // What was written before is told.
                Err(error) if sent.len() < which.len() => {
                    sent.iter().for_each(|at| answers[*at] = Some(Err(error.repeated())));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (at, (step, _)) in sent.iter().zip(steps) {
                let record = &records[*at].1;
                answers[*at] = Some(match step {
                    Step::Done(done) => Ok(written(done, record)),
                    Step::Refused(refusal) if may_be_text(&refusal, form, record) => {
                        refused.push(*at);
                        continue;
                    }
                    Step::Refused(refusal) => Err(step_refused(&refusal)),
                    _ => Err(unexpected()),
                });
            }
        }
        Ok(refused)
    }
}

/// The entry that was found.
pub(super) fn entry(found: Found) -> Result<Option<Entry>> {
    match found {
        Found::Entry(entry, _) => Ok(Some(entry)),
        Found::Missing | Found::NoIndex => Ok(None),
        Found::Damaged(error, _) => Err(error),
        Found::Refused(refusal) => Err(step_refused(&refusal)),
        _ => Err(unexpected()),
    }
}

pub(super) fn written(done: Done, record: &Record<'_>) -> Written {
    Written::new(done.state(record.revision, record.expires).to_revision(), record.expires)
}

/// The answer of the last step.
pub(super) fn last(steps: Option<Steps>) -> Result<Step> {
    steps.and_then(|mut steps| steps.pop()).map(|(step, _)| step).ok_or_else(unexpected)
}

/// Whether a record that was refused may be taken as text.
pub(super) fn may_be_text(refusal: &Refusal, form: Form, record: &Record<'_>) -> bool {
    refusal.is_of_document() && form == Form::Plain && matches!(record.value, ValueRef::Json(_))
}

//! Conditional writes.

use kv_core::formats::elasticsearch::{Bulk, Form, Found, State, Step};
use kv_core::{Condition, DeleteOutcome, Name, PutOutcome, Record, Result, Revision};

use super::failure::step_refused;
use super::records::{may_be_text, written};
use super::{ElasticsearchDriver, unexpected};
use crate::attempts::Attempts;
use crate::driver::Context;
use crate::within::{Effect, Within};

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    #[maybe_async::maybe_async]
    pub(super) async fn put_if(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let within = Within::new(cx.timeout);
        match condition {
            Condition::IfAbsent => self.put_if_absent(name, record, cx, within).await,
            Condition::IfPresent => self.put_if_present(name, record, cx, within).await,
            Condition::IfRevision(revision) => {
                let Some(state) = State::of(revision).filter(|state| !cx.has_ended(state.expires)) else {
                    return Ok(PutOutcome::Conflict);
                };
                Ok(outcome(self.write(name, record, Some(state), within).await?))
            }
            _ => Ok(outcome(self.write(name, record, None, within).await?)),
        }
    }

    /// One step, and another where a record stands there that has ended.
    #[maybe_async::maybe_async]
    async fn put_if_absent(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        cx: Context<'_>,
        within: Within,
    ) -> Result<PutOutcome> {
        let mut form = Form::Plain;
        let mut attempts = Attempts::default();
        loop {
            let mut steps = Bulk::default();
            steps.look(name.key);
            steps.create(Self::DIALECT, form, name, record);
            let answers = self.run(name.collection, steps, Effect::Change, true, within).await?;
            let mut answers = answers.unwrap_or_default().into_iter();
            let (Some((look, looked)), Some((create, _))) = (answers.next(), answers.next()) else {
                return Err(unexpected());
            };
            match create {
                Step::Done(done) => return Ok(PutOutcome::Written(written(done, record))),
                Step::Refused(refusal) if may_be_text(&refusal, form, record) => {
                    form = Form::Text;
                    continue;
                }
                Step::Refused(refusal) => return Err(step_refused(&refusal)),
                Step::Conflict { .. } => {}
                _ => return Err(unexpected()),
            }
            // Where the look met nothing, a record came between.
            let (Step::Done(seen), Some(looked)) = (look, looked) else { return Ok(PutOutcome::Conflict) };
            if looked.is_of(name) && !cx.has_ended(looked.expires) {
                return Ok(PutOutcome::Conflict);
            }
            let ended = seen.state(0, looked.expires);
            if let Some(written) = self.write(name, record, Some(ended), within).await? {
                return Ok(PutOutcome::Written(written));
            }
            attempts.pause().await?;
        }
    }

    /// Reads, and writes over what was read.
    #[maybe_async::maybe_async]
    async fn put_if_present(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        cx: Context<'_>,
        within: Within,
    ) -> Result<PutOutcome> {
        let mut attempts = Attempts::default();
        loop {
            let state = match self.find_one(name, true, within).await? {
                Found::Entry(_, state) if !cx.has_ended(state.expires) => state,
                Found::Damaged(_, state) => state,
                Found::Refused(refusal) => return Err(step_refused(&refusal)),
                _ => return Ok(PutOutcome::Conflict),
            };
            if let Some(written) = self.write(name, record, Some(state), within).await? {
                return Ok(PutOutcome::Written(written));
            }
            attempts.pause().await?;
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn delete_if(
        &self,
        name: Name<'_>,
        revision: &Revision,
        cx: Context<'_>,
    ) -> Result<DeleteOutcome> {
        let within = Within::new(cx.timeout);
        let Some(state) = State::of(revision) else {
            // It is no revision of this store's, and all there is to tell is whether there is a record.
            return Ok(match self.find_one(name, true, within).await? {
                Found::Entry(_, state) if cx.has_ended(state.expires) => DeleteOutcome::Missing,
                Found::Entry(..) | Found::Damaged(..) => DeleteOutcome::Conflict,
                Found::Refused(refusal) => return Err(step_refused(&refusal)),
                _ => DeleteOutcome::Missing,
            });
        };
        let mut steps = Bulk::default();
        steps.look(name.key);
        steps.delete(name.key, Some(state));
        let Some(answers) = self.run(name.collection, steps, Effect::Change, false, within).await? else {
            return Ok(DeleteOutcome::Missing);
        };
        let mut answers = answers.into_iter();
        let (Some((look, looked)), Some((delete, _))) = (answers.next(), answers.next()) else {
            return Err(unexpected());
        };
        match delete {
            Step::Done(_) if cx.has_ended(state.expires) => Ok(DeleteOutcome::Missing),
            Step::Done(_) => Ok(DeleteOutcome::Deleted),
            Step::Missing | Step::Conflict { is_missing: true } => Ok(DeleteOutcome::Missing),
            Step::Conflict { .. } => {
                let is_there = |looked: kv_core::formats::elasticsearch::Looked| {
                    looked.is_of(name) && !cx.has_ended(looked.expires)
                };
                let is_live = matches!(look, Step::Missing) || looked.is_none_or(is_there);
                Ok(if is_live { DeleteOutcome::Conflict } else { DeleteOutcome::Missing })
            }
            Step::Refused(refusal) if refusal.is_missing_index() => Ok(DeleteOutcome::Missing),
            Step::Refused(refusal) => Err(step_refused(&refusal)),
            _ => Err(unexpected()),
        }
    }
}

fn outcome(written: Option<kv_core::Written>) -> PutOutcome {
    written.map_or(PutOutcome::Conflict, PutOutcome::Written)
}

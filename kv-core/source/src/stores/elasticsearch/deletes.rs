//! Removing records, whatever their state.

use std::collections::HashSet;

use kv_core::formats::elasticsearch::{Bulk, Found, Looked, State, Step};
use kv_core::{DeleteOutcome, Name, Result};

use super::failure::step_refused;
use super::records::{MOST_RECORDS, last};
use super::{ElasticsearchDriver, unexpected};
use crate::attempts::Attempts;
use crate::driver::Context;
use crate::within::{Effect, Within};

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    #[maybe_async::maybe_async]
    pub(super) async fn remove(&self, name: Name<'_>, cx: Context<'_>, within: Within) -> Result<DeleteOutcome> {
        let Some(place) = self.place_to_write(name.collection, false, within).await? else {
            return Ok(DeleteOutcome::Missing);
        };
        let was_live = if place.is_shared {
            self.remove_carefully(name, cx, within).await?
        } else {
            let removed = self.remove_some(name.collection, &[name.key], cx, within).await?.pop();
            removed.ok_or_else(unexpected)??
        };
        Ok(if was_live { DeleteOutcome::Deleted } else { DeleteOutcome::Missing })
    }

    /// Removes a record only if it is of that name; answers whether it was live.
    #[maybe_async::maybe_async]
    async fn remove_carefully(&self, name: Name<'_>, cx: Context<'_>, within: Within) -> Result<bool> {
        let mut attempts = Attempts::default();
        loop {
            let Some((state, was_live)) = state_of(self.find_one(name, true, within).await?, cx)? else {
                return Ok(false);
            };
            let mut steps = Bulk::default();
            steps.delete(name.key, Some(state));
            let Some(answers) = self.run(name.collection, steps, Effect::Change, false, within).await? else {
                return Ok(false);
            };
            match is_removed(last(Some(answers))?)? {
                Some(is_removed) => return Ok(is_removed && was_live),
                None => attempts.pause().await?,
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn remove_many(
        &self,
        collection: &str,
        keys: &[&str],
        cx: Context<'_>,
    ) -> Result<Vec<Result<bool>>> {
        let within = Within::new(cx.timeout);
        let Some(place) = self.place_to_write(collection, false, within).await? else {
            return Ok(keys.iter().map(|_| Ok(false)).collect());
        };
        let mut removed = Vec::with_capacity(keys.len());
        for part in keys.chunks(MOST_RECORDS) {
            let answers = match place.is_shared {
                true => self.remove_some_carefully(collection, part, cx, within).await,
                false => self.remove_some(collection, part, cx, within).await,
            };
            match answers {
                Ok(answers) => removed.extend(answers),
                Err(error) if part.len() < keys.len() => removed.extend(part.iter().map(|_| Err(error.repeated()))),
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    #[maybe_async::maybe_async]
    async fn remove_some(
        &self,
        collection: &str,
        keys: &[&str],
        cx: Context<'_>,
        within: Within,
    ) -> Result<Vec<Result<bool>>> {
        let mut steps = Bulk::default();
        for key in keys {
            steps.look(key);
            steps.delete(key, None);
        }
        let Some(answers) = self.run(collection, steps, Effect::Change, false, within).await? else {
            return Ok(keys.iter().map(|_| Ok(false)).collect());
        };
        let mut answers = answers.into_iter();
        let mut one = |key: &&str| was_live(answers.next(), answers.next(), Name::new(collection, key), cx);
        Ok(keys.iter().map(&mut one).collect())
    }

    /// Removes those records that are of these names: looks at all of them, and then removes them as they were seen.
    #[maybe_async::maybe_async]
    async fn remove_some_carefully(
        &self,
        collection: &str,
        keys: &[&str],
        cx: Context<'_>,
        within: Within,
    ) -> Result<Vec<Result<bool>>> {
        let mut removed: Vec<Result<bool>> = Vec::with_capacity(keys.len());
        let mut steps = Bulk::default();
        // A double key goes once.
        let mut seen = HashSet::with_capacity(keys.len());
        let mut sent = Vec::with_capacity(keys.len());
        for (key, found) in keys.iter().zip(self.find(collection, keys, true, within).await?) {
            let state = state_of(found, cx);
            removed.push(match state {
                Ok(Some((state, was_live))) if seen.insert(*key) => {
                    sent.push((removed.len(), was_live));
                    steps.delete(key, Some(state));
                    Ok(false)
                }
                Ok(_) => Ok(false),
                Err(error) => Err(error),
            });
        }
        if steps.steps() == 0 {
            return Ok(removed);
        }
        let answers = self.run(collection, steps, Effect::Change, false, within).await?;
        let Some(answers) = answers else { return Ok(keys.iter().map(|_| Ok(false)).collect()) };
        for ((at, was_live), (step, _)) in sent.into_iter().zip(answers) {
            removed[at] = match is_removed(step) {
                Ok(Some(is_removed)) => Ok(is_removed && was_live),
                // Somebody wrote it meanwhile.
                Ok(None) => self.remove_carefully(Name::new(collection, keys[at]), cx, within).await,
                Err(error) => Err(error),
            };
        }
        Ok(removed)
    }
}

/// In which state a record was found, and whether it was live; `None` if there is none of that name.
fn state_of(found: Found, cx: Context<'_>) -> Result<Option<(State, bool)>> {
    match found {
        Found::Entry(_, state) => Ok(Some((state, !cx.has_ended(state.expires)))),
        Found::Damaged(_, state) => Ok(Some((state, true))),
        Found::Missing | Found::NoIndex => Ok(None),
        Found::Refused(refusal) => Err(step_refused(&refusal)),
        _ => Err(unexpected()),
    }
}

/// Whether a delete of one state removed it; `None` if the record has another.
fn is_removed(step: Step) -> Result<Option<bool>> {
    match step {
        Step::Done(_) => Ok(Some(true)),
        Step::Missing => Ok(Some(false)),
        Step::Refused(refusal) if refusal.is_missing_index() => Ok(Some(false)),
        Step::Refused(refusal) => Err(step_refused(&refusal)),
        _ => Ok(None),
    }
}

/// Whether a look and the delete after it removed a live record.
fn was_live(
    look: Option<(Step, Option<Looked>)>,
    delete: Option<(Step, Option<Looked>)>,
    name: Name<'_>,
    cx: Context<'_>,
) -> Result<bool> {
    let (Some((look, looked)), Some((delete, _))) = (look, delete) else { return Err(unexpected()) };
    let deleted = match delete {
        Step::Done(deleted) => deleted,
        other => return is_removed(other)?.ok_or_else(unexpected),
    };
    let (Step::Done(seen), Some(looked)) = (look, looked) else {
        // It was written between the look and the delete, and so it was live.
        return Ok(true);
    };
    let is_same = deleted.version == seen.version + 1;
    Ok(!is_same || looked.is_of(name) && !cx.has_ended(looked.expires))
}

//! Reading, writing and removing many records.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use kv_core::formats::mongodb::{UpdateCommand, key_of};
use kv_core::{Entry, Name, Record, Result, Written};
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};

use super::client::Line;
use super::failure::{Failure, answered, unconfirmed, unexpected};
use super::prepare::raw;
use super::records::{Head, documents};
use super::{MongoDriver, filter};
use crate::driver::{Context, written};
use crate::within::{Effect, Within};

/// A request takes 16 MiB; keys stand in it with what is around them.
const MOST_KEY_BYTES: usize = 10 << 20;
/// What is around a key that is looked for, and one that is to be removed.
const AROUND: usize = 16;
const AROUND_DELETE: usize = 300;
/// The server takes 100,000 operations in one request.
const MOST_KEYS: usize = 50_000;

/// Whether the server lacks the command `bulkWrite`, as those before 8.0 do.
#[derive(Debug, Default)]
pub(super) struct Lacking(AtomicBool);

/// Parts of these keys that fit into a request, each key with so many bytes around it.
fn parts<'a, 'k>(keys: &'a [&'k str], around: usize) -> Vec<&'a [&'k str]> {
    let mut parts = Vec::with_capacity(1);
    let (mut start, mut bytes) = (0, 0);
    for (at, key) in keys.iter().enumerate() {
        let more = key.len() + around;
        if at > start && (bytes + more > MOST_KEY_BYTES || at - start >= MOST_KEYS) {
            parts.push(&keys[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    parts.push(&keys[start..]);
    parts
}

/// A batch that holds the documents of all these keys.
fn one_batch(keys: &[&str]) -> u32 {
    u32::try_from(keys.len() + 1).unwrap_or(u32::MAX)
}

impl MongoDriver {
    #[maybe_async::maybe_async]
    pub(super) async fn read_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        within: Within,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let mut found = HashMap::with_capacity(keys.len());
        let foreign = self.find_many(collection, keys, head, &mut found, within).await?;
        if !foreign.is_empty() {
            let foreign: Vec<&str> = foreign.iter().map(String::as_str).collect();
            self.find_many(collection, &foreign, false, &mut found, within).await?;
        }
        let answer = |key: &&str| match found.get(*key) {
            Some(Ok(entry)) => Ok(entry.clone()),
            Some(Err(error)) => Err(error.repeated()),
            None => Ok(None),
        };
        Ok(keys.iter().map(answer).collect())
    }

    /// Adds what there is of these keys; answers the keys of which there has to be more than a head.
    #[maybe_async::maybe_async]
    async fn find_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        found: &mut HashMap<String, Result<Option<Entry>>>,
        within: Within,
    ) -> Result<Vec<String>> {
        let line = self.client.line(within).await?;
        let stored = line.database.collection::<RawDocumentBuf>(&self.names.stored(collection));
        let (mut json, mut foreign) = (Vec::new(), Vec::new());
        for part in parts(keys, AROUND) {
            let find = stored.find(filter::keys(part)).batch_size(one_batch(part));
            let find = if head { find.projection(filter::no_value()) } else { find };
            let batches = self.client.read(&line, find, true, within).await?;
            for document in documents(&batches)? {
                let Some(key) = key_of(document) else { continue };
                let name = Name::new(collection, key);
                let entry = match head.then(|| self.head(document, name)) {
                    None => self.entry(document, name, &mut json),
                    Some(Ok(Head::Known(entry))) => Ok(entry),
                    Some(Ok(Head::Foreign)) => {
                        foreign.push(key.to_owned());
                        continue;
                    }
                    Some(Err(error)) => Err(error),
                };
                found.entry(key.to_owned()).or_insert(entry);
            }
        }
        Ok(foreign)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let within = Within::new(cx.timeout);
        // The statements of a command come in no order, so of double keys only the last one goes.
        let mut last = HashMap::with_capacity(records.len());
        for (at, (key, _)) in records.iter().enumerate() {
            last.insert(*key, at);
        }
        let is_last = |at: usize| records.get(at).is_some_and(|(key, _)| last.get(key) == Some(&at));
        let stored = self.names.stored(collection);
        let line = self.client.line(within).await?;
        self.prepare(&line, &stored, within).await?;
        let concern = line.database.write_concern().map(mongodb::bson::serialize_to_vec).transpose();
        let concern = concern.map_err(|_| unexpected())?;
        let new_command = || UpdateCommand::new(&stored, concern.as_deref());

        let mut answers: Vec<Result<Written>> = records.iter().map(|(_, record)| Ok(written(record))).collect();
        let mut sent_before = false;
        let mut positions = Vec::new();
        let mut command = new_command();
        for at in 0..=records.len() {
            let next = records.get(at).filter(|_| is_last(at));
            let is_end = at == records.len();
            let bytes = next.map_or(0, |(_, record)| record.value.as_encoded().len() + 4096);
            if !command.is_empty() && (is_end || command.is_full_for(bytes)) {
                let full = std::mem::replace(&mut command, new_command());
                let part = std::mem::take(&mut positions);
                match self.update(&line, full, within).await {
                    Ok(refused) => {
                        for (index, failure) in refused {
                            let at = *part.get(index).ok_or_else(unexpected)?;
                            answers[at] = self.rewritten(collection, &records[at], failure, within).await;
                        }
                    }
                    // Nothing was written yet, so that this is the answer to all.
                    Err(error) if !sent_before && is_end => return Err(error),
                    Err(error) => part.into_iter().for_each(|at| answers[at] = Err(error.repeated())),
                }
                sent_before = true;
            }
            if let Some((key, record)) = next {
                match command.push(Name::new(collection, key), record) {
                    Ok(()) => positions.push(at),
                    Err(error) => answers[at] = Err(error),
                }
            }
        }
        for (at, (key, _)) in records.iter().enumerate() {
            let last = last[key];
            if last != at {
                answers[at] = match &answers[last] {
                    Ok(written) => Ok(written.clone()),
                    Err(error) => Err(error.repeated()),
                };
            }
        }
        Ok(answers)
    }

    /// Sends the command; answers which of its statements were refused.
    #[maybe_async::maybe_async]
    async fn update(&self, line: &Line, command: UpdateCommand, within: Within) -> Result<Vec<(usize, Failure)>> {
        let command = line.database.run_raw_command(raw(command.finish())?);
        let answer = self.client.run(line, command, Effect::Put, within).await?;
        refusals(&answer)
    }

    /// What a refused statement ends in: where another writer inserted the same key at that moment, its document is
    /// there now to be replaced.
    #[maybe_async::maybe_async]
    async fn rewritten(
        &self,
        collection: &str,
        record: &(&str, Record<'_>),
        failure: Failure,
        within: Within,
    ) -> Result<Written> {
        match failure {
            Failure::Duplicate => self.write(Name::new(collection, record.0), &record.1, within).await,
            failure => Err(failure.into_error()),
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
        let mut seen = HashSet::with_capacity(keys.len());
        let once: Vec<&str> = keys.iter().copied().filter(|key| seen.insert(*key)).collect();
        let stored = self.names.stored(collection);
        let line = self.client.line(within).await?;
        let mut removed: HashMap<&str, Result<bool>> = HashMap::with_capacity(once.len());
        let mut sent_before = false;
        for part in parts(&once, AROUND_DELETE) {
            let answers = match self.remove_part(&line, &stored, part, cx, within).await {
                Ok(answers) => answers,
                Err(error) if !sent_before => return Err(error),
                Err(error) => part.iter().map(|_| Err(error.repeated())).collect(),
            };
            sent_before = true;
            removed.extend(part.iter().copied().zip(answers));
        }
        // A key that is named twice was removed once.
        Ok(keys.iter().map(|key| removed.remove(key).unwrap_or(Ok(false))).collect())
    }

    #[maybe_async::maybe_async]
    async fn remove_part(
        &self,
        line: &Line,
        stored: &str,
        keys: &[&str],
        cx: Context<'_>,
        within: Within,
    ) -> Result<Vec<Result<bool>>> {
        if self.lacking.0.load(Ordering::Relaxed) {
            return self.remove_by_two(line, stored, keys, cx, within).await;
        }
        let ended = filter::ended(cx.now);
        let operation = |key: &&str| {
            let filter = doc! { "key": *key, "$nor": ended.clone() };
            Bson::from(doc! { "delete": 0, "filter": filter, "multi": false })
        };
        let operations: Vec<Bson> = keys.iter().map(operation).collect();
        let namespace = format!("{}.{stored}", self.client.database_name());
        let mut command = doc! {
            "bulkWrite": 1, "ops": operations, "nsInfo": [{ "ns": namespace }], "ordered": false, "errorsOnly": false,
        };
        if let Some(concern) = write_concern(line)? {
            command.insert("writeConcern", concern);
        }
        let admin = line.admin();
        let command = admin.run_cursor_command(command);
        match self.client.read_command(line, command, Effect::Change, within).await {
            Ok(batches) => {
                if let Some(batch) = batches.first() {
                    confirmed(batch.as_raw_document())?;
                }
                removals(&documents(&batches)?, keys.len())
            }
            Err(Failure::NoSuchCommand) => {
                self.lacking.0.store(true, Ordering::Relaxed);
                self.remove_by_two(line, stored, keys, cx, within).await
            }
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// As servers before 8.0 do it: they tell how many were removed and not which.
    ///
    /// So those that are there are looked up first. If somebody else removes some of them in between, the number is
    /// right all the same, only not which of them were whose.
    #[maybe_async::maybe_async]
    async fn remove_by_two(
        &self,
        line: &Line,
        stored: &str,
        keys: &[&str],
        cx: Context<'_>,
        within: Within,
    ) -> Result<Vec<Result<bool>>> {
        let collection = line.database.collection::<RawDocumentBuf>(stored);
        let live = filter::live(filter::keys(keys), cx.now);
        let find = collection.find(live.clone()).projection(doc! { "_id": 0, "key": 1 }).batch_size(one_batch(keys));
        let batches = self.client.read(line, find, true, within).await?;
        let found = documents(&batches)?;
        let there: HashSet<&str> = found.iter().filter_map(|document| key_of(document)).collect();
        if there.is_empty() {
            return Ok(keys.iter().map(|_| Ok(false)).collect());
        }
        let answer = self.client.run(line, collection.delete_many(live), Effect::Change, within).await?;
        let mut left = answer.deleted_count;
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            let removed = left > 0 && there.contains(key);
            left -= u64::from(removed);
            answers.push(Ok(removed));
        }
        Ok(answers)
    }
}

fn write_concern(line: &Line) -> Result<Option<Document>> {
    let concern = line.database.write_concern().map(mongodb::bson::serialize_to_document).transpose();
    concern.map_err(|_| unexpected())
}

/// The statements that a command's answer says were refused.
fn refusals(answer: &Document) -> Result<Vec<(usize, Failure)>> {
    if let Ok(concern) = answer.get_document("writeConcernError") {
        return Err(unconfirmed(concern.get_i32("code").unwrap_or_default()));
    }
    let Ok(errors) = answer.get_array("writeErrors") else { return Ok(Vec::new()) };
    let refusal = |error: &Bson| {
        let error = error.as_document()?;
        let index = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok())?;
        Some((index, answered(error.get_i32("code").ok()?, error.get_str("codeName").unwrap_or_default())))
    };
    errors.iter().map(|error| refusal(error).ok_or_else(unexpected)).collect()
}

fn confirmed(answer: &RawDocument) -> Result<()> {
    match answer.get_document("writeConcernError") {
        Ok(concern) => Err(unconfirmed(concern.get_i32("code").unwrap_or_default())),
        Err(_) => Ok(()),
    }
}

/// What `bulkWrite` says of each of so many removals.
fn removals(answers: &[&[u8]], count: usize) -> Result<Vec<Result<bool>>> {
    let mut removed: Vec<Option<Result<bool>>> = (0..count).map(|_| None).collect();
    for answer in answers {
        let answer = RawDocument::from_bytes(answer).map_err(|_| unexpected())?;
        let number = |name: &str| {
            let number = answer.get(name).ok().flatten()?;
            number.as_i64().or_else(|| number.as_i32().map(i64::from))
        };
        let index = number("idx").and_then(|index| usize::try_from(index).ok()).ok_or_else(unexpected)?;
        let place = removed.get_mut(index).ok_or_else(unexpected)?;
        *place = Some(match number("code") {
            None => Ok(number("n").unwrap_or_default() > 0),
            Some(code) => Err(answered(i32::try_from(code).unwrap_or_default(), "").into_error()),
        });
    }
    removed.into_iter().map(|answer| answer.ok_or_else(unexpected)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_where_a_request_is_full() {
        assert_eq!(parts(&["a"; 3], 16), [["a"; 3]]);
        assert_eq!(parts(&["a"; MOST_KEYS + 1], 16).iter().map(|part| part.len()).collect::<Vec<_>>(), [MOST_KEYS, 1]);
        let long = "k".repeat(MOST_KEY_BYTES);
        assert_eq!(parts(&[&long, "a", &long], 16).len(), 3);
    }

    #[test]
    fn each_removal_has_its_answer() {
        let raw = |document: Document| document.to_vec().unwrap();
        let (one, two) = (raw(doc! { "ok": 1.0, "idx": 1, "n": 1 }), raw(doc! { "ok": 1.0, "idx": 0, "n": 0 }));
        let answers = removals(&[&one, &two], 2).unwrap();
        assert!(matches!(answers[..], [Ok(false), Ok(true)]));
        assert!(removals(&[&one], 2).is_err());
        assert!(removals(&[&one], 1).is_err());
        let refused = raw(doc! { "ok": 0.0, "idx": 0, "code": 13, "errmsg": "hunter2" });
        let answers = removals(&[&refused], 1).unwrap();
        assert!(!format!("{answers:?}").contains("hunter2") && answers[0].is_err());
    }

    #[test]
    fn refused_statements_are_told_by_number() {
        assert!(refusals(&doc! { "ok": 1, "n": 3 }).unwrap().is_empty());
        let answer = doc! { "ok": 1, "writeErrors": [{ "index": 2, "code": 11000, "errmsg": "hunter2" }] };
        assert!(matches!(refusals(&answer).unwrap()[..], [(2, Failure::Duplicate)]));
        let answer = doc! { "ok": 1, "writeConcernError": { "code": 64 } };
        assert!(refusals(&answer).unwrap_err().outcome_unknown());
        assert!(refusals(&doc! { "writeErrors": [1] }).is_err());
    }
}

//! Reading and writing records.

use std::borrow::Cow;
use std::collections::HashMap;

use kv_core::formats::postgres::{Fidelity, Query, State, StoredName, collection, key, to_server};
use kv_core::{
    Condition, DeleteOutcome, Entry, Error, ErrorKind, Metadata, Name, PutOutcome, Record, Result, Timestamp, Value,
    ValueRef, Written,
};

use super::PostgresDriver;
use super::params::{Param, column, flag, record, text, unexpected};
use crate::attempts::Attempts;
use crate::driver::{Context, written};
use crate::within::{Effect, Within};

/// The most bytes of a batch: the server takes no message of a gigabyte.
const MOST_BATCH_BYTES: usize = 900 << 20;

/// What stands in the place of a value that JSONB does not take.
const NULL: &[u8] = b"null";

/// A value in its three columns.
struct Columns<'a> {
    value: &'a [u8],
    text: Option<&'a str>,
    bytes: Option<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(value: ValueRef<'a>) -> Result<Self> {
        let ValueRef::Json(json) = value else {
            return Ok(Self { value: NULL, text: None, bytes: Some(value.as_encoded()) });
        };
        let fidelity = Fidelity::of(json);
        if fidelity == Fidelity::Exact {
            return Ok(Self { value: json, text: None, bytes: None });
        }
        let wrong = || Error::new(ErrorKind::InvalidValue, "the value is no JSON text");
        let text = Some(std::str::from_utf8(json).map_err(|_| wrong())?);
        Ok(Self { value: if fidelity == Fidelity::Near { json } else { NULL }, text, bytes: None })
    }
}

fn metadata_text(metadata: Option<&Metadata>) -> Result<Option<String>> {
    let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) else { return Ok(None) };
    let text = Value::encode(metadata)?;
    Ok(text.as_ref().as_json().map(str::to_owned))
}

/// The seconds that are left, as Python notes them.
fn seconds_left(expires: Timestamp, now: Timestamp) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "it only informs")]
    let micros = (expires.as_micros() - now.as_micros()) as f64;
    micros / 1e6
}

#[cold]
fn another_s() -> Error {
    Error::new(ErrorKind::Corrupted, "the row is of another name than its stored form says")
}

impl PostgresDriver {
    #[maybe_async::maybe_async]
    pub(super) async fn read(&self, name: Name<'_>, head: bool, within: Within) -> Result<Option<Entry>> {
        let collection = collection(name.collection);
        let key = key(&collection, name.key);
        let query = if head { Query::Head } else { Query::Get };
        let params = vec![Param::text(&collection.text), Param::text(&key.text)];
        let answer = self.ask(query, params, Effect::Read, within).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let columns = record(row, 0)?;
        if columns.is_of(&collection, &key) { columns.entry(head).map(Some) } else { Err(another_s()) }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn read_many(
        &self,
        collection_name: &str,
        keys: &[&str],
        head: bool,
        within: Within,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let collection = collection(collection_name);
        let stored: Vec<StoredName<'_>> = keys.iter().map(|name| key(&collection, name)).collect();
        let asked = stored.iter().map(|key| Some(Cow::Borrowed(&*key.text))).collect();
        let query = if head { Query::HeadMany } else { Query::GetMany };
        let params = vec![Param::text(&collection.text), Param::Texts(asked)];
        let answer = self.ask(query, params, Effect::Read, within).await?;
        let mut rows = HashMap::with_capacity(answer.rows.len());
        for row in &answer.rows {
            rows.insert(text(row, 0)?, row);
        }
        let entry = |key: &StoredName<'_>| {
            let Some(row) = rows.get(&*key.text) else { return Ok(None) };
            let columns = record(row, 1)?;
            if columns.is_of(&collection, key) { columns.entry(head).map(Some) } else { Err(another_s()) }
        };
        Ok(stored.iter().map(entry).collect())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let collection = collection(name.collection);
        let key = key(&collection, name.key);
        let columns = Columns::of(record.value)?;
        let metadata = metadata_text(record.metadata)?;
        let mut params = Vec::with_capacity(14);
        params.extend([
            Param::text(&collection.text),
            Param::text(&key.text),
            Param::Json(Cow::Borrowed(columns.value)),
            Param::Seconds(record.expires.map(|expires| seconds_left(expires, cx.now))),
            Param::Instant(record.created.map(to_server)),
            Param::Instant(record.expires.map(to_server)),
            Param::Number(record.revision.cast_signed()),
            Param::OptionalText(metadata.map(Cow::Owned)),
            Param::OptionalText(columns.text.map(Cow::Borrowed)),
            Param::bytes(columns.bytes),
            Param::bytes(collection.original.map(str::as_bytes)),
            Param::bytes(key.original.map(str::as_bytes)),
        ]);
        let now = Param::Instant(Some(to_server(cx.now)));
        let query = match condition {
            Condition::Always => Query::Put,
            Condition::IfAbsent => {
                params.push(now);
                Query::PutIfAbsent
            }
            Condition::IfPresent => {
                params.push(now);
                Query::PutIfPresent
            }
            Condition::IfRevision(revision) => {
                // Another is the revision of no row here.
                let Some(state) = State::of(revision) else { return Ok(PutOutcome::Conflict) };
                params.push(now);
                params.push(state_param(state));
                if matches!(state, State::Ours(_)) { Query::PutIfOurs } else { Query::PutIfForeign }
            }
            _ => return Err(Error::unsupported("a write on this condition")),
        };
        let effect = if query == Query::Put { Effect::Put } else { Effect::Change };
        let within = Within::new(cx.timeout);
        let answer = self.ask(query, params, effect, within).await?;
        if answer.written == 0 {
            return Ok(PutOutcome::Conflict);
        }
        self.after_writes(1, cx, within).await;
        Ok(PutOutcome::Written(written(record)))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write_many(
        &self,
        collection_name: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let collection = collection(collection_name);
        // Of double keys the last wins; and in one order for all, batches do not wait for each other in a ring.
        let mut rows: Vec<(StoredName<'_>, &Record<'_>)> =
            records.iter().map(|(name, record)| (key(&collection, name), record)).collect();
        rows.reverse();
        rows.sort_by(|(one, _), (other, _)| one.text.cmp(&other.text));
        rows.dedup_by(|(one, _), (other, _)| one.text == other.text);
        let bytes: usize =
            rows.iter().map(|(key, record)| 100 + key.text.len() + record.value.as_encoded().len()).sum();
        if bytes > MOST_BATCH_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "the batch is larger than a message to the server may be"));
        }
        let params = batch(&collection, &rows, cx.now)?;
        let within = Within::new(cx.timeout);
        self.ask(Query::PutMany, params, Effect::Put, within).await?;
        self.after_writes(records.len(), cx, within).await;
        Ok(records.iter().map(|(_, record)| Ok(written(record))).collect())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn remove(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        let collection = collection(name.collection);
        let key = key(&collection, name.key);
        let now = Param::Instant(Some(to_server(cx.now)));
        let mut params = vec![Param::text(&collection.text), Param::text(&key.text), now];
        let within = Within::new(cx.timeout);
        let Condition::IfRevision(revision) = condition else {
            let answer = self.ask(Query::Delete, params, Effect::Change, within).await?;
            let was_live = answer.rows.first().map(|row| flag(row, 0)).transpose()?;
            return Ok(if was_live == Some(true) { DeleteOutcome::Deleted } else { DeleteOutcome::Missing });
        };
        // A revision of no row here: one that no row has says the same.
        let state = State::of(revision).unwrap_or(State::Foreign(0));
        params.push(state_param(state));
        let query = if matches!(state, State::Ours(_)) { Query::DeleteIfOurs } else { Query::DeleteIfForeign };
        let mut attempts = Attempts::default();
        loop {
            let answer = self.ask(query, params.clone(), Effect::Change, within).await?;
            let row = answer.rows.first().ok_or_else(unexpected)?;
            if flag(row, 0)? {
                return Ok(DeleteOutcome::Deleted);
            }
            match column(row, 1)?.map(|was_ours| was_ours == [1]) {
                None => return Ok(DeleteOutcome::Missing),
                Some(false) => return Ok(DeleteOutcome::Conflict),
                // Another writer was first, and whether there is one now this statement has not seen.
                Some(true) => attempts.pause().await?,
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn remove_many(
        &self,
        collection_name: &str,
        keys: &[&str],
        cx: Context<'_>,
    ) -> Result<Vec<Result<bool>>> {
        let collection = collection(collection_name);
        let stored: Vec<StoredName<'_>> = keys.iter().map(|name| key(&collection, name)).collect();
        let asked = stored.iter().map(|key| Some(Cow::Borrowed(&*key.text))).collect();
        let params = vec![Param::text(&collection.text), Param::Texts(asked), Param::Instant(Some(to_server(cx.now)))];
        let answer = self.ask(Query::DeleteMany, params, Effect::Change, Within::new(cx.timeout)).await?;
        let mut removed = HashMap::with_capacity(answer.rows.len());
        for row in &answer.rows {
            removed.insert(text(row, 0)?, column(row, 1)? == Some(&[1]));
        }
        // A key that is there twice counts once.
        Ok(stored.iter().map(|key| Ok(removed.remove(&*key.text) == Some(true))).collect())
    }
}

fn state_param(state: State) -> Param<'static> {
    match state {
        State::Ours(revision) => Param::Number(revision),
        State::Foreign(transaction) => Param::Transaction(transaction),
    }
}

/// The columns of a batch. Where a column has nothing at all, its array is empty, and the server fills it up.
fn batch<'a>(
    collection: &'a StoredName<'_>,
    rows: &'a [(StoredName<'_>, &'a Record<'_>)],
    now: Timestamp,
) -> Result<Vec<Param<'a>>> {
    let values: Vec<Columns<'a>> = rows.iter().map(|(_, record)| Columns::of(record.value)).collect::<Result<_>>()?;
    let mut notes: Vec<Option<Cow<'a, str>>> = Vec::new();
    if rows.iter().any(|(_, record)| record.metadata.is_some_and(|metadata| !metadata.is_empty())) {
        for (_, record) in rows {
            notes.push(metadata_text(record.metadata)?.map(Cow::Owned));
        }
    }
    let expires: Vec<_> = rows.iter().map(|(_, record)| record.expires.map(to_server)).collect();
    let seconds = rows.iter().map(|(_, record)| record.expires.map(|expires| seconds_left(expires, now)));
    let created: Vec<_> = rows.iter().map(|(_, record)| record.created.map(to_server)).collect();
    let texts: Vec<_> = values.iter().map(|value| value.text.map(Cow::Borrowed)).collect();
    let bytes: Vec<_> = values.iter().map(|value| value.bytes.map(Cow::Borrowed)).collect();
    let names: Vec<_> = rows.iter().map(|(key, _)| key.original.map(|name| Cow::Borrowed(name.as_bytes()))).collect();
    Ok(vec![
        Param::text(&collection.text),
        Param::bytes(collection.original.map(str::as_bytes)),
        Param::Texts(rows.iter().map(|(key, _)| Some(Cow::Borrowed(&*key.text))).collect()),
        Param::Jsons(values.iter().map(|value| Cow::Borrowed(value.value)).collect()),
        Param::ManySeconds(filled(seconds.collect())),
        Param::Instants(filled(created)),
        Param::Instants(filled(expires)),
        Param::Numbers(rows.iter().map(|(_, record)| record.revision.cast_signed()).collect()),
        Param::Texts(notes),
        Param::Texts(filled(texts)),
        Param::ManyBytes(filled(bytes)),
        Param::ManyBytes(filled(names)),
    ])
}

/// Nothing instead of nothing but nothings.
fn filled<T>(column: Vec<Option<T>>) -> Vec<Option<T>> {
    if column.iter().any(Option::is_some) { column } else { Vec::new() }
}

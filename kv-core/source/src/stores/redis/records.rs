//! Reading and writing records.

use kv_core::formats::redis::px;
use kv_core::formats::{self, Document, Stamp};
use kv_core::{DeleteOutcome, Entry, Error, ErrorKind, Name, Record, Result, Timestamp, Written};
use redis::{Cmd, Pipeline, Value};

use super::RedisDriver;
use super::failure::{Effect, refused, unexpected};
use super::within::Within;
use crate::driver::Context;

/// What a command that reads a string answers.
pub(super) fn bytes(answer: Value) -> Result<Option<Vec<u8>>> {
    match answer {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::VerbatimString { text, .. } => Ok(Some(text.into_bytes())),
        Value::ServerError(error) => Err(refused(&error)),
        _ => Err(unexpected()),
    }
}

/// What a script or a command that counts answers.
pub(super) fn number(answer: &Value) -> Result<i64> {
    match answer {
        Value::Int(number) => Ok(*number),
        Value::ServerError(error) => Err(refused(error)),
        _ => Err(unexpected()),
    }
}

/// What a command answers of which only its success is of interest.
pub(super) fn accepted(answer: Value) -> Result<()> {
    match answer {
        Value::ServerError(error) => Err(refused(&error)),
        _ => Ok(()),
    }
}

/// The entry in what stands under a name's own key; none if it says that it is of another name.
pub(super) fn own(stored: &[u8], name: Name<'_>) -> Result<Option<Entry>> {
    let document = formats::decode(stored)?;
    Ok(document.is_of(name).then(|| document.to_entry(stored)))
}

/// The entry in what stands under a name's legacy key, which is as well the key of other names: it must say whose it is.
pub(super) fn legacy(stored: &[u8], name: Name<'_>) -> Option<Entry> {
    let document = formats::decode(stored).ok()?;
    (says_its_names(&document) && document.is_of(name)).then(|| document.to_entry(stored))
}

pub(super) fn says_its_names(document: &Document<'_>) -> bool {
    document.collection.is_some() && document.key.is_some()
}

/// Refuses a server that lacks what the commands take, by its answer to `INFO`.
pub(super) fn check_version(info: &[u8]) -> Result<()> {
    let info = String::from_utf8_lossy(info);
    let Some(version) = info.lines().find_map(|line| line.strip_prefix("redis_version:")) else { return Ok(()) };
    let mut parts = version.trim().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version >= (6, 2) {
        return Ok(());
    }
    let message = format!("the server is Redis {}.{}; this store takes 6.2 or later", version.0, version.1);
    Err(Error::new(ErrorKind::Configuration, message))
}

pub(super) fn get(key: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(2, key.len() + 3);
    command.arg("GET").arg(key);
    command
}

fn set(key: &[u8], document: &[u8], expires: Option<Timestamp>, now: Timestamp) -> Cmd {
    let mut command = Cmd::with_capacity(5, key.len() + document.len() + 32);
    command.arg("SET").arg(key).arg(document);
    if let Some(expires) = expires {
        command.arg("PX").arg(px(expires, now));
    }
    command
}

fn getdel(key: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(2, key.len() + 6);
    command.arg("GETDEL").arg(key);
    command
}

pub(super) fn unlink(key: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(2, key.len() + 6);
    command.arg("UNLINK").arg(key);
    command
}

pub(super) fn all(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let commands = commands.into_iter();
    let mut pipeline = Pipeline::with_capacity(commands.size_hint().0);
    commands.for_each(|command| {
        pipeline.add_command(command);
    });
    pipeline
}

pub(super) fn document(name: Name<'_>, record: &Record<'_>, stamp: &mut Stamp) -> Vec<u8> {
    let mut document = Vec::new();
    formats::encode(name, record, stamp, &mut document);
    document
}

impl<const VALKEY: bool> RedisDriver<VALKEY> {
    #[maybe_async::maybe_async]
    pub(super) async fn read(&self, name: Name<'_>, within: Within) -> Result<Option<Entry>> {
        let key = self.keys.key(name);
        let Some(legacy_key) = self.keys.legacy_key(name) else {
            let answer = self.client.ask(&get(&key), Effect::Read, within).await?;
            return bytes(answer)?.map_or(Ok(None), |stored| own(&stored, name));
        };
        let both = all([get(&key), get(&legacy_key)]);
        let mut answers = self.client.ask(&both, Effect::Read, within).await?.into_iter();
        either(answers.next(), answers.next(), name)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn read_many(
        &self,
        collection: &str,
        keys: &[&str],
        within: Within,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let names = keys.iter().map(|key| Name::new(collection, key));
        if keys.first().is_some_and(|key| self.keys.legacy_key(Name::new(collection, key)).is_some()) {
            let both = |name| [Some(self.keys.key(name)), self.keys.legacy_key(name)].into_iter().flatten();
            let gets = all(names.clone().flat_map(both).map(|key| get(&key)));
            let mut answers = self.client.ask(&gets, Effect::Read, within).await?.into_iter();
            return Ok(names.map(|name| either(answers.next(), answers.next(), name)).collect());
        }
        let mut mget = Cmd::with_capacity(keys.len() + 1, keys.len() * (collection.len() + 32));
        mget.arg("MGET");
        let mut key = Vec::new();
        for name in names.clone() {
            key.clear();
            self.keys.key_into(name, &mut key);
            mget.arg(&key);
        }
        let answer = self.client.ask(&mget, Effect::Read, within).await?;
        let answers = match answer {
            Value::Array(answers) if answers.len() == keys.len() => answers,
            Value::ServerError(error) => return Err(refused(&error)),
            _ => return Err(unexpected()),
        };
        // MGET answers nil for what is no string too.
        let is_missing = |answer: &&Value| matches!(answer, Value::Nil);
        let missing = answers.iter().filter(is_missing).count();
        let mut again = Vec::new().into_iter();
        if missing > 0 {
            let in_doubt = names.clone().zip(&answers).filter(|(_, answer)| is_missing(answer));
            let gets = all(in_doubt.map(|(name, _)| get(&self.keys.key(name))));
            again = self.client.ask(&gets, Effect::Read, within).await?.into_iter();
        }
        let entry = |(name, answer): (Name<'_>, Value)| {
            let answer = if matches!(answer, Value::Nil) { again.next().ok_or_else(unexpected)? } else { answer };
            bytes(answer)?.map_or(Ok(None), |stored| own(&stored, name))
        };
        Ok(names.zip(answers).map(entry).collect())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write(&self, name: Name<'_>, record: &Record<'_>, cx: Context<'_>) -> Result<Written> {
        let within = Within::new(cx.timeout);
        let document = document(name, record, &mut Stamp::default());
        let command = set(&self.keys.key(name), &document, record.expires, cx.now);
        match self.keys.legacy_key(name) {
            None => accepted(self.client.ask(&command, Effect::Put, within).await?)?,
            Some(legacy_key) => {
                let both = all([command, get(&legacy_key)]);
                let mut answers = self.client.ask(&both, Effect::Put, within).await?.into_iter();
                accepted(answers.next().ok_or_else(unexpected)?)?;
                self.supersede(&[(name, legacy_key)], answers, within).await?;
            }
        }
        Ok(Written::of_document(document, record.expires))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let within = Within::new(cx.timeout);
        let mut stamp = Stamp::default();
        let mut written = Vec::with_capacity(records.len());
        let key_of = |name| self.keys.key(name);
        if records.iter().all(|(_, record)| record.expires.is_none()) {
            let mut mset = Cmd::with_capacity(records.len() * 2 + 1, 0);
            mset.arg("MSET");
            for (key, record) in records {
                let name = Name::new(collection, key);
                let document = document(name, record, &mut stamp);
                mset.arg(key_of(name)).arg(&document);
                written.push(Ok(Written::of_document(document, None)));
            }
            accepted(self.client.ask(&mset, Effect::Put, within).await?)?;
        } else {
            let mut sets = Pipeline::with_capacity(records.len() + 2);
            sets.cmd("MULTI");
            for (key, record) in records {
                let name = Name::new(collection, key);
                let document = document(name, record, &mut stamp);
                sets.add_command(set(&key_of(name), &document, record.expires, cx.now));
                written.push(Ok(Written::of_document(document, record.expires)));
            }
            sets.cmd("EXEC");
            all_accepted(self.client.ask(&sets, Effect::Put, within).await?)?;
        }
        let odd = records.iter().filter_map(|(key, _)| {
            let name = Name::new(collection, key);
            Some((name, self.keys.legacy_key(name)?))
        });
        let odd: Vec<_> = odd.collect();
        if !odd.is_empty() {
            let gets = all(odd.iter().map(|(_, key)| get(key)));
            let answers = self.client.ask(&gets, Effect::Read, within).await?;
            self.supersede(&odd, answers.into_iter(), within).await?;
        }
        Ok(written)
    }

    /// Removes Python's records of these names, now that there are ours: or they would come back with the end of ours.
    #[maybe_async::maybe_async]
    async fn supersede(
        &self,
        names: &[(Name<'_>, Vec<u8>)],
        found: std::vec::IntoIter<Value>,
        within: Within,
    ) -> Result<()> {
        for ((name, key), answer) in names.iter().zip(found) {
            if let Ok(Some(stored)) = bytes(answer)
                && let Some(entry) = legacy(&stored, *name)
            {
                self.delete_at(key, &entry.revision(), within).await?;
            }
        }
        Ok(())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn delete_plainly(&self, name: Name<'_>, cx: Context<'_>) -> Result<DeleteOutcome> {
        let within = Within::new(cx.timeout);
        let key = self.keys.key(name);
        let answer = self.client.ask(&getdel(&key), Effect::Change, within).await?;
        let was_live = match bytes(answer) {
            Ok(stored) => stored.is_some_and(|stored| was_live(&stored, name, cx)),
            // It takes strings only.
            Err(error) if error.kind() == ErrorKind::Corrupted => {
                number(&self.client.ask(&unlink(&key), Effect::Change, within).await?)? == 1
            }
            Err(error) => return Err(error),
        };
        Ok(if was_live { DeleteOutcome::Deleted } else { DeleteOutcome::Missing })
    }

    #[maybe_async::maybe_async]
    pub(super) async fn delete_each(
        &self,
        collection: &str,
        keys: &[&str],
        cx: Context<'_>,
    ) -> Result<Vec<Result<bool>>> {
        let names = keys.iter().map(|key| Name::new(collection, key));
        if names.clone().any(|name| self.may_be_another_s(name)) {
            let mut deleted = Vec::with_capacity(keys.len());
            for name in names {
                let outcome = match self.may_be_another_s(name) {
                    true => self.delete_carefully(name, cx).await,
                    false => self.delete_plainly(name, cx).await,
                };
                deleted.push(outcome.map(|outcome| outcome == DeleteOutcome::Deleted));
            }
            return Ok(deleted);
        }
        let within = Within::new(cx.timeout);
        let commands = all(names.clone().map(|name| getdel(&self.keys.key(name))));
        let answers = self.client.ask(&commands, Effect::Change, within).await?;
        let outcome = |(name, answer)| bytes(answer).map(|stored| stored.is_some_and(|stored| was_live(&stored, name, cx)));
        let mut deleted: Vec<Result<bool>> = names.clone().zip(answers).map(outcome).collect();
        for (deleted, name) in deleted.iter_mut().zip(names) {
            if deleted.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupted) {
                let answer = self.client.ask(&unlink(&self.keys.key(name)), Effect::Change, within).await?;
                *deleted = number(&answer).map(|removed| removed == 1);
            }
        }
        Ok(deleted)
    }
}

/// Whether what was removed counts: a live record of this name, or a damaged one.
fn was_live(stored: &[u8], name: Name<'_>, cx: Context<'_>) -> bool {
    formats::decode(stored).map_or(true, |document| document.is_of(name) && !cx.has_ended(document.expires))
}

/// The entry of what stands under a name's own key, or else under its legacy key.
fn either(own_answer: Option<Value>, legacy_answer: Option<Value>, name: Name<'_>) -> Result<Option<Entry>> {
    let (Some(own_answer), Some(legacy_answer)) = (own_answer, legacy_answer) else { return Err(unexpected()) };
    match bytes(own_answer)? {
        Some(stored) => own(&stored, name),
        // What is no string is another's.
        None => Ok(bytes(legacy_answer).ok().flatten().and_then(|stored| legacy(&stored, name))),
    }
}

/// What a transaction answers: nothing was done if one of its commands was refused.
fn all_accepted(answers: Vec<Value>) -> Result<()> {
    for answer in answers {
        match answer {
            Value::ServerError(error) => return Err(refused(&error)),
            Value::Array(done) => done.into_iter().try_for_each(accepted)?,
            _ => {}
        }
    }
    Ok(())
}

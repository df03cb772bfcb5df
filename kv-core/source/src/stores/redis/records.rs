//! Reading and writing records.

use std::sync::Arc;

use kv_core::formats::redis::px;
use kv_core::formats::{self, Document, Stamp};
use kv_core::{DeleteOutcome, Entry, Error, ErrorKind, Name, Record, Result, Timestamp, Written};
use redis::Value;

use super::RedisDriver;
use super::commands::Commands;
use super::failure::{refused, unexpected};
use crate::driver::Context;
use crate::within::Effect;
use crate::within::Within;

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
    formats::entry_of(stored, name, &mut Stamp::default())
}

/// The entry in what stands under a name's legacy key, which is as well the key of other names: it must say whose it
/// is.
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

/// A command of these parts.
pub(super) fn command(parts: &[&[u8]]) -> Commands {
    let mut commands = Commands::new(1, 0);
    add(&mut commands, parts);
    commands
}

/// The same command for each of these keys.
pub(super) fn each<'k>(name: &str, keys: impl ExactSizeIterator<Item = &'k Vec<u8>>) -> Commands {
    let mut commands = Commands::new(keys.len(), keys.len() * 64);
    keys.for_each(|key| add(&mut commands, &[name.as_bytes(), key]));
    commands
}

pub(super) fn add(commands: &mut Commands, parts: &[&[u8]]) {
    commands.begin(parts.len(), parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| commands.part(part));
}

fn add_set(commands: &mut Commands, key: &[u8], document: &[u8], expires: Option<Timestamp>, now: Timestamp) {
    match expires {
        None => add(commands, &[b"SET", key, document]),
        Some(expires) => add(commands, &[b"SET", key, document, b"PX", px(expires, now).to_string().as_bytes()]),
    }
}

pub(super) fn document(name: Name<'_>, record: &Record<'_>) -> Vec<u8> {
    let mut document = Vec::new();
    formats::encode(name, record, &mut Stamp::default(), &mut document);
    document
}

impl<const VALKEY: bool> RedisDriver<VALKEY> {
    /// The keys under which a record may stand.
    pub(super) fn keys_of(&self, name: Name<'_>) -> Vec<Vec<u8>> {
        [Some(self.keys.key(name)), self.keys.legacy_key(name)].into_iter().flatten().collect()
    }

    fn is_odd(&self, collection: &str) -> bool {
        self.keys.legacy_match_pattern(collection, "").is_some()
    }

    #[maybe_async::maybe_async]
    pub(super) async fn read(&self, name: Name<'_>, within: Within) -> Result<Option<Entry>> {
        let Some(legacy_key) = self.keys.legacy_key(name) else {
            let get = command(&[b"GET", &self.keys.key(name)]);
            let answer = self.client.ask_one(&get, Effect::Read, within).await?;
            return bytes(answer)?.map_or(Ok(None), |stored| own(&stored, name));
        };
        let both = each("GET", [self.keys.key(name), legacy_key].iter());
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
        if self.is_odd(collection) {
            let stored_keys: Vec<_> = names.clone().flat_map(|name| self.keys_of(name)).collect();
            let gets = each("GET", stored_keys.iter());
            let mut answers = self.client.ask(&gets, Effect::Read, within).await?.into_iter();
            return Ok(names.map(|name| either(answers.next(), answers.next(), name)).collect());
        }
        let answers = self.mget(collection, keys, within).await?;
        let mut stamp = Stamp::default();
        let entry = |(name, answer): (Name<'_>, Value)| {
            bytes(answer)?.map_or(Ok(None), |stored| formats::entry_of(&stored, name, &mut stamp))
        };
        Ok(names.zip(answers).map(entry).collect())
    }

    /// What `MGET` answers for these keys, and `GET` for those of them that `MGET` cannot tell from missing ones.
    ///
    /// `MGET` answers nil for what is no string too. `EXISTS` in the same trip tells that there is no such key among
    /// them; it is left out where keys have long not been missing, since it is only asked for those.
    #[maybe_async::maybe_async]
    async fn mget(&self, collection: &str, keys: &[&str], within: Within) -> Result<Vec<Value>> {
        let size: usize = keys.iter().map(|key| key.len() + collection.len() + 2).sum();
        let with_count = self.misses.are_likely();
        let mut commands = if with_count { Commands::new(4, 2 * size) } else { Commands::new(1, 0) };
        let mut made = self.keys.keys(collection);
        let mut of_all = |command: &[u8], commands: &mut Commands| {
            commands.begin(keys.len() + 1, size + 64);
            commands.part(command);
            keys.iter().for_each(|key| commands.part(made.key(key)));
        };
        if with_count {
            add(&mut commands, &[b"MULTI"]);
            of_all(b"MGET", &mut commands);
            of_all(b"EXISTS", &mut commands);
            add(&mut commands, &[b"EXEC"]);
        } else {
            of_all(b"MGET", &mut commands);
        }
        let mut found = executed(self.client.ask(&commands, Effect::Read, within).await?)?;
        let mut existing = None;
        if with_count {
            let Ok([Value::Array(strings), count]) = <[Value; 2]>::try_from(found) else { return Err(unexpected()) };
            (found, existing) = (strings, usize::try_from(number(&count)?).ok());
        }
        if found.len() != keys.len() {
            return Err(unexpected());
        }
        let is_missing = |answer: &Value| matches!(answer, Value::Nil);
        let strings = found.iter().filter(|answer| !is_missing(answer)).count();
        self.misses.note(strings < found.len());
        if strings == found.len() || existing == Some(strings) {
            return Ok(found);
        }
        let in_doubt = keys.iter().zip(&found).filter(|(_, answer)| is_missing(answer));
        let in_doubt: Vec<_> = in_doubt.map(|(key, _)| self.keys.key(Name::new(collection, key))).collect();
        let again = self.fetch(&in_doubt, within).await?;
        for (answer, again) in found.iter_mut().filter(|answer| is_missing(answer)).zip(again) {
            *answer = again;
        }
        Ok(found)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write(&self, name: Name<'_>, record: &Record<'_>, cx: Context<'_>) -> Result<Written> {
        let within = Within::new(cx.timeout);
        let document = document(name, record);
        let mut commands = Commands::new(1, 0);
        add_set(&mut commands, &self.keys.key(name), &document, record.expires, cx.now);
        match self.keys.legacy_key(name) {
            None => accepted(self.client.ask_one(&commands, Effect::Put, within).await?)?,
            Some(legacy_key) => {
                add(&mut commands, &[b"GET", &legacy_key]);
                let mut answers = self.client.ask(&commands, Effect::Put, within).await?.into_iter();
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
        let names = records.iter().map(|(key, record)| (Name::new(collection, key), record));
        let size: usize = records.iter().map(|(_, record)| record.value.as_encoded().len() + 300).sum();
        let are_permanent = records.iter().all(|(_, record)| record.expires.is_none());
        let mut commands = if are_permanent { Commands::new(1, 0) } else { Commands::new(records.len() + 2, size) };
        if are_permanent {
            commands.begin(2 * records.len() + 1, size);
            commands.part(b"MSET");
        } else {
            add(&mut commands, &[b"MULTI"]);
        }
        let mut written = Vec::with_capacity(records.len());
        let (mut stamp, mut keys, mut documents) =
            (Stamp::default(), self.keys.keys(collection), Vec::with_capacity(size));
        for (name, record) in names.clone() {
            let key = keys.key(name.key);
            let start = documents.len();
            formats::encode(name, record, &mut stamp, &mut documents);
            let document = &documents[start..];
            if are_permanent {
                commands.part(key);
                commands.part(document);
            } else {
                add_set(&mut commands, key, document, record.expires, cx.now);
            }
            written.push((start..documents.len(), record.expires));
        }
        let documents = Arc::new(documents);
        let written =
            written.into_iter().map(|(range, expires)| Ok(Written::of_document_in(&documents, range, expires)));
        let written = written.collect();
        if !are_permanent {
            add(&mut commands, &[b"EXEC"]);
        }
        executed(self.client.ask(&commands, Effect::Put, within).await?)?.into_iter().try_for_each(accepted)?;
        if self.is_odd(collection) {
            let odd = names.filter_map(|(name, _)| Some((name, self.keys.legacy_key(name)?)));
            let odd: Vec<_> = odd.collect();
            let gets = each("GET", odd.iter().map(|(_, key)| key));
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
        let answer = self.client.ask_one(&command(&[b"GETDEL", &key]), Effect::Change, within).await?;
        let was_live = match bytes(answer) {
            Ok(stored) => stored.is_some_and(|stored| was_live(&stored, name, cx)),
            // It takes strings only.
            Err(error) if error.kind() == ErrorKind::Corrupted => self.unlink(&key, within).await?,
            Err(error) => return Err(error),
        };
        Ok(if was_live { DeleteOutcome::Deleted } else { DeleteOutcome::Missing })
    }

    /// Whether something stood there, and was removed.
    #[maybe_async::maybe_async]
    pub(super) async fn unlink(&self, key: &[u8], within: Within) -> Result<bool> {
        let answer = self.client.ask_one(&command(&[b"UNLINK", key]), Effect::Change, within).await?;
        Ok(number(&answer)? == 1)
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
        let stored_keys: Vec<_> = names.clone().map(|name| self.keys.key(name)).collect();
        let commands = each("GETDEL", stored_keys.iter());
        let answers = self.client.ask(&commands, Effect::Change, within).await?;
        let mut deleted = Vec::with_capacity(keys.len());
        for ((name, key), answer) in names.zip(&stored_keys).zip(answers) {
            deleted.push(match bytes(answer) {
                Ok(stored) => Ok(stored.is_some_and(|stored| was_live(&stored, name, cx))),
                Err(error) if error.kind() == ErrorKind::Corrupted => self.unlink(key, within).await,
                Err(error) => Err(error),
            });
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

/// What a transaction, or else a single command, answers. Nothing was done if one of its commands was refused.
fn executed(answers: Vec<Value>) -> Result<Vec<Value>> {
    let mut done = Vec::new();
    for answer in answers {
        match answer {
            Value::ServerError(error) => return Err(refused(&error)),
            Value::Array(answers) => done = answers,
            _ => {}
        }
    }
    Ok(done)
}

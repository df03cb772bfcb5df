//! Conditional writes: scripts that compare a digest of what stands there, so that none reads a document.

use kv_core::formats;
use kv_core::formats::redis::{DELETE_IF_DIGEST, PUT_IF_ABSENT, PUT_IF_DIGEST, px};
use kv_core::{
    Condition, DeleteOutcome, Entry, ErrorKind, Name, PutOutcome, Record, Result, Revision, Timestamp, Written,
};
use redis::{ServerErrorKind, Value};

use super::commands::Commands;
use super::failure::unexpected;
use super::records::{add, bytes, document, legacy, number, own};
use super::{RedisDriver, contradiction};
use crate::attempts::Attempts;
use crate::driver::Context;
use crate::within::Effect;
use crate::within::Within;

/// What the scripts answer: it was done.
const DONE: i64 = 1;
/// Something else stands there.
const CHANGED: i64 = 0;
const NOTHING_THERE: i64 = -1;

/// The digest that stands for these very bytes.
fn digest(bytes: &[u8]) -> Result<String> {
    let revision = Revision::of_document(bytes, None).as_document();
    revision.map(|(digest, _)| digest).ok_or_else(|| contradiction("a document has no digest"))
}

/// The command for a script: by its digest, which the server knows if it has run before, or by its text.
fn add_script(commands: &mut Commands, text: &str, by_digest: bool, key: &[u8], args: &[&[u8]]) -> Result<()> {
    let digest = digest(text.as_bytes())?;
    let [name, script] = if by_digest { ["EVALSHA", &digest] } else { ["EVAL", text] };
    add(commands, &[&[name.as_bytes(), script.as_bytes(), b"1", key], args].concat());
    Ok(())
}

fn script(text: &str, by_digest: bool, key: &[u8], args: &[&[u8]]) -> Result<Commands> {
    let mut commands = Commands::new(1, 0);
    add_script(&mut commands, text, by_digest, key, args)?;
    Ok(commands)
}

fn expiry(expires: Option<Timestamp>, now: Timestamp) -> String {
    expires.map(|expires| px(expires, now).to_string()).unwrap_or_default()
}

/// What was found of a name, and where.
struct Found {
    key: Vec<u8>,
    /// `None` if it is no string.
    digest: Option<String>,
    /// `None` if it cannot be read.
    entry: Option<Entry>,
}

impl<const VALKEY: bool> RedisDriver<VALKEY> {
    #[maybe_async::maybe_async]
    async fn run(&self, text: &str, key: &[u8], args: &[&[u8]], within: Within) -> Result<Value> {
        let answer = self.client.ask_one(&script(text, true, key, args)?, Effect::Change, within).await?;
        match &answer {
            // It did not run.
            Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript) => {
                self.client.ask_one(&script(text, false, key, args)?, Effect::Change, within).await
            }
            _ => Ok(answer),
        }
    }

    /// Whether it stood there and was removed.
    #[maybe_async::maybe_async]
    pub(super) async fn delete_at(&self, key: &[u8], revision: &Revision, within: Within) -> Result<bool> {
        let Some((digest, _)) = revision.as_document() else { return Ok(false) };
        let answer = self.run(DELETE_IF_DIGEST, key, &[digest.as_bytes()], within).await?;
        Ok(number(&answer)? == DONE)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn put_if(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        let within = Within::new(cx.timeout);
        let document = document(name, record);
        let px = expiry(record.expires, cx.now);
        let written = match condition {
            Condition::IfRevision(revision) => self.replace_at(name, revision, &document, &px, cx, within).await?,
            Condition::IfAbsent => self.insert(name, &document, &px, cx, within).await?,
            _ => self.replace_live(name, &document, &px, cx, within).await?,
        };
        Ok(match written {
            true => PutOutcome::Written(Written::of_document(document, record.expires)),
            false => PutOutcome::Conflict,
        })
    }

    #[maybe_async::maybe_async]
    async fn replace_at(
        &self,
        name: Name<'_>,
        revision: &Revision,
        document: &[u8],
        px: &str,
        cx: Context<'_>,
        within: Within,
    ) -> Result<bool> {
        let Some((digest, expires)) = revision.as_document() else { return Ok(false) };
        if cx.has_ended(expires) {
            return Ok(false);
        }
        let args = [digest.as_bytes(), document, px.as_bytes()];
        let answer = number(&self.run(PUT_IF_DIGEST, &self.keys.key(name), &args, within).await?)?;
        match self.keys.legacy_key(name) {
            // A record of Python's is changed where it stands: one step needs one key.
            Some(key) if answer == NOTHING_THERE => {
                Ok(number(&self.run(PUT_IF_DIGEST, &key, &args, within).await?)? == DONE)
            }
            _ => Ok(answer == DONE),
        }
    }

    #[maybe_async::maybe_async]
    async fn insert(&self, name: Name<'_>, document: &[u8], px: &str, cx: Context<'_>, within: Within) -> Result<bool> {
        let key = self.keys.key(name);
        let mut attempts = Attempts::default();
        loop {
            if self.keys.legacy_key(name).is_some() && cx.live(self.read(name, within).await?).is_some() {
                return Ok(false);
            }
            let answer = self.run(PUT_IF_ABSENT, &key, &[document, px.as_bytes()], within).await?;
            if matches!(answer, Value::Int(DONE)) {
                return Ok(true);
            }
            if let Some(stored) = bytes(answer)? {
                if cx.live(own(&stored, name)?).is_some() {
                    return Ok(false);
                }
                let digest = digest(&stored)?;
                let args = [digest.as_bytes(), document, px.as_bytes()];
                if number(&self.run(PUT_IF_DIGEST, &key, &args, within).await?)? == DONE {
                    return Ok(true);
                }
            }
            attempts.pause().await?;
        }
    }

    #[maybe_async::maybe_async]
    async fn replace_live(
        &self,
        name: Name<'_>,
        document: &[u8],
        px: &str,
        cx: Context<'_>,
        within: Within,
    ) -> Result<bool> {
        let mut attempts = Attempts::default();
        loop {
            let Some(entry) = cx.live(self.read(name, within).await?) else { return Ok(false) };
            if self.replace_at(name, &entry.revision(), document, px, cx, within).await? {
                return Ok(true);
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
        if let Some((digest, expires)) = revision.as_document()
            && !cx.has_ended(expires)
        {
            let mut answer = NOTHING_THERE;
            for key in self.keys_of(name) {
                answer = number(&self.run(DELETE_IF_DIGEST, &key, &[digest.as_bytes()], within).await?)?;
                if answer != NOTHING_THERE {
                    break;
                }
            }
            match answer {
                DONE => return Ok(DeleteOutcome::Deleted),
                NOTHING_THERE => return Ok(DeleteOutcome::Missing),
                _ => {}
            }
        }
        let current = cx.live(self.read(name, within).await?);
        Ok(if current.is_some() { DeleteOutcome::Conflict } else { DeleteOutcome::Missing })
    }

    /// Removes what is of this name wherever it stands, and nothing that is of another.
    #[maybe_async::maybe_async]
    pub(super) async fn delete_carefully(&self, name: Name<'_>, cx: Context<'_>) -> Result<DeleteOutcome> {
        let within = Within::new(cx.timeout);
        let mut attempts = Attempts::default();
        let mut outcome = DeleteOutcome::Missing;
        loop {
            let mut left = false;
            for found in self.find(name, within).await? {
                let removed = match &found.digest {
                    Some(digest) => {
                        let answer = self.run(DELETE_IF_DIGEST, &found.key, &[digest.as_bytes()], within).await?;
                        let answer = number(&answer)?;
                        left |= answer == CHANGED;
                        answer == DONE
                    }
                    None => self.unlink(&found.key, within).await?,
                };
                let ended = found.entry.is_some_and(|entry| cx.has_ended(entry.expires()));
                if removed && !ended {
                    outcome = DeleteOutcome::Deleted;
                }
            }
            if !left {
                return Ok(outcome);
            }
            attempts.pause().await?;
        }
    }

    #[maybe_async::maybe_async]
    async fn find(&self, name: Name<'_>, within: Within) -> Result<Vec<Found>> {
        let keys = self.keys_of(name);
        let answers = self.fetch(&keys, within).await?;
        let mut found = Vec::new();
        for ((key, answer), is_legacy) in keys.into_iter().zip(answers).zip([false, true]) {
            let stored = match bytes(answer) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(error) if error.kind() == ErrorKind::Corrupted => {
                    if !is_legacy {
                        found.push(Found { key, digest: None, entry: None });
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let entry = match (is_legacy, own(&stored, name)) {
                (true, _) => legacy(&stored, name).map(Some),
                (false, Ok(entry)) => entry.map(Some),
                (false, Err(_)) => Some(None),
            };
            if let Some(entry) = entry {
                found.push(Found { key, digest: Some(digest(&stored)?), entry });
            }
        }
        Ok(found)
    }
}

/// Whether a stored record has ended; one that cannot be read has not.
pub(super) fn has_ended(stored: &[u8], cx: Context<'_>) -> bool {
    formats::decode(stored).is_ok_and(|document| cx.has_ended(document.expires))
}

/// The commands that remove these keys, each only if it still holds these bytes.
pub(super) fn removals(keys: &[(Vec<u8>, Vec<u8>)]) -> Result<Commands> {
    let mut commands = Commands::new(keys.len(), keys.len() * 160);
    for (at, (key, stored)) in keys.iter().enumerate() {
        // The first one carries the text, after which the server knows the digest.
        add_script(&mut commands, DELETE_IF_DIGEST, at > 0, key, &[digest(stored)?.as_bytes()])?;
    }
    Ok(commands)
}

/// The number of removals that were done.
pub(super) fn removed(answers: &[Value]) -> Result<u64> {
    answers.iter().try_fold(0, |sum, answer| match number(answer)? {
        DONE => Ok(sum + 1),
        CHANGED | NOTHING_THERE => Ok(sum),
        _ => Err(unexpected()),
    })
}

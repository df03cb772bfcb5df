//! Walking through the server's keys, and what is done to all of them.

use std::collections::HashSet;

use kv_core::{ErrorKind, KeyFilter, Name, Result};
use redis::Value;

use super::RedisDriver;
use super::commands::Commands;
use super::conditional::{has_ended, removals, removed};
use super::failure::{refused, unexpected};
use super::records::{bytes, command, each, legacy, number, own, says_its_names};
use crate::driver::Context;
use crate::within::Effect;
use crate::within::Within;

/// A walk through the keys that match a pattern, to the end.
#[derive(Debug)]
pub(super) struct Walk {
    pattern: Vec<u8>,
    /// Where the server goes on; `None` at the end.
    pub(super) cursor: Option<u64>,
    /// How many keys the server looks at in one step.
    step: usize,
}

impl Walk {
    /// Enough that a walk takes few steps, and so few that no step holds the server up.
    const STEP: usize = 1000;

    pub(super) fn new(pattern: Vec<u8>) -> Self {
        Self { pattern, cursor: Some(0), step: Self::STEP }
    }

    /// A walk that goes on, for one that wants about so many keys.
    pub(super) fn resumed(pattern: Vec<u8>, cursor: Option<u64>, wanted: usize) -> Self {
        Self { pattern, cursor, step: wanted.clamp(10, Self::STEP) }
    }

    fn command(&self, cursor: u64) -> Commands {
        let (cursor, step) = (cursor.to_string(), self.step.to_string());
        command(&[b"SCAN", cursor.as_bytes(), b"MATCH", &self.pattern, b"COUNT", step.as_bytes()])
    }

    /// Takes the server's answer, and gives its keys, each once.
    fn advance(&mut self, answer: Value) -> Result<Vec<Vec<u8>>> {
        let (cursor, keys) = match answer {
            Value::Array(parts) => <[Value; 2]>::try_from(parts).map_err(|_| unexpected())?.into(),
            Value::ServerError(error) => return Err(refused(&error)),
            _ => return Err(unexpected()),
        };
        let cursor = bytes(cursor)?.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<u64>().ok());
        let cursor = cursor.ok_or_else(unexpected)?;
        self.cursor = (cursor != 0).then_some(cursor);
        let Value::Array(keys) = keys else { return Err(unexpected()) };
        if keys.is_empty() {
            // What is looked for is rare here.
            self.step = (self.step * 4).min(Self::STEP);
        }
        let mut seen = HashSet::with_capacity(keys.len());
        let mut fresh = Vec::with_capacity(keys.len());
        for key in keys {
            let key = bytes(key)?.ok_or_else(unexpected)?;
            if seen.insert(key.clone()) {
                fresh.push(key);
            }
        }
        Ok(fresh)
    }
}

/// What is done to all that a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    /// It is removed.
    Destroy,
    /// It is removed if it has ended.
    Cull,
}

impl<const VALKEY: bool> RedisDriver<VALKEY> {
    /// The next keys of a walk; none at its end. There may be none before.
    #[maybe_async::maybe_async]
    pub(super) async fn step(&self, walk: &mut Walk, within: Within) -> Result<Option<Vec<Vec<u8>>>> {
        let Some(cursor) = walk.cursor else { return Ok(None) };
        let answer = self.client.ask_one(&walk.command(cursor), Effect::Read, within).await?;
        walk.advance(answer).map(Some)
    }

    /// What stands under these keys.
    #[maybe_async::maybe_async]
    pub(super) async fn fetch(&self, keys: &[Vec<u8>], within: Within) -> Result<Vec<Value>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.client.ask(&each("GET", keys.iter()), Effect::Read, within).await
    }

    /// Whether a store that is a namespace's: then all that stands there is its own.
    pub(super) fn has_namespace(&self) -> bool {
        self.keys.split(b"c::k").is_none()
    }

    /// The collection of what stands under a key, if the two agree that it is of this store.
    pub(super) fn collection_of(&self, key: &[u8], stored: &[u8]) -> Option<String> {
        let document = kv_core::formats::decode(stored).ok()?;
        if !says_its_names(&document) {
            // Without a namespace that may be any program's.
            let (collection, _) = self.keys.split(key).filter(|_| self.has_namespace())?;
            return Some(collection.into_owned());
        }
        let (collection, record_key) = (document.collection.as_deref()?, document.key.as_deref()?);
        let name = Name::new(collection, record_key);
        let is_there = self.keys.key(name) == key || self.keys.legacy_key(name).is_some_and(|legacy| legacy == key);
        is_there.then(|| collection.to_owned())
    }

    /// Removes a collection's records, those that cannot be read too, and counts the live ones with those.
    #[maybe_async::maybe_async]
    pub(super) async fn clear_collection(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let mut count = 0;
        let legacy_pattern = self.keys.legacy_match_pattern(collection, filter.prefix());
        let patterns = [(false, Some(self.keys.match_pattern(collection, filter.prefix()))), (true, legacy_pattern)];
        for (is_legacy, pattern) in patterns {
            let Some(pattern) = pattern else { continue };
            let mut walk = Walk::new(pattern);
            while let Some(mut keys) = self.step(&mut walk, within).await? {
                keys.retain(|key| self.key_in(collection, key, is_legacy).is_some_and(|key| filter.matches(key)));
                let answers = self.fetch(&keys, within).await?;
                let mut going = Vec::new();
                for (key, answer) in keys.into_iter().zip(answers) {
                    let Some(record_key) = self.key_in(collection, &key, is_legacy) else { continue };
                    let name = Name::new(collection, record_key);
                    let is_live = match bytes(answer) {
                        Ok(None) => continue,
                        Ok(Some(stored)) if is_legacy && legacy(&stored, name).is_none() => continue,
                        Ok(Some(stored)) => match own(&stored, name) {
                            Ok(None) => continue,
                            Ok(Some(entry)) => !cx.has_ended(entry.expires()),
                            Err(_) => true,
                        },
                        Err(error) if error.kind() == ErrorKind::Corrupted && !is_legacy => true,
                        Err(error) if error.kind() == ErrorKind::Corrupted => continue,
                        Err(error) => return Err(error),
                    };
                    going.push((key, is_live));
                }
                count += self.unlink_all(going, within).await?;
            }
        }
        Ok(count)
    }

    /// Removes these keys, and counts those that were there and count.
    #[maybe_async::maybe_async]
    async fn unlink_all(&self, keys: Vec<(Vec<u8>, bool)>, within: Within) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        let commands = each("UNLINK", keys.iter().map(|(key, _)| key));
        let answers = self.client.ask(&commands, Effect::Change, within).await?;
        keys.iter().zip(&answers).try_fold(0, |sum, ((_, counts), answer)| {
            let removed = number(answer)? == 1;
            Ok(sum + u64::from(removed && *counts))
        })
    }

    /// The key, within the collection, that a stored key means.
    pub(super) fn key_in<'k>(&self, collection: &str, stored: &'k [u8], is_legacy: bool) -> Option<&'k str> {
        if is_legacy {
            return self.keys.legacy_split(collection, stored);
        }
        self.keys.split(stored).filter(|(of, _)| of == collection).map(|(_, key)| key)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn sweep(&self, sweep: Sweep, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let mut walk = Walk::new(self.keys.all_pattern());
        let mut count = 0;
        while let Some(mut keys) = self.step(&mut walk, within).await? {
            // In a namespace all that begins so is the store's, and without one other namespaces' keys are not.
            keys.retain(|key| self.has_namespace() || self.keys.split(key).is_some());
            let answers = self.fetch(&keys, within).await?;
            let (mut unlinked, mut culled) = (Vec::new(), Vec::new());
            for (key, answer) in keys.into_iter().zip(answers) {
                let stored = match bytes(answer) {
                    Ok(Some(stored)) => Some(stored),
                    Ok(None) => continue,
                    Err(error) if error.kind() == ErrorKind::Corrupted => None,
                    Err(error) => return Err(error),
                };
                let is_ours = stored.as_deref().is_some_and(|stored| self.collection_of(&key, stored).is_some());
                let ended = stored.as_deref().is_some_and(|stored| has_ended(stored, cx));
                match (sweep, stored) {
                    (Sweep::Destroy, _) if is_ours || self.has_namespace() => unlinked.push((key, !ended)),
                    (Sweep::Cull, Some(stored)) if is_ours && ended => culled.push((key, stored)),
                    _ => {}
                }
            }
            count += self.unlink_all(unlinked, within).await?;
            if !culled.is_empty() {
                let answers = self.client.ask(&removals(&culled)?, Effect::Change, within).await?;
                count += removed(&answers)?;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_walk_ends_at_the_server_s_zero_and_gives_each_key_once_a_step() {
        let mut walk = Walk::new(b"*".to_vec());
        let keys = walk.advance(reply("*2\r\n$3\r\n120\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n")).unwrap();
        assert_eq!(keys, [b"a", b"b"]);
        assert_eq!(walk.cursor, Some(120));
        let keys = walk.advance(reply("*2\r\n$20\r\n18446744073709551615\r\n*0\r\n")).unwrap();
        assert!(keys.is_empty());
        assert_eq!(walk.cursor, Some(u64::MAX), "a cursor is unsigned");
        walk.advance(reply("*2\r\n$1\r\n0\r\n*0\r\n")).unwrap();
        assert_eq!(walk.cursor, None);
        assert!(walk.advance(reply("+OK\r\n")).is_err());
        assert_eq!(walk.advance(reply("-NOPERM no\r\n")).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

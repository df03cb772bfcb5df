//! Listings.

use std::collections::{BTreeSet, HashSet};

use kv_core::{Cursor, Entry, ErrorKind, KeyFilter, ListOptions, Listed, Name, Page, Result};
use redis::Value;
use serde::{Deserialize, Serialize};

use super::RedisDriver;
use super::records::{bytes, legacy, own};
use super::walk::Walk;
use crate::driver::Context;
use crate::within::Within;

/// Where a listing goes on. The server's answer may hold more keys than a page has room for, and the same cursor need
/// not give the same keys again: so those that were left over travel along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Whether it has come to the keys that Python gives an odd collection's records.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    is_legacy: bool,
    /// The server's cursor; `None` at its end.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cursor: Option<u64>,
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    left_over: Vec<String>,
}

impl Place {
    fn of(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self { is_legacy: false, cursor: Some(0), left_over: Vec::new() });
        };
        // A struct would be read from a list too.
        let place = Some(cursor.as_str()).filter(|text| text.starts_with('{'));
        place.and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| cursor.refusal())
    }

    fn to_cursor(&self) -> Result<Cursor> {
        serde_json::to_string(self).map(Cursor::new).map_err(|_| super::contradiction("a cursor that is no JSON"))
    }
}

/// What a listing comes upon under a key.
enum Line {
    /// Nothing of this name.
    None,
    /// A record that is there, and perhaps cannot be read.
    Some(Result<Entry>),
}

impl<const VALKEY: bool> RedisDriver<VALKEY> {
    #[maybe_async::maybe_async]
    pub(super) async fn list_page(
        &self,
        collection: &str,
        options: &ListOptions,
        cx: Context<'_>,
        within: Within,
    ) -> Result<Page<Listed>> {
        let mut place = Place::of(options.cursor.as_ref())?;
        let mut items = Vec::new();
        loop {
            let keys = self.next_keys(collection, &options.filter, options.limit, &mut place, within).await?;
            let lines = self.lines(collection, &keys, place.is_legacy, cx, within).await?;
            for (key, line) in keys.into_iter().zip(lines) {
                if let Line::Some(entry) = line {
                    items.push(if options.entries { Listed::entry(key, entry) } else { Listed::key(key) });
                }
            }
            let phase_ended = place.cursor.is_none() && place.left_over.is_empty();
            if phase_ended && (place.is_legacy || self.keys.legacy_match_pattern(collection, "").is_none()) {
                return Ok(Page::new(items, None));
            }
            if phase_ended {
                place = Place { is_legacy: true, cursor: Some(0), left_over: Vec::new() };
            }
            if !items.is_empty() {
                return Ok(Page::new(items, Some(place.to_cursor()?)));
            }
        }
    }

    /// Some of the next keys, at most so many, and at least one unless there is none.
    #[maybe_async::maybe_async]
    async fn next_keys(
        &self,
        collection: &str,
        filter: &KeyFilter,
        limit: usize,
        place: &mut Place,
        within: Within,
    ) -> Result<Vec<String>> {
        let pattern = match place.is_legacy {
            false => self.keys.match_pattern(collection, filter.prefix()),
            true => self.keys.legacy_match_pattern(collection, filter.prefix()).unwrap_or_default(),
        };
        let mut walk = Walk::resumed(pattern, place.cursor, limit);
        let mut keys = std::mem::take(&mut place.left_over);
        // A cursor comes from outside.
        keys.retain(|key| kv_core::check_key(key).is_ok());
        let mut seen: HashSet<String> = keys.iter().cloned().collect();
        while keys.len() < limit
            && let Some(found) = self.step(&mut walk, within).await?
        {
            for stored in &found {
                let key = self.key_in(collection, stored, place.is_legacy).filter(|key| filter.matches(key));
                if let Some(key) = key
                    && seen.insert(key.to_owned())
                {
                    keys.push(key.to_owned());
                }
            }
        }
        place.cursor = walk.cursor;
        place.left_over = keys.split_off(keys.len().min(limit));
        Ok(keys)
    }

    #[maybe_async::maybe_async]
    async fn lines(
        &self,
        collection: &str,
        keys: &[String],
        is_legacy: bool,
        cx: Context<'_>,
        within: Within,
    ) -> Result<Vec<Line>> {
        let names = keys.iter().map(|key| Name::new(collection, key));
        let own_keys: Vec<_> = names.clone().map(|name| self.keys.key(name)).collect();
        let answers = self.fetch(&own_keys, within).await?;
        let live = |entry: Option<Entry>| cx.live(entry).map_or(Line::None, |entry| Line::Some(Ok(entry)));
        if !is_legacy {
            let line = |(name, answer): (Name<'_>, Value)| match bytes(answer) {
                Ok(None) => Ok(Line::None),
                Ok(Some(stored)) => Ok(own(&stored, name).map_or_else(|error| Line::Some(Err(error)), live)),
                Err(error) if error.kind() == ErrorKind::Corrupted => Ok(Line::Some(Err(error))),
                Err(error) => Err(error),
            };
            return names.zip(answers).map(line).collect();
        }
        let legacy_keys: Vec<_> = names.clone().filter_map(|name| self.keys.legacy_key(name)).collect();
        let legacy_answers = self.fetch(&legacy_keys, within).await?;
        let line = |((name, own_answer), answer): ((Name<'_>, Value), Value)| match (own_answer, bytes(answer)) {
            // Ours stands in its place, and was listed.
            (Value::Nil, Ok(Some(stored))) => live(legacy(&stored, name)),
            _ => Line::None,
        };
        Ok(names.zip(answers).zip(legacy_answers).map(line).collect())
    }

    /// Counts each key once, however often it is listed.
    #[maybe_async::maybe_async]
    pub(super) async fn count_live(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let mut options = ListOptions::default().with_filter(filter.clone());
        let mut counted = HashSet::new();
        loop {
            let page = self.list_page(collection, &options, cx, within).await?;
            counted.extend(page.items.into_iter().map(|line| line.key));
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(counted.len() as u64),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn list_collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let within = Within::new(cx.timeout);
        let after = options.cursor.as_ref().map(Cursor::as_str);
        let is_wanted = |name: &str| after.is_none_or(|after| name > after) && options.filter.matches(name);
        let mut found = BTreeSet::new();
        let mut walk = Walk::new(self.keys.all_pattern());
        while let Some(mut keys) = self.step(&mut walk, within).await? {
            // Only the key's form is known yet, which for Python's odd collections is another's.
            let is_news = |key: &Vec<u8>| {
                let split = self.keys.split(key);
                split.is_some_and(|(of, key)| may_be_odd(key) || is_wanted(&of) && !found.contains(&*of))
            };
            keys.retain(is_news);
            let answers = self.fetch(&keys, within).await?;
            for (key, answer) in keys.iter().zip(answers) {
                let stored = match bytes(answer) {
                    Ok(Some(stored)) => stored,
                    Err(error) if error.kind() != ErrorKind::Corrupted => return Err(error),
                    _ => continue,
                };
                let collection = self.collection_of(key, &stored).filter(|name| is_wanted(name));
                if let Some(collection) = collection
                    && !super::conditional::has_ended(&stored, cx)
                {
                    found.insert(collection);
                }
            }
        }
        let more = found.len() > options.limit;
        let names: Vec<String> = found.into_iter().take(options.limit).collect();
        let next = names.last().filter(|_| more).map(|name| Cursor::new(&**name));
        Ok(Page::new(names, next))
    }
}

/// Whether a key that was split at its first `::` may be one of Python's, of a longer collection.
fn may_be_odd(key: &str) -> bool {
    key.contains("::") || key.starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_travels_as_a_cursor() {
        let start = Place::of(None).unwrap();
        assert_eq!(start.cursor, Some(0));
        for place in [
            Place { is_legacy: false, cursor: Some(u64::MAX), left_over: vec!["a\"b".to_owned(), "::".to_owned()] },
            Place { is_legacy: true, cursor: None, left_over: Vec::new() },
            start,
        ] {
            let cursor = place.to_cursor().unwrap();
            assert_eq!(Place::of(Some(&cursor)).unwrap(), place, "{cursor}");
        }
        for other in ["", "7", "[]", "{\"c\":-1}", "{\"k\":[1]}"] {
            let refused = Place::of(Some(&Cursor::new(other))).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{other}");
        }
    }
}

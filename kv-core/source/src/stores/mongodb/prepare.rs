//! The indexes of a collection.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use mongodb::bson::{RawDocument, RawDocumentBuf, doc, rawdoc};
use parking_lot::Mutex;

use super::MongoDriver;
use super::client::Line;
use super::failure::Failure;
use super::records::documents;
use crate::within::{Effect, Within};

/// The name of the unique index on the key.
const KEY_INDEX: &str = "kv_key";

/// The collections that were found to have their indexes of late.
#[derive(Debug, Default)]
pub(super) struct Prepared(Mutex<HashMap<String, Instant>>);

impl Prepared {
    /// A collection that somebody drops comes back without indexes with the next write: they are made again after so
    /// long.
    const TRUSTED_FOR: Duration = Duration::from_secs(60);
    const MOST: usize = 1024;

    fn has(&self, stored: &str) -> bool {
        self.0.lock().get(stored).is_some_and(|since| since.elapsed() < Self::TRUSTED_FOR)
    }

    fn add(&self, stored: &str) {
        let mut prepared = self.0.lock();
        if prepared.len() >= Self::MOST {
            prepared.clear();
        }
        prepared.insert(stored.to_owned(), Instant::now());
    }

    pub(super) fn forget(&self, stored: &str) {
        self.0.lock().remove(stored);
    }
}

/// Which of its indexes a collection has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Indexes {
    by_key: bool,
    by_expiry: bool,
}

impl MongoDriver {
    /// Sees to it that a collection has a unique index on the key and one that frees what has ended.
    #[maybe_async::maybe_async]
    pub(super) async fn prepare(&self, line: &Line, stored: &str, within: Within) -> Result<()> {
        if self.prepared.has(stored) {
            return Ok(());
        }
        let list = line.database.run_raw_cursor_command(rawdoc! { "listIndexes": stored });
        let found = match self.client.read_command(line, list, Effect::Read, within).await {
            Ok(batches) => indexes(stored, &documents(&batches)?)?,
            Err(Failure::NoCollection) => Indexes::default(),
            Err(failure) => return Err(failure.into_error()),
        };
        let mut missing = Vec::new();
        if !found.by_key {
            missing.push(doc! { "key": { "key": 1 }, "name": KEY_INDEX, "unique": true });
        }
        if !found.by_expiry {
            missing.push(doc! { "key": { "expires_at": 1 }, "name": "expires_at_1", "expireAfterSeconds": 0 });
        }
        if !missing.is_empty() {
            let create = doc! { "createIndexes": stored, "indexes": missing };
            // It does nothing where they are.
            match self.client.attempt(line, line.database.run_command(create), Effect::Read, within).await {
                Ok(_) => {}
                Err(Failure::Duplicate) => return Err(doubled(stored)),
                Err(Failure::OtherIndex) => return Err(other_index(stored)),
                Err(failure) => return Err(failure.into_error()),
            }
        }
        self.prepared.add(stored);
        Ok(())
    }
}

#[cold]
fn doubled(stored: &str) -> Error {
    let message = format!(
        "the MongoDB collection {stored:?} holds several documents of one key, so it cannot have the unique index that \
         this store takes; remove all but one (Python's library, whose index is not unique, makes them where two \
         writers meet)"
    );
    Error::new(ErrorKind::Configuration, message)
}

#[cold]
fn other_index(stored: &str) -> Error {
    let message = format!(
        "the MongoDB collection {stored:?} has an index of its own on `key` or `expires_at` beside which the server \
         does not take this store's ({KEY_INDEX}, unique; expires_at_1, expireAfterSeconds 0); drop it (servers before \
         5.0 do not take a unique index beside Python's `key_1`)"
    );
    Error::new(ErrorKind::Configuration, message)
}

/// Which of the indexes that a collection has are those that it takes.
fn indexes(stored: &str, found: &[&[u8]]) -> Result<Indexes> {
    let mut indexes = Indexes::default();
    for index in found {
        let Ok(index) = RawDocument::from_bytes(index) else { continue };
        let says = |name: &str| index.get(name).ok().flatten();
        let locale = index.get_document("collation").ok().and_then(|collation| collation.get_str("locale").ok());
        let is_plain = locale.is_none_or(|locale| locale == "simple");
        let Ok(fields) = index.get_document("key") else { continue };
        let names: Vec<&str> = fields.iter().flatten().map(|(name, _)| name.as_str()).collect();
        match *names {
            ["_id"] if !is_plain => {
                let message = format!(
                    "the MongoDB collection {stored:?} has a collation of its own, by which different keys may be the \
                     same"
                );
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            ["key"] => {
                let is_unique = says("unique").and_then(|unique| unique.as_bool()).unwrap_or_default();
                indexes.by_key |= is_plain && is_unique && says("partialFilterExpression").is_none();
            }
            ["expires_at"] => {
                let seconds = says("expireAfterSeconds").and_then(|seconds| {
                    let whole = seconds.as_i64().or_else(|| seconds.as_i32().map(i64::from));
                    whole.or_else(|| seconds.as_f64().filter(|seconds| *seconds == 0.0).map(|_| 0))
                });
                if seconds != Some(0) {
                    return Err(other_index(stored));
                }
                indexes.by_expiry |= says("partialFilterExpression").is_none();
            }
            _ => {}
        }
    }
    Ok(indexes)
}

/// A document of the client's, of bytes that were written as one.
pub(super) fn raw(bytes: Vec<u8>) -> Result<RawDocumentBuf> {
    RawDocumentBuf::from_bytes(bytes).map_err(|_| super::contradiction("a document that is no BSON"))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::Document;

    use super::*;

    fn of(found: &[Document]) -> Result<Indexes> {
        let found: Vec<Vec<u8>> = found.iter().map(|index| index.to_vec().unwrap()).collect();
        indexes("c", &found.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_serves_counts() {
        let id = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        let pythons = doc! { "v": 2, "key": { "key": 1 }, "name": "key_1" };
        let ours = doc! { "v": 2, "key": { "key": 1 }, "name": "anything", "unique": true };
        let expiry = doc! { "v": 2, "key": { "expires_at": 1 }, "name": "expires_at_1", "expireAfterSeconds": 0.0 };
        assert_eq!(of(&[]).unwrap(), Indexes::default());
        assert_eq!(of(&[id.clone(), pythons.clone()]).unwrap(), Indexes::default());
        let all = of(&[id.clone(), pythons, ours.clone(), expiry]).unwrap();
        assert_eq!(all, Indexes { by_key: true, by_expiry: true });
        let mut partial = ours.clone();
        partial.insert("partialFilterExpression", doc! {});
        let mut of_two = ours;
        of_two.insert("key", doc! { "key": 1, "x": 1 });
        assert_eq!(of(&[partial, of_two]).unwrap(), Indexes::default());

        let mut swedish = id;
        swedish.insert("collation", doc! { "locale": "sv", "strength": 1 });
        assert!(of(&[swedish]).unwrap_err().message().contains("collation"));
        for seconds in
            [doc! { "key": { "expires_at": 1 } }, doc! { "key": { "expires_at": 1 }, "expireAfterSeconds": 60 }]
        {
            let error = of(&[seconds]).unwrap_err();
            assert!(error.kind() == ErrorKind::Configuration && error.message().contains("expires_at"));
        }
    }

    #[test]
    fn trust_has_bounds() {
        let prepared = Prepared::default();
        for at in 0..3 * Prepared::MOST {
            prepared.add(&at.to_string());
        }
        assert!(prepared.0.lock().len() <= Prepared::MOST);
        let last = (3 * Prepared::MOST - 1).to_string();
        assert!(prepared.has(&last));
        prepared.forget(&last);
        assert!(!prepared.has(&last));
    }
}

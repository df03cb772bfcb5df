//! Reading and writing one record.

use kv_core::formats::mongodb::{self as formats, MongoDocument};
use kv_core::{Condition, DeleteOutcome, Entry, Name, PutOutcome, Record, Result, Revision, Timestamp, Written};
use mongodb::bson::{Document, RawBsonRef, RawDocument, RawDocumentBuf};
use mongodb::raw_batch_cursor::RawBatch;

use super::client::Line;
use super::failure::{Failure, unexpected};
use super::prepare::raw;
use super::{MongoDriver, filter};
use crate::attempts::Attempts;
use crate::driver::{Context, written};
use crate::within::{Effect, Within};

/// The documents that were answered, as bytes.
pub(super) fn documents(batches: &[RawBatch]) -> Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    for batch in batches {
        for document in batch.doc_slices().map_err(|_| unexpected())? {
            match document {
                Ok(RawBsonRef::Document(document)) => found.push(document.as_bytes()),
                _ => return Err(unexpected()),
            }
        }
    }
    Ok(found)
}

pub(super) fn document(name: Name<'_>, record: &Record<'_>) -> Result<RawDocumentBuf> {
    let mut document = Vec::new();
    formats::encode(name, record, &mut document)?;
    raw(document)
}

/// How often a put that met another one's insert is tried again: then its document is there to be replaced.
const MOST_COLLISIONS: u32 = 8;

/// What a document without its value tells.
pub(super) enum Head {
    Known(Option<Entry>),
    /// Another program wrote it, and its revision is a digest of all of it.
    Foreign,
}

impl MongoDriver {
    /// The entry in a document that was found under this name's key; `None` if it says that it is of another.
    pub(super) fn entry(&self, stored: &[u8], name: Name<'_>, json: &mut Vec<u8>) -> Result<Option<Entry>> {
        Ok(self.accept(&formats::decode(stored, json)?, stored, name))
    }

    /// The same of a document that came without its value.
    pub(super) fn head(&self, stored: &[u8], name: Name<'_>) -> Result<Head> {
        let document = formats::decode_head(stored)?;
        Ok(document.map_or(Head::Foreign, |document| Head::Known(self.accept(&document, stored, name))))
    }

    fn accept(&self, document: &MongoDocument<'_>, stored: &[u8], name: Name<'_>) -> Option<Entry> {
        let is_of = document.key.is_none_or(|key| key == name.key)
            && (!self.names.is_hashed(name.collection) || document.is_of(name));
        is_of.then(|| document.to_entry(stored))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn read(&self, name: Name<'_>, head: bool, within: Within) -> Result<Option<Entry>> {
        let line = self.client.line(within).await?;
        let collection = line.database.collection::<RawDocumentBuf>(&self.names.stored(name.collection));
        // A negative limit says that one answer is all.
        let find = || collection.find(filter::key(name.key)).limit(-1);
        if head {
            let batches = self.client.read(&line, find().projection(filter::no_value()), true, within).await?;
            let Some(stored) = documents(&batches)?.first().copied() else { return Ok(None) };
            if let Head::Known(entry) = self.head(stored, name)? {
                return Ok(entry);
            }
        }
        let batches = self.client.read(&line, find(), true, within).await?;
        match documents(&batches)?.first() {
            Some(stored) => self.entry(stored, name, &mut Vec::new()),
            None => Ok(None),
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn write(&self, name: Name<'_>, record: &Record<'_>, within: Within) -> Result<Written> {
        let document = document(name, record)?;
        let stored = self.names.stored(name.collection);
        let line = self.client.line(within).await?;
        self.prepare(&line, &stored, within).await?;
        let mut attempts = Attempts::default();
        for attempt in 1.. {
            match self.replace(&line, &stored, filter::key(name.key), &document, true, Effect::Put, within).await {
                Ok(_) => break,
                Err(Failure::Duplicate) if attempt < MOST_COLLISIONS => attempts.pause().await?,
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Ok(written(record))
    }

    /// Whether a document was there and was replaced.
    #[maybe_async::maybe_async]
    #[allow(clippy::too_many_arguments, reason = "they are the parts of one request")]
    async fn replace(
        &self,
        line: &Line,
        stored: &str,
        filter: Document,
        document: &RawDocumentBuf,
        upsert: bool,
        effect: Effect,
        within: Within,
    ) -> Result<bool, Failure> {
        let collection = line.database.collection::<RawDocumentBuf>(stored);
        let replace = collection.replace_one(filter, document).upsert(upsert);
        let answer = self.client.attempt(line, replace, effect, within).await?;
        Ok(answer.matched_count > 0)
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
        let document = document(name, record)?;
        let stored = self.names.stored(name.collection);
        let line = self.client.line(within).await?;
        let filter = match condition {
            Condition::IfAbsent => {
                self.prepare(&line, &stored, within).await?;
                let dead = filter::dead(filter::key(name.key), cx.now);
                // Where a live one is, none is found to be replaced, and the insert meets the unique index.
                return match self.replace(&line, &stored, dead, &document, true, Effect::Change, within).await {
                    Ok(_) => Ok(PutOutcome::Written(written(record))),
                    Err(Failure::Duplicate) => Ok(PutOutcome::Conflict),
                    Err(failure) => Err(failure.into_error()),
                };
            }
            Condition::IfRevision(revision) => {
                let Some(filter) = self.at_revision(&line, name, revision, cx.now, within).await? else {
                    return Ok(PutOutcome::Conflict);
                };
                filter
            }
            _ => filter::key(name.key),
        };
        let live = filter::live(filter, cx.now);
        let was_there = self.replace(&line, &stored, live, &document, false, Effect::Change, within).await;
        let was_there = was_there.map_err(Failure::into_error)?;
        Ok(if was_there { PutOutcome::Written(written(record)) } else { PutOutcome::Conflict })
    }

    /// What the record matches only in this state; `None` if it is in another.
    ///
    /// Another program's record has no number of ours: it is read, compared, and looked for by all of its fields.
    #[maybe_async::maybe_async]
    async fn at_revision(
        &self,
        line: &Line,
        name: Name<'_>,
        revision: &Revision,
        now: Timestamp,
        within: Within,
    ) -> Result<Option<Document>> {
        if let Some(number) = revision.as_number() {
            let mut filter = filter::key(name.key);
            filter.insert("value.revision", i64::from_le_bytes(number.to_le_bytes()));
            return Ok(Some(filter));
        }
        if revision.as_document().is_none() {
            return Ok(None);
        }
        let collection = line.database.collection::<RawDocumentBuf>(&self.names.stored(name.collection));
        let find = collection.find(filter::live(filter::key(name.key), now)).limit(-1);
        let batches = self.client.read(line, find, true, within).await?;
        let found = documents(&batches)?;
        let Some(stored) = found.first() else { return Ok(None) };
        let entry = self.entry(stored, name, &mut Vec::new())?;
        if entry.is_none_or(|entry| entry.revision() != *revision) {
            return Ok(None);
        }
        Ok(RawDocument::from_bytes(stored).ok().and_then(filter::exactly))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn remove(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        let within = Within::new(cx.timeout);
        let stored = self.names.stored(name.collection);
        let line = self.client.line(within).await?;
        let filter = match condition {
            Condition::IfRevision(revision) => self.at_revision(&line, name, revision, cx.now, within).await?,
            _ => Some(filter::key(name.key)),
        };
        if let Some(filter) = filter {
            let collection = line.database.collection::<RawDocumentBuf>(&stored);
            let delete = collection.delete_one(filter::live(filter, cx.now));
            let answer = self.client.run(&line, delete, Effect::Change, within).await?;
            if answer.deleted_count > 0 {
                return Ok(DeleteOutcome::Deleted);
            }
        }
        if !matches!(condition, Condition::IfRevision(_)) {
            return Ok(DeleteOutcome::Missing);
        }
        let current = cx.live(self.read(name, true, within).await?);
        Ok(if current.is_some() { DeleteOutcome::Conflict } else { DeleteOutcome::Missing })
    }
}

//! Listings, and what goes through whole collections.

use kv_core::formats::mongodb::{MongoName, key_of};
use kv_core::{Cursor, KeyFilter, ListOptions, Listed, Name, Page, Result};
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use mongodb::raw_batch_cursor::RawBatch;

use super::client::Line;
use super::failure::unexpected;
use super::records::documents;
use super::{MongoDriver, filter};
use crate::driver::Context;
use crate::within::{Effect, Within};

/// A pattern may leave few of the keys that are read, so that many are read at once.
const LEAST_READ: usize = 500;
/// A page of more would be a long answer to wait for, and more than the client asks for at once.
const MOST_READ: usize = 10_000;

/// Whether the server has more than it put into this answer.
fn has_more(batches: &[RawBatch]) -> bool {
    let id = |batch: &RawBatch| batch.as_raw_document().get_document("cursor").ok()?.get_i64("id").ok();
    batches.last().and_then(id).is_some_and(|id| id != 0)
}

impl MongoDriver {
    /// The records of a collection, whose documents must say their name where the server's name for it does not.
    fn in_collection(&self, collection: &str, mut filter: Document) -> Document {
        if self.names.is_hashed(collection) {
            filter.insert("collection", doc! { "$in": [collection, Bson::Null] });
        }
        filter
    }

    #[maybe_async::maybe_async]
    pub(super) async fn list_page(
        &self,
        collection: &str,
        options: &ListOptions,
        cx: Context<'_>,
        within: Within,
    ) -> Result<Page<Listed>> {
        let line = self.client.line(within).await?;
        let stored = line.database.collection::<RawDocumentBuf>(&self.names.stored(collection));
        let read = if options.filter.is_prefix_only() { options.limit } else { options.limit.max(LEAST_READ) };
        let read = read.min(MOST_READ);
        // One more tells whether there are more.
        let wanted = u32::try_from(read).unwrap_or(u32::MAX - 1) + 1;
        let mut after = options.cursor.as_ref().map(|cursor| cursor.as_str().to_owned());
        let mut items = Vec::new();
        let mut json = Vec::new();
        loop {
            let range = self.in_collection(collection, filter::range(&options.filter, after.as_deref()));
            let find = stored.find(filter::live(range, cx.now)).sort(doc! { "key": 1 }).limit(i64::from(wanted));
            let find = find.batch_size(wanted);
            let find = if options.entries { find } else { find.projection(doc! { "_id": 0, "key": 1 }) };
            // An answer has at most 16 MiB: what did not fit is asked for from where it ended.
            let batches = self.client.read(&line, find, false, within).await?;
            let found = documents(&batches)?;
            let is_cut = has_more(&batches);
            let more = is_cut || found.len() > read;
            for (at, document) in found.iter().enumerate().take(read) {
                let key = key_of(document).ok_or_else(unexpected)?;
                after = Some(key.to_owned());
                if !options.filter.matches(key) {
                    continue;
                }
                if !options.entries {
                    items.push(Listed::key(key));
                } else if let Some(entry) = self.entry(document, Name::new(collection, key), &mut json).transpose() {
                    items.push(Listed::entry(key, entry));
                }
                if items.len() == options.limit && (more || at + 1 < found.len()) {
                    return Ok(Page::new(items, Some(Cursor::new(key))));
                }
            }
            if !more {
                return Ok(Page::new(items, None));
            }
            if !items.is_empty() {
                return Ok(Page::new(items, after.map(Cursor::new)));
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn count_live(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        if filter.is_prefix_only() {
            let line = self.client.line(within).await?;
            let stored = line.database.collection::<RawDocumentBuf>(&self.names.stored(collection));
            let live = filter::live(self.in_collection(collection, filter::range(filter, None)), cx.now);
            return self.client.run(&line, stored.count_documents(live), Effect::Read, within).await;
        }
        let mut options = ListOptions::default().with_filter(filter.clone());
        let mut count = 0;
        loop {
            let page = self.list_page(collection, &options, cx, within).await?;
            count += page.items.len() as u64;
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(count),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn clear_collection(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let line = self.client.line(within).await?;
        let stored = self.names.stored(collection);
        if filter.is_prefix_only() {
            let all = self.in_collection(collection, filter::range(filter, None));
            return self.remove_all(&line, &stored, all, cx, within).await;
        }
        let mut options = ListOptions::default().with_filter(filter.clone());
        let mut count = 0;
        loop {
            let page = self.list_page(collection, &options, cx, within).await?;
            if !page.items.is_empty() {
                let keys: Vec<Bson> = page.items.into_iter().map(|line| line.key.into()).collect();
                let live = filter::live(doc! { "key": { "$in": keys } }, cx.now);
                count += self.delete(&line, &stored, live, within).await?;
            }
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Removes what matches; answers how many were live.
    #[maybe_async::maybe_async]
    async fn remove_all(
        &self,
        line: &Line,
        stored: &str,
        filter: Document,
        cx: Context<'_>,
        within: Within,
    ) -> Result<u64> {
        let count = self.delete(line, stored, filter::live(filter.clone(), cx.now), within).await?;
        self.delete(line, stored, filter::dead(filter, cx.now), within).await?;
        Ok(count)
    }

    #[maybe_async::maybe_async]
    async fn delete(&self, line: &Line, stored: &str, filter: Document, within: Within) -> Result<u64> {
        let collection = line.database.collection::<RawDocumentBuf>(stored);
        let answer = self.client.run(line, collection.delete_many(filter), Effect::Change, within).await?;
        Ok(answer.deleted_count)
    }

    /// A document that matches, if there is one.
    #[maybe_async::maybe_async]
    async fn any(&self, line: &Line, stored: &str, filter: Document, within: Within) -> Result<Option<Vec<u8>>> {
        let collection = line.database.collection::<RawDocumentBuf>(stored);
        let find = collection.find(filter).projection(doc! { "_id": 0, "collection": 1 }).limit(-1);
        let batches = self.client.read(line, find, true, within).await?;
        Ok(documents(&batches)?.first().map(|document| document.to_vec()))
    }

    /// The collections of MongoDB that may be this store's, with the name that theirs says.
    #[maybe_async::maybe_async]
    async fn stored_names(&self, line: &Line, within: Within) -> Result<Vec<(String, Option<String>)>> {
        let list = line.database.list_collection_names().filter(doc! { "type": "collection" });
        let names = self.client.run(line, list, Effect::Read, within).await?;
        let read = |stored: String| match self.names.read(&stored) {
            MongoName::Collection(name) => Some((stored, Some(name))),
            MongoName::Hashed => Some((stored, None)),
            MongoName::Foreign => None,
        };
        Ok(names.into_iter().filter_map(read).collect())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn list_collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let within = Within::new(cx.timeout);
        let line = self.client.line(within).await?;
        let after = options.cursor.as_ref().map(Cursor::as_str);
        let is_wanted = |name: &str| after.is_none_or(|after| name > after) && options.filter.matches(name);
        let live = filter::live(filter::records(), cx.now);
        let mut candidates = Vec::new();
        for (stored, name) in self.stored_names(&line, within).await? {
            match name {
                Some(name) if is_wanted(&name) => candidates.push((name, stored, false)),
                Some(_) => {}
                // Its documents tell the name.
                None => {
                    let document = self.any(&line, &stored, live.clone(), within).await?;
                    let document = document.as_deref().and_then(|document| RawDocument::from_bytes(document).ok());
                    let name = document.and_then(|document| document.get_str("collection").ok());
                    if let Some(name) = name.filter(|name| is_wanted(name) && *self.names.stored(name) == *stored) {
                        candidates.push((name.to_owned(), stored.clone(), true));
                    }
                }
            }
        }
        candidates.sort_unstable();
        let mut names: Vec<String> = Vec::new();
        for (name, stored, has_live) in candidates {
            if has_live || self.any(&line, &stored, live.clone(), within).await?.is_some() {
                if names.len() == options.limit {
                    let next = names.last().map(|name| Cursor::new(&**name));
                    return Ok(Page::new(names, next));
                }
                names.push(name);
            }
        }
        Ok(Page::new(names, None))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn destroy_all(&self, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let line = self.client.line(within).await?;
        let mut count = 0;
        for (stored, _) in self.stored_names(&line, within).await? {
            if self.any(&line, &stored, filter::records(), within).await?.is_none() {
                continue;
            }
            count += self.remove_all(&line, &stored, filter::records(), cx, within).await?;
            // Another program's documents stay.
            if self.any(&line, &stored, Document::new(), within).await?.is_none() {
                let collection = line.database.collection::<RawDocumentBuf>(&stored);
                self.client.run(&line, collection.drop(), Effect::Change, within).await?;
                self.prepared.forget(&stored);
            }
        }
        Ok(count)
    }

    #[maybe_async::maybe_async]
    pub(super) async fn free_ended(&self, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let line = self.client.line(within).await?;
        let mut count = 0;
        for (stored, _) in self.stored_names(&line, within).await? {
            count += self.delete(&line, &stored, filter::dead(filter::records(), cx.now), within).await?;
        }
        Ok(count)
    }
}

//! Listings, and what goes through all records.

use kv_core::formats::elasticsearch::{
    Page as Lines, Which, collections_in, collections_of, count, counted, get_indices, hits, index_states, list, look,
    query, refresh, refusal_of, searches, sweep, swept,
};
use kv_core::{Cursor, ErrorKind, KeyFilter, ListOptions, Listed, Page, Result};
use serde_json::Value;

use super::ElasticsearchDriver;
use super::failure::refused;
use crate::attempts::Attempts;
use crate::driver::Context;
use crate::within::{Effect, Within};

/// The most documents that the server puts on a page.
const MOST_ON_A_PAGE: usize = 10_000;
/// The same where values come along.
const MOST_ENTRIES: usize = 1_000;
/// The most documents that one request removes, so that it ends in time.
const MOST_SWEPT: usize = 5_000;
/// The most searches of one request.
const MOST_SEARCHES: usize = 100;
/// The most bytes of the names of indices in one request: a request's first line has at most 4,096.
const MOST_NAMES: usize = 2_500;

/// Begins a cursor; a key, or a collection, follows.
const AFTER: &str = "after:";

/// An index of this store's.
struct Own {
    index: String,
    collection: String,
    /// Whether other records may stand there.
    is_shared: bool,
}

impl Own {
    fn query(&self, which: Which, cx: Context<'_>) -> Value {
        query(self.is_shared.then_some(&*self.collection), "", which, cx.now)
    }
}

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    #[maybe_async::maybe_async]
    pub(super) async fn list_page(
        &self,
        collection: &str,
        options: &ListOptions,
        cx: Context<'_>,
    ) -> Result<Page<Listed>> {
        let within = Within::new(cx.timeout);
        let after = options.cursor.as_ref().map(after).transpose()?;
        let Some(place) = self.place_to_read(collection, within).await? else { return Ok(Page::new(Vec::new(), None)) };
        if after.is_none() {
            self.refresh(&[&place.index], within).await?;
        }
        let query = query(Some(collection), options.filter.prefix(), Which::Live, cx.now);
        let most = if options.entries { MOST_ENTRIES } else { MOST_ON_A_PAGE };
        let mut size = options.limit.min(most);
        let mut after = after.map(str::to_owned);
        loop {
            let request = list(&place.index, &query, after.as_deref(), size, options.entries);
            let lines = match self.ask(&request, Effect::Read, within).await {
                Ok(response) => hits(&response.body, collection, options.entries)?,
                // Fewer of them may fit into an answer.
                Err(error) if error.kind() == ErrorKind::TooLarge && size > 1 => {
                    size /= 2;
                    continue;
                }
                Err(error) if is_missing(&error) => Lines::default(),
                Err(error) => return Err(error),
            };
            let is_last = lines.len < size;
            let mut items = Vec::with_capacity(lines.hits.len());
            for line in lines.hits {
                // The server judges what Python wrote to the millisecond.
                if cx.has_ended(line.expires) || !options.filter.matches(&line.key) {
                    continue;
                }
                items.push(match line.entry {
                    Some(entry) => Listed::entry(line.key, entry),
                    None => Listed::key(line.key),
                });
            }
            match lines.last.filter(|_| !is_last) {
                None => return Ok(Page::new(items, None)),
                Some(last) if !items.is_empty() => {
                    return Ok(Page::new(items, Some(Cursor::new(format!("{AFTER}{last}")))));
                }
                Some(last) => after = Some(last),
            }
        }
    }

    #[maybe_async::maybe_async]
    async fn refresh(&self, indices: &[&str], within: Within) -> Result<()> {
        match self.ask(&refresh(indices), Effect::Read, within).await {
            Err(error) if !is_missing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn count_live(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        if !filter.is_prefix_only() {
            let keys = self.matching(collection, filter, cx).await?;
            return Ok(keys.len() as u64);
        }
        let Some(place) = self.place_to_read(collection, within).await? else { return Ok(0) };
        self.refresh(&[&place.index], within).await?;
        let query = query(Some(collection), filter.prefix(), Which::Live, cx.now);
        let (mut ended, mut after) = (0, None);
        loop {
            let request = count(&place.index, &query, cx.now, after.as_deref(), MOST_ON_A_PAGE);
            let (live, page) = match self.ask(&request, Effect::Read, within).await {
                Ok(response) => counted(&response.body, collection)?,
                Err(error) if is_missing(&error) => return Ok(0),
                Err(error) => return Err(error),
            };
            ended += page.hits.iter().filter(|line| cx.has_ended(line.expires)).count() as u64;
            match page.last.filter(|_| page.len == MOST_ON_A_PAGE) {
                Some(last) => after = Some(last),
                None => return Ok(live.saturating_sub(ended)),
            }
        }
    }

    /// The live keys that a filter asks for.
    #[maybe_async::maybe_async]
    async fn matching(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<Vec<String>> {
        let mut options = ListOptions::default().with_filter(filter.clone()).with_limit(MOST_ON_A_PAGE);
        let mut keys = Vec::new();
        loop {
            let page = self.list_page(collection, &options, cx).await?;
            keys.extend(page.items.into_iter().map(|line| line.key));
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(keys),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn clear_collection(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        if !filter.is_prefix_only() {
            let keys = self.matching(collection, filter, cx).await?;
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut removed = 0;
            for answer in self.remove_many(collection, &keys, cx).await? {
                removed += u64::from(answer?);
            }
            return Ok(removed);
        }
        let Some(place) = self.place_to_read(collection, within).await? else { return Ok(0) };
        let of = |which| query(Some(collection), filter.prefix(), which, cx.now);
        self.clear_indices(&[&place.index], &of(Which::Live), &of(Which::All), within).await
    }

    /// Removes live records, and then what has ended; answers how many were live.
    #[maybe_async::maybe_async]
    async fn clear_indices(&self, indices: &[&str], live: &Value, rest: &Value, within: Within) -> Result<u64> {
        self.refresh(indices, within).await?;
        let removed = self.sweep(indices, live, within).await?;
        self.sweep(indices, rest, within).await?;
        Ok(removed)
    }

    /// Removes the records that match and that nobody writes meanwhile.
    #[maybe_async::maybe_async]
    async fn sweep(&self, indices: &[&str], query: &Value, within: Within) -> Result<u64> {
        let mut removed = 0;
        let mut attempts = Attempts::default();
        loop {
            let response = match self.ask(&sweep(indices, query, MOST_SWEPT), Effect::Change, within).await {
                Ok(response) => response,
                Err(error) if is_missing(&error) => return Ok(removed),
                Err(error) => return Err(error),
            };
            let swept = swept(&response.body)?;
            removed += swept.deleted;
            if swept.conflicts > 0 {
                // Somebody wrote them since the search, and they are still to go.
                attempts.pause().await?;
            } else if swept.deleted < MOST_SWEPT as u64 {
                return Ok(removed);
            }
        }
    }

    /// The indices of this store, in order of their collections.
    #[maybe_async::maybe_async]
    async fn own_indices(&self, within: Within) -> Result<Vec<Own>> {
        let response = self.http.send(&get_indices(&self.indices.pattern()), Effect::Read, within).await?;
        let states = match response.status {
            404 if refusal_of(&response).is_missing_index() => Default::default(),
            _ if response.is_success() => index_states(&response.body)?,
            _ => return Err(refused(&response, Effect::Read)),
        };
        let (mut all, mut to_ask) = (Vec::new(), Vec::new());
        for (index, state) in states {
            match state.mark {
                Some(mark) if mark.prefix != self.indices.prefix() => {}
                Some(mark) if !self.python_indices || self.indices.naming(&mark.collection).escaped == index => {
                    all.push(Own { index, collection: mark.collection, is_shared: mark.shared });
                }
                _ if !state.has_names => {}
                _ if self.python_indices => to_ask.push(index),
                // Its records tell: only those that say they are of this collection are of this prefix.
                _ => all.extend(self.indices.plain_collection(&index).map(str::to_owned).map(|collection| Own {
                    index,
                    collection,
                    is_shared: true,
                })),
            }
        }
        self.ask_whose(&to_ask, &mut all, within).await?;
        // Of a collection's two places the escaped one is the one that is used.
        all.sort_by(|one, other| (&one.collection, &one.index).cmp(&(&other.collection, &other.index)));
        all.dedup_by(|next, kept| {
            let same = next.collection == kept.collection;
            if same && kept.is_shared {
                std::mem::swap(next, kept);
            }
            same
        });
        Ok(all)
    }

    /// Adds the collections that stand in these indices of Python's, by the names that their records have.
    #[maybe_async::maybe_async]
    async fn ask_whose(&self, indices: &[String], all: &mut Vec<Own>, within: Within) -> Result<()> {
        for part in indices.chunks(MOST_SEARCHES) {
            for some in in_parts(part, |index| index) {
                let names: Vec<&str> = some.iter().map(String::as_str).collect();
                self.refresh(&names, within).await?;
            }
            let request = collections_of(part.iter().map(String::as_str));
            let response = self.ask(&request, Effect::Read, within).await?;
            for (index, collections) in part.iter().zip(collections_in(&response.body, part.len())?) {
                // What stands in another index than its own is of a store with another prefix.
                let is_own = |collection: &String| self.indices.naming(collection).python.as_ref() == Some(index);
                let own = collections.into_iter().filter(is_own);
                all.extend(own.map(|collection| Own { index: index.clone(), collection, is_shared: true }));
            }
        }
        Ok(())
    }

    #[maybe_async::maybe_async]
    pub(super) async fn list_collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let within = Within::new(cx.timeout);
        let after = options.cursor.as_ref().map(after).transpose()?;
        let mut own = self.own_indices(within).await?;
        own.retain(|own| after.is_none_or(|after| *own.collection > *after) && options.filter.matches(&own.collection));
        let mut names: Vec<String> = Vec::new();
        for part in own.chunks(MOST_SEARCHES) {
            for some in in_parts(part, |own| &own.index) {
                let indices: Vec<&str> = some.iter().map(|own| &*own.index).collect();
                self.refresh(&indices, within).await?;
            }
            let queries: Vec<Value> = part.iter().map(|own| own.query(Which::Live, cx)).collect();
            let request = look(part.iter().map(|own| &*own.index).zip(&queries));
            let response = self.ask(&request, Effect::Read, within).await?;
            let found = searches(&response.body, part.len())?;
            let live = part.iter().zip(found).filter(|(_, is_live)| *is_live);
            names.extend(live.map(|(own, _)| own.collection.clone()));
            if names.len() > options.limit {
                break;
            }
        }
        let more = names.len() > options.limit;
        names.truncate(options.limit);
        let next = names.last().filter(|_| more).map(|name| Cursor::new(format!("{AFTER}{name}")));
        Ok(Page::new(names, next))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn sweep_store(&self, with_live: bool, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let own = self.own_indices(within).await?;
        let (shared, others): (Vec<Own>, Vec<Own>) = own.into_iter().partition(|own| own.is_shared);
        let mut removed = 0;
        for part in in_parts(&others, |own| &own.index).into_iter().chain(shared.chunks(1)) {
            let Some(first) = part.first() else { continue };
            let indices: Vec<&str> = part.iter().map(|own| &*own.index).collect();
            let of = |which| first.query(which, cx);
            if with_live {
                removed += self.clear_indices(&indices, &of(Which::Live), &of(Which::All), within).await?;
            } else {
                self.refresh(&indices, within).await?;
                removed += self.sweep(&indices, &of(Which::Ended), within).await?;
            }
        }
        Ok(removed)
    }
}

/// The indices in parts whose names a request takes.
fn in_parts<T>(all: &[T], index: impl Fn(&T) -> &String) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, one) in all.iter().enumerate() {
        // Percent-encoded, as long as it may get.
        let len = index(one).bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum::<usize>() + 1;
        if bytes + len > MOST_NAMES && at > start {
            parts.push(&all[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += len;
    }
    if start < all.len() {
        parts.push(&all[start..]);
    }
    parts
}

fn after(cursor: &Cursor) -> Result<&str> {
    cursor.as_str().strip_prefix(AFTER).ok_or_else(|| cursor.refusal())
}

/// Whether the index is missing.
fn is_missing(error: &kv_core::Error) -> bool {
    error.kind() == ErrorKind::Backend && error.message().ends_with("index_not_found_exception")
}

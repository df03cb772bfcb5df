//! Listing, counting, and removing many.

use kv_core::formats::disk::after_prefix;
use kv_core::formats::postgres::{MARK, Query, StoredName, collection, to_server};
use kv_core::{Cursor, Entry, KeyFilter, ListOptions, Listed, Page, Result};

use super::PostgresDriver;
use super::line::protocol;
use super::params::{Param, column, count, record, text};
use crate::driver::Context;
use crate::within::{Effect, Within};

/// The rows that are read for one page, however few of them match.
const MOST_KEYS: usize = 20_000;

/// The same with the records, which are larger.
const MOST_ENTRIES: usize = 1_000;

/// The rows that one statement removes: it holds their locks until its end.
const A_BATCH: usize = 5_000;

/// The bytes at the beginning of a true name that its index has.
const INDEXED: usize = 512;

/// Names from the first, included, to the second, excluded, twice: of those that are stored as they are, and of those
/// that are not, whose true names are bytes.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    from: String,
    before: String,
    true_from: Vec<u8>,
    true_before: Option<Vec<u8>>,
}

impl Range {
    fn of(prefix: &str) -> Self {
        let true_before = after_prefix(prefix);
        // What is stored as it is comes before the mark.
        let mark = MARK.to_string();
        let (from, before) = match (prefix.contains('\0'), &true_before) {
            // No text has it, so that the range is empty.
            (true, _) => (String::new(), String::new()),
            (false, Some(before)) if *before < mark && !before.contains('\0') => (prefix.to_owned(), before.clone()),
            (false, _) => (prefix.to_owned(), mark),
        };
        Self { from, before, true_from: prefix.as_bytes().to_vec(), true_before: true_before.map(String::into_bytes) }
    }
}

/// What is greater than a name is, if no NUL is in it, greater than its part before one.
fn without_nul(name: &str) -> &str {
    name.split('\0').next().unwrap_or_default()
}

fn whole(number: usize) -> Param<'static> {
    Param::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

fn instant(cx: Context<'_>) -> Param<'static> {
    Param::Instant(Some(to_server(cx.now)))
}

/// Where a row of a listing belongs: its true name.
struct Line<'r> {
    key: String,
    row: &'r protocol::Row,
}

impl PostgresDriver {
    #[maybe_async::maybe_async]
    pub(super) async fn list_page(
        &self,
        collection_name: &str,
        options: &ListOptions,
        cx: Context<'_>,
        within: Within,
    ) -> Result<Page<Listed>> {
        let collection = collection(collection_name);
        let filter = &options.filter;
        let most = if options.entries { MOST_ENTRIES } else { MOST_KEYS };
        let rows = if filter.is_prefix_only() { options.limit.saturating_add(1).min(most) } else { most };
        let after = options.cursor.as_ref().map_or("", Cursor::as_str);
        let query = if options.entries { Query::Entries } else { Query::Keys };
        let params = page_params(&collection, &Range::of(filter.prefix()), after, rows, cx);
        let answer = self.ask(query, params, Effect::Read, within).await?;
        let true_key = if options.entries { 7 } else { 1 };
        let mut lines = Vec::with_capacity(answer.rows.len());
        for row in &answer.rows {
            let key = match column(row, true_key)? {
                None => text(row, 0)?.to_owned(),
                Some(name) => String::from_utf8_lossy(name).into_owned(),
            };
            lines.push(Line { key, row });
        }
        // The two parts are each in order, and have each so many rows at most.
        lines.sort_by(|one, other| one.key.cmp(&other.key));
        let full = lines.len() >= rows;
        lines.truncate(rows);
        let mut items: Vec<Listed> = Vec::new();
        let last = lines.last().filter(|_| full).map(|line| Cursor::new(line.key.as_str()));
        for line in lines {
            // Another program's name may be none of ours.
            if kv_core::check_key(&line.key).is_err() || !filter.matches(&line.key) {
                continue;
            }
            if items.len() >= options.limit {
                let next = items.last().map(|item| Cursor::new(item.key.as_str()));
                return Ok(Page::new(items, next));
            }
            items.push(if options.entries { Listed::entry(line.key, entry(line.row)) } else { Listed::key(line.key) });
        }
        Ok(Page::new(items, last))
    }

    #[maybe_async::maybe_async]
    pub(super) async fn list_collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        let within = Within::new(cx.timeout);
        let mut after =
            options.cursor.as_ref().map_or_else(String::new, |cursor| without_nul(cursor.as_str()).to_owned());
        let rows = options.limit.saturating_add(1).clamp(100, MOST_KEYS);
        let mut items: Vec<String> = Vec::new();
        loop {
            let params = vec![Param::text(&after), Param::text(""), instant(cx), whole(rows)];
            let answer = self.ask(Query::Collections, params, Effect::Read, within).await?;
            let mut last = None;
            for row in &answer.rows {
                let stored = text(row, 0)?;
                let is_live = column(row, 2)?.is_some();
                let true_name = column(row, 1)?.map(|name| String::from_utf8_lossy(name).into_owned());
                let name = true_name.unwrap_or_else(|| stored.to_owned());
                let known = kv_core::check_collection(&name).is_ok() && collection(&name).text == stored;
                if is_live && known && options.filter.matches(&name) {
                    if items.len() >= options.limit {
                        return Ok(Page::new(items, last.map(Cursor::new)));
                    }
                    items.push(name);
                }
                last = Some(stored.to_owned());
            }
            match last {
                Some(last) if answer.rows.len() >= rows => after = last,
                _ => return Ok(Page::new(items, None)),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn count_live(&self, collection_name: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        if filter.is_prefix_only() {
            let collection = collection(collection_name);
            let params = range_params(&collection, Range::of(filter.prefix()), cx);
            let answer = self.ask(Query::Count, params, Effect::Read, within).await?;
            return answer.rows.first().map_or(Ok(0), |row| count(row, 0));
        }
        let mut options = ListOptions::default().with_filter(filter.clone()).with_limit(MOST_KEYS);
        let mut live = 0;
        loop {
            let page = self.list_page(collection_name, &options, cx, within).await?;
            live += page.items.len() as u64;
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(live),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn clear_collection(
        &self,
        collection_name: &str,
        filter: &KeyFilter,
        cx: Context<'_>,
    ) -> Result<u64> {
        let within = Within::new(cx.timeout);
        if filter.is_prefix_only() {
            let collection = collection(collection_name);
            let params = || {
                let mut params = range_params(&collection, Range::of(filter.prefix()), cx);
                params.push(whole(A_BATCH));
                params
            };
            return self.sweep(Query::Clear, &params, within).await;
        }
        let mut options = ListOptions::default().with_filter(filter.clone()).with_limit(MOST_ENTRIES);
        let mut live = 0;
        loop {
            let page = self.list_page(collection_name, &options, cx, within).await?;
            let keys: Vec<&str> = page.items.iter().map(|item| item.key.as_str()).collect();
            if !keys.is_empty() {
                let removed = self.remove_many(collection_name, &keys, cx).await?;
                live += removed.iter().filter(|removed| matches!(removed, Ok(true))).count() as u64;
            }
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return Ok(live),
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn destroy_all(&self, cx: Context<'_>) -> Result<u64> {
        let params = || vec![instant(cx), whole(A_BATCH)];
        self.sweep(Query::Destroy, &params, Within::new(cx.timeout)).await
    }

    /// Removes batch by batch until one is not full; answers how many were live.
    #[maybe_async::maybe_async]
    async fn sweep<'p>(
        &self,
        query: Query,
        params: &(dyn Fn() -> Vec<Param<'p>> + Sync),
        within: Within,
    ) -> Result<u64> {
        let mut live = 0;
        loop {
            let answer = self.ask(query, params(), Effect::Change, within).await?;
            let Some(row) = answer.rows.first() else { return Ok(live) };
            live += count(row, 1)?;
            if count(row, 0)? == 0 {
                return Ok(live);
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn cull_all(&self, cx: Context<'_>) -> Result<u64> {
        let within = Within::new(cx.timeout);
        let mut freed = 0;
        loop {
            let batch = self.cull_some(A_BATCH, cx, within).await?;
            freed += batch;
            if batch == 0 {
                return Ok(freed);
            }
        }
    }

    #[maybe_async::maybe_async]
    pub(super) async fn cull_some(&self, most: usize, cx: Context<'_>, within: Within) -> Result<u64> {
        let answer = self.ask(Query::Cull, vec![instant(cx), whole(most)], Effect::Change, within).await?;
        answer.rows.first().map_or(Ok(0), |row| count(row, 0))
    }
}

fn entry(row: &protocol::Row) -> Result<Entry> {
    record(row, 1)?.entry(false)
}

fn page_params<'a>(
    collection: &'a StoredName<'_>,
    range: &Range,
    after: &'a str,
    rows: usize,
    cx: Context<'_>,
) -> Vec<Param<'a>> {
    let from = range.true_from.as_slice().max(after.as_bytes());
    let beginning = from[..from.len().min(INDEXED)].to_vec();
    let owned = |bytes: Vec<u8>| Param::Bytes(Some(bytes.into()));
    vec![
        Param::text(&collection.text),
        Param::bytes(collection.original.map(str::as_bytes)),
        Param::Text(range.from.clone().into()),
        Param::text(without_nul(after)),
        Param::Text(range.before.clone().into()),
        instant(cx),
        whole(rows),
        owned(range.true_from.clone()),
        Param::bytes(Some(after.as_bytes())),
        Param::Bytes(range.true_before.clone().map(Into::into)),
        owned(beginning),
    ]
}

fn range_params<'a>(collection: &'a StoredName<'_>, range: Range, cx: Context<'_>) -> Vec<Param<'a>> {
    vec![
        Param::text(&collection.text),
        Param::bytes(collection.original.map(str::as_bytes)),
        Param::Text(range.from.into()),
        Param::Text(range.before.into()),
        instant(cx),
        Param::Bytes(Some(range.true_from.into())),
        Param::Bytes(range.true_before.map(Into::into)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_stored_and_of_true_names() {
        let range = Range::of("user:");
        assert_eq!((&*range.from, &*range.before), ("user:", "user;"));
        assert_eq!(range.true_before.as_deref(), Some(&b"user;"[..]));
        let all = Range::of("");
        assert_eq!((&*all.from, &*all.before, all.true_before), ("", "\u{10FFFF}", None));
        let nul = Range::of("a\0");
        assert_eq!((&*nul.from, &*nul.before), ("", ""));
        assert_eq!(nul.true_before.as_deref(), Some(&b"a\x01"[..]));
        let marked = Range::of("\u{10FFFF}a");
        assert_eq!((&*marked.from, &*marked.before), ("\u{10FFFF}a", "\u{10FFFF}"));
        let last = Range::of("\u{10FFFE}");
        assert_eq!(&*last.before, "\u{10FFFF}");
    }
}

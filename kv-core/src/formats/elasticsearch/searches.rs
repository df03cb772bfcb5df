//! Answers to searches, counts and sweeps.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answers::{entry, looked, read, unexpected};
use super::decode;
use crate::{Entry, Error, ErrorKind, Name, Result, Timestamp};

#[derive(Deserialize)]
struct Shards {
    #[serde(default)]
    failed: u64,
}

fn whole(shards: Option<&Shards>) -> Result<()> {
    match shards.is_some_and(|shards| shards.failed > 0) {
        true => Err(Error::new(ErrorKind::Connection, "a part of the index did not answer the search")),
        false => Ok(()),
    }
}

/// A line of a listing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Hit {
    /// The record's key.
    pub key: String,
    /// When it ends, as far as that can be read.
    pub expires: Option<Timestamp>,
    /// The entry, where entries were asked for.
    pub entry: Option<Result<Entry>>,
}

/// A page of a listing, as the server gave it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// Its lines. What has no key, or is of another collection, is left out.
    pub hits: Vec<Hit>,
    /// How many documents were on it.
    pub len: usize,
    /// The key after which the next one begins.
    pub last: Option<String>,
}

#[derive(Deserialize)]
struct SearchBody<'a> {
    #[serde(borrow)]
    hits: Option<SearchHits<'a>>,
    #[serde(rename = "_shards")]
    shards: Option<Shards>,
    #[serde(default)]
    timed_out: bool,
}

#[derive(Deserialize)]
struct SearchHits<'a> {
    #[serde(borrow)]
    hits: Vec<SearchHit<'a>>,
}

#[derive(Deserialize)]
struct SearchHit<'a> {
    #[serde(rename = "_seq_no")]
    seq: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    #[serde(default)]
    sort: Vec<serde_json::Value>,
}

/// Reads what [`list`](super::list) asks for.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if it is not whole.
pub fn hits(body: &[u8], collection: &str, entries: bool) -> Result<Page> {
    let body: SearchBody<'_> = read(body)?;
    whole(body.shards.as_ref())?;
    let Some(SearchHits { hits }) = body.hits.filter(|_| !body.timed_out) else { return Err(unexpected()) };
    let last = hits.iter().rev().find_map(|hit| hit.sort.first()?.as_str()).map(str::to_owned);
    let mut page = Page { hits: Vec::with_capacity(hits.len()), len: hits.len(), last };
    for hit in hits {
        let Some(serde_json::Value::String(key)) = hit.sort.into_iter().next() else { continue };
        let source = hit.source.map_or("{}", RawValue::get);
        let name = Name::new(collection, &key);
        let (expires, entry) = if entries {
            let (Some(seq), Some(term)) = (hit.seq, hit.term) else { return Err(unexpected()) };
            match decode(source).map(|decoded| entry(&decoded, name, seq, term)) {
                Ok(None) => continue,
                Ok(Some((entry, state))) => (state.expires, Some(Ok(entry))),
                Err(error) => (looked(source).expires, Some(Err(error))),
            }
        } else {
            let looked = looked(source);
            if looked.collection.is_some_and(|of| of != collection) {
                continue;
            }
            (looked.expires, None)
        };
        page.hits.push(Hit { key, expires, entry });
    }
    Ok(page)
}

/// Reads what [`look`](super::look) asks for: whether there is any record, for each search.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if one is not whole.
pub fn searches(body: &[u8], searches: usize) -> Result<Vec<bool>> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        responses: Vec<SearchBody<'a>>,
    }
    let Body { responses } = read(body)?;
    if responses.len() != searches {
        return Err(unexpected());
    }
    let any = |body: SearchBody<'_>| {
        whole(body.shards.as_ref())?;
        let hits = body.hits.filter(|_| !body.timed_out);
        hits.map(|hits| !hits.hits.is_empty()).ok_or_else(unexpected)
    };
    responses.into_iter().map(any).collect()
}

/// Reads what [`other_of`](super::other_of) asks for: the other collection.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if it is not whole.
pub fn other_in(body: &[u8]) -> Result<Option<String>> {
    let body: SearchBody<'_> = read(body)?;
    whole(body.shards.as_ref())?;
    let Some(found) = body.hits.filter(|_| !body.timed_out) else { return Err(unexpected()) };
    Ok(found.hits.into_iter().find_map(|hit| looked(hit.source?.get()).collection))
}

/// Reads what [`collections_of`](super::collections_of) asks for: for each index its collections.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if one is not whole.
pub fn collections_in(body: &[u8], indices: usize) -> Result<Vec<Vec<String>>> {
    #[derive(Deserialize)]
    struct Body {
        responses: Vec<Response>,
    }
    #[derive(Deserialize)]
    struct Response {
        /// Left out where there is no such index.
        aggregations: Option<Aggregations>,
        hits: Option<serde::de::IgnoredAny>,
        #[serde(rename = "_shards")]
        shards: Option<Shards>,
        #[serde(default)]
        timed_out: bool,
    }
    #[derive(Deserialize)]
    struct Aggregations {
        collections: Terms,
    }
    #[derive(Deserialize)]
    struct Terms {
        buckets: Vec<Bucket>,
    }
    #[derive(Deserialize)]
    struct Bucket {
        key: String,
    }
    let Body { responses } = read(body)?;
    if responses.len() != indices {
        return Err(unexpected());
    }
    let names = |response: Response| {
        whole(response.shards.as_ref())?;
        response.hits.filter(|_| !response.timed_out).ok_or_else(unexpected)?;
        let buckets = response.aggregations.map(|found| found.collections.buckets).unwrap_or_default();
        Ok(buckets.into_iter().map(|bucket| bucket.key).collect())
    };
    responses.into_iter().map(names).collect()
}

/// Reads what [`count`](super::count) asks for: how many are live by what the server knows, and those to look at.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if it is not whole.
pub fn counted(body: &[u8], collection: &str) -> Result<(u64, Page)> {
    #[derive(Deserialize)]
    struct Body {
        aggregations: Aggregations,
    }
    #[derive(Deserialize)]
    struct Aggregations {
        live: Bucket,
    }
    #[derive(Deserialize)]
    struct Bucket {
        doc_count: u64,
    }
    let page = hits(body, collection, false)?;
    let Body { aggregations } = read(body)?;
    Ok((aggregations.live.doc_count, page))
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many records it removed.
    pub deleted: u64,
    /// How many it left, because somebody wrote them meanwhile.
    pub conflicts: u64,
}

/// Reads what [`sweep`](super::sweep) asks for.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form, [`ErrorKind::Connection`] if it is not whole.
pub fn swept(body: &[u8]) -> Result<Swept> {
    #[derive(Deserialize)]
    struct Body {
        deleted: u64,
        #[serde(default)]
        version_conflicts: u64,
        #[serde(default)]
        failures: Vec<serde::de::IgnoredAny>,
        #[serde(default)]
        timed_out: bool,
    }
    let body: Body = read(body)?;
    if !body.failures.is_empty() || body.timed_out {
        return Err(Error::new(ErrorKind::Connection, "a part of the index did not take the deletes"));
    }
    Ok(Swept { deleted: body.deleted, conflicts: body.version_conflicts })
}

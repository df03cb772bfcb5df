//! Requests.

use std::io::Write as _;

use serde_json::{Value, json};

use super::document::{encode, string};
use super::names::{alias, document_id};
use super::queries::ending;
use super::{Dialect, Form, State};
use crate::formats::http::{Method, Request, encode_path};
use crate::{Name, Record, Timestamp};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// What of an index says whose it is.
const STATE: &str = "filter_path=*.aliases,*.mappings._meta,*.mappings.properties.collection.type,\
                     *.mappings.properties.key.type";

fn post(target: String, body: &Value) -> Request {
    Request::new(Method::Post, target).with_body(JSON, body.to_string())
}

/// What server it is.
pub fn root() -> Request {
    Request::new(Method::Get, "/")
}

/// How these indices stand, of which any may be missing.
pub fn get_index(names: &[&str]) -> Request {
    let names: Vec<_> = names.iter().map(|name| encode_path(name).to_string()).collect();
    Request::new(Method::Get, format!("/{}?ignore_unavailable=true&{STATE}", names.join(",")))
}

/// How all indices of this pattern stand.
pub fn get_indices(pattern: &str) -> Request {
    // The asterisk is the pattern's.
    let pattern = encode_path(pattern).to_string().replace("%2A", "*");
    Request::new(Method::Get, format!("/{pattern}?expand_wildcards=open&{STATE}"))
}

/// The mark of an index: whose it is, and whether another program may write there too.
fn meta(prefix: &str, collection: &str, is_shared: bool) -> Value {
    json!({"kv": {"collection": collection, "prefix": prefix, "shared": is_shared, "version": 1}})
}

fn properties() -> Value {
    json!({
        "collection": {"type": "keyword"},
        "key": {"type": "keyword"},
        "kv": {"type": "object", "dynamic": false, "properties": {"expires": {"type": "long"}}},
    })
}

/// Makes the index of a collection; it is shared if another program may write there too.
///
/// The values are not indexed: no value is refused for what is in it, and no name in one grows the mapping.
pub fn create_index(index: &str, prefix: &str, collection: &str, is_shared: bool, settings: &Value) -> Request {
    let mut properties = properties();
    for (name, kind) in [("created_at", "date"), ("expires_at", "date"), ("version", "integer")] {
        properties[name] = json!({"type": kind});
    }
    properties["value"] = json!({"type": "object", "enabled": false});
    let mappings = json!({"_meta": meta(prefix, collection, is_shared), "dynamic": false, "properties": properties});
    let body = json!({"aliases": {alias(index): {}}, "mappings": mappings, "settings": settings});
    Request::new(Method::Put, format!("/{}", encode_path(index))).with_body(JSON, body.to_string())
}

/// Adds to the mapping of an index that another program made what ours takes.
pub fn adopt_index(index: &str, prefix: &str, collection: &str) -> Request {
    let body = json!({"_meta": meta(prefix, collection, true), "properties": properties()});
    Request::new(Method::Put, format!("/{}/_mapping", encode_path(index))).with_body(JSON, body.to_string())
}

/// Adds the alias by which an index is written to.
pub fn alias_index(index: &str) -> Request {
    Request::new(Method::Put, format!("/{}/_alias/{}", encode_path(index), encode_path(&alias(index))))
}

/// Whose records these indices have: for each its collections.
pub fn collections_of<'a>(indices: impl IntoIterator<Item = &'a str>) -> Request {
    let search = json!({
        "size": 0,
        "track_total_hits": false,
        "aggs": {"collections": {"terms": {"field": "collection", "size": 10_000}}},
    });
    msearch(indices.into_iter().map(|index| (index, search.clone())))
}

/// A record of another collection in this one's index, if there is any.
pub fn other_of(index: &str, collection: &str) -> Request {
    let body = json!({
        "size": 1,
        "track_total_hits": false,
        "_source": ["collection"],
        "query": {"bool": {
            "filter": [{"exists": {"field": "collection"}}],
            "must_not": [{"term": {"collection": collection}}],
        }},
    });
    post(search(index), &body)
}

/// Reads documents by key, as they are this moment: of a head all but the value.
///
/// # Examples
///
/// ```
/// use kv_core::formats::elasticsearch::mget;
///
/// assert_eq!(mget("app-users", &["k"], false).target, "/app-users/_mget");
/// assert_eq!(mget("app-users", &["k"], true).target, "/app-users/_mget?_source_excludes=value,kv.bytes,kv.text");
/// ```
pub fn mget(index: &str, keys: &[&str], head: bool) -> Request {
    let mut body = Vec::with_capacity(16 + keys.iter().map(|key| key.len() + 4).sum::<usize>());
    let mut separator = &b"{\"ids\":["[..];
    for key in keys {
        body.extend_from_slice(separator);
        string(&document_id(key), &mut body);
        separator = b",";
    }
    body.extend_from_slice(b"]}");
    let part = if head { "?_source_excludes=value,kv.bytes,kv.text" } else { "" };
    Request::new(Method::Post, format!("/{}/_mget{part}", encode_path(index))).with_body(JSON, body)
}

/// The steps of one request, done in this order for each document, each for itself.
///
/// # Examples
///
/// ```
/// use kv_core::formats::elasticsearch::{Bulk, bulk};
///
/// let mut steps = Bulk::default();
/// steps.look("k");
/// steps.delete("k", None);
/// let request = bulk("app-users", steps);
/// assert_eq!(request.target, "/app-users~/_bulk?require_alias=true&_source_includes=collection,expires_at,key");
/// assert_eq!(
///     std::str::from_utf8(&request.body).unwrap(),
///     "{\"update\":{\"_id\":\"k\"}}\n{\"doc\":{}}\n{\"delete\":{\"_id\":\"k\"}}\n",
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Bulk {
    body: Vec<u8>,
    steps: usize,
}

impl Bulk {
    /// How many steps there are.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    fn action(&mut self, action: &str, key: &str, place: Option<(u64, u64)>) {
        self.steps += 1;
        for part in ["{\"", action, "\":{\"_id\":"] {
            self.body.extend_from_slice(part.as_bytes());
        }
        string(&document_id(key), &mut self.body);
        if let Some((seq, term)) = place {
            let _ = write!(self.body, ",\"if_seq_no\":{seq},\"if_primary_term\":{term}");
        }
        self.body.extend_from_slice(b"}}\n");
    }

    /// Tells when the record ends and of which names it is: a change that changes nothing.
    pub fn look(&mut self, key: &str) {
        self.action("update", key, None);
        self.body.extend_from_slice(b"{\"doc\":{}}\n");
    }

    /// Writes a record, over this state of it if one is given.
    pub fn put(&mut self, dialect: Dialect, form: Form, name: Name<'_>, record: &Record<'_>, at: Option<State>) {
        self.action("index", name.key, at.map(State::place));
        encode(dialect, form, name, record, &mut self.body);
        self.body.push(b'\n');
    }

    /// Writes a record where there is none.
    pub fn create(&mut self, dialect: Dialect, form: Form, name: Name<'_>, record: &Record<'_>) {
        self.action("create", name.key, None);
        encode(dialect, form, name, record, &mut self.body);
        self.body.push(b'\n');
    }

    /// Removes a record, in this state of it if one is given.
    pub fn delete(&mut self, key: &str, at: Option<State>) {
        self.action("delete", key, at.map(State::place));
    }

    /// Removes all steps, and keeps the room they took.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// The steps, on the index of that name, which is not made by it.
pub fn bulk(index: &str, steps: Bulk) -> Request {
    Request::new(Method::Post, bulk_target(index)).with_body(LINES, steps.body)
}

fn bulk_target(index: &str) -> String {
    format!("/{}/_bulk?require_alias=true&_source_includes=collection,expires_at,key", encode_path(&alias(index)))
}

/// Lets searches see what was written before.
pub fn refresh(indices: &[&str]) -> Request {
    Request::new(Method::Post, format!("/{}/_refresh?ignore_unavailable=true", joined(indices)))
}

fn joined(indices: &[&str]) -> String {
    let names: Vec<_> = indices.iter().map(|index| encode_path(index).to_string()).collect();
    names.join(",")
}

/// One page of the records that match, in order of their keys, after this key.
pub fn list(index: &str, query: &Value, after: Option<&str>, size: usize, entries: bool) -> Request {
    let mut body = listing(query, after, size);
    if entries {
        body["seq_no_primary_term"] = true.into();
        body["_source"] = true.into();
    }
    post(search(index), &body)
}

fn listing(query: &Value, after: Option<&str>, size: usize) -> Value {
    let mut body = json!({
        "query": query,
        "size": size,
        "sort": [{"key": {"order": "asc", "unmapped_type": "keyword"}}],
        "track_total_hits": false,
        "_source": ["collection", "expires_at"],
    });
    if let Some(after) = after {
        body["search_after"] = json!([after]);
    }
    body
}

fn search(index: &str) -> String {
    format!("/{}/_search?allow_partial_search_results=false", encode_path(index))
}

/// Whether there is any record that matches, in each of these indices.
pub fn look<'a>(searches: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Request {
    let search = |query| json!({"query": query, "size": 1, "track_total_hits": false, "_source": false});
    msearch(searches.into_iter().map(|(index, query)| (index, search(query))))
}

fn msearch<'a>(searches: impl Iterator<Item = (&'a str, Value)>) -> Request {
    let mut body = Vec::new();
    for (index, search) in searches {
        let head = json!({"index": index, "ignore_unavailable": true, "allow_partial_search_results": false});
        let _ = writeln!(body, "{head}\n{search}");
    }
    Request::new(Method::Post, "/_msearch").with_body(LINES, body)
}

/// Counts the live records that match, and lists those of them, after this key, of which only their documents tell
/// whether they have ended.
pub fn count(index: &str, live: &Value, now: Timestamp, after: Option<&str>, size: usize) -> Request {
    let mut body = listing(live, after, size);
    // An aggregation goes over all that the query finds; the hits are those that come through the filter.
    body["aggs"] = json!({"live": {"filter": {"match_all": {}}}});
    body["post_filter"] = ending(now);
    post(search(index), &body)
}

/// Removes at most so many of the records that match.
pub fn sweep(indices: &[&str], query: &Value, most: usize) -> Request {
    let target = format!(
        "/{}/_delete_by_query?conflicts=proceed&refresh=true&ignore_unavailable=true&max_docs={most}",
        joined(indices)
    );
    post(target, &json!({"query": query}))
}

/// Sends the same steps to the index of that name.
pub fn redirect(request: &mut Request, index: &str) {
    request.target = bulk_target(index);
}

//! Answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Decoded, Dialect, State, decode, decode_head, own};
use crate::formats::document::general;
use crate::formats::http::Response;
use crate::{Entry, Error, ErrorKind, Name, Result, Timestamp};

/// The error for an answer that is none of the request's.
#[cold]
pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server gave an answer that the request does not have")
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    // The message could quote the body.
    serde_json::from_slice(body).map_err(|_| unexpected())
}

/// What the server calls an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status, of the answer or of the step.
    pub status: u16,
    /// The server's name of the error, such as `index_not_found_exception`; empty if there is none.
    pub name: String,
    /// Whether the disk is full.
    pub is_full: bool,
}

impl Refusal {
    /// Whether the index is missing, or the alias by which it is written to.
    pub fn is_missing_index(&self) -> bool {
        self.name == "index_not_found_exception"
    }

    /// Whether an index of that name is there already.
    pub fn is_existing_index(&self) -> bool {
        matches!(&*self.name, "resource_already_exists_exception" | "index_already_exists_exception")
            || self.name == "invalid_index_name_exception" && self.status == 409
    }

    /// Whether no copy of the index could be asked: so it is for a moment after the index was made, or its node came up.
    pub fn is_starting(&self) -> bool {
        self.status == 503
            && matches!(&*self.name, "no_shard_available_action_exception" | "search_phase_execution_exception")
    }

    /// Whether the document is one that the index does not take.
    pub fn is_of_document(&self) -> bool {
        self.status == 400
    }

    fn new(status: u16, error: &serde_json::Value) -> Self {
        let is_name = |name: &&str| {
            name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let name = error["type"].as_str().filter(is_name).unwrap_or_default().to_owned();
        // Of a block's reason only this is looked at; it is never quoted, since reasons quote values.
        let is_full = name == "cluster_block_exception"
            && error["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("disk usage") || reason.contains("read-only / allow delete"));
        Self { status, name, is_full }
    }
}

/// What stands in an answer that is no success.
pub fn refusal_of(response: &Response) -> Refusal {
    #[derive(Deserialize)]
    struct Body {
        error: serde_json::Value,
    }
    let error = serde_json::from_slice::<Body>(&response.body).map(|body| body.error).unwrap_or_default();
    Refusal::new(response.status, &error)
}

/// What server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Which of the two.
    pub dialect: Dialect,
    /// Its version, as it says it.
    pub version: String,
}

impl Server {
    /// Whether it can do what the requests ask: Elasticsearch from 7.10, OpenSearch from 1.0.
    pub fn is_recent(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        match self.dialect {
            Dialect::Elasticsearch => version >= (7, 10),
            Dialect::OpenSearch => version >= (1, 0),
        }
    }
}

/// What server answers so to [`root`](super::root).
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if it is none of the two.
pub fn server(response: &Response) -> Result<Server> {
    #[derive(Deserialize)]
    struct Body {
        version: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        number: String,
        distribution: Option<String>,
    }
    let Ok(Body { version }) = serde_json::from_slice::<Body>(&response.body) else {
        let message = "the server is neither Elasticsearch nor OpenSearch: it does not say its version as they do";
        return Err(Error::new(ErrorKind::Configuration, message));
    };
    let is_open = version.distribution.as_deref() == Some("opensearch");
    let dialect = if is_open { Dialect::OpenSearch } else { Dialect::Elasticsearch };
    let shown = |c: &char| c.is_ascii_alphanumeric() || ".-".contains(*c);
    Ok(Server { dialect, version: version.number.chars().filter(shown).take(20).collect() })
}

/// How an index stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexState {
    /// What its mapping says of whose it is.
    pub mark: Option<Mark>,
    /// Whether it has the alias by which it is written to.
    pub has_alias: bool,
    /// Whether its documents have names that can be asked for.
    pub has_names: bool,
}

/// Whose an index is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Mark {
    /// The store's prefix.
    pub prefix: String,
    /// The collection's true name.
    pub collection: String,
    /// Whether another program may write there, and other collections too.
    #[serde(default)]
    pub shared: bool,
    /// The version of its form.
    #[serde(default)]
    pub version: u64,
}

/// Reads what [`get_index`](super::get_index) and [`get_indices`](super::get_indices) ask for.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form.
pub fn index_states(body: &[u8]) -> Result<BTreeMap<String, IndexState>> {
    #[derive(Deserialize)]
    struct Index {
        #[serde(default)]
        aliases: BTreeMap<String, serde::de::IgnoredAny>,
        #[serde(default)]
        mappings: Mappings,
    }
    #[derive(Deserialize, Default)]
    struct Mappings {
        #[serde(default, rename = "_meta")]
        meta: serde_json::Value,
        #[serde(default)]
        properties: serde_json::Value,
    }
    let indices: BTreeMap<String, Index> = read(body)?;
    let state = |(name, index): (String, Index)| {
        let is_keyword = |field: &str| index.mappings.properties[field]["type"] == "keyword";
        let state = IndexState {
            mark: serde_json::from_value(index.mappings.meta["kv"].clone()).ok(),
            has_alias: index.aliases.contains_key(&super::names::alias(&name)),
            has_names: is_keyword("collection") && is_keyword("key"),
        };
        (name, state)
    };
    Ok(indices.into_iter().map(state).collect())
}

/// A document that was asked for by key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Found {
    /// There is none of this name.
    Missing,
    /// There is no such index.
    NoIndex,
    /// The record.
    Entry(Entry, State),
    /// A record that cannot be read, by where it stands.
    Damaged(Error, State),
    /// The server did not say.
    Refused(Refusal),
}

#[derive(Deserialize)]
struct Doc<'a> {
    #[serde(default)]
    found: bool,
    #[serde(rename = "_seq_no")]
    seq: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    error: Option<serde_json::Value>,
}

/// Reads what [`mget`](super::mget) asks for: an answer for each key. The value of a head is `null`.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form.
pub fn found(body: &[u8], collection: &str, keys: &[&str], head: bool) -> Result<Vec<Found>> {
    let own = if head { None } else { own::found(body, collection, keys) };
    own.map_or_else(|| found_any(body, collection, keys, head), Ok)
}

pub(super) fn found_any(body: &[u8], collection: &str, keys: &[&str], head: bool) -> Result<Vec<Found>> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        docs: Vec<Doc<'a>>,
    }
    let Body { docs } = read(body)?;
    if docs.len() != keys.len() {
        return Err(unexpected());
    }
    docs.into_iter().zip(keys).map(|(doc, key)| one(doc, Name::new(collection, key), head)).collect()
}

fn one(doc: Doc<'_>, name: Name<'_>, head: bool) -> Result<Found> {
    if let Some(error) = &doc.error {
        let refusal = Refusal::new(503, error);
        return Ok(if refusal.is_missing_index() { Found::NoIndex } else { Found::Refused(refusal) });
    }
    if !doc.found {
        return Ok(Found::Missing);
    }
    let (Some(seq), Some(term)) = (doc.seq, doc.term) else { return Err(unexpected()) };
    let nothing_known = State { seq, term, number: 0, expires: None };
    let Some(source) = doc.source else {
        let error = Error::new(ErrorKind::Corrupted, "the index keeps no `_source` of its documents");
        return Ok(Found::Damaged(error, nothing_known));
    };
    let decoded = if head { decode_head(source.get()) } else { decode(source.get()) };
    Ok(match decoded.map(|decoded| entry(&decoded, name, seq, term)) {
        Ok(Some((entry, state))) => Found::Entry(entry, state),
        Ok(None) => Found::Missing,
        Err(error) => Found::Damaged(error, nothing_known),
    })
}

/// The entry in this document; `None` if it says that it is of another name.
pub(super) fn entry(decoded: &Decoded<'_>, name: Name<'_>, seq: u64, term: u64) -> Option<(Entry, State)> {
    let state = State { seq, term, number: decoded.revision, expires: decoded.expires };
    decoded.is_of(name).then(|| (Entry::with_text_revision(&decoded.record(), state), state))
}

/// What a step of a [`bulk`](super::bulk) answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It was done.
    Done(Done),
    /// There is no such document.
    Missing,
    /// The document is not in the state that was named, or there is one where there should be none. Whether there is
    /// one is as the server says it, if it does.
    Conflict {
        /// Whether there is none.
        is_missing: bool,
    },
    /// It was not done.
    Refused(Refusal),
}

/// A step that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// The number of the write in the index.
    pub seq: u64,
    /// How often the index had changed the place it is written at.
    pub term: u64,
    /// The number of the write of this document.
    pub version: u64,
}

impl Done {
    /// The state it left, of a record that was given this number and end.
    pub fn state(self, number: u64, expires: Option<Timestamp>) -> State {
        State { seq: self.seq, term: self.term, number, expires }
    }
}

/// What a look told of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Looked {
    /// The collection it says it is of.
    pub collection: Option<String>,
    /// The key it says it is of.
    pub key: Option<String>,
    /// When it ends, as far as that can be read.
    pub expires: Option<Timestamp>,
}

impl Looked {
    /// Whether it is of this name, as far as it says.
    pub fn is_of(&self, name: Name<'_>) -> bool {
        self.collection.as_deref().is_none_or(|collection| collection == name.collection)
            && self.key.as_deref().is_none_or(|key| key == name.key)
    }
}

/// Reads what [`bulk`](super::bulk) asks for: an answer for each step, and what it told if it was a look.
///
/// # Errors
///
/// [`ErrorKind::Backend`] for an answer of another form.
pub fn bulk_answer(body: &[u8], steps: usize) -> Result<Vec<(Step, Option<Looked>)>> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        items: Vec<Item<'a>>,
    }
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow)]
        create: Option<Outcome<'a>>,
        #[serde(borrow)]
        delete: Option<Outcome<'a>>,
        #[serde(borrow)]
        index: Option<Outcome<'a>>,
        #[serde(borrow)]
        update: Option<Outcome<'a>>,
    }
    let Body { items } = read(body)?;
    if items.len() != steps {
        return Err(unexpected());
    }
    let answer = |item: Item<'_>| {
        let outcome = item.create.or(item.delete).or(item.index).or(item.update).ok_or_else(unexpected)?;
        Ok((outcome.step()?, outcome.looked()))
    };
    items.into_iter().map(answer).collect()
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(rename = "_seq_no")]
    seq: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
    #[serde(rename = "_version")]
    version: Option<u64>,
    error: Option<serde_json::Value>,
    #[serde(borrow)]
    get: Option<Doc<'a>>,
}

impl Outcome<'_> {
    fn step(&self) -> Result<Step> {
        Ok(match &self.error {
            None if self.status == 404 => Step::Missing,
            None => match (self.seq, self.term, self.version) {
                (Some(seq), Some(term), Some(version)) => Step::Done(Done { seq, term, version }),
                _ => return Err(unexpected()),
            },
            Some(error) => match Refusal::new(self.status, error) {
                refusal if refusal.name == "document_missing_exception" => Step::Missing,
                refusal if self.status == 409 && refusal.name == "version_conflict_engine_exception" => {
                    let reason = error["reason"].as_str().unwrap_or_default();
                    Step::Conflict { is_missing: reason.contains("no document was found") }
                }
                refusal => Step::Refused(refusal),
            },
        })
    }

    fn looked(&self) -> Option<Looked> {
        let source = self.get.as_ref()?.source?;
        Some(looked(source.get()))
    }
}

/// What a part of a document says of its record. What is unreadable is left out: the record is there, and permanent as
/// far as anybody can tell.
pub(super) fn looked(source: &str) -> Looked {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        collection: Option<&'a RawValue>,
        expires_at: Option<&'a RawValue>,
        key: Option<&'a RawValue>,
    }
    let Ok(part) = serde_json::from_str::<Part<'_>>(source) else { return Looked::default() };
    let text = |raw: Option<&RawValue>| raw.and_then(general::string).map(Cow::into_owned);
    Looked {
        collection: text(part.collection),
        key: text(part.key),
        expires: general::instant("expires_at", part.expires_at).ok().flatten(),
    }
}

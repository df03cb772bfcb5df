//! Which records a request is about.

use serde_json::{Value, json};

use crate::Timestamp;

/// Which records of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// Those that have not ended.
    Live,
    /// Those that have ended.
    Ended,
    /// All.
    All,
}

/// The query for records of this collection (of all collections in the index, if `None`) whose keys begin so.
///
/// Our records are judged to the microsecond. Those of Python's have an instant to the millisecond there, rounded down:
/// one that ends within the present millisecond counts as live, and has to be looked at if that matters.
pub fn query(collection: Option<&str>, prefix: &str, which: Which, now: Timestamp) -> Value {
    let mut filter = Vec::new();
    if let Some(collection) = collection {
        filter.push(json!({"term": {"collection": collection}}));
    }
    if !prefix.is_empty() {
        filter.push(json!({"prefix": {"key": {"value": prefix}}}));
    }
    let ended = ended(now);
    match which {
        Which::All => json!({"bool": {"filter": filter}}),
        Which::Live => json!({"bool": {"filter": filter, "must_not": [ended]}}),
        Which::Ended => {
            filter.push(ended);
            json!({"bool": {"filter": filter}})
        }
    }
}

fn ended(now: Timestamp) -> Value {
    json!({"bool": {"minimum_should_match": 1, "should": [
        {"range": {"kv.expires": {"lte": now.as_micros()}}},
        theirs(&json!({"lt": millis(now), "format": "epoch_millis"})),
    ]}})
}

/// The query for records of Python's that end within the present millisecond: whether they have, only they say.
pub(super) fn ending(now: Timestamp) -> Value {
    theirs(&json!({"gte": millis(now), "lte": millis(now), "format": "epoch_millis"}))
}

fn theirs(ends: &Value) -> Value {
    let theirs = [json!({"exists": {"field": "kv.expires"}})];
    json!({"bool": {"filter": [{"range": {"expires_at": ends}}], "must_not": theirs}})
}

fn millis(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(1000)
}

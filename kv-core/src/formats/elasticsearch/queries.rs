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
    let millis = now.as_micros().div_euclid(1000);
    json!({"bool": {"minimum_should_match": 1, "should": [
        {"range": {"kv.expires": {"lte": now.as_micros()}}},
        {"bool": {
            "filter": [{"range": {"expires_at": {"lt": millis, "format": "epoch_millis"}}}],
            "must_not": [{"exists": {"field": "kv.expires"}}],
        }},
    ]}})
}

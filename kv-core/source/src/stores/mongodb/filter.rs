//! What requests look for.

use kv_core::formats::disk::after_prefix;
use kv_core::formats::mongodb::{VALUE_FIELDS, floor_millis};
use kv_core::{KeyFilter, Timestamp};
use mongodb::bson::{Bson, DateTime, Document, RawDocument, doc};

/// What records that have ended by this instant match one of.
///
/// The date is rounded up, so the millisecond in which an instant lies takes a look at the exact one.
pub(super) fn ended(now: Timestamp) -> Vec<Bson> {
    let millis = floor_millis(now);
    let begin = millis.saturating_mul(1000);
    let mut ended = vec![doc! { "expires_at": { "$lte": DateTime::from_millis(millis) } }.into()];
    if begin < now.as_micros() {
        let within = doc! { "$gt": begin, "$lte": now.as_micros() };
        ended.push(doc! { "expires_at": DateTime::from_millis(millis + 1), "value.expires": within }.into());
    }
    ended
}

/// The record of a key.
pub(super) fn key(key: &str) -> Document {
    doc! { "key": key }
}

/// The records of these keys.
pub(super) fn keys(keys: &[&str]) -> Document {
    let keys: Vec<Bson> = keys.iter().map(|key| Bson::from(*key)).collect();
    doc! { "key": { "$in": keys } }
}

/// Of a document everything but its value.
pub(super) fn no_value() -> Document {
    VALUE_FIELDS.iter().map(|field| ((*field).to_owned(), Bson::from(0))).collect()
}

/// With this only what has not ended.
pub(super) fn live(mut filter: Document, now: Timestamp) -> Document {
    filter.insert("$nor", ended(now));
    filter
}

/// With this only what has.
pub(super) fn dead(mut filter: Document, now: Timestamp) -> Document {
    filter.insert("$or", ended(now));
    filter
}

/// The records whose keys begin as the filter says, behind a key.
pub(super) fn range(filter: &KeyFilter, after: Option<&str>) -> Document {
    let prefix = filter.prefix();
    let mut range = match after.filter(|after| *after >= prefix) {
        Some(after) => doc! { "$gt": after },
        None => doc! { "$gte": prefix },
    };
    if let Some(end) = after_prefix(prefix).filter(|_| !prefix.is_empty()) {
        range.insert("$lt", end);
    }
    doc! { "key": range }
}

/// Documents of this store's shape, whichever program wrote them.
pub(super) fn records() -> Document {
    doc! {
        "key": { "$type": "string" }, "collection": { "$type": "string" },
        "value": { "$type": "object" }, "version": { "$exists": true },
    }
}

/// The document in the very state in which it was read; `None` if it has a field that no filter can name.
pub(super) fn exactly(document: &RawDocument) -> Option<Document> {
    let mut filter = Document::new();
    for field in document.iter() {
        let (name, value) = field.ok()?;
        if name.as_str().starts_with('$') || name.as_str().contains('.') {
            return None;
        }
        filter.insert(name.as_str(), doc! { "$eq": Bson::try_from(value).ok()? });
    }
    for name in ["created_at", "expires_at", "version", "collection"] {
        if !filter.contains_key(name) {
            filter.insert(name, doc! { "$exists": false });
        }
    }
    Some(filter)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::RawDocumentBuf;

    use super::*;

    #[test]
    fn an_instant_between_two_milliseconds_looks_at_the_exact_one() {
        let at = |micros| ended(Timestamp::from_micros(micros).unwrap());
        assert_eq!(at(5000), [Bson::from(doc! { "expires_at": { "$lte": DateTime::from_millis(5) } })]);
        let exact =
            doc! { "expires_at": DateTime::from_millis(6), "value.expires": { "$gt": 5000_i64, "$lte": 5001_i64 } };
        assert_eq!(at(5001)[1], Bson::from(exact));
        assert_eq!(at(-1)[0], Bson::from(doc! { "expires_at": { "$lte": DateTime::from_millis(-1) } }));
    }

    #[test]
    fn a_range_ends_where_the_prefix_does() {
        let all = KeyFilter::all();
        assert_eq!(range(&all, None), doc! { "key": { "$gte": "" } });
        assert_eq!(range(&all, Some("x")), doc! { "key": { "$gt": "x" } });
        let some = KeyFilter::starting_with("a");
        assert_eq!(range(&some, None), doc! { "key": { "$gte": "a", "$lt": "b" } });
        assert_eq!(range(&some, Some("ab")), doc! { "key": { "$gt": "ab", "$lt": "b" } });
        assert_eq!(range(&some, Some("A")), doc! { "key": { "$gte": "a", "$lt": "b" } });
    }

    #[test]
    fn a_state_is_all_of_its_fields() {
        let raw = |document: Document| RawDocumentBuf::try_from(&document).unwrap();
        let filter = exactly(&raw(doc! { "_id": 1, "key": "k", "value": { "$x": 1 } })).unwrap();
        assert_eq!(filter.get_document("value").unwrap(), &doc! { "$eq": { "$x": 1 } });
        assert_eq!(filter.get_document("expires_at").unwrap(), &doc! { "$exists": false });
        assert!(exactly(&raw(doc! { "a.b": 1 })).is_none());
    }
}

//! Whether what a store answers is what the reference holds.

use std::fmt::Debug;

use kv_core::{Entry, ListOptions, Listing, Result as Answer};

use super::super::case::{Case, set_of};
use super::operation::{At, COLLECTIONS, KEYS};
use super::reference::{Expected, Reference};

pub(super) type Outcome = Result<(), String>;

pub(super) fn same<T: PartialEq + Debug>(answer: T, expected: T, what: &str) -> Outcome {
    if answer == expected { Ok(()) } else { Err(format!("{what}: answered {answer:?}, expected {expected:?}")) }
}

pub(super) fn ok<T>(answer: Answer<T>, what: &str) -> Result<T, String> {
    answer.map_err(|error| format!("{what}: {error}"))
}

pub(super) fn fits(entry: Option<&Entry>, expected: Option<&Expected>, what: &str) -> Outcome {
    match (entry, expected) {
        (None, None) => Ok(()),
        (Some(entry), Some(expected)) => {
            if !entry.value().means(expected.value.as_ref()) {
                let (is, due) = (entry.as_json(), expected.value.as_ref());
                return Err(format!("{what}: the value is {is:?}, expected {:?}", due.as_json()));
            }
            same(entry.expires(), expected.expires, &format!("{what}: expires"))?;
            same(entry.created(), Some(expected.created), &format!("{what}: created"))?;
            same(
                entry.metadata().cloned().unwrap_or_default(),
                expected.metadata.clone(),
                &format!("{what}: metadata"),
            )?;
            same(entry.revision(), expected.revision.clone(), &format!("{what}: revision"))
        }
        (entry, expected) => Err(format!("{what}: there is {}, expected {}", entry.is_some(), expected.is_some())),
    }
}

/// All that is there, read one by one and listed.
#[maybe_async::maybe_async]
pub(super) async fn compare_all(case: &Case<'_>, reference: &Reference) -> Outcome {
    for (collection, name) in COLLECTIONS.into_iter().enumerate() {
        for key in 0..KEYS.len() {
            step_get(case, reference, At(collection, key)).await?;
        }
        list(case, reference, name, 1000, "").await?;
    }
    Ok(())
}

#[maybe_async::maybe_async]
pub(super) async fn step_get(case: &Case<'_>, reference: &Reference, at: At) -> Outcome {
    let c = case.kv.collection(at.collection());
    let what = format!("get {at:?}");
    let entry = ok(c.get_entry(at.key()).await, &what)?;
    let expected = reference.live((at.collection(), at.key()), case.now());
    fits(entry.as_ref(), expected, &what)?;
    let there = ok(c.exists(at.key()).await, &what)?;
    same(there, expected.is_some(), &format!("exists {at:?}"))
}

#[maybe_async::maybe_async]
pub(super) async fn list(
    case: &Case<'_>,
    reference: &Reference,
    collection: &'static str,
    limit: usize,
    prefix: &'static str,
) -> Outcome {
    if case.can.listing == Listing::Unsupported {
        return Ok(());
    }
    let what = format!("list {collection:?} by {limit}, beginning {prefix:?}");
    let mut pages = case.kv.collection(collection).entry_pages(ListOptions::starting_with(prefix).with_limit(limit));
    let mut keys = Vec::new();
    while let Some(page) = ok(pages.next_page().await, &what)? {
        for (key, entry) in page {
            let known = KEYS.iter().find(|known| **known == key).copied();
            let key = known.ok_or_else(|| format!("{what}: a key from nowhere: {key:?}"))?;
            let entry = ok(entry, &what)?;
            fits(Some(&entry), reference.live((collection, key), case.now()), &format!("{what}: {key:?}"))?;
            keys.push(key);
        }
    }
    if case.can.listing == Listing::ExactlyOnce {
        same(set_of(keys.clone()).len(), keys.len(), &format!("{what}: keys that come twice"))?;
    }
    same(set_of(keys), reference.keys(collection, prefix, case.now()), &what)
}

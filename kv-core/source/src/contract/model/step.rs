//! One operation on the store and on the reference, and whether both come to the same.

use std::time::Duration;

use kv_core::{
    Condition, DeleteOptions, DeleteOutcome, ErrorKind, KeyFilter, Listing, Metadata, Name, PutItem, PutOptions,
    Timestamp, Value,
};
use serde_json::value::RawValue;

use super::super::case::{Case, MINUTE, set_of};
use super::compare::{Outcome, fits, list, ok, same, step_get};
use super::operation::{At, COLLECTIONS, KEYS, On, Operation, VALUES};
use super::reference::{Expected, Reference};

fn value(place: usize) -> Value {
    Value::from_json(VALUES[place]).unwrap()
}

fn raw(place: usize) -> Box<RawValue> {
    serde_json::from_str(VALUES[place]).unwrap()
}

/// Reads what the store made of a change, and takes instants and revision from it where the reference cannot know them.
#[maybe_async::maybe_async]
async fn changed(case: &Case<'_>, reference: &mut Reference, at: At, mut expected: Expected, what: &str) -> Outcome {
    let entry = ok(case.kv.collection(at.collection()).get_entry(at.key()).await, what)?;
    let entry = entry.ok_or_else(|| format!("{what}: nothing is there after"))?;
    let old = expected.revision.clone();
    if old == entry.revision() {
        return Err(format!("{what}: the revision is not fresh"));
    }
    expected.revision = entry.revision();
    fits(Some(&entry), Some(&expected), what)?;
    reference.put((at.collection(), at.key()), expected);
    Ok(())
}

fn options(ttl: Option<u32>) -> PutOptions {
    ttl.map_or_else(PutOptions::default, |minutes| PutOptions::ttl(minutes * MINUTE))
}

fn ends(ttl: Option<u32>, now: Timestamp) -> Option<Timestamp> {
    ttl.map(|minutes| now.saturating_add(minutes * MINUTE))
}

fn record(value: Value, ttl: Option<u32>, revision: kv_core::Revision, now: Timestamp) -> Expected {
    Expected { value, created: now, expires: ends(ttl, now), metadata: Metadata::new(), revision, stale: None }
}

fn condition(on: On, reference: &Reference, at: At, now: Timestamp) -> Condition {
    let key = (at.collection(), at.key());
    match on {
        On::Absent => Condition::IfAbsent,
        On::Present => Condition::IfPresent,
        On::Revision => {
            reference.live(key, now).map_or(Condition::IfPresent, |entry| Condition::IfRevision(entry.revision.clone()))
        }
        On::Stale => Condition::IfRevision(reference.stale(key)),
    }
}

fn holds(condition: &Condition, live: Option<&Expected>) -> bool {
    match condition {
        Condition::IfAbsent => live.is_none(),
        Condition::IfPresent => live.is_some(),
        Condition::IfRevision(revision) => live.is_some_and(|entry| entry.revision == *revision),
        _ => true,
    }
}

fn sum(live: Option<&Expected>, by: i64) -> Option<i64> {
    match live {
        None => Some(by),
        Some(entry) => entry.value.as_ref().decode::<i64>().ok()?.checked_add(by),
    }
}

fn joined(live: Option<&Expected>, more: &Value) -> Option<Value> {
    let Some(entry) = live else { return Some(more.clone()) };
    let (one, more) = (entry.value.as_ref().as_json()?, more.as_ref().as_json()?);
    if one.starts_with('"') && more.starts_with('"') {
        return Some(Value::from_json(format!("{}{}", &one[..one.len() - 1], &more[1..])).unwrap());
    }
    if one.starts_with('[') && more.starts_with('[') {
        let (one, more) = (&one[1..one.len() - 1], &more[1..more.len() - 1]);
        let comma = if one.is_empty() || more.is_empty() { "" } else { "," };
        return Some(Value::from_json(format!("[{one}{comma}{more}]")).unwrap());
    }
    None
}

/// Moves the clock, away from instants about which a store of a coarser clock may be in doubt.
fn settle(case: &Case<'_>, reference: &Reference) {
    while reference.is_near_an_end(case.now(), case.can.expiry_resolution) {
        case.advance(case.can.expiry_resolution);
    }
}

#[maybe_async::maybe_async]
pub(super) async fn step(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    match operation {
        Operation::Put(..) | Operation::PutBytes(..) | Operation::PutIf(..) | Operation::PutMany(..) => {
            writes(case, reference, operation).await
        }
        Operation::Delete(_) | Operation::DeleteIf(..) | Operation::DeleteMany(..) => {
            deletes(case, reference, operation).await
        }
        Operation::Increment(..) | Operation::Append(..) | Operation::GetAndPut(..) | Operation::Take(_) => {
            changes(case, reference, operation).await
        }
        Operation::Swap(..) | Operation::Update(..) => swaps(case, reference, operation).await,
        Operation::Touch(..) | Operation::ExpireAt(..) | Operation::Persist(_) | Operation::Annotate(..) => {
            touches(case, reference, operation).await
        }
        _ => looks(case, reference, operation).await,
    }
}

#[maybe_async::maybe_async]
async fn writes(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    match operation {
        Operation::Put(at, place, ttl) => {
            let c = case.kv.collection(at.collection());
            let outcome = ok(c.put_value(at.key(), value(*place).as_ref(), &options(*ttl)).await, &what)?;
            let written = outcome.written().ok_or("put: a conflict")?;
            reference.put((at.collection(), at.key()), record(value(*place), *ttl, written.revision(), now));
        }
        Operation::PutBytes(at, bytes) => {
            let written = ok(case.kv.collection(at.collection()).put_bytes(at.key(), bytes).await, &what)?;
            let value = Value::from_bytes(bytes.clone());
            reference.put((at.collection(), at.key()), record(value, None, written.revision(), now));
        }
        Operation::PutIf(at, place, on, ttl) => {
            let key = (at.collection(), at.key());
            let condition = condition(*on, reference, *at, now);
            let due = holds(&condition, reference.live(key, now));
            let options = options(*ttl).with_condition(condition);
            let c = case.kv.collection(at.collection());
            let outcome = ok(c.put_value(at.key(), value(*place).as_ref(), &options).await, &what)?;
            same(outcome.is_written(), due, &what)?;
            if let Some(written) = outcome.written() {
                reference.put(key, record(value(*place), *ttl, written.revision(), now));
            }
        }
        Operation::PutMany(collection, items, ttl) => {
            let values: Vec<_> = items.iter().map(|(_, place)| value(*place)).collect();
            let batch: Vec<_> =
                items.iter().zip(&values).map(|((key, _), value)| PutItem::new(KEYS[*key], value.as_ref())).collect();
            let collection = COLLECTIONS[*collection];
            let answers = ok(case.kv.collection(collection).put_items(&batch, &options(*ttl)).await, &what)?;
            same(answers.len(), items.len(), &what)?;
            for (((key, _), value), answer) in items.iter().zip(values).zip(answers) {
                let written = ok(answer, &what)?;
                reference.put((collection, KEYS[*key]), record(value, *ttl, written.revision(), now));
            }
        }
        _ => {}
    }
    Ok(())
}

#[maybe_async::maybe_async]
async fn deletes(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    match operation {
        Operation::Delete(at) => {
            let key = (at.collection(), at.key());
            let deleted = ok(case.kv.collection(at.collection()).delete(at.key()).await, &what)?;
            same(deleted, reference.live(key, now).is_some(), &what)?;
            reference.remove(key);
        }
        Operation::DeleteIf(at, On::Absent) => {
            let options = DeleteOptions::default().with_condition(Condition::IfAbsent);
            let name = Name::new(at.collection(), at.key());
            let refused = case.kv.store().delete(name, &options).await.map_err(|error| error.kind());
            same(refused, Err(ErrorKind::InvalidArgument), &what)?;
        }
        Operation::DeleteIf(at, on) => {
            let key = (at.collection(), at.key());
            let condition = condition(*on, reference, *at, now);
            let live = reference.live(key, now);
            let due = match (live.is_some(), holds(&condition, live)) {
                (false, _) => DeleteOutcome::Missing,
                (true, false) => DeleteOutcome::Conflict,
                (true, true) => DeleteOutcome::Deleted,
            };
            let options = DeleteOptions::default().with_condition(condition);
            let outcome = ok(case.kv.store().delete(Name::new(at.collection(), at.key()), &options).await, &what)?;
            same(outcome, due, &what)?;
            if outcome == DeleteOutcome::Deleted {
                reference.remove(key);
            }
        }
        Operation::DeleteMany(collection, keys) => {
            let collection = COLLECTIONS[*collection];
            let keys: Vec<_> = keys.iter().map(|key| KEYS[*key]).collect();
            let deleted = ok(case.kv.collection(collection).delete_many(&keys).await, &what)?;
            let due = set_of(keys.clone()).into_iter().filter(|key| reference.live((collection, key), now).is_some());
            same(deleted, due.count() as u64, &what)?;
            keys.into_iter().for_each(|key| reference.remove((collection, key)));
        }
        _ => {}
    }
    Ok(())
}

#[maybe_async::maybe_async]
async fn changes(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    let (Operation::Increment(at, _) | Operation::Append(at, _) | Operation::GetAndPut(at, _) | Operation::Take(at)) =
        operation
    else {
        return Ok(());
    };
    let key = (at.collection(), at.key());
    let c = case.kv.collection(at.collection());
    let live = reference.live(key, now).cloned();
    let unlike = kv_core::Revision::from_text("none");
    let with = |value| match live.clone() {
        Some(entry) => Expected { value, ..entry },
        None => record(value, None, unlike.clone(), now),
    };
    match operation {
        Operation::Increment(_, by) => match sum(live.as_ref(), *by) {
            Some(sum) => {
                same(ok(c.increment(at.key(), *by).await, &what)?, sum, &what)?;
                changed(case, reference, *at, with(Value::encode(&sum).unwrap()), &what).await?;
            }
            None => {
                let refused = c.increment(at.key(), *by).await.map_err(|error| error.kind());
                same(refused, Err(ErrorKind::InvalidValue), &what)?;
                step_get(case, reference, *at).await?;
            }
        },
        Operation::Append(_, place) => match joined(live.as_ref(), &value(*place)) {
            Some(value) => {
                ok(c.append(at.key(), &raw(*place)).await, &what)?;
                changed(case, reference, *at, with(value), &what).await?;
            }
            None => {
                let refused = c.append(at.key(), &raw(*place)).await.map_err(|error| error.kind());
                same(refused, Err(ErrorKind::InvalidValue), &what)?;
                step_get(case, reference, *at).await?;
            }
        },
        Operation::GetAndPut(_, place) => {
            let old = c.get_and_put(at.key(), &raw(*place)).await;
            let is_bytes = live.as_ref().is_some_and(|entry| !entry.value.as_ref().is_json());
            match old {
                Err(error) if is_bytes => same(error.kind(), ErrorKind::Decode, &what)?,
                old => same(ok(old, &what)?.is_some(), live.is_some(), &what)?,
            }
            let revision = live.map_or(unlike, |entry| entry.revision);
            changed(case, reference, *at, record(value(*place), None, revision, now), &what).await?;
        }
        _ => {
            let taken = ok(c.take_entry(at.key()).await, &what)?;
            fits(taken.as_ref(), live.as_ref(), &what)?;
            reference.remove(key);
        }
    }
    Ok(())
}

#[maybe_async::maybe_async]
async fn swaps(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    let (Operation::Swap(at, ..) | Operation::Update(at, _)) = operation else { return Ok(()) };
    let key = (at.collection(), at.key());
    let c = case.kv.collection(at.collection());
    let live = reference.live(key, now).cloned();
    let new = match operation {
        Operation::Swap(_, old, new) => {
            let due = match (old, &live) {
                (None, None) => true,
                (Some(old), Some(entry)) => entry.value.as_ref().means(value(*old).as_ref()),
                _ => false,
            };
            let (old, new_text) = (old.map(raw), new.map(raw));
            let swapped = c.compare_and_swap(at.key(), old.as_ref(), new_text.as_ref()).await;
            same(ok(swapped, &what)?, due, &what)?;
            if !due {
                return step_get(case, reference, *at).await;
            }
            *new
        }
        Operation::Update(_, new) => {
            let text = new.map(raw);
            let updated = c.update(at.key(), move |_: Option<Box<RawValue>>| text.clone()).await;
            if live.as_ref().is_some_and(|entry| !entry.value.as_ref().is_json()) {
                return same(updated.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Decode), &what);
            }
            same(ok(updated, &what)?.map(|text| text.get().to_owned()), new.map(|new| VALUES[new].to_owned()), &what)?;
            *new
        }
        _ => None,
    };
    match (new, live) {
        (None, _) => {
            reference.remove(key);
            step_get(case, reference, *at).await
        }
        (Some(new), Some(entry)) => changed(case, reference, *at, Expected { value: value(new), ..entry }, &what).await,
        (Some(new), None) => {
            let expected = record(value(new), None, kv_core::Revision::from_text("none"), now);
            changed(case, reference, *at, expected, &what).await
        }
    }
}

#[maybe_async::maybe_async]
async fn touches(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    let (at, applied, expires, notes) = match operation {
        Operation::Touch(at, minutes) => {
            let c = case.kv.collection(at.collection());
            (at, ok(c.touch(at.key(), *minutes * MINUTE).await, &what)?, Some(ends(Some(*minutes), now)), None)
        }
        Operation::ExpireAt(at, minutes) => {
            let instant = now.saturating_add(*minutes * MINUTE + Duration::from_micros(1_000));
            let c = case.kv.collection(at.collection());
            (at, ok(c.expire_at(at.key(), instant).await, &what)?, Some(Some(instant)), None)
        }
        Operation::Persist(at) => {
            let c = case.kv.collection(at.collection());
            (at, ok(c.persist(at.key()).await, &what)?, Some(None), None)
        }
        Operation::Annotate(at, some) if case.can.metadata => {
            let notes = if *some { Metadata::new().with("a", "b") } else { Metadata::new() };
            let c = case.kv.collection(at.collection());
            (at, ok(c.set_metadata(at.key(), &notes).await, &what)?, None, Some(notes))
        }
        _ => return Ok(()),
    };
    let live = reference.live((at.collection(), at.key()), now).cloned();
    same(applied, live.is_some(), &what)?;
    let Some(entry) = live else { return step_get(case, reference, *at).await };
    let expires = expires.unwrap_or(entry.expires);
    let metadata = notes.unwrap_or_else(|| entry.metadata.clone());
    changed(case, reference, *at, Expected { expires, metadata, ..entry }, &what).await
}

#[maybe_async::maybe_async]
async fn looks(case: &Case<'_>, reference: &mut Reference, operation: &Operation) -> Outcome {
    let (now, what) = (case.now(), format!("{operation:?}"));
    match operation {
        Operation::Get(at) => step_get(case, reference, *at).await?,
        Operation::GetMany(collection, keys) => {
            let collection = COLLECTIONS[*collection];
            let keys: Vec<_> = keys.iter().map(|key| KEYS[*key]).collect();
            let entries = ok(case.kv.collection(collection).get_entries(&keys).await, &what)?;
            same(entries.len(), keys.len(), &what)?;
            for (entry, key) in entries.into_iter().zip(keys) {
                fits(ok(entry, &what)?.as_ref(), reference.live((collection, key), now), &what)?;
            }
        }
        Operation::List(collection, limit, prefix) => {
            list(case, reference, COLLECTIONS[*collection], *limit, prefix).await?;
        }
        Operation::Count(collection, prefix) if case.can.listing != Listing::Unsupported => {
            let filter = KeyFilter::starting_with(*prefix);
            let count = ok(case.kv.collection(COLLECTIONS[*collection]).count(&filter).await, &what)?;
            same(count, reference.keys(COLLECTIONS[*collection], prefix, now).len() as u64, &what)?;
        }
        Operation::Clear(collection, prefix) if case.can.clear => {
            let filter = KeyFilter::starting_with(*prefix);
            let collection = COLLECTIONS[*collection];
            let cleared = ok(case.kv.collection(collection).delete_matching(&filter).await, &what)?;
            let gone = reference.keys(collection, prefix, now);
            same(cleared, gone.len() as u64, &what)?;
            gone.into_iter().for_each(|key| reference.remove((collection, key)));
        }
        Operation::Collections if case.can.collections => {
            let names = ok(case.kv.all_collections().await, &what)?;
            let expected: Vec<_> = reference.collections(now).into_iter().map(str::to_owned).collect();
            same(set_of(names), expected, &what)?;
        }
        Operation::Cull if case.can.cull => drop(ok(case.kv.cull().await, &what)?),
        Operation::Reopen if case.can.persistent => ok(case.kv.close().await, &what)?,
        Operation::Wait(seconds) => {
            case.advance(Duration::from_secs(u64::from(*seconds)));
            settle(case, reference);
        }
        Operation::Reach(at) => {
            if let Some(expires) = reference.live((at.collection(), at.key()), now).and_then(|entry| entry.expires) {
                case.reach(expires);
                settle(case, reference);
            }
        }
        Operation::AlmostReach(at) if case.expires_by_clock_alone() => {
            if let Some(expires) = reference.live((at.collection(), at.key()), now).and_then(|entry| entry.expires) {
                case.almost_reach(expires);
            }
        }
        _ => {}
    }
    Ok(())
}

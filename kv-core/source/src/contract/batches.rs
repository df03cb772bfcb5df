//! O3: put_many.

use kv_core::{Condition, ErrorKind, Expiry, Metadata, PutItem, PutOptions, TimeLeft, Value};

use super::case::{Case, Held, MINUTE, are, each, is, needs, ok, refused};
use super::side;
use super::tasks::Task;
use crate::kv::Kv;

/// O3: a batch with one bad name, value or TTL writes nothing.
#[maybe_async::maybe_async]
pub async fn o3_put_many_checks_all_before_it_writes_any(case: &Case<'_>) -> Held {
    let c = case.collection();
    let value = Value::encode(&1).unwrap();
    let long = "x".repeat(case.can.max_key_bytes + 1);
    let ttl = Expiry::after(MINUTE);
    for (key, expiry, kind) in [
        ("", Expiry::Never, ErrorKind::InvalidKey),
        (long.as_str(), ttl, ErrorKind::InvalidKey),
        ("z", Expiry::after(-1.0), ErrorKind::InvalidTtl),
        ("z", Expiry::At(case.now()), ErrorKind::InvalidTtl),
    ] {
        let good: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let mut items: Vec<_> = good.iter().map(|key| PutItem::new(key, value.as_ref())).collect();
        items.push(PutItem::new(key, value.as_ref()).with_expiry(expiry));
        for turn in [0, 10, 0] {
            items.rotate_right(turn);
            let error =
                refused(c.put_items(&items, &PutOptions::default()).await, kind, "O3: put_many with a bad item");
            assert_eq!(error.key(), Some(key), "O3: the item that is refused is named");
            let found = each(c.get_entries(&good).await, "O3: get_many");
            assert!(found.iter().all(Option::is_none), "O3: nothing of a refused batch is written");
        }
    }
    for condition in [Condition::IfAbsent, Condition::IfPresent] {
        let options = PutOptions::default().with_condition(condition);
        refused(c.put_many(&[("a", 1)], &options).await, ErrorKind::InvalidArgument, "O3: put_many with a condition");
    }
    is(c.exists("a").await, false, "O3: nothing is written");
    Ok(())
}

/// O3: of double keys the last wins; no items are no error.
#[maybe_async::maybe_async]
pub async fn o3_of_double_keys_the_last_wins(case: &Case<'_>) -> Held {
    let c = case.collection();
    let none: [(&str, i64); 0] = [];
    is(c.put_many(&none, &PutOptions::default()).await.map(|written| written.len()), 0, "O3: put_many of none");
    case.keeps()?;
    ok(c.put("a", &0).await, "O3: put");
    let items = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 3), ("a", 4)];
    let written = each(c.put_many(&items, &PutOptions::default()).await, "O3: put_many");
    assert_eq!(written.len(), items.len(), "O3: an answer for each item");
    are(c.get_many::<i64>(&["a", "b", "c"]).await, &[Some(4), Some(3), Some(1)], "O3: the last of double keys");
    let last = ok(c.get_entry("a").await, "O3: get").unwrap();
    assert_eq!(written[5].revision(), last.revision(), "O3, C1: the revision answered for the last");
    Ok(())
}

/// O3: items have the batch's TTL and metadata, or a TTL of their own; their revisions are those answered.
#[maybe_async::maybe_async]
pub async fn o3_items_may_have_their_own_expiry(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let value = Value::encode(&1).unwrap();
    let item = |key| PutItem::new(key, value.as_ref());
    let instant = case.now().saturating_add(5 * MINUTE);
    let items = [
        item("batch"),
        item("own").with_expiry(Expiry::after(2 * MINUTE)),
        item("never").with_expiry(Expiry::Never),
        item("at").with_expiry(Expiry::At(instant)),
    ];
    let notes = Metadata::new().with("a", "b");
    let options = PutOptions::ttl(MINUTE);
    let options = if case.can.metadata { options.with_metadata(notes.clone()) } else { options };
    let written = each(c.put_items(&items, &options).await, "O3: put_many");
    let keys = ["batch", "own", "never", "at"];
    let left = |minutes: u32| Some(TimeLeft::For(minutes * MINUTE));
    are(c.ttl_many(&keys).await, &[left(1), left(2), Some(TimeLeft::Forever), left(5)], "O3: the TTLs of a batch");
    let entries = each(c.get_entries(&keys).await, "O3: get_many");
    for (number, entry) in entries.into_iter().enumerate() {
        let entry = entry.expect("O3: what was written is there");
        assert_eq!(entry.revision(), written[number].revision(), "O3, C1: the revision answered for {}", keys[number]);
        assert_eq!(entry.expires(), written[number].expires(), "O3: the instant answered for {}", keys[number]);
        assert_eq!(entry.metadata().is_some(), case.can.metadata, "O3: the metadata of {}", keys[number]);
        assert_eq!(entry.created(), Some(case.now()), "O3: the created instant of {}", keys[number]);
    }
    case.reach(case.now().saturating_add(MINUTE));
    are(c.get_many::<i64>(&keys).await, &[None, Some(1), Some(1), Some(1)], "O3: after a minute");
    Ok(())
}

/// O3: a batch replaces records whole, JSON and bytes side by side.
#[maybe_async::maybe_async]
pub async fn o3_a_batch_replaces_records_whole(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    for key in ["json", "bytes"] {
        ok(c.put_with(key, &"old", &PutOptions::ttl(MINUTE)).await, "O3: put").written().unwrap();
    }
    let (json, bytes) = (Value::encode(&[1]).unwrap(), Value::from_bytes(*b"\0\x01"));
    let items = [PutItem::new("json", json.as_ref()), PutItem::new("bytes", bytes.as_ref())];
    each(c.put_items(&items, &PutOptions::default()).await, "O3: put_many");
    is(c.get("json").await, Some(vec![1]), "O3: JSON");
    is(c.get_bytes("bytes").await, Some(vec![0, 1]), "O3: bytes");
    are(c.ttl_many(&["json", "bytes"]).await, &[Some(TimeLeft::Forever); 2], "O3: permanent");
    Ok(())
}

/// Writes the same keys again and again, each time all with one number of its own.
struct Batch {
    keys: Vec<String>,
}

#[maybe_async::maybe_async]
impl Task for Batch {
    type Output = ();

    async fn run(&self, kv: Kv, number: usize) {
        for round in 0..10 {
            let value = number * 1000 + round;
            let items: Vec<_> = self.keys.iter().map(|key| (key, value)).collect();
            each(kv.collection("c").put_many(&items, &PutOptions::default()).await, "O3: put_many");
        }
    }
}

/// O3: where the capability says that a batch is one step, batches of several writers do not mix.
#[maybe_async::maybe_async]
pub async fn o3_atomic_batches_do_not_mix(case: &Case<'_>) -> Held {
    case.keeps()?;
    needs(case.can.atomic_batches, "its batches are not one step")?;
    let mut keys: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let task = Batch { keys: keys.clone() };
    side::together(std::slice::from_ref(&case.kv), 4, task).await;
    keys.reverse();
    let values = each(case.collection().get_many::<usize>(&keys).await, "O3: get_many");
    let first = values[0].expect("O3: what was written is there");
    assert!(values.iter().all(|value| *value == Some(first)), "O3: a mixture of batches: {values:?}");
    assert_eq!(first % 1000, 9, "O3: the last batch of some writer");
    Ok(())
}

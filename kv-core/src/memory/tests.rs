//! What each method means, one thread, by hand. Bounds, listings, threads and the model have files of their own.

mod bounds;
mod listing;
mod model;
mod threads;

use std::time::Duration;

use super::*;
use crate::{Expiry, KeyFilter, ListOptions, Metadata, ValueRef};

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn name(key: &str) -> Name<'_> {
    Name::new("c", key)
}

fn json(text: &str) -> Record<'_> {
    Record::new(ValueRef::Json(text.as_bytes()), 1)
}

fn text(entry: Option<Entry>) -> Option<String> {
    entry.map(|entry| entry.as_json().unwrap().to_owned())
}

fn put(table: &Table, key: &str, value: &str, expires: Option<i64>, now: i64) {
    let record = json(value).with_expires(expires.map(at));
    assert!(table.put(name(key), &record, &Condition::Always, at(now)).is_written());
}

/// What the shards say, whatever the sums of a bounded table say.
fn stored(table: &Table) -> Usage {
    table.shards.iter().fold(Usage::default(), |sum, shard| {
        let slots = shard.read();
        let bytes: usize = slots.iter().map(Slot::cost).sum();
        assert_eq!(slots.usage(), Usage { entries: slots.iter().count(), bytes });
        Usage { entries: sum.entries + slots.usage().entries, bytes: sum.bytes + bytes }
    })
}

fn buckets(table: &Table) -> usize {
    table.shards.iter().map(|shard| shard.read().buckets()).sum()
}

#[test]
fn a_slot_is_two_words() {
    assert_eq!(size_of::<Slot>(), 16);
    assert_eq!(size_of::<Shard>(), 128, "a shard has its own cache lines");
}

#[test]
fn names_do_not_run_into_each_other() {
    let table = Table::default();
    for (collection, key) in [("ab", "c"), ("a", "bc"), ("abc", "x"), ("x", "abc")] {
        let name = Name::new(collection, key);
        assert!(table.put(name, &json(&format!("\"{collection}/{key}\"")), &Condition::IfAbsent, START).is_written());
    }
    assert_eq!(text(table.get(Name::new("a", "bc"))), Some("\"a/bc\"".to_owned()));
    assert_eq!(text(table.get(Name::new("ab", "c"))), Some("\"ab/c\"".to_owned()));
    assert!(table.get(Name::new("", "abc")).is_none());
    assert_eq!(table.len(), 4);
    // Not even where hashes are equal.
    let slot = Slot::new(7, Name::new("ab", "c"), &json("1"));
    for (hash, collection, key, expected) in [
        (7, "ab", "c", true),
        (8, "ab", "c", false),
        (7, "a", "bc", false),
        (7, "abc", "1", false),
        (7, "", "ab", false),
    ] {
        assert_eq!(slot.is_named(hash, (collection.as_bytes(), key.as_bytes())), expected, "{collection} {key}");
    }
}

#[test]
fn a_write_says_what_it_wrote() {
    let table = Table::default();
    let record = Record::new(ValueRef::Bytes(b"\0"), 9).with_expires(Some(at(5))).with_created(Some(at(1)));
    let written = table.put(name("k"), &record, &Condition::Always, at(1)).written().unwrap();
    assert_eq!((written.revision(), written.expires()), (Revision::from_number(9), Some(at(5))));
    let entry = table.get(name("k")).unwrap();
    assert_eq!((entry.revision(), entry.expires(), entry.created()), (written.revision(), Some(at(5)), Some(at(1))));
    assert_eq!(entry.as_bytes(), Some(&b"\0"[..]));
    assert!(table.get(name("k")).is_some(), "an entry that has ended is shown until it is freed");
}

#[test]
fn conditions_take_what_has_ended_for_absent() {
    let revision = |number| Condition::IfRevision(Revision::from_number(number));
    // The record has revision 1 and ends at 10: what holds at 9, what holds from 10 on.
    let cases = [
        (Condition::Always, true, true),
        (Condition::IfAbsent, false, true),
        (Condition::IfPresent, true, false),
        (revision(1), true, false),
        (revision(2), false, false),
        (Condition::IfRevision(Revision::from_text("1")), false, false),
    ];
    for (condition, before, after) in cases {
        for (now, expected) in [(9, before), (10, after)] {
            let table = Table::default();
            put(&table, "k", "1", Some(10), 0);
            let outcome = table.put(name("k"), &json("2"), &condition, at(now));
            assert_eq!(outcome.is_written(), expected, "{condition:?} at {now}");
            let left = text(table.get(name("k"))).filter(|_| expected || now < 10);
            assert_eq!(left.as_deref(), if expected { Some("2") } else { Some("1").filter(|_| now < 10) });
        }
        let empty = Table::default();
        assert_eq!(empty.put(name("k"), &json("2"), &condition, START).is_written(), after, "{condition:?} on nothing");
        assert_eq!(empty.len(), usize::from(after));
    }
}

#[test]
fn delete_counts_live_entries_only_and_frees_the_others() {
    let revision = |number| Condition::IfRevision(Revision::from_number(number));
    for (condition, live) in [
        (Condition::Always, DeleteOutcome::Deleted),
        (Condition::IfPresent, DeleteOutcome::Deleted),
        (revision(1), DeleteOutcome::Deleted),
        (revision(2), DeleteOutcome::Conflict),
    ] {
        let table = Table::default();
        assert_eq!(table.delete(name("k"), &condition, START), DeleteOutcome::Missing);
        put(&table, "k", "1", Some(10), 0);
        assert_eq!(table.delete(name("k"), &condition, at(9)), live, "{condition:?}");
        assert_eq!(table.len(), usize::from(live == DeleteOutcome::Conflict));
        put(&table, "k", "1", Some(10), 0);
        assert_eq!(table.delete(name("k"), &condition, at(10)), DeleteOutcome::Missing, "{condition:?}");
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }
}

#[test]
fn batches_answer_by_position() {
    let table = Table::default();
    let records = ["1", "2", "3"].map(json);
    table.put_many("c", ["a", "b", "a"].into_iter().zip(records), START);
    put(&table, "old", "4", Some(5), 0);
    let read = |keys: &[&str]| table.get_many("c", keys).into_iter().map(text).collect::<Vec<_>>();
    assert_eq!(read(&["b", "x", "a", "b"]), [Some("2".into()), None, Some("3".into()), Some("2".into())]);
    assert_eq!(table.delete_many("c", &["a", "x", "a", "old", "b"], at(5)), [true, false, false, false, true]);
    assert!(table.is_empty());
    assert!(table.get_many("c", &[]).is_empty() && table.delete_many("c", &[], START).is_empty());
}

#[test]
fn a_change_is_made_of_the_live_entry() {
    let table = Table::default();
    let change = |change: Change<'_>, now| table.modify(name("k"), &change, at(now), 7).unwrap();
    let first = change(Change::Increment(5), 1);
    assert!(first.applied && first.before.is_none());
    assert_eq!(text(first.after), Some("5".into()));
    let touched = change(Change::Touch(Expiry::At(at(10))), 2);
    assert_eq!(touched.after.unwrap().created(), Some(at(1)));
    let second = change(Change::Increment(1), 9);
    assert_eq!((text(second.before), text(second.after)), (Some("5".into()), Some("6".into())));
    assert_eq!(table.get(name("k")).unwrap().expires(), Some(at(10)), "the rest of the record is kept");
    // From its end on it is not there, and starts again.
    let again = change(Change::Increment(1), 10);
    assert!(again.before.is_none());
    assert_eq!((text(table.get(name("k"))), again.after.unwrap().created()), (Some("1".into()), Some(at(10))));
    let taken = change(Change::Take, 11);
    assert!(taken.applied && taken.after.is_none());
    assert_eq!((text(taken.before), table.len(), table.bytes()), (Some("1".into()), 0, 0));
    assert!(!change(Change::Take, 12).applied);
}

#[test]
fn a_change_frees_what_has_ended_even_if_it_does_nothing() {
    let table = Table::default();
    put(&table, "k", "1", Some(10), 0);
    let modified = table.modify(name("k"), &Change::Touch(Expiry::Never), at(10), 2).unwrap();
    assert!(!modified.applied && modified.before.is_none() && modified.after.is_none());
    assert!(table.get(name("k")).is_none());
}

#[test]
fn a_refused_change_changes_nothing() {
    let table = Table::default();
    put(&table, "k", "\"a\"", None, 0);
    let error = table.modify(name("k"), &Change::Increment(1), START, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    let entry = table.get(name("k")).unwrap();
    assert_eq!((entry.as_json(), entry.revision()), (Some("\"a\""), Revision::from_number(1)));
}

#[test]
fn what_was_read_stays_as_it_was() {
    let table = Table::default();
    put(&table, "k", "1", Some(10), 0);
    let read = table.get(name("k")).unwrap();
    let listed = table.list("c", &ListOptions::default().with_entries(), START).unwrap().items.remove(0).entry.unwrap();
    put(&table, "k", "2", None, 0);
    table.modify(name("k"), &Change::Annotate(&Metadata::new().with("a", "b")), START, 3).unwrap();
    assert_eq!(table.delete(name("k"), &Condition::Always, START), DeleteOutcome::Deleted);
    table.destroy(START).sum::<u64>();
    for entry in [read, listed.unwrap()] {
        assert_eq!((entry.as_json(), entry.expires(), entry.metadata()), (Some("1"), Some(at(10)), None));
    }
}

#[test]
fn cull_clear_and_destroy_count_what_they_say() {
    let table = Table::default();
    for index in 0..100 {
        put(&table, &format!("a{index}"), "1", (index < 10).then_some(5), 0);
        put(&table, &format!("b{index}"), "1", None, 0);
    }
    assert!(table.put(Name::new("d", "a1"), &json("1"), &Condition::Always, START).is_written());
    let filter = KeyFilter::starting_with("a");
    assert_eq!(
        (table.count("c", &filter, at(4)).sum::<u64>(), table.count("c", &filter, at(5)).sum::<u64>()),
        (100, 90)
    );
    let clone = |table: &Table| {
        (table.cull(at(4)).sum::<u64>(), table.cull(at(5)).sum::<u64>(), table.cull(at(5)).sum::<u64>())
    };
    assert_eq!(clone(&table), (0, 10, 0));
    assert_eq!(table.len(), 191);
    put(&table, "a0", "1", Some(5), 0);
    assert_eq!(table.clear("c", &filter, at(5)).sum::<u64>(), 90, "what has ended is removed too, and not counted");
    assert_eq!((table.len(), table.count("d", &KeyFilter::all(), at(5)).sum::<u64>()), (101, 1));
    put(&table, "a0", "1", Some(9), 5);
    assert_eq!(table.destroy(at(9)).sum::<u64>(), 101);
    assert_eq!((table.len(), table.bytes()), (0, 0));
    put(&table, "k", "1", None, 9);
    assert_eq!(table.len(), 1, "the table works on");
}

#[test]
fn writes_alone_keep_a_table_of_short_lived_entries_small() {
    let table = Table::default();
    let mut most = 0;
    for index in 0..100_000 {
        // 1000 are alive at any time.
        put(&table, &index.to_string(), "1", Some(index * 10 + 10_000), index * 10);
        most = most.max(table.len().saturating_sub(1000));
    }
    // A hand starts anew when its table grows, so how much waits for it depends on the seed: 500 to 1500 here. Without
    // the hands it would be 99,000.
    assert!(table.len() >= 1000 && most < 5000, "{} and {most} more than are alive", table.len());
    assert!(buckets(&table) < 10_000, "{}", buckets(&table));
    // Every sort of write moves the hand.
    let late = at(100_000_000);
    for index in 0..5000 {
        let _ = table.delete(name(&format!("x{index}")), &Condition::Always, late);
        table.modify(name(&format!("y{index}")), &Change::Take, late, 1).unwrap();
    }
    assert_eq!((table.len(), table.bytes()), (0, 0));
}

#[test]
fn the_hand_finds_what_ends_wherever_slots_moved() {
    let table = Table::new(TableOptions::default().with_max_entries(200));
    let table = Table { bounds: None, ..table };
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    // Every sort of change among slots that end soon, late and never, so that tables grow, shrink and are put in order.
    for second in 0..400_i64 {
        for _ in 0..100 {
            let key = random(3_000).to_string();
            let expires = match random(4) {
                0 => None,
                1 => Some(second + 1 + 200),
                _ => Some(second + 1 + random(5).cast_signed()),
            };
            match random(3) {
                0 => drop(table.delete(name(&key), &Condition::Always, at(second * 1_000_000))),
                _ => put(&table, &key, "1", expires.map(|expires| expires * 1_000_000), second * 1_000_000),
            }
        }
        for shard in &table.shards {
            let slots = shard.read();
            let earliest = slots.iter().map(Slot::due).min().unwrap_or(u32::MAX);
            assert!(slots.next_due() <= earliest, "{} > {earliest}", slots.next_due());
        }
    }
    // With nothing that ends any more, writes alone free all that did.
    for write in 0..40_000 {
        put(&table, &format!("last{}", write % 10), "1", None, 1_000_000_000);
    }
    assert!(table.shards.iter().all(|shard| shard.read().iter().all(|slot| slot.due() == u32::MAX)));
}

#[test]
fn memory_is_given_back_after_most_entries_ended() {
    let full = || {
        let table = Table::default();
        (0..20_000).for_each(|index| put(&table, &index.to_string(), "1", Some(10), 0));
        assert!(buckets(&table) >= 20_000);
        table
    };
    let (culled, swept) = (full(), full());
    assert_eq!(culled.cull(at(10)).sum::<u64>(), 20_000);
    // Writes of one key reach the other shards too: a bucket for each write, some twice as tables shrink.
    (0..50_000).for_each(|_| put(&swept, "k", "1", None, 10));
    assert_eq!((swept.len(), swept.bytes()), (1, stored(&swept).bytes));
    assert!(swept.get(name("k")).is_some());
    for table in [culled, swept] {
        assert!(buckets(&table) <= 64 * 64, "{}", buckets(&table));
    }
}

#[test]
fn instants_beyond_the_coarse_ones_are_kept_exactly() {
    let ends = [
        at(Timestamp::MIN.as_micros() + 1),
        at(-1),
        at(0),
        at(999_999),
        at(1_000_000),
        at(1 << 62 >> 10),
        Timestamp::MAX,
    ];
    for end in ends {
        let table = Table::default();
        let record = json("1").with_expires(Some(end));
        assert!(table.put(name("k"), &record, &Condition::Always, Timestamp::MIN).is_written());
        if let Some(before) = Timestamp::from_micros(end.as_micros() - 1) {
            assert_eq!(
                (table.cull(before).sum::<u64>(), table.count("c", &KeyFilter::all(), before).sum::<u64>()),
                (0, 1),
                "{end}"
            );
        }
        assert_eq!(table.count("c", &KeyFilter::all(), end).sum::<u64>(), 0);
        assert_eq!(table.cull(end.saturating_add(Duration::ZERO)).sum::<u64>(), 1, "{end}");
    }
}

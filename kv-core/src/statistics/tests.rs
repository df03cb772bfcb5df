use std::thread;

use super::*;
use crate::{Metadata, ValueRef};

const GET: Tally = Tally { calls: 1, hits: 1, misses: 0, writes: 0, deletes: 0, errors: 0 };
const TOOK: Duration = Duration::from_micros(3);

#[test]
fn an_operation_is_called_what_errors_and_json_call_it() {
    for (index, operation) in Operation::ALL.into_iter().enumerate() {
        assert_eq!(operation as usize, index);
        assert_eq!(serde_json::to_string(&operation).unwrap(), format!("{:?}", operation.as_str()));
    }
    let (value, notes) = (ValueRef::Json(b"1"), Metadata::new());
    let changes = [
        Change::Increment(1),
        Change::Append(value),
        Change::Take,
        Change::Replace { value, expiry: Expiry::Never, metadata: None },
        Change::Touch(Expiry::Never),
        Change::Touch(Expiry::after(1.0)),
        Change::Annotate(&notes),
        Change::Swap { expected: None, new: None },
    ];
    for change in changes {
        assert_eq!(Operation::of_change(&change).as_str(), change.operation());
    }
}

#[test]
fn no_more_collections_are_told_apart_than_allowed() {
    let statistics = StatisticsHandle::new();
    statistics.set_max_collections(2);
    for collection in ["a", "b", "c", "d", "a", "", &"x".repeat(crate::MAX_NAME_BYTES + 1)] {
        statistics.record(Some(collection), Operation::Get, GET, TOOK);
    }
    statistics.record(None, Operation::Ping, GET, TOOK);
    let snapshot = statistics.snapshot();
    assert_eq!(snapshot.collections.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(snapshot.tally("a", Operation::Get).hits, 2);
    assert_eq!(snapshot.other.tally(Operation::Get).calls, 4);
    assert_eq!(snapshot.other.latency(Operation::Get).total, 4 * TOOK);
    assert_eq!(snapshot.store.tally(Operation::Ping).calls, 1);
    assert_eq!(snapshot.store.operations.len(), 1);

    statistics.reset();
    assert_eq!(statistics.snapshot(), StatisticsSnapshot::default());
    statistics.record(Some("c"), Operation::Get, GET, TOOK);
    assert_eq!(statistics.snapshot().tally("c", Operation::Get), GET);
}

#[test]
fn a_name_that_no_store_takes_is_not_kept() {
    let statistics = StatisticsHandle::new();
    statistics.record(Some(&"x".repeat(crate::MAX_NAME_BYTES + 1)), Operation::Get, GET, TOOK);
    assert!(statistics.snapshot().collections.is_empty());
    assert_eq!(statistics.snapshot().other.tally(Operation::Get), GET);
}

#[test]
fn nothing_is_lost_between_threads() {
    const THREADS: u64 = 4;
    const EACH: u64 = 2_000;
    let statistics = StatisticsHandle::new();
    statistics.set_max_collections(8);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let statistics = statistics.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    statistics.record(Some(&format!("c{}", number % 16)), Operation::Get, GET, TOOK);
                }
            });
        }
    });
    let snapshot = statistics.snapshot();
    assert_eq!(snapshot.collections.len(), 8);
    let named: u64 = snapshot.collections.values().map(|known| known.tally(Operation::Get).calls).sum();
    assert_eq!(named + snapshot.other.tally(Operation::Get).calls, THREADS * EACH);
    let timed: u64 = snapshot.collections.values().map(|known| known.latency(Operation::Get).count).sum();
    assert_eq!(timed, named);
}

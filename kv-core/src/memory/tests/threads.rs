use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

#[test]
fn no_increment_is_lost() {
    const TIMES: u64 = 2000;
    for table in [Table::default(), Table::new(TableOptions::default().with_max_entries(4))] {
        thread::scope(|scope| {
            for thread in 0..8 {
                let table = &table;
                scope.spawn(move || {
                    for time in 0..TIMES {
                        let key = ["a", "b", "c", "d"][((time + thread) % 4) as usize];
                        let modified = table.modify(name(key), &Change::Increment(1), START, thread * TIMES + time);
                        assert!(modified.unwrap().applied);
                    }
                });
            }
        });
        for key in ["a", "b", "c", "d"] {
            assert_eq!(text(table.get(name(key))), Some((8 * TIMES / 4).to_string()), "{key}");
        }
    }
}

#[test]
fn one_of_many_puts_if_absent_wins() {
    for round in 0..200 {
        let table = Table::default();
        put(&table, "k", "0", Some(5), 0);
        let won: usize = thread::scope(|scope| {
            let put = |value: usize| {
                let outcome = table.put(name("k"), &json(&value.to_string()), &Condition::IfAbsent, at(5));
                usize::from(outcome.is_written())
            };
            let threads: Vec<_> = (1..5).map(|value| scope.spawn(move || put(value))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

#[test]
fn steady_keys_are_listed_once_while_others_write() {
    let table = Table::default();
    let steady: Vec<String> = (0..2000).map(|index| format!("s{index:04}")).collect();
    steady.iter().for_each(|key| put(&table, key, "1", None, 0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (table, steady, done) = (&table, &steady, &done);
            scope.spawn(move || {
                // Grow and shrink in turn, and overwrite what stays.
                for time in 0_usize.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("x{thread}-{}", time % 10_000);
                    if time / 10_000 % 2 == 0 {
                        put(table, &key, "1", None, 0);
                    } else {
                        let _ = table.delete(name(&key), &Condition::Always, START);
                    }
                    put(table, &steady[time % steady.len()], "2", None, 0);
                }
            });
        }
        for (round, limit) in [10, 50, 333, 5000].into_iter().cycle().take(20).enumerate() {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let mut options = ListOptions::default().with_limit(limit);
            loop {
                let page = table.list("c", &options, START).unwrap();
                page.items.into_iter().for_each(|item| *seen.entry(item.key).or_default() += 1);
                match page.next {
                    Some(next) => options.cursor = Some(next),
                    None => break,
                }
            }
            assert!(steady.iter().all(|key| seen.get(key) == Some(&1)), "round {round}");
            assert!(seen.values().all(|times| *times == 1), "round {round}: even those that came and went");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn bounds_hold_under_many_writers_and_no_more_is_evicted_than_must_be() {
    const WRITERS: usize = 4;
    for most in [1, 2, 100, 3000] {
        let table = Table::new(TableOptions::default().with_max_entries(most));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|thread| {
                    let table = &table;
                    scope.spawn(move || {
                        for index in 0..5000 {
                            put(table, &format!("{thread}-{index}"), "1", None, 0);
                        }
                    })
                })
                .collect();
            let (table, done) = (&table, &done);
            scope.spawn(move || {
                let mut full = false;
                while !done.load(Ordering::Relaxed) {
                    let len = table.len();
                    assert!(len <= most + WRITERS, "{len} of {most}");
                    full |= len >= most;
                    assert!(!full || len >= most, "{len} of {most}");
                }
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(table.len(), most);
        assert_eq!(stored(&table), table.usage());
    }
}

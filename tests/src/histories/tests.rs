use std::time::{Duration, Instant};

use super::*;

/// A history from rows of (called, answered, call, answer), one client each.
fn history(rows: &[(u64, u64, Call, Answer)]) -> Vec<Operation> {
    let row =
        |(client, &(called, answered, call, answer))| Operation { key: 0, client, call, answer, called, answered };
    rows.iter().enumerate().map(row).collect()
}

fn holds(rows: &[(u64, u64, Call, Answer)]) -> bool {
    check(&history(rows)).is_ok()
}

use Answer::{Conflict, Deleted, Found, Missing, Sum, Swapped, Unknown, Written};
use Call::{Delete, DeleteIfMark, Get, Increment, Put, PutIfAbsent, PutIfMark, Swap};

const A: i64 = 1 << FAMILY;
const B: i64 = 2 << FAMILY;

#[test]
fn what_happens_one_after_the_other_is_as_a_register_answers() {
    assert!(holds(&[
        (0, 1, Get, Found(None)),
        (2, 3, Put(A), Written(7)),
        (4, 5, Get, Found(Some((A, 7)))),
        (6, 7, PutIfAbsent(B), Conflict),
        (8, 9, PutIfMark(6, B), Conflict),
        (10, 11, PutIfMark(7, B), Written(8)),
        (12, 13, DeleteIfMark(7), Conflict),
        (14, 15, Increment(1), Sum(B + 1)),
        (16, 17, Get, Found(Some((B + 1, 9)))),
        (18, 19, Swap(Some(B), None), Conflict),
        (20, 21, Swap(Some(B + 1), Some(3)), Swapped),
        (22, 23, Delete, Deleted),
        (24, 25, Delete, Missing),
        (26, 27, Swap(None, Some(5)), Swapped),
        (28, 29, Increment(2), Sum(7)),
    ]));
    for wrong in [
        (26, 27, Get, Found(Some((B, 8)))),
        (26, 27, Delete, Deleted),
        (26, 27, PutIfAbsent(B), Conflict),
        (26, 27, Increment(1), Sum(2)),
        (26, 27, DeleteIfMark(8), Conflict),
        (26, 27, Swap(Some(1), None), Swapped),
        (26, 27, PutIfMark(8, A), Written(10)),
    ] {
        let rows = [(8, 9, Put(B), Written(8)), (22, 23, Delete, Deleted), (24, 25, Delete, Missing), wrong];
        assert!(holds(&rows[..3]) && !holds(&rows), "{wrong:?}");
    }
}

#[test]
fn a_lost_update_is_refused() {
    assert!(holds(&[(0, 9, Increment(1), Sum(1)), (0, 9, Increment(1), Sum(2))]));
    assert!(!holds(&[(0, 9, Increment(1), Sum(1)), (0, 9, Increment(1), Sum(1))]));
    let sums = [(0, 5, Increment(1), Sum(1)), (0, 5, Increment(1), Sum(2)), (6, 7, Get, Found(Some((1, 7))))];
    assert!(!holds(&sums));
    // Both claim to have replaced the same state.
    let both =
        |second| [(0, 1, Put(A), Written(1)), (2, 9, PutIfMark(1, B), Written(2)), (2, 9, PutIfMark(1, 5), second)];
    assert!(holds(&both(Conflict)) && !holds(&both(Written(3))));
    let both = |second| {
        [(0, 1, Put(A), Written(1)), (2, 9, Swap(Some(A), Some(B)), Swapped), (2, 9, Swap(Some(A), Some(5)), second)]
    };
    assert!(holds(&both(Conflict)) && !holds(&both(Swapped)));
    let both = |second| [(0, 9, PutIfAbsent(A), Written(1)), (0, 9, PutIfAbsent(B), second)];
    assert!(holds(&both(Conflict)) && !holds(&both(Written(2))));
}

#[test]
fn a_stale_read_is_refused() {
    let read = |called, value, mark| {
        [(0, 1, Put(A), Written(1)), (2, 5, Put(B), Written(2)), (called, 9, Get, Found(Some((value, mark))))]
    };
    assert!(holds(&read(3, A, 1)) && holds(&read(3, B, 2)), "while it is being written it is either");
    assert!(holds(&read(5, A, 1)), "in one instant: they may have overlapped");
    assert!(holds(&read(6, B, 2)) && !holds(&read(6, A, 1)));
    assert!(!holds(&read(3, A, 2)), "the value of one with the mark of the other");
    // Nobody sees the old one after somebody saw the new one, though the write is under way.
    let rows = |second| {
        [(0, 1, Put(A), Written(1)), (2, 20, Put(B), Written(2)), (3, 5, Get, Found(Some((B, 2)))), (6, 8, Get, second)]
    };
    assert!(holds(&rows(Found(Some((B, 2))))) && !holds(&rows(Found(Some((A, 1))))));
    let missing = [(0, 1, Put(A), Written(1)), (2, 3, Get, Found(None))];
    assert!(!holds(&missing), "and an outage is no miss");
}

#[test]
fn a_resurrected_delete_is_refused() {
    let rows = |last| [(0, 1, Put(A), Written(1)), (2, 3, Delete, Deleted), (4, 5, Get, Found(None)), last];
    assert!(holds(&rows((6, 7, PutIfAbsent(B), Written(2)))));
    assert!(!holds(&rows((6, 7, Get, Found(Some((A, 1)))))));
    assert!(!holds(&rows((6, 7, Delete, Deleted))));
    assert!(
        !holds(&[(0, 1, Put(A), Written(1)), (2, 9, Delete, Deleted), (2, 9, Delete, Deleted)]),
        "one of them had it"
    );
}

#[test]
fn what_has_no_answer_happens_at_any_time_or_never() {
    let read = |answer| [(0, 1, Put(A), Written(1)), (2, 3, Put(B), Unknown), (90, 91, Get, answer)];
    assert!(holds(&read(Found(Some((A, 1))))) && holds(&read(Found(Some((B, 5))))));
    assert!(!holds(&read(Found(None))));
    // Once: what it wrote does not come back.
    let twice = [
        (0, 1, Put(B), Unknown),
        (2, 3, Get, Found(Some((B, 1)))),
        (4, 5, Put(A), Written(2)),
        (6, 7, Get, Found(Some((B, 1)))),
    ];
    assert!(holds(&twice[..3]) && !holds(&twice));
    let late = [(4, 5, Get, Found(Some((B, 1)))), (6, 7, Put(B), Unknown)];
    assert!(!holds(&late), "not before it was asked for");
    // Counting: as many as there were, and no more.
    let sum = |sum| {
        [
            (0, 1, Increment(1), Unknown),
            (0, 1, Increment(1), Unknown),
            (0, 1, Increment(3), Unknown),
            (5, 6, Increment(1), Sum(sum)),
        ]
    };
    let possible: Vec<i64> = (0..10).filter(|value| holds(&sum(*value))).collect();
    assert_eq!(possible, [1, 2, 3, 4, 5, 6]);
    // What was never seen shows itself all the same, by being there and by being gone.
    let gone = [
        (0, 1, Put(A), Written(1)),
        (2, 3, Delete, Unknown),
        (4, 5, PutIfAbsent(B), Written(2)),
        (6, 7, Delete, Missing),
    ];
    assert!(holds(&gone[..3]) && !holds(&gone));
    let there = [(0, 1, Put(A), Unknown), (2, 3, Delete, Deleted), (4, 5, Delete, Deleted)];
    assert!(holds(&there[..2]) && !holds(&there));
    let swapped =
        [(0, 1, Put(3), Written(1)), (2, 3, Swap(Some(3), Some(4)), Unknown), (4, 5, Get, Found(Some((4, 2))))];
    assert!(holds(&swapped));
    assert!(!holds(&[swapped[1], swapped[2]]), "its condition never held");
    let over = [
        (0, 1, Put(A), Written(1)),
        (2, 3, PutIfMark(1, B), Unknown),
        (4, 5, Put(A + 1), Written(3)),
        (6, 7, Get, Found(Some((B, 4)))),
    ];
    assert!(!holds(&over), "the state that it was to replace is gone");
    assert!(holds(&[over[0], over[1], over[3], (8, 9, Put(A + 1), Written(3))]));
}

#[test]
fn keys_are_apart() {
    let mut rows = history(&[(0, 1, Put(A), Written(1)), (2, 3, Get, Found(None))]);
    assert!(check(&rows).is_err());
    rows[1].key = 1;
    assert_eq!(check(&rows), Ok(Checked { operations: 2, unknown: 0, widest: 1 }));
    rows[1] = Operation { answer: Found(Some((A, 1))), ..rows[1] };
    let message = check(&rows).unwrap_err().message;
    assert!(message.contains("key 1") && message.contains("no order explains this answer"), "{message}");
}

/// A register in the middle of its clients' time: what each call is answered by it, with an instant drawn for each.
struct Simulation {
    random: u64,
    state: Option<(i64, Mark)>,
    marks: Mark,
}

impl Simulation {
    fn draw(&mut self, below: u64) -> u64 {
        // The generator of Numerical Recipes; its upper bits are good enough.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn write(&mut self, value: i64) -> Answer {
        self.marks += 1;
        self.state = Some((value, self.marks));
        Written(self.marks)
    }

    fn answer(&mut self, call: Call) -> Answer {
        let (value, mark) = self.state.map_or((None, None), |(value, mark)| (Some(value), Some(mark)));
        match call {
            Get => Found(self.state),
            Put(new) => self.write(new),
            PutIfAbsent(new) => {
                if value.is_none() {
                    self.write(new)
                } else {
                    Conflict
                }
            }
            PutIfMark(old, new) => {
                if mark == Some(old) {
                    self.write(new)
                } else {
                    Conflict
                }
            }
            Delete => self.state.take().map_or(Missing, |_| Deleted),
            DeleteIfMark(_) if value.is_none() => Missing,
            DeleteIfMark(old) if mark == Some(old) => self.state.take().map_or(Missing, |_| Deleted),
            DeleteIfMark(_) => Conflict,
            Increment(by) => {
                self.write(value.unwrap_or(0) + by);
                Sum(value.unwrap_or(0) + by)
            }
            Swap(expected, _) if expected != value => Conflict,
            Swap(_, new) => {
                self.state = None;
                new.map(|new| self.write(new));
                Swapped
            }
        }
    }

    /// A history of 8 clients on one key; of `lost` in 1,000 calls nobody hears the answer, and half of them fail.
    fn run(&mut self, operations: usize, lost: u64) -> Vec<Operation> {
        let mut free = [0_u64; 8];
        let mut calls = Vec::new();
        for number in 0..operations {
            let client = (0..8).min_by_key(|client| free[*client]).unwrap();
            let called = free[client] + self.draw(3000);
            let happens = called + self.draw(1000);
            let answered = happens + self.draw(1000);
            free[client] = answered + 1;
            calls.push((happens, number, client, called, answered));
        }
        calls.sort_unstable();
        let mut history = Vec::new();
        // What each client was shown last.
        let mut shown = [0; 8];
        for (_, number, client, called, answered) in calls {
            let mark = shown[client];
            let there = self.state.map(|(value, _)| value);
            let new = unique(number as i64 + 1);
            let call = match self.draw(12) {
                0..3 => Get,
                3 => Put(new),
                4 => PutIfAbsent(new),
                5 => PutIfMark(mark, new),
                6 => Delete,
                7 => DeleteIfMark(mark),
                8 => Swap(there, Some(new)),
                9 => Swap(None, Some(new)),
                _ => Increment(1),
            };
            let is_lost = call != Get && self.draw(1000) < lost;
            if is_lost && self.draw(2) == 0 {
                history.push(Operation { key: 0, client, call, answer: Unknown, called, answered });
                continue;
            }
            let answer = self.answer(call);
            if let (false, Found(Some((_, mark))) | Written(mark)) = (is_lost, answer) {
                shown[client] = mark;
            }
            history.push(Operation {
                key: 0,
                client,
                call,
                answer: if is_lost { Unknown } else { answer },
                called,
                answered,
            });
        }
        history
    }
}

fn simulate(seed: u64, operations: usize, lost: u64) -> Vec<Operation> {
    Simulation { random: seed, state: None, marks: 0 }.run(operations, lost)
}

#[test]
fn a_hundred_thousand_operations_are_checked_fast() {
    for lost in [0, 1] {
        let history = simulate(1, 100_000, lost);
        let start = Instant::now();
        let checked = check(&history).unwrap();
        println!("{checked:?} in {:?}", start.elapsed());
        assert_eq!(checked.operations, 100_000);
        assert_eq!(checked.unknown > 0, lost > 0);
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
}

#[test]
fn one_false_answer_among_thousands_is_found() {
    let mut refused = 0;
    for seed in 0..50 {
        let mut history = simulate(seed, 2000, 0);
        check(&history).unwrap();
        let at = (seed as usize * 37) % 1000 + 500;
        // The first read or sum after it, one too high.
        for operation in &mut history[at..] {
            match &mut operation.answer {
                Sum(sum) => *sum += 1,
                Found(Some((value, _))) => *value += 1,
                Found(none @ None) => *none = Some((unique(1 << 30), 1)),
                _ => continue,
            }
            break;
        }
        refused += usize::from(check(&history).is_err());
    }
    // By chance a false answer may be true.
    assert!(refused >= 48, "{refused} of 50");
}

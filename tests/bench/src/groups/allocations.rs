//! Allocations of one operation of ours in memory.

use crate::alloc;
use crate::measure::Row;
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};
use crate::subjects::{Op, Subject, ours};

const KEYS: usize = 10_000;

pub fn run() -> Vec<Row> {
    let keys = Keys::new(KEYS);
    let runtimes = Runtimes::new();
    let blocking = blocking("blocking", ours::blocking(kv_sync::stores::MemoryStore::new()), &keys, 1);
    let awaiting = awaiting("async", ours::awaiting(kv_async::stores::MemoryStore::new()), &keys, &runtimes, 1);
    let mut rows = Vec::new();
    for op in [Op::Get, Op::Miss, Op::Put, Op::GetMany, Op::PutMany, Op::GetTyped, Op::PutTyped] {
        for subject in [&blocking, &awaiting] {
            rows.push(row(&**subject, op));
        }
    }
    rows
}

fn row(subject: &dyn Subject, op: Op) -> Row {
    const COUNT: usize = 1000;
    subject.run(op, 0, COUNT);
    let once = alloc::count(|| _ = subject.run(op, 0, COUNT));
    let twice = alloc::count(|| _ = subject.run(op, 0, 2 * COUNT));
    // What a run costs beside its operations is in both.
    let each = (twice - once) as f64 / COUNT as f64;
    eprintln!("allocations {:10} {:14} {each:.2}", subject.name(), op.name());
    Row {
        group: "allocations".to_owned(),
        config: "of one operation".to_owned(),
        op: op.name().to_owned(),
        subject: subject.name().to_owned(),
        median: each,
        unit: "allocations".to_owned(),
        ratio: each,
        spread: (each, each),
    }
}

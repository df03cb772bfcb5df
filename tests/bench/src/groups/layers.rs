//! Stacks of zero to five wrappers over memory: the call, and where it awaits the boxed future, of each.

use crate::measure::{Plan, Row, compare};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};
use crate::subjects::{Op, Subject, layers, ours};

const KEYS: usize = 1000;
pub const GROUP: &str = "layers";
const DEPTHS: std::ops::RangeInclusive<usize> = 0..=5;

/// What a stack is called.
pub fn name(depth: usize) -> String {
    format!("{depth} layers")
}

pub fn run(plan: Plan) -> Vec<Row> {
    let keys = Keys::new(KEYS);
    let runtimes = Runtimes::new();
    let stacks: [(&str, Vec<Box<dyn Subject>>); 2] = [
        ("blocking", DEPTHS.map(|n| blocking(&name(n), ours::blocking(layers::blocking(n)), &keys, 1)).collect()),
        (
            "async",
            DEPTHS.map(|n| awaiting(&name(n), ours::awaiting(layers::awaiting(n)), &keys, &runtimes, 1)).collect(),
        ),
    ];
    let mut rows = Vec::new();
    for (flavour, subjects) in &stacks {
        for op in [Op::Get, Op::Put] {
            rows.extend(compare(GROUP, flavour, op, subjects, plan));
        }
    }
    rows
}

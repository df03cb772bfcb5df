//! The frame of the groups whose backend is a server: each flavour, alone and several at once; and what a batch is worth.
//! What is alone shares a processor with its server, see [`placement`](crate::placement).

use std::error::Error;
use std::sync::Arc;

use super::{FLOOR, OURS};
use crate::measure::{Plan, Row, compare, config};
use crate::placement::Together;
use crate::subjects::batches::{PutsAsync, PutsBlocking};
use crate::subjects::run::{Keys, Runtimes};
use crate::subjects::{Op, Subject};

pub type Outcome<T> = Result<T, Box<dyn Error>>;
pub type Subjects = Vec<Box<dyn Subject>>;

/// What puts of 1,000 small values are compared in.
pub const BATCHES: &str = "batches";

/// Who is measured.
pub struct Contest<'a> {
    pub group: &'static str,
    pub keys: Arc<Keys>,
    pub runtimes: Runtimes,
    /// In so many threads; the first is the floor.
    pub blocking: &'a dyn Fn(&Arc<Keys>, usize) -> Outcome<Subjects>,
    /// In so many tasks; the first is the floor.
    pub awaiting: &'a dyn Fn(&Arc<Keys>, &Runtimes, usize) -> Outcome<Subjects>,
}

impl Contest<'_> {
    pub fn run(&self, plan: Plan) -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        for threads in [1, 2] {
            let config = config("blocking", threads);
            if plan.wants(self.group, &config, &Op::STORES) {
                let subjects = (self.blocking)(&self.keys, threads)?;
                let _together = Together::new(threads == 1);
                Op::STORES.iter().for_each(|op| rows.extend(compare(self.group, &config, *op, &subjects, plan)));
            }
        }
        for tasks in [1, 64] {
            let config = config("async", tasks);
            if plan.wants(self.group, &config, &Op::STORES) {
                let subjects = (self.awaiting)(&self.keys, &self.runtimes, tasks)?;
                let _together = Together::new(tasks == 1);
                Op::STORES.iter().for_each(|op| rows.extend(compare(self.group, &config, *op, &subjects, plan)));
            }
        }
        Ok(rows)
    }

    /// 1,000 values of 200 bytes, one after the other and in one call: here the loop is the floor.
    pub fn batches(&self, plan: Plan, blocking: kv_sync::Kv, awaiting: kv_async::Kv) -> Vec<Row> {
        batches(self.group, &self.runtimes, plan, blocking, awaiting)
    }
}

/// See [`Contest::batches`].
pub fn batches(
    group: &str,
    runtimes: &Runtimes,
    plan: Plan,
    blocking: kv_sync::Kv,
    awaiting: kv_async::Kv,
) -> Vec<Row> {
    let group = format!("{group}, {BATCHES}");
    let mut rows = Vec::new();
    let subjects: [Box<dyn Subject>; 2] =
        [Box::new(PutsBlocking::one_by_one(FLOOR, blocking.clone())), Box::new(PutsBlocking::at_once(OURS, blocking))];
    rows.extend(compare(&group, &config("blocking", 1), Op::Thousand, &subjects, plan));
    let runtime = runtimes.of(1);
    let subjects: [Box<dyn Subject>; 2] = [
        Box::new(PutsAsync::one_by_one(FLOOR, awaiting.clone(), runtime)),
        Box::new(PutsAsync::at_once(OURS, awaiting, runtime)),
    ];
    rows.extend(compare(&group, &config("async", 1), Op::Thousand, &subjects, plan));
    rows
}

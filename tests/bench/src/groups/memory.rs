//! Memory: a sharded map, ours, and the caches.

use std::sync::Arc;

use opendal::Operator;

use super::{FLOOR, OURS};
use crate::measure::{Plan, Row, compare, config};
use crate::subjects::caches::{AsyncMoka, Cached, Foyer, Moka, QuickCache};
use crate::subjects::memory::{Coarse, Map};
use crate::subjects::opendal::OpenDal;
use crate::subjects::openkeyv::OpenKeyv;
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking, in_place};
use crate::subjects::{Op, Subject, ours};

const KEYS: usize = 100_000;
const GROUP: &str = "memory";

pub fn run(plan: Plan) -> Vec<Row> {
    let keys = Keys::new(KEYS);
    let mut rows = Vec::new();
    for threads in [1, 2] {
        let config = config("blocking", threads);
        if !plan.wants(GROUP, &config, &Op::MEMORY) {
            continue;
        }
        let subjects: Vec<Box<dyn Subject>> = vec![
            blocking(FLOOR, Map::new(), &keys, threads),
            blocking(OURS, ours::blocking(kv_sync::stores::MemoryStore::new()), &keys, threads),
            blocking("floor, coarse clock", Arc::new(Coarse(Map::new())), &keys, threads),
            blocking("moka", Moka::new(), &keys, threads),
            blocking("foyer", Foyer::new(), &keys, threads),
            blocking("cached", Cached::new(), &keys, threads),
            blocking("quick_cache", QuickCache::new(), &keys, threads),
        ];
        for op in Op::MEMORY {
            rows.extend(compare(GROUP, &config, op, &subjects, plan));
        }
    }
    let runtimes = Runtimes::new();
    for tasks in [1, 64] {
        let config = config("async", tasks);
        if !plan.wants(GROUP, &config, &Op::MEMORY) {
            continue;
        }
        let opendal = Operator::new(opendal::services::Memory::default()).expect("an operator");
        let openkeyv = OpenKeyv::<_, true>(Arc::new(openkeyv::store::memory::MemoryStore::new()));
        let subjects: Vec<Box<dyn Subject>> = vec![
            awaiting(FLOOR, in_place(Map::new()), &keys, &runtimes, tasks),
            awaiting(OURS, ours::awaiting(kv_async::stores::MemoryStore::new()), &keys, &runtimes, tasks),
            awaiting("moka", AsyncMoka::new(), &keys, &runtimes, tasks),
            awaiting("foyer", in_place(Foyer::new()), &keys, &runtimes, tasks),
            awaiting("cached", in_place(Cached::new()), &keys, &runtimes, tasks),
            awaiting("quick_cache", in_place(QuickCache::new()), &keys, &runtimes, tasks),
            awaiting("opendal", OpenDal::one_by_one(opendal), &keys, &runtimes, tasks),
            awaiting("openkeyv", Arc::new(openkeyv), &keys, &runtimes, tasks),
        ];
        for op in Op::MEMORY {
            rows.extend(compare(GROUP, &config, op, &subjects, plan));
        }
    }
    rows
}

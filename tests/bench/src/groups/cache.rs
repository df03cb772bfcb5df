//! A cache in memory before Redis: a get that finds a copy, against the same get of a store in memory.

use super::redis::Server;
use super::{FLOOR, OURS};
use crate::measure::{Plan, Row, compare, config};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};
use crate::subjects::{Op, Subject, ours};

/// All of them are hot.
const KEYS: usize = 1000;
pub const GROUP: &str = "cache";

pub fn run(plan: Plan) -> Result<Vec<Row>, String> {
    let server = Server::start()?;
    measure(&server.url, plan).map_err(|error| format!("{}: {error}", server.url))
}

fn measure(url: &str, plan: Plan) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let keys = Keys::new(KEYS);
    let runtimes = Runtimes::new();
    let mut sets: Vec<(String, [Box<dyn Subject>; 2])> = Vec::new();
    {
        use kv_sync::stores::{MemoryStore, RedisStore};
        let cache = kv_sync::wrappers::PassthroughCache::new(MemoryStore::new(), RedisStore::connect(url)?);
        let subjects = [
            blocking(FLOOR, ours::blocking(MemoryStore::new()), &keys, 1),
            blocking(OURS, ours::blocking(cache), &keys, 1),
        ];
        sets.push((config("blocking", 1), subjects));
    }
    {
        use kv_async::stores::{MemoryStore, RedisStore};
        let cache = kv_async::wrappers::PassthroughCache::new(MemoryStore::new(), RedisStore::connect(url)?);
        let subjects = [
            awaiting(FLOOR, ours::awaiting(MemoryStore::new()), &keys, &runtimes, 1),
            awaiting(OURS, ours::awaiting(cache), &keys, &runtimes, 1),
        ];
        sets.push((config("async", 1), subjects));
    }
    let mut rows = Vec::new();
    for (config, subjects) in &sets {
        // Each key once: the copies are there.
        subjects.iter().for_each(|subject| {
            subject.run(Op::HotGet, 0, KEYS);
        });
        for op in [Op::HotGet, Op::GetTyped] {
            rows.extend(compare(GROUP, config, op, subjects, plan));
        }
    }
    Ok(rows)
}

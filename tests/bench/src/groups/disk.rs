//! Disk: rusqlite as it is, ours, and in a process of their own the peers on SQLite.

use std::path::Path;
use std::sync::Arc;

use kv_async::stores as awaits;
use kv_sync::stores as blocks;

use super::{FLOOR, OURS};
use crate::measure::{Plan, Row, compare, config};
use crate::subjects::disk::{Raw, Spawning};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking, in_place};
use crate::subjects::{Op, Subject, ours, remote};

const KEYS: usize = 10_000;
const GROUP: &str = "disk";
const POWER: &str = "disk, power";
/// What waits for the disk.
const POWER_OPS: [Op; 2] = [Op::Put, Op::PutMany];

pub fn run(plan: Plan) -> Result<Vec<Row>, String> {
    let plan = plan.longer();
    // Beside this program, for there is a disk; the directory for temporary files may be none.
    let target = remote::target_directory()?;
    let directory = tempfile::tempdir_in(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let keys = Keys::new(KEYS);
    let runtimes = Runtimes::new();
    let mut rows = Vec::new();
    let mut count = 0;
    let mut path = || {
        count += 1;
        directory.path().join(format!("{count}.db"))
    };
    for threads in [1, 2] {
        let config = config("blocking", threads);
        if !plan.wants(GROUP, &config, &Op::STORES) {
            continue;
        }
        let subjects = [
            blocking(FLOOR, raw(&path(), "NORMAL")?, &keys, threads),
            blocking(OURS, ours::blocking(blocks::DiskStore::open(path())), &keys, threads),
        ];
        for op in Op::STORES {
            rows.extend(compare(GROUP, &config, op, &subjects, plan));
        }
    }
    for tasks in [1, 64] {
        let config = config("async", tasks);
        if !plan.wants(GROUP, &config, &Op::STORES) {
            continue;
        }
        let spawning = Arc::new(Spawning(raw(&path(), "NORMAL")?));
        let mut subjects = vec![
            awaiting(FLOOR, in_place(raw(&path(), "NORMAL")?), &keys, &runtimes, tasks),
            awaiting(OURS, ours::awaiting(awaits::DiskStore::open(path())), &keys, &runtimes, tasks),
            awaiting("floor, spawn_blocking", spawning, &keys, &runtimes, tasks),
        ];
        match peers(&directory.path().join(format!("peers-{tasks}")), tasks) {
            Ok(peers) => subjects.extend(peers),
            Err(reason) => eprintln!("disk: without openkeyv and opendal: {reason}"),
        }
        for op in Op::STORES {
            rows.extend(compare(GROUP, &config, op, &subjects, plan));
        }
    }
    let options = || blocks::DiskOptions::default().with_durability(blocks::Durability::Power);
    for threads in [1, 2] {
        let config = config("blocking", threads);
        if !plan.wants(POWER, &config, &POWER_OPS) {
            continue;
        }
        let subjects = [
            blocking(FLOOR, raw(&path(), "FULL")?, &keys, threads),
            blocking(OURS, ours::blocking(blocks::DiskStore::with_options(path(), options())), &keys, threads),
        ];
        for op in POWER_OPS {
            rows.extend(compare(POWER, &config, op, &subjects, plan));
        }
    }
    let options = || awaits::DiskOptions::default().with_durability(awaits::Durability::Power);
    for tasks in [1, 64] {
        let config = config("async", tasks);
        if !plan.wants(POWER, &config, &POWER_OPS) {
            continue;
        }
        let ours = ours::awaiting(awaits::DiskStore::with_options(path(), options()));
        let subjects = [
            awaiting(FLOOR, in_place(raw(&path(), "FULL")?), &keys, &runtimes, tasks),
            awaiting(OURS, ours, &keys, &runtimes, tasks),
        ];
        for op in POWER_OPS {
            rows.extend(compare(POWER, &config, op, &subjects, plan));
        }
    }
    Ok(rows)
}

fn raw(path: &Path, synchronous: &str) -> Result<Arc<Raw>, String> {
    Raw::open(path, synchronous).map_err(|error| format!("{}: {error}", path.display()))
}

/// The peers, in a process of their own, their files in this new directory.
fn peers(directory: &Path, tasks: usize) -> Result<Vec<Box<dyn Subject>>, String> {
    std::fs::create_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    remote::peers(&["sqlite", &directory.display().to_string(), &tasks.to_string()])
}

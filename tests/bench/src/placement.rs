//! On which processors a client and its server run.
//!
//! Two processes that take turns run on one processor or on two as the scheduler has it, and keep to that for seconds. On
//! two, each turn wakes an idle processor, which costs more than a short operation itself: what is compared would be luck.

use std::collections::HashMap;
use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// While it lives, this process and all that it started run on one processor.
#[derive(Debug)]
pub struct Together {
    before: Option<CpuSet>,
}

impl Together {
    /// Moves them, if `wanted`. Nothing is moved where the system does not let us.
    pub fn new(wanted: bool) -> Self {
        let before = sched_getaffinity(None).ok().filter(|_| wanted);
        if let Some(before) = &before {
            let mut one = CpuSet::new();
            if let Some(first) = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)) {
                one.set(first);
                place(&one);
            }
        }
        Self { before }
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            place(before);
        }
    }
}

/// Where every thread of this process and of its descendants may run from now on.
fn place(set: &CpuSet) {
    let mut wanted = vec![std::process::id()];
    let parents = parents();
    loop {
        let children = parents.iter().filter(|(pid, parent)| wanted.contains(parent) && !wanted.contains(pid));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            break;
        }
        wanted.extend(children);
    }
    for pid in wanted {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let id = thread.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
            // A thread may have ended by now.
            let _ = sched_setaffinity(id, set);
        }
    }
}

/// The processes, and who started each.
fn parents() -> HashMap<u32, u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name before it may have anything in it but ends with the last parenthesis.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    processes.filter_map(parent).collect()
}

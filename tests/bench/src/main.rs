//! Floor, ours and peers in turn: what the library costs over the bare map or driver doing the same work.
//!
//! `kv-bench [memory|disk|redis|postgres|mongodb|opensearch|layers|cache|values|allocations|rss]... [--quick] [--only TEXT]`; all of them without a name. Prints
//! Markdown, and keeps what it measured in `results/`: `results.json`, `results.md` and `results.svg`; but not after
//! `--quick`, nor after `--only`, which leaves out whatever has not this text in `group, config, operation`.

mod alloc;
mod bars;
mod chart;
mod data;
mod groups;
mod measure;
mod placement;
mod subjects;
mod table;

use std::process::ExitCode;

use groups::{allocations, cache, disk, layers, memory, mongodb, opensearch, postgres, redis, rss, values};
use measure::{Plan, Row};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

const GROUPS: [&str; 11] =
    ["memory", "disk", "redis", "postgres", "mongodb", "opensearch", "layers", "cache", "values", "allocations", "rss"];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, subject] = &arguments[..]
        && command == "rss-of"
    {
        rss::child(subject);
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    arguments.retain(|argument| argument != "--quick");
    let mut only = "";
    if let Some(at) = arguments.iter().position(|argument| argument == "--only") {
        only = arguments.drain(at..).nth(1).map_or("", |text| text.leak());
    }
    if let Some(stranger) = arguments.iter().find(|argument| !GROUPS.contains(&argument.as_str())) {
        eprintln!("no such bench: {stranger}; there are {}", GROUPS.join(", "));
        return ExitCode::from(2);
    }
    let plan = Plan::new(quick, only);
    let mut rows: Vec<Row> = Vec::new();
    let mut failed = false;
    for group in GROUPS {
        if !arguments.is_empty() && !arguments.iter().any(|argument| argument == group) {
            continue;
        }
        let measured = match group {
            "memory" => Ok(memory::run(plan)),
            "disk" => disk::run(plan),
            "redis" => redis::run(plan),
            "postgres" => postgres::run(plan),
            "mongodb" => mongodb::run(plan),
            "opensearch" => opensearch::run(plan),
            "layers" => Ok(layers::run(plan)),
            "cache" => cache::run(plan),
            "values" => Ok(values::run(plan)),
            "allocations" => Ok(allocations::run()),
            "rss" => Ok(rss::run()),
            _ => Err("no such group".to_owned()),
        };
        match measured {
            Ok(measured) => rows.extend(measured),
            Err(reason) => {
                eprintln!("{group}: {reason}");
                failed = true;
            }
        }
    }
    println!("{}", table::markdown(&rows));
    if !quick
        && only.is_empty()
        && let Err(error) = table::keep(&rows)
    {
        eprintln!("the results could not be written: {error}");
        failed = true;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Where a group's results stand among the others'.
fn rank(group: &str) -> usize {
    GROUPS.iter().position(|known| group.starts_with(known)).unwrap_or(GROUPS.len())
}

//! The bars that were set, and whether they are met. A report; nothing fails by it.

use crate::groups::{FLOOR, OURS, cache, layers, network, values};
use crate::measure::Row;

/// A bar and what was measured.
#[derive(Debug)]
pub struct Bar {
    pub what: String,
    pub measured: String,
    pub met: bool,
}

/// The bars about which these rows say something.
pub fn of(rows: &[Row]) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut at_most = |what: String, value: Option<f64>, most: f64| {
        if let Some(value) = value {
            bars.push(Bar { what, measured: format!("{value:.2}"), met: value <= most });
        }
    };
    for (config, most) in [("blocking, 1 thread", 1.5), ("blocking, 2 threads", 1.5), ("async, 1 task", 2.0)] {
        for op in ["get hit, hot", "get hit"] {
            let what = format!("memory, {config}: {op} of a stored entry <= {most:.2} x the floor");
            at_most(what, ratio(rows, "memory", config, op, OURS), most);
        }
    }
    for config in ["blocking, 1 thread", "blocking, 2 threads", "async, 1 task", "async, 64 tasks"] {
        for op in ["get hit, hot", "put, hot", "get hit", "put"] {
            let Some(ours) = median(rows, "memory", config, op, OURS) else { continue };
            for peer in ["moka", "foyer", "cached", "opendal"] {
                let peers = median(rows, "memory", config, op, peer);
                at_most(
                    format!("memory, {config}: {op} ahead of {peer} (ours / {peer} < 1)"),
                    peers.map(|peer| ours / peer),
                    1.0,
                );
            }
        }
    }
    let allocations = median(rows, "allocations", "of one operation", "get hit", "blocking");
    at_most("memory, blocking: allocations of a get hit = 0".to_owned(), allocations, 0.0);
    let bytes = median(rows, "rss", "1M entries of 8 + 22 bytes", "bytes an entry", OURS);
    at_most("memory: resident bytes of a small entry <= 180".to_owned(), bytes, 180.0);
    for (op, most) in [("get hit", 1.25), ("put", 1.15), ("put_many(100)", 1.15), ("get_many(100)", 1.15)] {
        let value = ratio(rows, "disk", "blocking, 1 thread", op, OURS);
        at_most(format!("disk, blocking, 1 thread: {op} <= {most:.2} x raw rusqlite"), value, most);
    }
    let pair = |group: &str, one: (&str, &str, &str), other: (&str, &str, &str)| {
        Some(median(rows, group, one.0, one.1, one.2)? / median(rows, group, other.0, other.1, other.2)?)
    };
    let value = pair("disk", ("async, 1 task", "get hit", OURS), ("blocking, 1 thread", "get hit", OURS));
    at_most("disk: async get <= 2 x the blocking one".to_owned(), value, 2.0);
    let value = pair("disk, power", ("async, 64 tasks", "put", OURS), ("async, 1 task", "put", OURS));
    at_most(
        "disk at Durability::Power: 64 puts at once take <= 1/5 of the time of one writer's".to_owned(),
        value,
        0.2,
    );
    for op in ["get hit", "put", "delete", "get_many(100)", "put_many(100)"] {
        for config in ["blocking, 1 thread", "async, 1 task"] {
            let value = ratio(rows, "redis", config, op, OURS);
            at_most(format!("redis, {config}: {op} <= 1.10 x the floor"), value, 1.10);
        }
    }
    for op in ["get hit", "put", "delete", "get_many(100)", "put_many(100)"] {
        let value = ratio(rows, "redis", "async, 64 tasks", op, OURS);
        at_most(
            format!("redis, async, 64 tasks: {op} >= 0.95 x the floor's throughput (time <= 1.05)"),
            value,
            1.0 / 0.95,
        );
    }
    for group in ["postgres", "mongodb", "opensearch"] {
        for op in ["get hit", "put", "get_many(100)", "put_many(100)"] {
            for config in ["blocking, 1 thread", "async, 1 task"] {
                let value = ratio(rows, group, config, op, OURS);
                at_most(format!("{group}, {config}: {op} <= 1.15 x the floor"), value, 1.15);
            }
        }
    }
    for row in rows.iter().filter(|row| row.subject == OURS && row.group.ends_with(network::BATCHES)) {
        let what = format!("{}, {}: put_many(1,000) >= 20 x a loop of put (time <= 0.05)", row.group, row.config);
        at_most(what, Some(row.ratio), 0.05);
    }
    for row in rows.iter().filter(|row| row.subject == OURS) {
        if row.group == cache::GROUP {
            let what = format!("cache over Redis, {}: {} <= 2.00 x a Memory get", row.config, row.op);
            at_most(what, Some(row.ratio), 2.0);
        }
        if row.group == values::GROUP {
            let what = format!("values, {}: {} <= 1.15 x the bare one over Memory", row.config, row.op);
            at_most(what, Some(row.ratio), 1.15);
        }
    }
    bars
}

/// What one layer adds to a call, in ns.
pub fn layer_costs(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for config in ["blocking", "async"] {
        for op in ["get hit", "put"] {
            let at = |depth| median(rows, layers::GROUP, config, op, &layers::name(depth));
            if let (Some(none), Some(five)) = (at(0), at(5)) {
                lines.push(format!("{config}, {op}: {:.1} ns a layer", (five - none) / 5.0));
            }
        }
    }
    lines
}

fn find<'a>(rows: &'a [Row], group: &str, config: &str, op: &str, subject: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.group == group && row.config == config && row.op == op && row.subject == subject)
}

fn median(rows: &[Row], group: &str, config: &str, op: &str, subject: &str) -> Option<f64> {
    find(rows, group, config, op, subject).map(|row| row.median)
}

fn ratio(rows: &[Row], group: &str, config: &str, op: &str, subject: &str) -> Option<f64> {
    let floor = median(rows, group, config, op, FLOOR)?;
    median(rows, group, config, op, subject).map(|value| value / floor)
}

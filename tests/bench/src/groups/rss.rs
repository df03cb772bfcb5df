//! What a small entry takes of this process's memory: each subject in a process of its own.

use std::process::Command;

use kv_core::{PutOptions, ValueRef};

use super::{FLOOR, OURS};
use crate::data::TTL;
use crate::measure::Row;
use crate::subjects::caches::{Cached, Foyer, Moka, QuickCache};
use crate::subjects::memory::Map;

const ENTRIES: usize = 1_000_000;
/// 22 bytes, as JSON.
const VALUE: &[u8] = b"\"12345678901234567890\"";
const SUBJECTS: [&str; 6] = [FLOOR, OURS, "quick_cache", "cached", "foyer", "moka"];

pub fn run() -> Vec<Row> {
    let itself = std::env::current_exe().expect("this program has a path");
    let mut rows = Vec::new();
    let mut floor = 0.0;
    for subject in SUBJECTS {
        let output = Command::new(&itself).args(["rss-of", subject]).output().expect("a child runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let bytes: f64 = text.trim().parse().expect("a child answers with a number");
        if subject == FLOOR {
            floor = bytes;
        }
        eprintln!("rss {subject:14} {bytes:.1} bytes an entry");
        rows.push(Row {
            group: "rss".to_owned(),
            config: "1M entries of 8 + 22 bytes".to_owned(),
            op: "bytes an entry".to_owned(),
            subject: subject.to_owned(),
            median: bytes,
            unit: "bytes".to_owned(),
            ratio: bytes / floor,
            spread: (bytes / floor, bytes / floor),
        });
    }
    rows
}

/// The child: fills one subject and prints what each entry takes.
pub fn child(subject: &str) {
    let bytes = match subject {
        FLOOR => fill(Map::new(), |map, key| map.insert(key, VALUE)),
        OURS => {
            let options = PutOptions::ttl(TTL);
            fill(kv_sync::Kv::new(kv_sync::stores::MemoryStore::new()), |kv, key| {
                let outcome = kv.put_value(key, ValueRef::Json(VALUE), &options).expect("it writes");
                assert!(outcome.is_written());
            })
        }
        "quick_cache" => fill(QuickCache::new(), |cache, key| cache.insert(key, VALUE)),
        "cached" => fill(Cached::new(), |cache, key| cache.insert(key, VALUE)),
        "foyer" => fill(Foyer::new(), |cache, key| cache.insert(key, VALUE)),
        "moka" => fill(Moka::new(), |cache, key| cache.insert(key, VALUE)),
        _ => panic!("no such subject: {subject}"),
    };
    println!("{bytes}");
}

fn fill<S>(subject: S, put: impl Fn(&S, &str)) -> f64 {
    // The first entries bring in what does not grow with their number.
    (0..1000).for_each(|i| put(&subject, &format!("{i:08}")));
    let before = resident();
    (1000..ENTRIES + 1000).for_each(|i| put(&subject, &format!("{i:08}")));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let bytes = (resident() - before) / ENTRIES as f64;
    drop(subject);
    bytes
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says how much is resident");
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * rustix::param::page_size() as f64
}

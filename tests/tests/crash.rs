//! What `kill -9` and other processes cannot do to a store on disk.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use kv_core::{KeyFilter, PutOptions};

const BATCH: u64 = 50;

fn start(role: &str, file: &Path) -> Child {
    kv_tests::child::start(role, file).unwrap()
}

/// No test of its own: what [`start`] runs in another process.
#[test]
fn child() {
    let Some((role, file)) = kv_tests::child::role() else { return };
    match role.as_str() {
        "write-sync" => write_batches_sync(&file),
        "write-async" => runtime().block_on(write_batches_async(&file)),
        "count-sync" => count_sync(&file),
        "count-async" => runtime().block_on(count_async(&file)),
        other => panic!("no such role: {other}"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A value long enough to span pages, and that shows whether it is whole.
fn value(batch: u64) -> String {
    format!("{batch}:").repeat(100)
}

fn batch(number: u64) -> Vec<(String, String)> {
    (0..BATCH).map(|item| (format!("{number:06}:{item:03}"), value(number))).collect()
}

/// Writes batch after batch and says of each that it was acknowledged, until it is killed.
fn write_batches_sync(file: &Path) {
    let kv = kv_sync::Kv::new(kv_sync::stores::DiskStore::open(file));
    for number in 0.. {
        for answer in kv.put_many(&batch(number), &PutOptions::default()).unwrap() {
            answer.unwrap();
        }
        println!("\nacknowledged {number}");
    }
}

async fn write_batches_async(file: &Path) {
    let kv = kv_async::Kv::new(kv_async::stores::DiskStore::open(file));
    for number in 0.. {
        for answer in kv.put_many(&batch(number), &PutOptions::default()).await.unwrap() {
            answer.unwrap();
        }
        println!("\nacknowledged {number}");
    }
}

fn kill_in_the_middle(role: &str) {
    for wait in [20, 60, 130] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kv.db");
        let mut child = start(role, &file);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acknowledged =
            |line: String| line.strip_prefix("acknowledged ").and_then(|number| number.parse::<u64>().ok());
        let first = lines.by_ref().find_map(acknowledged);
        assert_eq!(first, Some(0), "the child wrote nothing");
        thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = lines.filter_map(acknowledged).last().unwrap_or(0);

        let kv = kv_sync::Kv::new(kv_sync::stores::DiskStore::open(&file));
        let mut found = BTreeMap::<u64, u64>::new();
        let mut pages = kv.entry_pages(kv_core::ListOptions::default());
        while let Some(page) = pages.next_page().unwrap() {
            for (key, entry) in page {
                let number: u64 = key.split(':').next().unwrap().parse().unwrap();
                assert_eq!(entry.unwrap().decode::<String>().unwrap(), value(number), "{key} is torn");
                *found.entry(number).or_default() += 1;
            }
        }
        for number in 0..=last {
            assert_eq!(found.get(&number), Some(&BATCH), "batch {number} of {last} acknowledged");
        }
        assert!(found.values().all(|count| *count == BATCH), "a batch is there in part: {found:?}");
        kv.put("works on", &true).unwrap();
    }
}

#[test]
fn kill_9_loses_no_acknowledged_batch_and_tears_none_sync() {
    kill_in_the_middle("write-sync");
}

#[test]
fn kill_9_loses_no_acknowledged_batch_and_tears_none_async() {
    kill_in_the_middle("write-async");
}

const INCREMENTS: u64 = 200;

fn count_sync(file: &Path) {
    let kv = kv_sync::Kv::new(kv_sync::stores::DiskStore::open(file));
    for number in 0..INCREMENTS {
        kv.increment("shared", 1).unwrap();
        kv.put(&format!("{}:{number}", std::process::id()), &number).unwrap();
    }
}

async fn count_async(file: &Path) {
    let kv = kv_async::Kv::new(kv_async::stores::DiskStore::open(file));
    for number in 0..INCREMENTS {
        kv.increment("shared", 1).await.unwrap();
        kv.put(&format!("{}:{number}", std::process::id()), &number).await.unwrap();
    }
}

#[test]
fn processes_of_both_flavours_write_one_file_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.db");
    let children: Vec<_> =
        ["count-sync", "count-async", "count-sync", "count-async"].iter().map(|role| start(role, &file)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let kv = kv_sync::Kv::new(kv_sync::stores::DiskStore::open(&file));
    assert_eq!(kv.get::<u64>("shared").unwrap(), Some(4 * INCREMENTS));
    assert_eq!(kv.count(&KeyFilter::all()).unwrap(), 4 * INCREMENTS + 1);
}

//! How late a 1 ms timer on a current-thread runtime is at worst while an embedded store works beside it.
//!
//! `just soak` runs this and prints the worst lateness; it is a measurement, so no ordinary test asserts it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kv_async::stores::DiskStore;
use kv_async::{Kv, PutOptions};

const ENTRIES: usize = 20_000;
const BATCH: usize = 500;

/// Ticks every millisecond until told to stop; answers the worst lateness.
async fn tick(stop: Arc<AtomicBool>) -> Duration {
    let mut worst = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let due = Instant::now() + Duration::from_millis(1);
        tokio::time::sleep_until(due.into()).await;
        worst = worst.max(due.elapsed());
    }
    worst
}

async fn put_batches(kv: &Kv, entries: usize) {
    let value = "x".repeat(200);
    for start in (0..entries).step_by(BATCH) {
        let items: Vec<_> = (start..start + BATCH).map(|item| (format!("key:{item}"), &value)).collect();
        for answer in kv.put_many(&items, &PutOptions::default()).await.unwrap() {
            answer.unwrap();
        }
    }
}

async fn get_each(kv: &Kv, entries: usize) {
    for item in 0..entries {
        assert!(kv.get_entry(&format!("key:{item}")).await.unwrap().is_some());
    }
}

/// The lateness of a timer that has nothing beside it: what this machine does by itself.
async fn idle(duration: Duration) -> Duration {
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = tokio::spawn(tick(Arc::clone(&stop)));
    tokio::time::sleep(duration).await;
    stop.store(true, Ordering::Relaxed);
    ticker.await.unwrap()
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "a measurement: just soak"]
async fn a_timer_beside_a_busy_disk_store() {
    println!("idle                                        worst {:?}", idle(Duration::from_secs(2)).await);
    let dir = tempfile::tempdir().unwrap();
    let kv = Kv::new(DiskStore::open(dir.path().join("kv.db")));
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = tokio::spawn(tick(Arc::clone(&stop)));
    put_batches(&kv, ENTRIES).await;
    get_each(&kv, ENTRIES).await;
    stop.store(true, Ordering::Relaxed);
    println!("{ENTRIES} entries in batches of {BATCH}, then read  worst {:?}", ticker.await.unwrap());
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "a measurement: just soak"]
async fn a_timer_while_somebody_else_holds_the_write_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.db");
    let kv = Kv::new(DiskStore::open(&path));
    kv.setup().await.unwrap();
    // Another connection is to SQLite what another process is.
    let (locked, is_locked) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let other = rusqlite::Connection::open(path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        locked.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        other.execute_batch("ROLLBACK").unwrap();
    });
    is_locked.recv().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = tokio::spawn(tick(Arc::clone(&stop)));
    put_batches(&kv, 2 * BATCH).await;
    stop.store(true, Ordering::Relaxed);
    println!("while the write lock is held elsewhere        worst {:?}", ticker.await.unwrap());
    holder.join().unwrap();
}

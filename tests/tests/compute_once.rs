//! Get-or-insert by several processes at the same time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use kv_core::{InsertOptions, KeyFilter, LEASES, Result};

const PROCESSES: i64 = 4;
const TICK: Duration = Duration::from_millis(10);

fn start(role: &str, file: &Path) -> Child {
    kv_tests::child::start(role, file).unwrap()
}

/// No test of its own: what [`start`] runs in another process.
#[test]
fn child() {
    let Some((role, file)) = kv_tests::child::role() else { return };
    match role.as_str() {
        "sync" => compute_sync(&file),
        "async" => runtime().block_on(compute_async(&file)),
        "die" => die(&file),
        other => panic!("no such role: {other}"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn open(file: &Path) -> kv_sync::Kv {
    kv_sync::Kv::new(kv_sync::stores::DiskStore::open(file))
}

fn leased(lease: Duration) -> InsertOptions {
    InsertOptions::default().with_lease(lease)
}

/// Asks for the value, which is computed once all processes have asked.
fn compute_sync(file: &Path) {
    let kv = open(file);
    kv.increment("asked", 1).unwrap();
    let compute = || {
        let late = Instant::now() + Duration::from_secs(60);
        while kv.get::<i64>("asked")? < Some(PROCESSES) {
            assert!(Instant::now() < late, "the other processes do not come");
            std::thread::sleep(TICK);
        }
        std::thread::sleep(10 * TICK);
        kv.increment("computed", 1)?;
        Ok(std::process::id())
    };
    let value: u32 = kv.get_or_insert_with("k", &leased(Duration::from_secs(120)), compute).unwrap();
    kv.put(&format!("answer:{}", std::process::id()), &value).unwrap();
}

async fn compute_async(file: &Path) {
    let kv = kv_async::Kv::new(kv_async::stores::DiskStore::open(file));
    kv.increment("asked", 1).await.unwrap();
    let compute = async || -> Result<u32> {
        let late = Instant::now() + Duration::from_secs(60);
        while kv.get::<i64>("asked").await? < Some(PROCESSES) {
            assert!(Instant::now() < late, "the other processes do not come");
            tokio::time::sleep(TICK).await;
        }
        tokio::time::sleep(10 * TICK).await;
        kv.increment("computed", 1).await?;
        Ok(std::process::id())
    };
    let value = kv.get_or_insert_with("k", &leased(Duration::from_secs(120)), compute).await.unwrap();
    kv.put(&format!("answer:{}", std::process::id()), &value).await.unwrap();
}

#[test]
fn four_processes_of_both_flavours_compute_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.db");
    let children = ["sync", "async", "sync", "async"].map(|role| start(role, &file));
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let kv = open(&file);
    assert_eq!(kv.get::<i64>("computed").unwrap(), Some(1));
    let value: u32 = kv.require("k").unwrap();
    let answers = kv.all_keys(&KeyFilter::starting_with("answer:")).unwrap();
    assert_eq!(answers.len() as i64, PROCESSES);
    assert_eq!(kv.require_many::<u32>(&answers).unwrap(), [value; PROCESSES as usize]);
    assert_eq!(kv.collection(LEASES).count(&KeyFilter::all()).unwrap(), 0, "a lease is freed after use");
}

const SHORT: Duration = Duration::from_secs(1);

/// Dies in the computation, holding the lease.
fn die(file: &Path) {
    let compute = || -> Result<u32> { std::process::abort() };
    let _ = open(file).get_or_insert_with("k", &leased(SHORT), compute);
}

#[test]
fn a_process_that_dies_in_the_computation_holds_others_up_until_its_lease_ends() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.db");
    let output = start("die", &file).wait_with_output().unwrap();
    assert!(!output.status.success());
    let kv = open(&file);
    let value: u32 = kv.get_or_insert_with("k", &leased(SHORT), || Ok(7)).unwrap();
    assert_eq!(value, 7);
}

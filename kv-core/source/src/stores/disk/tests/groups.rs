//! Writers that share a transaction.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{ErrorKind, KeyFilter};
use rusqlite::Connection;

use super::together::together;
use super::{directory, quick, raw};
use crate::Kv;
use crate::stores::disk::{Engine, Fault, Opening, Steps};
use crate::stores::{DiskOptions, DiskStore};

#[maybe_async::maybe_async]
async fn count_up(kv: Kv, number: usize) {
    for _ in 0..20 {
        kv.increment("all", 1).await.unwrap();
        kv.increment(&format!("own {number}"), 1).await.unwrap();
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn no_write_of_many_is_lost_whichever_store_it_went_through() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let stores = [Kv::new(DiskStore::open(&path)), Kv::new(DiskStore::open(&path))];
    together(16, |number| count_up(stores[number % 2].clone(), number)).await;
    let found = stores[0].get::<u32>("all").await.unwrap();
    assert_eq!(found, Some(16 * 20));
    for number in 0..16 {
        let found = stores[1].get::<u32>(&format!("own {number}")).await.unwrap();
        assert_eq!(found, Some(20));
    }
}

/// A file with a counter, and what several jobs did to it.
fn counters(path: PathBuf, options: DiskOptions) -> Engine {
    Engine::new(Opening::new(path, options, |connection, _| {
        super::super::keep_a_log(connection, Duration::from_secs(5))?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS done (job INTEGER NOT NULL CHECK (job < 1000))")?;
        Ok(())
    }))
}

fn done(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT job FROM done ORDER BY job").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(|job| job.unwrap()).collect()
}

/// Writes two rows; every third job then fails, and every fifth writes one row in a step of its own.
#[maybe_async::maybe_async]
async fn job(engine: Arc<Engine>, number: usize) -> Result<(), ErrorKind> {
    let row = i64::try_from(number).unwrap();
    let answer = if number.is_multiple_of(5) {
        let one = move |connection: &Connection| {
            connection.execute("INSERT INTO done VALUES (?1)", [if row % 3 == 0 { 1000 } else { row }])?;
            Ok(())
        };
        engine.write(Steps::One, None, one).await
    } else {
        let two = move |connection: &Connection| {
            connection.execute("INSERT INTO done VALUES (?1)", [row])?;
            let last = if row % 3 == 0 { 1000 } else { row };
            connection.execute("INSERT INTO done VALUES (?1)", [last])?;
            Ok(())
        };
        engine.write(Steps::Many, None, two).await
    };
    answer.map_err(|error| error.kind())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_job_that_fails_undoes_itself_and_no_other() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let engine = Arc::new(counters(path.clone(), DiskOptions::default()));
    let found = engine.open(true).await.unwrap();
    assert!(found);
    let outcomes = together(60, |number| job(Arc::clone(&engine), number)).await;
    let mut expected = Vec::new();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.is_err(), number % 3 == 0, "{number}: {outcome:?}");
        let row = i64::try_from(number).unwrap();
        if number % 3 != 0 {
            expected.extend(std::iter::repeat_n(row, if number % 5 == 0 { 1 } else { 2 }));
        }
    }
    assert_eq!(done(&raw(&path)), expected);
}

/// Job 7 rolls everything back, as SQLite itself does when the disk is full.
#[maybe_async::maybe_async]
async fn reckless_job(engine: Arc<Engine>, number: usize) -> bool {
    let row = i64::try_from(number).unwrap();
    let job = move |connection: &Connection| -> Result<(), Fault> {
        connection.execute("INSERT INTO done VALUES (?1)", [row])?;
        if row == 7 {
            connection.execute_batch("ROLLBACK")?;
            connection.execute("INSERT INTO none VALUES (1)", ())?;
        }
        Ok(())
    };
    engine.write(Steps::Many, None, job).await.is_ok()
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_transaction_that_is_lost_is_made_again_job_by_job() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let engine = Arc::new(counters(path.clone(), DiskOptions::default()));
    let outcomes = together(32, |number| reckless_job(Arc::clone(&engine), number)).await;
    let expected: Vec<_> = (0..32).filter(|row| *row != 7).collect();
    assert_eq!(done(&raw(&path)), expected);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome).count(), 31);
    assert!(!outcomes[7]);
}

#[maybe_async::maybe_async]
async fn put_kind(kv: Kv, number: usize) -> Option<ErrorKind> {
    kv.put(&format!("k{number}"), &number).await.err().map(|error| error.kind())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn all_that_wait_for_a_lock_in_vain_are_told_in_time() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let kv = Kv::new(DiskStore::with_options(&path, quick()));
    kv.setup().await.unwrap();
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = std::time::Instant::now();
    let outcomes = together(16, |number| put_kind(kv.clone(), number)).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Some(ErrorKind::Timeout)), "{outcomes:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "not one after the other: {:?}", start.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    let outcomes = together(16, |number| put_kind(kv.clone(), number)).await;
    assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
    let found = kv.count(&KeyFilter::all()).await.unwrap();
    assert_eq!(found, 16);
}

#[maybe_async::maybe_async]
async fn first_use(path: PathBuf, number: usize) -> Option<String> {
    let kv = Kv::new(DiskStore::open(path));
    kv.put(&format!("k{number}"), &number).await.err().map(|error| error.to_string())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn many_stores_make_one_file() {
    let directory = directory();
    for round in 0..10 {
        let path = directory.path().join(format!("{round}.db"));
        let outcomes = together(12, |number| first_use(path.clone(), number)).await;
        assert_eq!(outcomes, vec![None; 12]);
        let count = Kv::new(DiskStore::open(&path)).count(&KeyFilter::all()).await.unwrap();
        assert_eq!(count, 12);
    }
}

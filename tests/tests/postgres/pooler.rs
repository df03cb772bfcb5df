//! Through a pooler in transaction mode: PgBouncer, of a version that knows nothing of prepared statements. The contract
//! suite runs through one too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kv_core::ErrorKind;
use kv_tests::need;
use kv_tests::servers::{PgbouncerOptions, PostgresOptions, Private, private_pgbouncer, private_postgres};

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::{Side, each};

fn through(pooler: &Private<PgbouncerOptions>, table: &str) -> Setup {
    Setup { table: table.to_owned(), pooler: true, ..Setup::url(pooler.url()) }
}

/// How many statements the connection to the server has prepared on which this comes out.
fn prepared(pooler: &Private<PgbouncerOptions>) -> usize {
    let mut client = ::postgres::Client::connect(pooler.url(), ::postgres::NoTls).unwrap();
    let rows = client.simple_query("SELECT name FROM pg_prepared_statements").unwrap();
    rows.iter().filter(|row| matches!(row, ::postgres::SimpleQueryMessage::Row(_))).count()
}

/// Does this while another client of the pooler, in turn with it, drops all that is prepared on the connection.
fn beside_one_that_drops_statements(pooler: &Private<PgbouncerOptions>, test: impl FnOnce()) {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let done = AtomicBool::new(false);
    let mut client = ::postgres::Client::connect(pooler.url(), ::postgres::NoTls).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                client.batch_execute("DEALLOCATE ALL").unwrap();
            }
        });
        let _done = Done(&done);
        test();
    });
}

#[test]
fn two_clients_take_turns_at_one_connection() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let options = PgbouncerOptions::new(&server, 1).ignoring("options");
    let Some(pooler) = need(private_pgbouncer(options)) else { return };
    let with = through(&pooler, &table.name);
    let without = Setup { pooler: false, ..with.clone() };
    each(&with, |side| {
        beside_one_that_drops_statements(&pooler, || {
            for round in 0..300 {
                side.put("k", round).unwrap();
                assert_eq!(side.get("k").unwrap(), Some(round), "{}", side.name());
            }
        });
        assert_eq!(prepared(&pooler), 0, "{} leaves nothing on the connection", side.name());
    });
    // The same without the option: a statement is gone before it is used, and is so again when it was made anew.
    each(&without, |side| {
        side.put("k", 1).unwrap();
        assert!(prepared(&pooler) > 0, "{} leaves its statements on the connection", side.name());
        beside_one_that_drops_statements(&pooler, || {
            let end = Instant::now() + Duration::from_secs(30);
            let error = loop {
                assert!(Instant::now() < end, "{} never misses a statement", side.name());
                if let Err(error) = side.get("k") {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::Configuration, "{}: {error}", side.name());
            assert!(error.message().contains("with_transaction_pooler"), "{error}");
        });
    });
}

#[test]
fn a_pooler_that_refuses_the_start_up_is_told_from_others() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let Some(pooler) = need(private_pgbouncer(PgbouncerOptions::new(&server, 1))) else { return };
    let setup = through(&pooler, &table.name);
    each(&setup, |side| drop(side.put("k", 1).unwrap()));
    each(&Setup { pooler: false, ..setup.clone() }, |side| {
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{}: {error}", side.name());
        assert!(error.message().contains("with_transaction_pooler"), "{error}");
    });
}

#[test]
fn many_clients_share_few_connections() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let Some(pooler) = need(private_pgbouncer(PgbouncerOptions::new(&server, 3))) else { return };
    let setup = through(&pooler, &table.name);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let setup = &setup;
            scope.spawn(move || {
                each(setup, |side| {
                    let own = format!("k{number}");
                    for round in 0..25 {
                        side.put(&own, round).unwrap();
                        assert_eq!(side.get(&own).unwrap(), Some(round), "{}", side.name());
                        side.increment("n", 1).unwrap();
                    }
                });
            });
        }
    });
    let side = Side::blocking(&setup);
    assert_eq!(side.get("n").unwrap(), Some(8 * 2 * 25), "no increment was lost");
}

#[test]
fn a_server_that_goes_away_behind_the_pooler() {
    let Some(mut private) = need(private_postgres(PostgresOptions::new())) else { return };
    let Some(pooler) = need(private_pgbouncer(PgbouncerOptions::new(private.server(), 2))) else { return };
    let setup = Setup { timeout: Some(Duration::from_secs(2)), ..through(&pooler, "kv_store") };
    for side in [Side::blocking(&setup), Side::awaiting(&setup)] {
        side.put("k", 1).unwrap();
        private.stop().unwrap();
        for error in [side.get("k").unwrap_err(), side.put("k", 2).unwrap_err()] {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Connection | ErrorKind::Timeout), "{}: {error}", side.name());
        }
        private.restart().unwrap();
        // The pooler tries again after a second.
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = side.get("k") {
            assert!(Instant::now() < deadline, "{}: {error}", side.name());
            std::thread::sleep(Duration::from_millis(50));
        }
        side.put("k", 3).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(3), "{}", side.name());
    }
}

//! The network, the server and its refusals.

use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind};
use kv_tests::need;
use kv_tests::proxy::{Mode, Proxy};
use kv_tests::servers::{PostgresOptions, private_postgres};

use crate::server::{Server, TestTable, postgres};
use crate::setup::Setup;
use crate::side::{Side, assert_hides, each};

/// Longer than a connection is trusted without a look.
const A_WHILE: Duration = Duration::from_millis(150);

const SHORT: Duration = Duration::from_millis(400);

/// A store's own table behind a proxy.
fn proxied(server: &Server) -> (TestTable, Proxy, Setup) {
    let table = TestTable::new(server.clone());
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let setup = Setup { port: Some(proxy.port()), table: table.name.clone(), ..Setup::url(&server.url) };
    (table, proxy, setup)
}

#[test]
fn an_absent_server_is_told_at_once() {
    let Some(server) = need(postgres()) else { return };
    let (_table, proxy, setup) = proxied(&server);
    proxy.set_mode(Mode::Refuse);
    each(&setup, |side| {
        let start = Instant::now();
        for error in [side.get("k").unwrap_err(), side.put("k", 1).unwrap_err(), side.ping().unwrap_err()] {
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "{error}");
            assert!(error.is_retryable());
        }
        assert!(start.elapsed() < Duration::from_secs(2));
    });
    proxy.set_mode(Mode::Pass);
    each(&setup, |side| assert_eq!(side.get("k").unwrap(), None));
}

#[test]
fn a_black_hole_ends_calls_in_time_and_takes_no_connection_along() {
    let Some(server) = need(postgres()) else { return };
    let (_table, proxy, setup) = proxied(&server);
    let setup = Setup { timeout: Some(SHORT), pool_size: Some(1), ..setup };
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        side.put("n", 1).unwrap();
        proxy.set_mode(Mode::BlackHole);
        let timed = |error: Error, unknown: bool, most: Duration, start: Instant| {
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, unknown), "{error}");
            assert!(start.elapsed() < most, "{} {:?}", side.name(), start.elapsed());
        };
        let start = Instant::now();
        timed(side.put("k", 2).unwrap_err(), true, SHORT * 3, start);
        // The connection is gone: the next call makes one, in vain.
        let start = Instant::now();
        timed(side.get("k").unwrap_err(), false, SHORT * 3, start);
        proxy.set_mode(Mode::Pass);
        assert_eq!(side.get("n").unwrap(), Some(1), "{}", side.name());
        // A call's own time-out holds for all of it.
        proxy.set_mode(Mode::BlackHole);
        let start = Instant::now();
        let short = side.with_timeout(Duration::from_millis(100));
        timed(short.get("k").unwrap_err(), false, SHORT, start);
        proxy.set_mode(Mode::Pass);
        assert!(side.get("k").unwrap().is_some());
    });
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_the_call_says() {
    let Some(server) = need(postgres()) else { return };
    let (_table, proxy, setup) = proxied(&server);
    let setup = Setup { timeout: Some(SHORT), ..setup };
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        proxy.set_mode(Mode::Delay(SHORT * 2));
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Timeout);
        proxy.set_mode(Mode::Pass);
        assert_eq!(side.get("k").unwrap(), Some(1));
        proxy.set_mode(Mode::Delay(SHORT * 2));
        let patient = side.with_timeout(SHORT * 8);
        assert_eq!(patient.get("k").unwrap(), Some(1), "{}", side.name());
        proxy.set_mode(Mode::Pass);
    });
}

#[test]
fn a_cut_before_and_after_the_request() {
    let Some(server) = need(postgres()) else { return };
    let (_table, proxy, setup) = proxied(&server);
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        side.increment("n", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
        // A statement that was cut before it was prepared was not sent, and is sent again.
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(!side.delete("other").unwrap(), "{}", side.name());
        for mode in [Mode::CutAfter(1), Mode::CutAnswer] {
            // A read is sent again.
            proxy.reset();
            proxy.set_mode_once(mode);
            assert_eq!(side.get("k").unwrap(), Some(1), "{} {mode:?}", side.name());
            assert_eq!(proxy.counts().cuts, 1);
            // A write is not, on a connection that was just used.
            side.put("k", 1).unwrap();
            proxy.set_mode_once(mode);
            let error = side.put("k", 1).unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{mode:?} {error}");
            side.get("k").unwrap();
            // What must not happen twice is not, however long the connection was idle.
            std::thread::sleep(A_WHILE);
            side.delete("other").unwrap();
            let before = side.get("n").unwrap().unwrap();
            std::thread::sleep(A_WHILE);
            proxy.set_mode_once(mode);
            let error = side.delete("n").unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{mode:?} {error}");
            let after = side.get("n").unwrap();
            assert_eq!(after, if mode == Mode::CutAnswer { None } else { Some(before) }, "{mode:?}");
            side.put("n", before).unwrap();
            // A put on a connection that had been idle is sent again.
            std::thread::sleep(A_WHILE);
            proxy.set_mode_once(mode);
            side.put("k", 1).unwrap();
        }
        proxy.set_mode(Mode::Pass);
    });
}

#[test]
fn connections_that_the_server_ended_are_not_noticed() {
    let Some(server) = need(postgres()) else { return };
    let (table, _proxy, setup) = proxied(&server);
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        side.put("n", 1).unwrap();
        for round in 0..3 {
            server.run(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                 AND query LIKE '%{}%'",
                table.name
            ));
            std::thread::sleep(A_WHILE);
            match round {
                0 => assert_eq!(side.get("k").unwrap(), Some(1)),
                1 => assert_eq!(side.increment("n", 1).unwrap(), 2, "{}", side.name()),
                _ => assert!(side.delete("k").unwrap(), "{}", side.name()),
            }
        }
    });
}

#[test]
fn a_restart_between_two_calls_is_not_noticed() {
    let Some(mut server) = need(private_postgres(PostgresOptions::new())) else { return };
    for make in [Side::blocking, Side::awaiting] {
        let side = make(&Setup::url(server.url()));
        side.put("k", 1).unwrap();
        std::thread::sleep(A_WHILE);
        server.restart().unwrap();
        std::thread::sleep(A_WHILE);
        assert_eq!(side.get("k").unwrap(), Some(1), "{}", side.name());
        std::thread::sleep(A_WHILE);
        server.restart().unwrap();
        std::thread::sleep(A_WHILE);
        assert_eq!(side.increment("k", 1).unwrap(), 2, "{}", side.name());
        server.stop().unwrap();
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        server.restart().unwrap();
        assert_eq!(side.get("k").unwrap(), Some(2));
        side.delete("k").unwrap();
    }
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = need(private_postgres(PostgresOptions::new().password("p@s/s:%w?#"))) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    for url in [format!("postgres://postgres:hunter2@{at}"), format!("postgres://postgres@{at}")] {
        each(&Setup::url(url), |side| {
            let error = side.get("k").unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PermissionDenied, false), "{error}");
            assert_hides(&error, "hunter2");
        });
    }
    each(&Setup::url(server.url()), |side| {
        side.put("k", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
    let socket = format!("postgres:///postgres?host={}&port={}&user=postgres", server.dir().display(), server.port());
    each(&Setup::url(socket), |side| assert_eq!(side.get("k").unwrap(), Some(1)));
    let (nowhere, _) = server.url().rsplit_once('/').unwrap();
    each(&Setup::url(format!("{nowhere}/nowhere")), |side| {
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Configuration);
    });
}

#[test]
fn what_the_user_may_not_do_and_a_server_that_takes_no_writes() {
    let Some(server) = need(private_postgres(PostgresOptions::new())) else { return };
    each(&Setup::url(server.url()), |side| drop(side.put("k", 1).unwrap()));
    server.sql("CREATE ROLE reader LOGIN; GRANT SELECT ON kv_store TO reader").unwrap();
    let reader = server.url().replace("postgres@", "reader@");
    each(&Setup::url(&reader), |side| {
        assert_eq!(side.get("k").unwrap(), Some(1), "set-up wants no more than it needs");
        let error = side.put("k", 2).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::PermissionDenied, false), "{error}");
    });
    let error = Side::blocking(&Setup { table: "other".to_owned(), ..Setup::url(&reader) }).get("k").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on").unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    each(&Setup::url(server.url()), |side| {
        let error = side.put("k", 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    });
}

#[test]
fn tls_good_and_bad() {
    let Some(server) = need(private_postgres(PostgresOptions::new().tls())) else { return };
    let certs = server.certs().unwrap();
    let ca = std::fs::read(certs.ca()).unwrap();
    let plain = server.url().replace("?sslmode=require", "");
    each(&Setup { ca: Some(ca.clone()), ..Setup::url(&plain) }, |side| {
        side.put("k", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
    let other = std::fs::read(kv_tests::tls::Certs::generate().unwrap().ca()).unwrap();
    for setup in [
        Setup { ca: Some(other), ..Setup::url(&plain) },
        // The system does not trust it either.
        Setup::url(server.url()),
    ] {
        each(&setup, |side| {
            let error = side.get("k").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connection, "{} {error}", side.name());
        });
    }
    each(&Setup::url(&plain), |side| {
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "without TLS: {error}");
    });
    let garbage = Setup { ca: Some(b"hunter2".to_vec()), ..Setup::url(&plain) };
    each(&garbage, |side| {
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert_hides(&error, "hunter2");
    });
}

/// Keeps a table's rows locked until it is dropped.
struct Locked(Option<std::thread::JoinHandle<()>>, Option<std::sync::mpsc::Sender<()>>);

impl Locked {
    fn new(table: &TestTable) -> Self {
        let (url, name) = (table.server.url.clone(), table.name.clone());
        let (locked, waits) = std::sync::mpsc::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
            let mut transaction = client.transaction().unwrap();
            transaction.batch_execute(&format!("SELECT * FROM {name} FOR UPDATE")).unwrap();
            locked.send(()).unwrap();
            let _ = held.recv_timeout(Duration::from_millis(900));
            transaction.rollback().unwrap();
        });
        waits.recv().unwrap();
        Self(Some(holder), Some(release))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        drop(self.1.take());
        self.0.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_call_ends_in_time_while_the_server_waits_for_a_lock() {
    let Some(server) = need(postgres()) else { return };
    let (table, _proxy, setup) = proxied(&server);
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        let _locked = Locked::new(&table);
        let error = side.with_timeout(SHORT).put("k", 2).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, true), "{error}");
        assert!(side.get("k").unwrap().is_some(), "readers do not wait");
    });
}

#[test]
fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let Some(server) = need(postgres()) else { return };
    let (table, _proxy, setup) = proxied(&server);
    let setup = Setup { statement_timeout: Some(Duration::from_millis(200)), ..setup };
    each(&setup, |side| {
        for _ in 0..2 {
            side.put("k", 1).unwrap();
            let locked = Locked::new(&table);
            let error = side.put("k", 2).unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false), "{error}");
            // Whoever has more time for it than usual means it.
            side.with_timeout(Duration::from_secs(20)).put("k", 3).unwrap();
            drop(locked);
            assert_eq!(side.get("k").unwrap(), Some(3));
        }
    });
}

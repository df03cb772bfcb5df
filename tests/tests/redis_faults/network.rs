//! The network, the server and its refusals.

use std::time::{Duration, Instant};

use kv_core::{ErrorKind, PutOptions};
use kv_tests::proxy::{Mode, Proxy};
use kv_tests::resp::Reply;
use kv_tests::servers::{Options, Private, private_redis};
use kv_tests::trips::{Expected, Trips};
use kv_tests::{count_round_trips, need};

use crate::setup::Setup;
use crate::side::{Side, assert_hides, each, names};

/// Longer than a connection is trusted without a look.
const A_WHILE: Duration = Duration::from_millis(150);

fn proxied(server: &Private) -> Proxy {
    Proxy::start(("127.0.0.1", server.port())).unwrap()
}

#[test]
fn an_absent_server_is_told_at_once() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let proxy = proxied(&server);
    proxy.set_mode(Mode::Refuse);
    each(&Setup::port(proxy.port()), |side| {
        let start = Instant::now();
        for error in [side.get("k").unwrap_err(), side.put("k", 1).unwrap_err(), side.ping().unwrap_err()] {
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "{error}");
            assert!(error.is_retryable());
        }
        assert!(start.elapsed() < Duration::from_secs(2));
    });
    proxy.set_mode(Mode::Pass);
    each(&Setup::port(proxy.port()), |side| assert_eq!(side.get("k").unwrap(), None));
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = need(private_redis(Options::redis().password("right"))) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    for url in [format!("redis://:hunter2@{at}"), format!("redis://me:hunter2@{at}"), format!("redis://{at}")] {
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
}

#[test]
fn a_user_with_an_odd_password_over_tcp_and_a_socket() {
    let Some(server) = need(private_redis(Options::redis().acl_user("app", "p@s/s:%w?#"))) else { return };
    for url in [server.url().to_owned(), server.unix_url()] {
        each(&Setup::url(url), |side| {
            side.put("k", 7).unwrap();
            assert_eq!(side.get("k").unwrap(), Some(7));
        });
    }
}

/// What goes over a socket, or over a network, is gathered: little and much, by many tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_over_a_socket() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let kv = kv_async::Kv::new(kv_async::stores::RedisStore::connect(&server.unix_url()).unwrap());
    let tasks = (0..32_usize).map(|task| {
        let kv = kv.clone();
        tokio::spawn(async move {
            for round in 0..20_usize {
                let (key, text) = (format!("k{task}"), "x".repeat((task * round * 97) % 9000));
                kv.put(&key, &text).await.unwrap();
                kv.increment("count", 1).await.unwrap();
                assert_eq!(kv.get::<String>(&key).await.unwrap().as_ref(), Some(&text));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(kv.get::<i64>("count").await.unwrap(), Some(32 * 20));
}

#[test]
fn a_command_that_the_user_may_not_give() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    server.command(&["ACL", "SETUSER", "reader", "on", ">word", "~*", "+get", "+ping", "+select"]).unwrap();
    each(&Setup::url(format!("redis://reader:word@127.0.0.1:{}", server.port())), |side| {
        assert_eq!(side.get("k").unwrap(), None);
        let error = side.put("k", 1).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::PermissionDenied, false), "{error}");
    });
}

#[test]
fn a_full_server_and_a_replica_say_so() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        side.put("k", 1).unwrap();
        server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
        let batch = names(3);
        let with_ttl = PutOptions::ttl(Duration::from_secs(60));
        let errors = [
            side.put("k", 2).unwrap_err(),
            side.put_if_absent("new", 2).unwrap_err(),
            side.put_many(&batch, &PutOptions::default()).unwrap_err(),
            side.put_many(&batch, &with_ttl).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Full, "{} {error}", side.name());
            assert!(!error.outcome_unknown());
        }
        server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
        assert_eq!(side.get("k0").unwrap(), None, "no part of a batch was written");
        server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
        assert_eq!(side.put("k", 2).unwrap_err().kind(), ErrorKind::ReadOnly);
        server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    });
}

#[test]
fn a_restart_between_two_calls_is_not_noticed() {
    let Some(mut server) = need(private_redis(Options::redis().persist())) else { return };
    for make in [Side::blocking, Side::awaiting] {
        let side = make(&Setup::url(server.url()));
        let mut restart = || {
            std::thread::sleep(A_WHILE);
            server.restart().unwrap();
        };
        side.put("k", 1).unwrap();
        restart();
        assert_eq!(side.get("k").unwrap(), Some(1), "{}", side.name());
        restart();
        side.put("k", 2).unwrap();
        restart();
        assert_eq!(side.increment("k", 1).unwrap(), 3);
        restart();
        assert!(side.delete("k").unwrap());
        restart();
        assert!(side.put_if_absent("k", 1).unwrap().is_some(), "the script is loaded anew");
        restart();
        assert_eq!(side.delete_many(&["k".to_owned()]).unwrap(), 1);
        restart();
        side.put_many(&names(3), &PutOptions::default()).unwrap();
        restart();
        assert_eq!(side.get_many(&names(3)).unwrap().len(), 3);
        side.clear("default_collection").unwrap();
    }
}

#[test]
fn a_write_whose_answer_is_lost_has_an_unknown_outcome() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let proxy = proxied(&server);
    each(&Setup::port(proxy.port()), |side| {
        let stored =
            |key: &str| server.command(&["EXISTS", &format!("default_collection::{key}")]).unwrap() == Reply::Int(1);
        for (mode, happens) in [(Mode::CutAnswer, true), (Mode::CutAfter(20), false)] {
            let lost = |error: kv_core::Error| {
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{mode:?} {error}");
            };
            side.put("old", 1).unwrap();
            proxy.set_mode(mode);
            lost(side.put("new", 1).unwrap_err());
            assert_eq!(stored("new"), happens, "{} {mode:?}", side.name());
            lost(side.delete("old").unwrap_err());
            assert_eq!(stored("old"), !happens);
            lost(side.put_if_absent("once", 1).unwrap_err());
            let error = side.get("old").unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "it only reads");
            proxy.set_mode(Mode::Pass);
            assert_eq!(side.get("new").unwrap().is_some(), happens, "and the store works on");
            side.clear("default_collection").unwrap();
        }
        // Once: a read is sent again; a write that may have happened is not, if its connection was in use.
        side.put("k", 1).unwrap();
        proxy.set_mode_once(Mode::CutAnswer);
        assert_eq!(side.get("k").unwrap(), Some(1), "{}", side.name());
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(side.delete("k").unwrap_err().outcome_unknown());
        assert!(!side.delete("k").unwrap());
        side.put("k", 1).unwrap();
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(side.put("k", 2).unwrap_err().outcome_unknown());
        // After a while it is: it broke before, most likely.
        side.get("k").unwrap();
        std::thread::sleep(A_WHILE);
        proxy.set_mode_once(Mode::CutAnswer);
        side.put("k", 3).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(3));
        // And what cannot be repeated is sent over a connection that was tried.
        std::thread::sleep(A_WHILE);
        proxy.reset_connections();
        assert!(side.delete("k").unwrap());
    });
}

#[test]
fn a_server_that_does_not_answer_times_out() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let proxy = proxied(&server);
    let timeout = Duration::from_millis(300);
    each(&Setup { timeout: Some(timeout), ..Setup::port(proxy.port()) }, |side| {
        side.put("k", 1).unwrap();
        proxy.set_mode(Mode::BlackHole);
        let timed = |call: &dyn Fn() -> kv_core::Error, within: Duration| {
            let start = Instant::now();
            let error = call();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{} {error}", side.name());
            let took = start.elapsed();
            assert!(took >= within / 2 && took < within + Duration::from_millis(600), "{} {took:?}", side.name());
            error
        };
        assert!(!timed(&|| side.get("k").unwrap_err(), timeout).outcome_unknown());
        // A hundred answers are not waited for one after the other.
        timed(&|| side.delete_many(&names(100)).unwrap_err(), timeout);
        proxy.set_mode(Mode::Pass);
        assert_eq!(side.get("k").unwrap(), Some(1));
        proxy.set_mode(Mode::BlackHole);
        assert!(timed(&|| side.put("k", 2).unwrap_err(), timeout).outcome_unknown());
        let short = Duration::from_millis(100);
        timed(&|| side.with_timeout(short).get("k").unwrap_err(), short);
        proxy.set_mode(Mode::Pass);
        assert_eq!(side.get("k").unwrap(), Some(1));
        // A call that is given more time than usual has it.
        proxy.set_mode(Mode::Delay(timeout * 2));
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(side.with_timeout(timeout * 8).get("k").unwrap(), Some(1), "{}", side.name());
        proxy.set_mode(Mode::Pass);
    });
}

#[test]
fn what_every_store_does_takes_one_round_trip() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let proxy = proxied(&server);
    // It reads before it writes where that is the condition.
    let expected = Expected::default().put_if_present(2);
    let side = Side::blocking(&Setup::port(proxy.port()));
    if let Side::Sync(kv) = &side {
        count_round_trips!(Trips::new(&proxy, "Redis, blocking"), kv, expected, []);
    }
    let side = Side::awaiting(&Setup::port(proxy.port()));
    if let Side::Async(runtime, kv) = &side {
        let trips = Trips::new(&proxy, "Redis, async");
        runtime.block_on(async { count_round_trips!(trips, kv, expected, [.await]) });
    }
}

#[test]
fn every_operation_takes_one_round_trip() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let proxy = proxied(&server);
    let keys = names(100);
    each(&Setup::port(proxy.port()), |side| {
        let with_ttl = PutOptions::ttl(Duration::from_secs(60));
        side.put_many(&keys, &with_ttl).unwrap();
        // The server learns the scripts.
        assert!(side.put_if_absent("warm", 1).unwrap().is_some());
        side.increment("warm", 1).unwrap();
        side.take("warm").unwrap();
        let trips = Trips::new(&proxy, format!("Redis, {}", side.name()));
        let counted = |what: &str, count: u64, call: &dyn Fn()| trips.count(what, count, call);
        let missing: Vec<_> = (0..100).map(|number| format!("none{number}")).collect();
        counted("get", 1, &|| assert!(side.get("k1").unwrap().is_some()));
        counted("a miss", 1, &|| assert_eq!(side.get("none").unwrap(), None));
        counted("put", 1, &|| drop(side.put("p", 1).unwrap()));
        counted("put with a TTL", 1, &|| drop(side.put_ttl("p", 1, Duration::from_secs(1)).unwrap()));
        counted("put_if_absent", 1, &|| assert!(side.put_if_absent("q", 1).unwrap().is_some()));
        counted("exists", 1, &|| assert!(side.exists("k1").unwrap()));
        counted("ttl", 1, &|| assert!(side.ttl("k1").unwrap().is_some()));
        let all_found = || assert!(side.get_many(&keys).unwrap().iter().all(|one| matches!(one, Ok(Some(_)))));
        let all_missing = || assert!(side.get_many(&missing).unwrap().iter().all(|one| matches!(one, Ok(None))));
        counted("get_many", 1, &all_found);
        counted("get_many of missing keys", 1, &all_missing);
        counted("65 of get_many", 65, &|| (0..65).for_each(|_| all_found()));
        counted("get_many of missing keys after that", 2, &all_missing);
        counted("get_many of missing keys, again", 1, &all_missing);
        counted("put_many", 1, &|| assert_eq!(side.put_many(&keys, &PutOptions::default()).unwrap().len(), 100));
        counted("put_many with a TTL", 1, &|| assert_eq!(side.put_many(&keys, &with_ttl).unwrap().len(), 100));
        counted("increment", 2, &|| assert_eq!(side.increment("p", 1).unwrap(), 2));
        counted("take", 2, &|| assert_eq!(side.take("p").unwrap(), Some(2)));
        counted("delete", 1, &|| assert!(side.delete("q").unwrap()));
        counted("delete_many", 1, &|| assert_eq!(side.delete_many(&keys).unwrap(), 100));
        counted("nothing", 0, &|| assert!(side.get_many(&[]).unwrap().is_empty()));
    });
}

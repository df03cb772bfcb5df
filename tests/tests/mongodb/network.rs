//! The network, the server and its refusals.

use std::time::{Duration, Instant};

use kv_core::{ErrorKind, PutOptions, TimeLeft, ValueRef};
use kv_tests::need;
use kv_tests::proxy::{Mode, Proxy};
use kv_tests::servers::{self, MongodbOptions, Server, private_mongodb};
use mongodb::bson::{Document, doc};

use crate::setup::Setup;
use crate::side::{Side, assert_hides, each, names};

fn proxied(server: &Server) -> Proxy {
    Proxy::start((server.host.as_str(), server.port)).unwrap()
}

/// Through the proxy, in a database of the test's own, with little patience for a server that is away.
fn behind(proxy: &Proxy, test: &str) -> Setup {
    Setup {
        database: Some(format!("kv-{test}-{}", std::process::id())),
        connect_timeout: Some(Duration::from_secs(2)),
        ..Setup::port(proxy.port())
    }
}

fn collection(server: &Server, setup: &Setup, name: &str) -> mongodb::sync::Collection<Document> {
    let client = mongodb::sync::Client::with_uri_str(&server.url).unwrap();
    client.database(setup.database.as_deref().unwrap()).collection(name)
}

#[test]
fn an_absent_server_is_no_miss() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    proxy.set_mode(Mode::Refuse);
    let setup = Setup { connect_timeout: Some(Duration::from_millis(300)), ..behind(&proxy, "absent") };
    each(&setup, |side| {
        let start = Instant::now();
        for error in [side.get("k").unwrap_err(), side.put("k", 1).unwrap_err(), side.ping().unwrap_err()] {
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "{error}");
            assert!(error.is_retryable());
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    });
    proxy.set_mode(Mode::Pass);
    each(&behind(&proxy, "absent"), |side| assert_eq!(side.get("k").unwrap(), None));
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = need(private_mongodb(MongodbOptions::new().user("app", "p@s/s:%w?#"))) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    for url in [format!("mongodb://app:hunter2@{at}"), format!("mongodb://{at}")] {
        let setup = Setup { connect_timeout: Some(Duration::from_secs(2)), ..Setup::url(url) };
        each(&setup, |side| {
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
fn tls_by_a_certificate_authority_of_one_s_own() {
    let Some(server) = need(private_mongodb(MongodbOptions::new().tls())) else { return };
    let patience = Some(Duration::from_secs(2));
    let trusting = Setup { ca: Some(server.certs().unwrap().ca()), ..Setup::url(server.url()) };
    each(&trusting, |side| {
        side.put("k", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
    let plain = format!("mongodb://127.0.0.1:{}", server.port());
    for url in [server.url(), plain.as_str()] {
        each(&Setup { connect_timeout: patience, ..Setup::url(url) }, |side| {
            let error = side.get("k").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connection, "an authority that nobody trusts, or no TLS: {error}");
        });
    }
    each(&Setup { ca: Some("/nowhere/ca.pem".into()), ..Setup::url(server.url()) }, |side| {
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Configuration);
    });
}

#[test]
fn a_restart_between_two_calls_is_not_noticed() {
    let Some(mut server) = need(private_mongodb(MongodbOptions::new())) else { return };
    for make in [Side::blocking, Side::awaiting] {
        let side = make(&Setup::url(server.url()));
        let mut restart = || server.restart().unwrap();
        side.put("k", 1).unwrap();
        restart();
        assert_eq!(side.get("k").unwrap(), Some(1), "{}", side.name());
        restart();
        side.put("k", 2).unwrap();
        restart();
        assert_eq!(side.increment("k", 1).unwrap(), 3);
        restart();
        assert!(side.delete("k").unwrap());
        side.clear("default_collection").unwrap();
    }
}

#[test]
fn a_write_whose_answer_is_lost_is_made_once() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    let setup = behind(&proxy, "lost");
    each(&setup, |side| {
        side.put("warm", 1).unwrap();
        // The server knows the number of the write that it did, so that the driver's second try is none.
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(side.put_if_absent("once", 1).unwrap().is_some(), "{}", side.name());
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(side.delete("once").unwrap(), "{}", side.name());
        proxy.set_mode_once(Mode::CutAnswer);
        side.put("k", 1).unwrap();
        proxy.set_mode_once(Mode::CutAnswer);
        assert_eq!(side.get("k").unwrap(), Some(1));
        proxy.set_mode_once(Mode::CutAnswer);
        assert_eq!(side.increment("k", 1).unwrap(), 2);
        // What carries no number is not sent again.
        proxy.set_mode_once(Mode::CutAnswer);
        let error = side.put_many(&names(3), &PutOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{error}");
        assert_eq!(side.get("k2").unwrap(), Some(2), "it was made");
        proxy.set_mode_once(Mode::CutAnswer);
        assert!(side.delete_many(&names(3)).unwrap_err().outcome_unknown());
        assert_eq!(side.delete_many(&names(3)).unwrap(), 0);
        side.clear("default_collection").unwrap();
    });
}

#[test]
fn a_write_that_is_not_answered_has_an_unknown_outcome() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    let plain = behind(&proxy, "unknown");
    let unretried = Setup { url: format!("{}&retryWrites=false&retryReads=false", plain.url), ..plain.clone() };
    for setup in [plain, unretried] {
        each(&setup, |side| {
            let stored = |key: &str| {
                let documents = collection(&server, &setup, "default_collection");
                documents.find_one(doc! { "key": key }).run().unwrap().is_some()
            };
            for (mode, happens) in [(Mode::CutAnswer, true), (Mode::CutAfter(20), false)] {
                side.put("old", 1).unwrap();
                proxy.set_mode(mode);
                let error = side.put("new", 1).unwrap_err();
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{mode:?} {error}");
                assert_eq!(stored("new"), happens, "{} {mode:?}", side.name());
                let error = side.get("old").unwrap_err();
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "it only reads");
                proxy.set_mode(Mode::Pass);
                assert_eq!(side.get("new").unwrap().is_some(), happens, "and the store works on");
                side.clear("default_collection").unwrap();
            }
        });
    }
}

#[test]
fn a_server_that_does_not_answer_times_out() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    let timeout = Duration::from_millis(400);
    let setup = Setup { timeout: Some(timeout), ..behind(&proxy, "silent") };
    each(&setup, |side| {
        // A connection, and all that a new one waits for.
        let warm = || {
            proxy.set_mode(Mode::Pass);
            let start = Instant::now();
            while side.get("k").is_err() {
                assert!(start.elapsed() < Duration::from_secs(10));
            }
        };
        side.put("k", 1).unwrap();
        warm();
        let timed = |call: &dyn Fn() -> kv_core::Error, within: Duration| {
            proxy.set_mode(Mode::BlackHole);
            let start = Instant::now();
            let error = call();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{} {error}", side.name());
            let took = start.elapsed();
            assert!(took >= within / 2 && took < within + Duration::from_millis(600), "{} {took:?}", side.name());
            warm();
            error
        };
        assert!(!timed(&|| side.get("k").unwrap_err(), timeout).outcome_unknown());
        assert!(timed(&|| side.put("k", 2).unwrap_err(), timeout).outcome_unknown());
        assert!(timed(&|| side.delete_many(&names(100)).unwrap_err(), timeout).outcome_unknown());
        assert!(!timed(&|| side.count("default_collection").unwrap_err(), timeout).outcome_unknown());
        let short = Duration::from_millis(150);
        timed(&|| side.with_timeout(short).get("k").unwrap_err(), short);
        // A call that is given more time than usual has it.
        proxy.set_mode(Mode::Delay(timeout * 2));
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(side.with_timeout(timeout * 20).get("k").unwrap(), Some(1), "{}", side.name());
        proxy.set_mode(Mode::Pass);
    });
}

#[test]
fn every_operation_takes_one_round_trip() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    let keys = names(100);
    each(&behind(&proxy, "trips"), |side| {
        let with_ttl = PutOptions::ttl(Duration::from_secs(60));
        side.put_many(&keys, &with_ttl).unwrap();
        let counted = |what: &str, trips: u64, call: &dyn Fn()| {
            proxy.reset();
            call();
            let counts = proxy.counts();
            assert_eq!((counts.round_trips, counts.connections), (trips, 0), "{} {what}", side.name());
        };
        let missing: Vec<_> = (0..100).map(|number| format!("none{number}")).collect();
        counted("get", 1, &|| assert!(side.get("k1").unwrap().is_some()));
        counted("a miss", 1, &|| assert_eq!(side.get("none").unwrap(), None));
        counted("put", 1, &|| drop(side.put("p", 1).unwrap()));
        counted("put with a TTL", 1, &|| drop(side.put_ttl("p", 1, Duration::from_secs(60)).unwrap()));
        counted("put_if_absent", 1, &|| assert!(side.put_if_absent("q", 1).unwrap().is_some()));
        counted("put_if_absent that is not", 1, &|| assert!(side.put_if_absent("q", 1).unwrap().is_none()));
        counted("exists", 1, &|| assert!(side.exists("k1").unwrap()));
        counted("ttl", 1, &|| assert!(side.ttl("k1").unwrap().is_some()));
        let all_found = || assert!(side.get_many(&keys).unwrap().iter().all(|one| matches!(one, Ok(Some(_)))));
        let all_missing = || assert!(side.get_many(&missing).unwrap().iter().all(|one| matches!(one, Ok(None))));
        counted("get_many", 1, &all_found);
        counted("get_many of missing keys", 1, &all_missing);
        counted("put_many", 1, &|| assert_eq!(side.put_many(&keys, &PutOptions::default()).unwrap().len(), 100));
        counted("put_many with a TTL", 1, &|| assert_eq!(side.put_many(&keys, &with_ttl).unwrap().len(), 100));
        counted("keys", 1, &|| assert_eq!(side.all_keys("default_collection").unwrap().len(), 102));
        counted("count", 1, &|| assert_eq!(side.count("default_collection").unwrap(), 102));
        counted("increment", 2, &|| assert_eq!(side.increment("p", 1).unwrap(), 2));
        counted("take", 2, &|| assert_eq!(side.take("p").unwrap(), Some(2)));
        counted("delete", 1, &|| assert!(side.delete("q").unwrap()));
        counted("delete_many", 1, &|| assert_eq!(side.delete_many(&keys).unwrap(), 100));
        counted("nothing", 0, &|| assert!(side.get_many(&[]).unwrap().is_empty()));
        counted("another collection", 3, &|| drop(side.put_in("new", "k", 1).unwrap()));
        counted("another collection, again", 1, &|| drop(side.put_in("new", "k", 1).unwrap()));
        side.destroy().unwrap();
    });
}

/// What is asked about an entry brings nothing of its value over the network, unless another program wrote it.
#[test]
fn heads_come_without_values() {
    let Some(server) = need(servers::mongodb()) else { return };
    let proxy = proxied(&server);
    let setup = behind(&proxy, "heads");
    let text = "x".repeat(1 << 20);
    let object = format!(r#"{{"text":"{text}"}}"#);
    let array = format!(r#"["{text}"]"#);
    let values =
        [ValueRef::Json(object.as_bytes()), ValueRef::Json(array.as_bytes()), ValueRef::Bytes(text.as_bytes())];
    each(&setup, |side| {
        let keys = ["k0", "k1", "k2", "foreign", "absent"].map(str::to_owned);
        for (key, value) in keys.iter().zip(values) {
            side.put_value(key, value, &PutOptions::ttl(Duration::from_secs(600))).unwrap();
        }
        proxy.reset();
        for key in &keys[..3] {
            assert!(side.exists(key).unwrap());
            assert!(matches!(side.ttl(key).unwrap(), Some(TimeLeft::For(_))));
        }
        let left = side.ttl_many(&keys[..3]).unwrap();
        assert!(left.iter().all(|left| matches!(left, Some(TimeLeft::For(_)))), "{left:?}");
        let moved = proxy.counts().to_client;
        assert!((1..20_000).contains(&moved), "{moved} bytes");

        let document =
            doc! { "key": "foreign", "collection": "default_collection", "version": 1, "value": { "object": {} } };
        collection(&server, &setup, "default_collection").insert_one(document).run().unwrap();
        assert!(side.exists("foreign").unwrap() && !side.exists("absent").unwrap());
        let left = side.ttl_many(&keys[2..]).unwrap();
        assert!(matches!(left[..], [Some(TimeLeft::For(_)), Some(TimeLeft::Forever), None]), "{left:?}");
        side.destroy().unwrap();
    });
}

/// Before 8.0 there is no `bulkWrite`: the first batch of deletes meets that, and none after it.
#[test]
fn servers_before_8_0_delete_many_in_two_steps() {
    let Some(server) = need(private_mongodb(MongodbOptions::new().in_memory())) else { return };
    let admin = mongodb::sync::Client::with_uri_str(server.url()).unwrap().database("admin");
    let lack = doc! { "failCommands": ["bulkWrite"], "errorCode": 59 };
    admin.run_command(doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": lack }).run().unwrap();
    let proxy = proxied(server.server());
    each(&behind(&proxy, "old"), |side| {
        let (keys, plain) = (names(4), PutOptions::default());
        side.put_many(&keys, &plain).unwrap();
        side.put_ttl("ended", 1, Duration::from_millis(1)).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        for trips in [3, 2] {
            proxy.reset();
            let some = ["k0", "absent", "ended", "k1", "k0"].map(str::to_owned);
            assert_eq!(side.delete_many(&some).unwrap(), 2, "{}", side.name());
            assert_eq!(proxy.counts().round_trips, trips);
            let left = side.all_keys("default_collection").unwrap();
            assert_eq!(left, ["k2", "k3"]);
            side.put_many(&keys, &plain).unwrap();
        }
        proxy.reset();
        assert_eq!(side.delete_many(&["absent".to_owned()]).unwrap(), 0);
        assert_eq!(proxy.counts().round_trips, 1, "nothing was found, so nothing is deleted");
        side.clear("default_collection").unwrap();
    });
}

/// A collection that somebody drops comes back with the next write, and its indexes within a minute.
#[test]
#[ignore = "takes minutes: just test-slow"]
fn indexes_come_back_after_a_drop() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "dropped");
    let unique = || {
        let indexes = collection(&server, &setup, "default_collection").list_indexes().run().unwrap();
        indexes.filter(|index| index.as_ref().unwrap().options.as_ref().unwrap().unique == Some(true)).count()
    };
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        assert_eq!(unique(), 1);
        collection(&server, &setup, "default_collection").drop().run().unwrap();
        side.put("k", 2).unwrap();
        assert_eq!((unique(), side.get("k").unwrap()), (0, Some(2)));
        std::thread::sleep(Duration::from_secs(61));
        side.put("k", 3).unwrap();
        assert_eq!((unique(), side.get("k").unwrap()), (1, Some(3)));
        side.destroy().unwrap();
    });
}

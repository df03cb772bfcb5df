//! Records that are not what they should be, and their expiry.

use std::time::Duration;

use kv_core::{ErrorKind, ManualClock, PutOptions, TimeLeft};
use kv_tests::need;
use kv_tests::resp::Reply;
use kv_tests::servers::{Options, Private, private_redis};

use crate::setup::Setup;
use crate::side::{each, noon};

fn under(key: &str) -> String {
    format!("default_collection::{key}")
}

/// Puts what is no record of this version under three keys.
fn spoil(server: &Private) {
    server.command(&["DEL", &under("list")]).unwrap();
    server.command(&["RPUSH", &under("list"), "x"]).unwrap();
    server.command(&["SET", &under("text"), "hunter2"]).unwrap();
    server.command(&["SET", &under("newer"), r#"{"value": {"a": "hunter2"}, "version": 2}"#]).unwrap();
}

const SPOILT: [&str; 3] = ["list", "text", "newer"];

#[test]
fn what_cannot_be_read_is_told_and_left_and_can_be_replaced() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        spoil(&server);
        side.put("good", 1).unwrap();
        for key in SPOILT {
            let errors = [
                side.get(key).unwrap_err(),
                side.exists(key).unwrap_err(),
                side.put_if_absent(key, 1).unwrap_err(),
                side.increment(key, 1).unwrap_err(),
                side.take(key).unwrap_err(),
            ];
            for error in errors {
                assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some(key)), "{} {error}", side.name());
                assert!(!format!("{error} {error:?}").contains("hunter2"));
            }
        }
        let keys = ["good", "list", "none", "text", "good"].map(str::to_owned);
        let answers = side.get_many(&keys).unwrap();
        let kinds: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().map_err(kv_core::Error::kind).copied()).collect();
        let corrupted = Err(ErrorKind::Corrupted);
        assert_eq!(kinds, [Ok(Some(1)), corrupted, Ok(None), corrupted, Ok(Some(1))]);
        assert_eq!(answers[1].as_ref().unwrap_err().key(), Some("list"));
        let mut listed = side.entries("default_collection").unwrap().items;
        listed.sort_by(|one, other| one.0.cmp(&other.0));
        let listed: Vec<_> = listed.iter().map(|(key, entry)| (&**key, entry.is_ok())).collect();
        assert_eq!(listed, [("good", true), ("list", false), ("newer", false), ("text", false)]);
        assert_eq!(server.command(&["TYPE", &under("list")]).unwrap(), Reply::Simple("list".into()), "left in place");
        for key in SPOILT {
            side.put(key, 5).unwrap();
            assert_eq!(side.get(key).unwrap(), Some(5));
        }
        spoil(&server);
        assert!(side.delete("list").unwrap() && side.delete("text").unwrap());
        assert_eq!(side.delete_many(&SPOILT.map(str::to_owned)).unwrap(), 1);
        spoil(&server);
        assert_eq!(side.delete_many(&SPOILT.map(str::to_owned)).unwrap(), 3);
        spoil(&server);
        assert_eq!(side.clear("default_collection").unwrap(), 4);
        assert_eq!(server.command(&["DBSIZE"]).unwrap(), Reply::Int(0));
    });
}

#[test]
fn the_server_s_expiry_is_rounded_up_to_the_millisecond() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let clock = ManualClock::new(noon());
    each(&Setup { clock: Some(clock.clone()), ..Setup::url(server.url()) }, |side| {
        let left = |key: &str| match server.command(&["PTTL", &under(key)]).unwrap() {
            Reply::Int(left) => left,
            other => panic!("{other:?}"),
        };
        side.put_ttl("short", 1, Duration::from_micros(500)).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(left("short"), -2, "a millisecond, and no more");
        side.put_ttl("long", 1, Duration::from_micros(60_000_001)).unwrap();
        side.put_ttl("endless", 1, Duration::from_secs(3600 * 24 * 365 * 7000)).unwrap();
        assert!((59_000..=60_001).contains(&left("long")), "{}", left("long"));
        assert!(left("endless") > 1 << 42);
        // Exact by our clock, whatever the server holds still.
        assert_eq!(side.ttl("long").unwrap(), Some(TimeLeft::For(Duration::from_micros(60_000_001))));
        clock.advance(Duration::from_secs(60));
        assert_eq!(side.get("long").unwrap(), Some(1));
        clock.advance(Duration::from_micros(1));
        assert_eq!(side.get("long").unwrap(), None);
        assert!(left("long") > 0, "the server has it still");
        assert!(!side.exists("long").unwrap() && !side.delete("none").unwrap());
        assert!(!side.all_keys("default_collection").unwrap().contains(&"long".to_owned()));
        // To a condition it is absent, and it is replaced.
        assert!(side.put_if_absent("long", 2).unwrap().is_some());
        assert_eq!((side.get("long").unwrap(), left("long")), (Some(2), -1));
        side.put_ttl("late", 1, Duration::from_secs(1)).unwrap();
        clock.advance(Duration::from_secs(1));
        assert!(!side.delete("late").unwrap(), "what has ended does not count");
        side.put_many(&["x".to_owned(), "y".to_owned()], &PutOptions::ttl(Duration::from_secs(9))).unwrap();
        assert!((8_000..=9_000).contains(&left("x")));
        clock.advance(Duration::from_secs(9));
        assert_eq!(side.cull().unwrap(), 2);
        assert_eq!((left("x"), left("long")), (-2, -1));
        assert_eq!(side.clear("default_collection").unwrap(), 2);
    });
}

#[test]
fn an_increment_of_many_writers_loses_none() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        side.delete("n").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| assert!(side.increment("n", 1).unwrap() > 0)));
            }
        });
        assert_eq!(side.get("n").unwrap(), Some(100), "{}", side.name());
    });
}

//! Documents, names and indexes that are not what they should be, and limits.

use std::time::Duration;

use kv_core::formats::mongodb::MAX_VALUE_BYTES;
use kv_core::{Condition, ErrorKind, ManualClock, PutOptions, TimeLeft, ValueRef};
use kv_tests::need;
use kv_tests::servers::{self, MongodbOptions, Server, private_mongodb};
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::setup::Setup;
use crate::side::{Side, each, noon};

fn database(server: &Server, setup: &Setup) -> mongodb::sync::Database {
    let client = mongodb::sync::Client::with_uri_str(&server.url).unwrap();
    client.database(setup.database.as_deref().unwrap())
}

fn documents(server: &Server, setup: &Setup) -> mongodb::sync::Collection<Document> {
    database(server, setup).collection("default_collection")
}

fn indexes(server: &Server, setup: &Setup) -> Vec<Document> {
    let list = database(server, setup).run_command(doc! { "listIndexes": "default_collection" }).run().unwrap();
    let found = list.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    found.iter().map(|index| index.as_document().unwrap().clone()).collect()
}

fn is_unique(index: &Document) -> bool {
    index.get_document("key").unwrap().keys().eq(["key"]) && index.get_bool("unique").unwrap_or_default()
}

fn frees(index: &Document) -> bool {
    index.get_document("key").unwrap().keys().eq(["expires_at"]) && index.contains_key("expireAfterSeconds")
}

/// What Python's library makes.
fn make_as_python_does(server: &Server, setup: &Setup) {
    let create = doc! { "createIndexes": "default_collection", "indexes": [
        { "key": { "key": 1 }, "name": "key_1" },
        { "key": { "expires_at": 1 }, "name": "expires_at_1", "expireAfterSeconds": 0 },
    ] };
    database(server, setup).run_command(create).run().unwrap();
}

fn python_s(key: &str, value: i64) -> Document {
    let now = DateTime::from_millis(1_795_233_445_000);
    doc! { "key": key, "collection": "default_collection", "version": 1, "value": { "object": { "n": value } }, "created_at": now }
}

#[test]
fn indexes_are_made_beside_python_s() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "indexes");
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        let made = indexes(&server, &setup);
        assert!(made.iter().any(is_unique) && made.iter().any(frees), "{made:?}");
        side.destroy().unwrap();
        make_as_python_does(&server, &setup);
        documents(&server, &setup).insert_one(python_s("old", 1)).run().unwrap();
        side.put("k", 1).unwrap();
        let made = indexes(&server, &setup);
        assert!(made.len() == 4 && made.iter().any(is_unique), "{made:?}");
        assert_eq!(side.entry("old").unwrap().unwrap().as_json(), Some(r#"{"n":1}"#));
        side.destroy().unwrap();
    });
}

#[test]
fn double_documents_and_indexes_that_do_not_serve_are_reported() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "doubled");
    let refused = |side: &Side, says: &str| {
        for error in [side.put("k", 1).unwrap_err(), side.put_if_absent("k", 1).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.message().contains(says) && error.message().contains("default_collection"), "{error}");
        }
    };
    each(&setup, |side| {
        let documents = documents(&server, &setup);
        make_as_python_does(&server, &setup);
        documents.insert_many([python_s("twice", 1), python_s("twice", 2)]).run().unwrap();
        assert!(side.entry("twice").unwrap().is_some(), "reading takes no index");
        refused(side, "several documents of one key");
        // It heals when somebody sees to it.
        documents.delete_one(doc! { "key": "twice" }).run().unwrap();
        side.put("k", 1).unwrap();
        documents.drop().run().unwrap();
        side.close().unwrap();
    });
    for seconds in [doc! {}, doc! { "expireAfterSeconds": 3600 }] {
        each(&setup, |side| {
            let mut index = doc! { "key": { "expires_at": 1 }, "name": "expires_at_1" };
            index.extend(seconds.clone());
            let create = doc! { "createIndexes": "default_collection", "indexes": [index] };
            database(&server, &setup).run_command(create).run().unwrap();
            refused(side, "expires_at");
            documents(&server, &setup).drop().run().unwrap();
        });
    }
}

#[test]
fn a_put_without_a_ttl_takes_the_old_expiry_away() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "forever");
    each(&setup, |side| {
        side.put_ttl("k", 1, Duration::from_secs(60)).unwrap();
        let found = documents(&server, &setup).find_one(doc! { "key": "k" }).run().unwrap().unwrap();
        assert!(found.contains_key("expires_at"));
        side.put("k", 2).unwrap();
        assert_eq!(side.ttl("k").unwrap(), Some(TimeLeft::Forever));
        let found = documents(&server, &setup).find_one(doc! { "key": "k" }).run().unwrap().unwrap();
        assert!(!found.contains_key("expires_at") && !found.get_document("value").unwrap().contains_key("expires"));
        side.destroy().unwrap();
    });
}

#[test]
fn expiry_is_exact_between_milliseconds() {
    let Some(server) = need(servers::mongodb()) else { return };
    // Beyond the reach of the server's own clock, which would free what has ended.
    let clock = ManualClock::new(noon().saturating_add(Duration::from_secs(3_000_000_000)));
    let setup = Setup { clock: Some(clock.clone()), ..Setup::of(&server, "exact") };
    each(&setup, |side| {
        for conditional in [false, true] {
            side.put_ttl("k", 1, Duration::from_micros(1_500)).unwrap();
            clock.advance(Duration::from_micros(1_499));
            assert!(side.exists("k").unwrap());
            assert_eq!(side.count("default_collection").unwrap(), 1);
            assert!(side.put_if_absent("k", 2).unwrap().is_none());
            clock.advance(Duration::from_micros(1));
            assert_eq!(side.count("default_collection").unwrap(), 0, "{}", side.name());
            assert!(!side.exists("k").unwrap());
            match conditional {
                true => assert!(side.put_if_absent("k", 2).unwrap().is_some()),
                false => assert!(!side.delete("k").unwrap()),
            }
        }
        side.put_ttl("gone", 1, Duration::from_micros(1)).unwrap();
        clock.advance(Duration::from_micros(1));
        assert!(side.cull().unwrap() >= 1);
        assert_eq!(documents(&server, &setup).count_documents(doc! { "key": "gone" }).run().unwrap(), 0);
        side.destroy().unwrap();
    });
}

#[test]
fn what_cannot_be_read_is_told_and_left_and_can_be_replaced() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "spoilt");
    let spoilt = [
        ("date", doc! { "value": { "object": { "hunter2": DateTime::from_millis(1) } } }),
        ("nan", doc! { "value": { "object": { "hunter2": f64::NAN } } }),
        ("newer", doc! { "value": { "object": { "a": "hunter2" } }, "version": 2 }),
        ("text", doc! { "value": "hunter2" }),
    ];
    each(&setup, |side| {
        side.put("good", 1).unwrap();
        for (key, document) in &spoilt {
            let mut document = document.clone();
            document.insert("key", *key);
            document.insert("collection", "default_collection");
            documents(&server, &setup).insert_one(document).run().unwrap();
            let errors = [
                side.get(key).unwrap_err(),
                side.exists(key).unwrap_err(),
                side.increment(key, 1).unwrap_err(),
                side.take(key).unwrap_err(),
            ];
            for error in errors {
                assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some(*key)), "{} {error}", side.name());
                assert!(!format!("{error} {error:?}").contains("hunter2"));
            }
            assert!(side.put_if_absent(key, 1).unwrap().is_none(), "it is there");
        }
        let keys = ["good", "nan", "none", "text", "good"].map(str::to_owned);
        let answers = side.get_many(&keys).unwrap();
        let kinds: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().map_err(kv_core::Error::kind).copied()).collect();
        let corrupted = Err(ErrorKind::Corrupted);
        assert_eq!(kinds, [Ok(Some(1)), corrupted, Ok(None), corrupted, Ok(Some(1))]);
        let listed = side.entries("default_collection").unwrap().items;
        let listed: Vec<_> = listed.iter().map(|(key, entry)| (&**key, entry.is_ok())).collect();
        assert_eq!(listed, [("date", false), ("good", true), ("nan", false), ("newer", false), ("text", false)]);
        for (key, _) in &spoilt[..2] {
            side.put(key, 5).unwrap();
            assert_eq!(side.get(key).unwrap(), Some(5));
        }
        assert!(side.delete("newer").unwrap());
        assert_eq!(side.delete_many(&["text".to_owned(), "good".to_owned()]).unwrap(), 2);
        documents(&server, &setup).drop().run().unwrap();
        side.close().unwrap();
    });
}

#[test]
fn values_that_hurt_are_kept_exactly() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "values");
    let deep = format!("{}1{}", r#"{"a":["#.repeat(120), "]}".repeat(120));
    let texts = [
        "null",
        "[]",
        "\"\"",
        "{}",
        r#"{"big":123456789012345678901234567890,"u":18446744073709551615}"#,
        r#"{"f":[1e300,-0.0,5e-324,0.1,1.0,1e400]}"#,
        r#"{"$set":{"a":1},"$ref":"x"}"#,
        r#"{"a.b":{"c.d":1},"":2,"$":3}"#,
        r#"{"_id":1,"key":"x","value":{"object":1}}"#,
        r#"{"a":"\u0000\ud83d\ude00","b":[[],{},null]}"#,
        &deep,
    ];
    each(&setup, |side| {
        for text in texts {
            let value = ValueRef::Json(text.as_bytes());
            side.put_value("k", value, &PutOptions::default()).unwrap();
            let entry = side.entry("k").unwrap().unwrap();
            assert!(entry.value().means(value), "{} {text:.80}: {:.80}", side.name(), entry.as_json().unwrap());
            // What was read can be replaced at that state.
            let options = PutOptions::default().with_condition(Condition::IfRevision(entry.revision()));
            assert!(side.put_value("k", value, &options).unwrap().is_written());
        }
        for bytes in [&b""[..], b"\0\xff{}", &[7; 100_000]] {
            side.put_value("b", ValueRef::Bytes(bytes), &PutOptions::default()).unwrap();
            assert_eq!(side.entry("b").unwrap().unwrap().as_bytes(), Some(bytes));
        }
        side.destroy().unwrap();
    });
}

#[test]
fn another_program_s_record_is_written_at_the_state_it_was_read_in() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "foreign");
    each(&setup, |side| {
        side.put("warm", 1).unwrap();
        let documents = documents(&server, &setup);
        let mut foreign = python_s("k", 1);
        foreign
            .get_document_mut("value")
            .unwrap()
            .insert("object", doc! { "$x": { "a.b": [1, -0.0] }, "": Bson::Null });
        documents.insert_one(foreign).run().unwrap();
        let seen = side.entry("k").unwrap().unwrap();
        assert_eq!(seen.as_json(), Some(r#"{"$x":{"a.b":[1,-0.0]},"":null}"#));
        let at = |revision| PutOptions::default().with_condition(Condition::IfRevision(revision));
        let value = ValueRef::Json(b"{}");
        // Python writes the same value again, at another instant.
        let again = doc! { "$set": { "created_at": DateTime::from_millis(5) } };
        documents.update_one(doc! { "key": "k" }, again).run().unwrap();
        assert!(!side.put_value("k", value, &at(seen.revision())).unwrap().is_written());
        let seen = side.entry("k").unwrap().unwrap();
        assert!(side.put_value("k", value, &at(seen.revision())).unwrap().is_written());
        assert!(!side.put_value("k", value, &at(seen.revision())).unwrap().is_written());
        // And it replaces ours: nothing of ours is left.
        let ours = side.entry("k").unwrap().unwrap();
        let set = doc! { "$set": python_s("k", 7) };
        documents.update_one(doc! { "key": "k" }, set).run().unwrap();
        let theirs = side.entry("k").unwrap().unwrap();
        assert_ne!(theirs.revision(), ours.revision());
        assert_eq!(theirs.created().unwrap().as_micros(), 1_795_233_445_000_000);
        assert!(!side.put_value("k", value, &at(ours.revision())).unwrap().is_written());
        side.destroy().unwrap();
    });
}

#[test]
fn names_that_mongodb_cannot_hold() {
    let Some(server) = need(servers::mongodb()) else { return };
    let long = "é".repeat(1024);
    let names =
        ["system.users", "a$b", "\0", "..", ".a", "a.", "%a", "a b/\\", "A", "a", "~", "|", &long, &long[..2000]];
    for namespace in [None, Some("ns.$|~")] {
        let setup = Setup { namespace, ..Setup::of(&server, "names") };
        each(&setup, |side| {
            for (number, name) in (0..).zip(names) {
                side.put_in(name, name, number).unwrap();
            }
            for (number, name) in (0..).zip(names) {
                assert_eq!(side.get_in(name, name).unwrap(), Some(number), "{name:?}");
                assert_eq!(side.all_keys(name).unwrap(), [name]);
            }
            let mut sorted = names.map(str::to_owned);
            sorted.sort();
            assert_eq!(side.collections().unwrap(), sorted);
            assert!(side.delete_in(&long, &long).unwrap());
            assert_eq!(side.clear("A").unwrap(), 1);
            assert_eq!(side.destroy().unwrap(), names.len() as u64 - 2);
            assert!(side.collections().unwrap().is_empty());
        });
    }
}

#[test]
fn what_other_programs_keep_stays() {
    let Some(server) = need(servers::mongodb()) else { return };
    let setup = Setup::of(&server, "others");
    each(&setup, |side| {
        let others = database(&server, &setup).collection::<Document>("invoices");
        others
            .insert_one(doc! { "number": 1, "expires_at": DateTime::from_millis(253_000_000_000_000) })
            .run()
            .unwrap();
        let mixed = documents(&server, &setup);
        mixed.insert_one(doc! { "no": "key" }).run().unwrap();
        let spaced = Side::blocking(&Setup { namespace: Some("other"), ..setup.clone() });
        spaced.put("k", 5).unwrap();
        side.put("k", 1).unwrap();
        assert_eq!(side.collections().unwrap(), ["default_collection"]);
        assert_eq!(side.all_keys("default_collection").unwrap(), ["k"]);
        side.cull().unwrap();
        assert_eq!(side.destroy().unwrap(), 1);
        assert_eq!(others.count_documents(doc! {}).run().unwrap(), 1);
        assert_eq!(mixed.count_documents(doc! {}).run().unwrap(), 1);
        assert_eq!(spaced.get("k").unwrap(), Some(5));
        others.drop().run().unwrap();
        mixed.drop().run().unwrap();
        assert_eq!(spaced.destroy().unwrap(), 1);
        side.close().unwrap();
    });
}

#[test]
fn the_largest_value_fits_and_more_is_refused() {
    // One that keeps its data on disk: in memory, its cache is all that there is.
    let Some(server) = need(private_mongodb(MongodbOptions::new())) else { return };
    let setup = Setup { timeout: Some(Duration::from_secs(60)), ..Setup::of(server.server(), "large") };
    each(&setup, |side| {
        let largest = vec![b'x'; MAX_VALUE_BYTES];
        side.put_value(&"k".repeat(2048), ValueRef::Bytes(&largest), &PutOptions::default()).unwrap();
        let entry = side.entry(&"k".repeat(2048)).unwrap().unwrap();
        assert_eq!(entry.as_bytes().map(<[u8]>::len), Some(MAX_VALUE_BYTES));
        let refused = side.put_value("k", ValueRef::Bytes(&[&largest[..], b"x"].concat()), &PutOptions::default());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(!side.exists("k").unwrap());
        // In BSON it would be longer than a document, so that it is kept as text.
        let many = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(2_500_000));
        side.put_value("many", ValueRef::Json(many.as_bytes()), &PutOptions::default()).unwrap();
        assert_eq!(side.entry("many").unwrap().unwrap().as_json().map(str::len), Some(many.len()));
        side.destroy().unwrap();
    });
}

#[test]
fn many_records_take_several_requests() {
    // One that keeps its data on disk: in memory, its cache is all that there is.
    let Some(server) = need(private_mongodb(MongodbOptions::new())) else { return };
    let setup = Setup { timeout: Some(Duration::from_secs(60)), ..Setup::of(server.server(), "many") };
    each(&setup, |side| {
        let wide = format!("\"{}\"", "x".repeat(5 << 20));
        for key in ["a", "b", "c", "d"] {
            side.put_value(key, ValueRef::Json(wide.as_bytes()), &PutOptions::default()).unwrap();
        }
        assert_eq!(side.all_keys("default_collection").unwrap(), ["a", "b", "c", "d"]);
        // Twenty megabytes are more than one answer holds.
        let first = side.entries("default_collection").unwrap();
        assert!(first.next.is_some() && !first.items.is_empty() && first.items.len() < 4, "{}", first.items.len());
        let keys = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let answers = ask_store!(side, get_many::<String>(&keys)).unwrap();
        assert_eq!(answers.iter().filter(|one| matches!(one, Ok(Some(_)))).count(), 4);
        side.destroy().unwrap();
    });
}

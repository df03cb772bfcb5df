//! How many requests each operation takes.

use std::time::Duration;

use kv_core::{DeleteOutcome, KeyFilter, ListOptions, Metadata, PutOptions, TimeLeft, ValueRef};
use kv_tests::need;
use kv_tests::proxy::Proxy;
use serde_json::json;

use crate::server::{Space, opensearch};
use crate::setup::Setup;
use crate::side::each;

#[test]
fn an_operation_takes_one() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let setup = Setup::new(format!("http://127.0.0.1:{}", proxy.port()), &space.prefix);
    each(&setup, |side| {
        let one = |what: &str, expected: u64| {
            assert_eq!(proxy.reset().round_trips, expected, "{}: {what}", side.name());
        };
        // Whose server it is, whether there is an index, and the index.
        ask!(side, "c", put("k", &1)).unwrap();
        proxy.reset();
        ask!(side, "c", put("k", &1)).unwrap();
        one("put", 1);
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1));
        one("get", 1);
        assert_eq!(ask!(side, "c", get::<i64>("missing")).unwrap(), None);
        one("get of nothing", 1);
        assert_eq!(ask!(side, "never written", get::<i64>("missing")).unwrap(), None);
        one("get from no collection", 1);
        ask!(side, "c", exists("k")).unwrap();
        ask!(side, "c", ttl("k")).unwrap();
        one("exists and ttl", 2);
        assert!(ask!(side, "c", delete("k")).unwrap());
        one("delete", 1);
        assert!(!ask!(side, "c", delete("k")).unwrap());
        one("delete of nothing", 1);
        let written = ask!(side, "c", put_if_absent("k", &1)).unwrap().unwrap();
        one("put_if_absent", 1);
        assert!(ask!(side, "c", put_if_absent("k", &1)).unwrap().is_none());
        one("put_if_absent in vain", 1);
        let next = ask!(side, "c", put_if_revision("k", &2, &written.revision())).unwrap().unwrap();
        one("put_if_revision", 1);
        assert!(ask!(side, "c", put_if_revision("k", &2, &written.revision())).unwrap().is_none());
        one("put_if_revision in vain", 1);
        assert_eq!(ask!(side, "c", delete_if_revision("k", &next.revision())).unwrap(), DeleteOutcome::Deleted);
        one("delete_if_revision", 1);
        ask!(side, "c", increment("n", 1)).unwrap();
        one("increment", 2);
        let items: Vec<_> = (0..1000).map(|number| (format!("k{number:04}"), number)).collect();
        let keys: Vec<_> = items.iter().map(|(key, _)| key.clone()).collect();
        ask!(side, "c", put_many(&items, &PutOptions::default())).unwrap();
        one("put_many of 1,000", 1);
        assert_eq!(ask!(side, "c", get_many::<i64>(&keys)).unwrap().len(), 1000);
        one("get_many of 1,000", 1);
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 1001);
        one("count, with the refresh", 2);
        let page = ask!(side, "c", keys(&ListOptions::default().with_limit(100))).unwrap();
        one("the first page, with the refresh", 2);
        ask!(side, "c", keys(&ListOptions::default().with_limit(100).with_cursor(page.next))).unwrap();
        one("the next page", 1);
        assert_eq!(ask!(side, "c", delete_many(&keys)).unwrap(), 1000);
        one("delete_many of 1,000", 1);
        // 8 MiB a request, by whole records.
        let large = "x".repeat(1 << 20);
        let large: Vec<_> = (0..20).map(|number| (format!("l{number}"), &large)).collect();
        ask!(side, "c", put_many(&large, &PutOptions::default())).unwrap();
        one("put_many of 20 MiB", 3);
        ask_store!(side, destroy()).unwrap();
    });
}

#[test]
fn a_head_is_read_without_its_value() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let setup = Setup::new(format!("http://127.0.0.1:{}", proxy.port()), &space.prefix);
    let long = "x".repeat(1 << 20);
    let notes = Metadata::new().with("a.b", "c").with("value", "kept").with("", "too");
    let options = PutOptions::ttl(Duration::from_secs(100)).with_metadata(notes.clone());
    each(&setup, |side| {
        ask!(side, "c", put_with("object", &json!({"long": long}), &options)).unwrap();
        ask!(side, "c", put_with("text", &long, &options)).unwrap();
        let bytes = ValueRef::Bytes(long.as_bytes());
        ask!(side, "c", put_value("bytes", bytes, &options)).unwrap();
        let keys = ["object", "text", "bytes"];
        proxy.reset();
        for key in keys {
            assert!(ask!(side, "c", exists(key)).unwrap());
            assert!(matches!(ask!(side, "c", ttl(key)).unwrap(), Some(TimeLeft::For(_))));
            assert_eq!(ask!(side, "c", metadata(key)).unwrap(), Some(notes.clone()), "{}: {key}", side.name());
        }
        assert!(ask!(side, "c", ttl_many(&keys)).unwrap().into_iter().all(|left| left.unwrap().is_some()));
        let heads = proxy.reset();
        assert!(heads.to_client < 10_000, "{}: {} bytes", side.name(), heads.to_client);
        ask!(side, "c", get_entry("text")).unwrap().unwrap();
        assert!(proxy.reset().to_client > 1 << 20, "and whole");
    });
}

#[test]
fn deletes_in_an_index_of_python_s_take_two() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let mapping = json!({"mappings": {"properties": {"collection": {"type": "keyword"}, "key": {"type": "keyword"}}}});
    let (status, _) = server.ask("PUT", &format!("/{}-c", space.prefix), &mapping.to_string());
    assert_eq!(status, 200);
    let items: Vec<_> = (0..100).map(|number| (format!("k{number}"), number)).collect();
    let mut keys: Vec<_> = items.iter().map(|(key, _)| key.clone()).collect();
    keys.extend(["k7".to_owned(), "nothing".to_owned()]);
    each(&Setup::new(format!("http://127.0.0.1:{}", proxy.port()), &space.prefix), |side| {
        ask!(side, "c", put_many(&items, &PutOptions::default())).unwrap();
        proxy.reset();
        assert!(ask!(side, "c", delete("k0")).unwrap());
        assert_eq!(proxy.reset().round_trips, 2, "{}: delete", side.name());
        assert_eq!(ask!(side, "c", delete_many(&keys)).unwrap(), 99);
        assert_eq!(proxy.reset().round_trips, 2, "{}: delete_many", side.name());
    });
}

#[test]
fn a_name_that_two_stores_could_have_takes_a_look_once() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let setup = Setup::new(format!("http://127.0.0.1:{}", proxy.port()), &space.prefix);
    each(&setup, |side| ask!(side, "a-b", put("k", &1)).map(drop).unwrap());
    each(&setup, |side| {
        ask_store!(side, ping()).unwrap();
        proxy.reset();
        assert_eq!(ask!(side, "a-b", get::<i64>("k")).unwrap(), Some(1));
        assert_eq!(proxy.reset().round_trips, 2, "the look and the get");
        ask!(side, "a-b", put("k", &1)).unwrap();
        assert_eq!(proxy.reset().round_trips, 1, "it serves the put too");
        assert_eq!(ask!(side, "a-b", get::<i64>("k")).unwrap(), Some(1));
        assert_eq!(proxy.reset().round_trips, 1);
    });
}

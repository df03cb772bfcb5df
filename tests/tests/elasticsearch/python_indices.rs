//! Collections whose index Python calls as others: what a store does that is told to take Python's indices.

use std::time::Duration;

use kv_core::{ErrorKind, KeyFilter, PutOptions};
use kv_tests::need;
use kv_tests::proxy::Proxy;
use kv_tests::python::Python;
use serde_json::{Value, json};

use crate::interop::Theirs;
use crate::server::{Server, Space, opensearch};
use crate::setup::Setup;
use crate::side::each;

fn setup(server: &Server, space: &Space) -> Setup {
    Setup { python_indices: true, ..Setup::new(&server.url, &space.prefix) }
}

/// An index as Python makes it.
fn python_s(server: &Server, index: &str) {
    let mapping = json!({"mappings": {"properties": {
        "created_at": {"type": "date"}, "expires_at": {"type": "date"}, "version": {"type": "integer"},
        "collection": {"type": "keyword"}, "key": {"type": "keyword"}, "value": {"type": "object", "enabled": false},
    }}});
    assert_eq!(server.ask("PUT", &format!("/{index}"), &mapping.to_string()).0, 200);
}

/// A record as Python writes it.
fn write(server: &Server, index: &str, collection: &str, key: &str) {
    let document = json!({"collection": collection, "key": key, "value": {"flat": {"a": 1}}, "version": 1});
    server.write(index, key, &document.to_string());
    server.ask("POST", &format!("/{index}/_refresh"), "");
}

#[test]
fn both_see_each_other_s_records_of_collections_of_any_case() {
    let (Some(server), Some(python)) = (need(opensearch()), need(Python::find())) else { return };
    let space = Space::new(&server, "");
    let mut theirs = Theirs::new(&python, &server, &space.prefix);
    each(&setup(&server, &space), |side| {
        for collection in ["Users", "Größe!(50%)@ÉÀ~1;=[]{}^`'&$+"] {
            for is_ours in [true, false] {
                // Whoever makes the index.
                let collection = &*format!("{collection}{}{is_ours}", side.name());
                if is_ours {
                    ask!(side, collection, put("made", &json!({}))).unwrap();
                } else {
                    theirs.call("put", collection, json!({"key": "made", "value_text": "{}"}));
                    assert!(ask!(side, collection, exists("made")).unwrap(), "{collection}");
                }
                let options = PutOptions::ttl(Duration::from_secs(100));
                ask!(side, collection, put_with("ours", &json!({"a": 1}), &options)).unwrap();
                assert_eq!(theirs.get(collection, "ours"), Some(json!({"a": 1})), "{collection}");
                theirs.call("put", collection, json!({"key": "theirs", "value_text": "{\"b\": 2}", "ttl": 100}));
                let read = ask!(side, collection, get::<Value>("theirs")).unwrap();
                assert_eq!(read, Some(json!({"b": 2})), "{collection}");
                let mut known = theirs.call("keys", collection, json!({}))["keys"].clone();
                known.as_array_mut().unwrap().sort_by_key(|key| key.as_str().map(str::to_owned));
                assert_eq!(json!(ask!(side, collection, all_keys(&KeyFilter::all())).unwrap()), known);
                assert_eq!(ask!(side, collection, count(&KeyFilter::all())).unwrap(), 3);
                assert_eq!(theirs.call("delete", collection, json!({"key": "ours"}))["deleted"], true);
                assert!(!ask!(side, collection, exists("ours")).unwrap());
                assert!(ask!(side, collection, delete("theirs")).unwrap());
                assert_eq!(theirs.get(collection, "theirs"), None);
                assert_eq!(ask_store!(side, all_collections()).unwrap(), [collection], "by its true name");
                assert_eq!(ask!(side, collection, delete_many(&["made", "made", "ours"])).unwrap(), 1);
                assert_eq!(ask_store!(side, all_collections()).unwrap(), [""; 0]);
            }
        }
        // What Python has and we never used is there, and goes.
        theirs.call("put", "Never", json!({"key": "k", "value_text": "{}"}));
        theirs.call("put", "Ended", json!({"key": "k", "value_text": "{}", "ttl": 0.001}));
        ask!(side, "Ours", put("k", &1)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(ask_store!(side, all_collections()).unwrap(), ["Never", "Ours"]);
        assert_eq!(ask_store!(side, cull()).unwrap(), 1);
        assert_eq!(ask!(side, "Never", clear()).unwrap(), 1);
        assert_eq!(theirs.get("Never", "k"), None);
        theirs.call("put", "Never", json!({"key": "k", "value_text": "{}"}));
        assert_eq!(ask_store!(side, destroy()).unwrap(), 2);
        assert_eq!(theirs.get("Never", "k"), None);
    });
}

#[test]
fn an_index_is_one_collection_s() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let index = format!("{}-users", space.prefix);
    let mapping = || server.ask("GET", &format!("/{index}"), "").1;
    let refused = |collection: &str, other: &str| {
        let before = mapping();
        each(&setup(&server, &space), |side| {
            for error in [
                ask!(side, collection, get::<Value>("k")).unwrap_err(),
                ask!(side, collection, put("k", &1)).unwrap_err(),
                ask!(side, collection, delete("k")).unwrap_err(),
                ask!(side, collection, clear()).unwrap_err(),
                ask!(side, collection, count(&KeyFilter::all())).unwrap_err(),
            ] {
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Configuration, false), "{error}");
                let message = error.message();
                assert!([collection, other].iter().all(|name| message.contains(&format!("{name:?}"))), "{message}");
            }
        });
        assert_eq!(mapping(), before, "nothing was changed");
    };
    // By the records that Python has there.
    python_s(&server, &index);
    write(&server, &index, "Users", "k");
    write(&server, &index, "USERS", "l");
    refused("Users", "USERS");
    refused("USERS", "Users");
    each(&setup(&server, &space), |side| {
        assert_eq!(ask_store!(side, all_collections()).unwrap(), ["USERS", "Users"], "they are not hidden");
    });
    let query = json!({"query": {"term": {"collection": "USERS"}}}).to_string();
    server.ask("POST", &format!("/{index}/_delete_by_query?refresh=true"), &query);
    each(&setup(&server, &space), |side| {
        assert_eq!(ask!(side, "Users", get::<Value>("k")).unwrap(), Some(json!({"a": 1})));
        ask!(side, "Users", put("own", &1)).unwrap();
    });
    // By what stands in the mapping, whether there are records or not.
    refused("users", "Users");
    each(&setup(&server, &space), |side| {
        ask!(side, "Users", clear()).unwrap();
    });
    refused("uSERS", "Users");
    // What is written past the mark is seen by the next.
    write(&server, &index, "users", "k");
    refused("Users", "users");
}

#[test]
fn an_index_that_was_taken_so_is_found_without_the_option_too() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let usual = Setup::new(&server.url, &space.prefix);
    each(&setup(&server, &space), |side| drop(ask!(side, "Users", put("k", &1)).unwrap()));
    each(&usual, |side| {
        assert_eq!(ask!(side, "Users", get::<i64>("k")).unwrap(), Some(1));
        assert_eq!(ask!(side, "Users", increment("k", 1)).unwrap(), 2);
        assert!(ask_store!(side, all_collections()).unwrap().contains(&"Users".to_owned()));
        ask!(side, "Users", put("k", &1)).unwrap();
        assert_eq!(ask!(side, "users", get::<i64>("k")).unwrap(), None);
        assert_eq!(ask!(side, "users", put("k", &2)).unwrap_err().kind(), ErrorKind::Configuration);
        // It has an index of its own, as without the option.
        ask!(side, "Others", put("k", &1)).unwrap();
        ask!(side, "others", put("k", &2)).unwrap();
        assert_eq!(ask!(side, "Others", get::<i64>("k")).unwrap(), Some(1));
    });
    each(&setup(&server, &space), |side| {
        let error = ask!(side, "Others", get::<i64>("k")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("_reindex") && error.message().contains("\"Others\""), "{error}");
        assert_eq!(ask!(side, "others", get::<i64>("k")).unwrap(), Some(2));
    });
    // As the message says.
    let (own, python_s) = (format!("{}-~~4fthers", space.prefix), format!("{}-others", space.prefix));
    server.ask("DELETE", &format!("/{python_s}"), "");
    let (_, mapping) = server.ask("GET", &format!("/{own}/_mapping"), "");
    assert_eq!(server.ask("PUT", &format!("/{python_s}"), &mapping[&own].to_string()).0, 200);
    let body = json!({"source": {"index": own}, "dest": {"index": python_s}}).to_string();
    assert_eq!(server.ask("POST", "/_reindex?refresh=true", &body).0, 200);
    server.ask("DELETE", &format!("/{own}"), "");
    each(&setup(&server, &space), |side| {
        assert_eq!(ask!(side, "Others", get::<i64>("k")).unwrap(), Some(1));
        assert!(ask!(side, "Others", increment("n", 1)).unwrap() > 0);
    });
    // What Python adds there is not hidden, though the mapping says that the index is ours alone.
    write(&server, &python_s, "OTHERS", "x");
    each(&setup(&server, &space), |side| {
        assert!(ask_store!(side, all_collections()).unwrap().contains(&"OTHERS".to_owned()));
        assert_eq!(ask!(side, "Others", get::<i64>("k")).unwrap_err().kind(), ErrorKind::Configuration);
    });
}

#[test]
fn a_collection_is_looked_at_once() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let setup = Setup { urls: vec![format!("http://127.0.0.1:{}", proxy.port())], ..setup(&server, &space) };
    each(&setup, |side| drop(ask!(side, "Users", put("k", &1)).unwrap()));
    each(&setup, |side| {
        let trips = |what: &str, expected: u64| assert_eq!(proxy.reset().round_trips, expected, "{what}");
        ask_store!(side, ping()).unwrap();
        proxy.reset();
        assert!(ask!(side, "Users", exists("k")).unwrap());
        trips("the index, its other collections, and the document", 3);
        ask!(side, "Users", put("k", &1)).unwrap();
        trips("put", 1);
        assert_eq!(ask!(side, "Users", get::<i64>("k")).unwrap(), Some(1));
        trips("get", 1);
        assert!(ask!(side, "Users", delete("k")).unwrap());
        trips("delete", 2);
        assert_eq!(ask!(side, "Nothing", get::<i64>("k")).unwrap(), None);
        trips("get from no collection", 1);
        // Names that no index can have stand as ever.
        ask!(side, "a b", put("k", &1)).unwrap();
        assert!(server.document(&format!("{}-~a~20b", space.prefix), "k").is_some());
        ask_store!(side, destroy()).unwrap();
        ask!(side, "Users", put("k", &1)).unwrap();
    });
}

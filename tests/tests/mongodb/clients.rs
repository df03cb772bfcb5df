//! Clients: handed in, in more than one runtime, inside a runtime, closed.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_tests::need;
use kv_tests::servers;

use crate::setup::Setup;
use crate::side::{each, runtime};

fn database(test: &str) -> String {
    format!("kv-{test}-{}", std::process::id())
}

#[test]
fn a_client_that_was_handed_in_works_on_after_close() {
    let Some(server) = need(servers::mongodb()) else { return };
    let database = database("lent");
    let client = mongodb::sync::Client::with_uri_str(&server.url).unwrap();
    let lend = || kv_sync::stores::MongoStore::from_client_v3(client.clone(), &database).unwrap();
    let kv = kv_sync::Kv::new(lend());
    kv.put("k", &1).unwrap();
    kv.close().unwrap();
    assert!(client.database(&database).list_collection_names().run().unwrap().contains(&"default_collection".into()));
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(1), "and so does the store");
    kv.destroy().unwrap();

    runtime().block_on(async {
        let client = mongodb::Client::with_uri_str(&server.url).await.unwrap();
        let store = kv_async::stores::MongoStore::from_client_v3_in(client.clone(), &database, "ns").unwrap();
        let kv = kv_async::Kv::new(store);
        kv.put("k", &1).await.unwrap();
        kv.close().await.unwrap();
        let names = client.database(&database).list_collection_names().await.unwrap();
        assert!(names.contains(&"%ns|default_collection".to_owned()), "{names:?}");
        assert_eq!(kv.get::<i64>("k").await.unwrap(), Some(1));
        kv.destroy().await.unwrap();
    });
}

#[test]
fn close_is_followed_by_another_use() {
    let Some(server) = need(servers::mongodb()) else { return };
    each(&Setup::of(&server, "close"), |side| {
        side.put("k", 1).unwrap();
        side.close().unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
        side.destroy().unwrap();
    });
}

#[test]
fn a_blocking_call_inside_a_runtime_works() {
    let Some(server) = need(servers::mongodb()) else { return };
    let options = kv_sync::stores::MongoOptions::from_url(&server.url).unwrap().with_database(database("inside"));
    let kv = kv_sync::Kv::new(kv_sync::stores::MongoStore::with_options(options).unwrap());
    runtime().block_on(async {
        kv.put("k", &1).unwrap();
        assert_eq!(kv.increment("k", 1).unwrap(), 2);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        assert_eq!(kv.get::<i64>("k").unwrap(), Some(2));
        kv.destroy().unwrap();
        kv.close().unwrap();
    });
}

#[test]
fn a_store_outlives_the_runtime_of_its_first_use() {
    let Some(server) = need(servers::mongodb()) else { return };
    let options = kv_async::stores::MongoOptions::from_url(&server.url).unwrap().with_database(database("runtimes"));
    let kv = kv_async::Kv::new(kv_async::stores::MongoStore::with_options(options).unwrap());
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current().block_on(async { kv.put("k", &1).await.unwrap() });
    for round in 0..12 {
        current().block_on(async { assert_eq!(kv.increment("k", 1).await.unwrap(), round + 2) });
    }
    // Two that live take turns; the first is not driven while the second works.
    let (one, other) = (current(), current());
    for _ in 0..5 {
        one.block_on(async { assert!(kv.exists("k").await.unwrap()) });
        other.block_on(async { assert!(kv.exists("k").await.unwrap()) });
    }
    drop(one);
    other.block_on(async {
        assert!(kv.delete("k").await.unwrap());
        kv.destroy().await.unwrap();
        kv.close().await.unwrap();
    });
}

#[test]
fn dropped_futures_leave_the_store_usable() {
    let Some(server) = need(servers::mongodb()) else { return };
    let options = kv_async::stores::MongoOptions::from_url(&server.url).unwrap().with_database(database("dropped"));
    let kv = kv_async::Kv::new(kv_async::stores::MongoStore::with_options(options).unwrap());
    runtime().block_on(async {
        for step in 0..100_u64 {
            let _ = tokio::time::timeout(Duration::from_micros(step * 50), kv.increment("n", 1)).await;
        }
        let before: i64 = kv.get("n").await.unwrap().unwrap_or(0);
        let after = kv.increment("n", 1).await.unwrap();
        assert!(after > before, "{after} after {before}");
        kv.destroy().await.unwrap();
    });
}

#[test]
fn outside_a_runtime_the_async_store_says_so() {
    let kv = kv_async::Kv::new(kv_async::stores::MongoStore::connect("mongodb://127.0.0.1:1").unwrap());
    let mut get = Box::pin(kv.get::<i64>("k"));
    let waker = std::task::Waker::noop();
    let std::task::Poll::Ready(answer) = get.as_mut().poll(&mut std::task::Context::from_waker(waker)) else {
        panic!("it answers at once")
    };
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn concurrent_writers_of_new_keys_do_not_double_them() {
    let Some(server) = need(servers::mongodb()) else { return };
    let options = kv_sync::stores::MongoOptions::from_url(&server.url).unwrap().with_database(database("race"));
    let open = || kv_sync::Kv::new(kv_sync::stores::MongoStore::with_options(options.clone()).unwrap());
    let kv = open();
    kv.put("first", &0).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // An instance of its own, so that the indexes are made by all at once.
                let kv = open();
                for n in 0..25 {
                    kv.put(&format!("k{n}"), &n).unwrap();
                    kv.collection("other").put(&format!("k{n}"), &n).unwrap();
                    kv.increment("sum", 1).unwrap();
                }
            });
        }
    });
    assert_eq!(kv.get::<i64>("sum").unwrap(), Some(200));
    assert_eq!(kv.count(&kv_core::KeyFilter::all()).unwrap(), 27);
    assert_eq!(kv.collection("other").count(&kv_core::KeyFilter::all()).unwrap(), 25);
    kv.destroy().unwrap();
}

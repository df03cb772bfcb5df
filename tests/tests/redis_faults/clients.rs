//! Clients: handed in, over TLS, in more than one runtime, of Valkey.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_sync::Store as _;
use kv_tests::need;
use kv_tests::servers::{Options, private_redis};

use crate::setup::Setup;
use crate::side::{each, runtime};

#[test]
fn a_client_that_was_handed_in_works_on_after_close() {
    let Some(mut server) = need(private_redis(Options::redis())) else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let pool =
        r2d2::Pool::builder().max_size(2).min_idle(Some(0)).test_on_check_out(false).build_unchecked(client.clone());
    let kv = kv_sync::Kv::new(kv_sync::stores::RedisStore::from_client_v1(pool.clone()));
    kv.put("k", &1).unwrap();
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(1));
    kv.close().unwrap();
    let mut connection = pool.get().unwrap();
    assert!(redis::cmd("EXISTS").arg("default_collection::k").query::<bool>(&mut *connection).unwrap());
    drop(connection);
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(1), "and so does the store");
    server.restart().unwrap();
    assert_eq!(kv.get::<i64>("k").unwrap(), None);

    let runtime = runtime();
    runtime.block_on(async {
        let mut manager = redis::aio::ConnectionManager::new(client).await.unwrap();
        let store = kv_async::stores::RedisStore::from_client_v1_in(manager.clone(), "ns");
        let kv = kv_async::Kv::new(store);
        kv.put("k", &1).await.unwrap();
        kv.close().await.unwrap();
        let exists: bool =
            redis::cmd("EXISTS").arg("%ns|default_collection::k").query_async(&mut manager).await.unwrap();
        assert!(exists);
        assert_eq!(kv.get::<i64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn a_handed_in_pool_keeps_its_answers_apart_after_a_time_out() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let pool = r2d2::Pool::builder().max_size(1).min_idle(Some(0)).test_on_check_out(false).build_unchecked(client);
    let kv = kv_sync::Kv::new(kv_sync::stores::RedisStore::from_client_v1(pool));
    kv.put("a", &1).unwrap();
    kv.put("b", &2).unwrap();
    server.pause().unwrap();
    let short = kv.with_timeout(Duration::from_millis(100));
    assert_eq!(short.delete_many(&["x", "y", "z"]).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(short.get::<i64>("a").unwrap_err().kind(), ErrorKind::Timeout);
    server.resume().unwrap();
    assert_eq!(kv.get::<i64>("b").unwrap(), Some(2));
    assert_eq!(kv.get::<i64>("a").unwrap(), Some(1));
}

#[test]
fn close_is_followed_by_another_use() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        side.put("k", 1).unwrap();
        side.close().unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
}

#[test]
fn a_store_outlives_the_runtime_of_its_first_use() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let kv = kv_async::Kv::new(kv_async::stores::RedisStore::connect(server.url()).unwrap());
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current().block_on(async { kv.put("k", &1).await.unwrap() });
    for round in 0..20 {
        let next = current();
        // What must not be repeated works too: nothing is sent over what ended with its runtime.
        next.block_on(async { assert_eq!(kv.increment("k", 1).await.unwrap(), round + 2) });
    }
    // Two that live take turns; the first is not driven while the second works.
    let (one, other) = (current(), current());
    for _ in 0..5 {
        one.block_on(async { assert!(kv.exists("k").await.unwrap()) });
        other.block_on(async { assert!(kv.exists("k").await.unwrap()) });
    }
    drop(one);
    other.block_on(async { assert!(kv.delete("k").await.unwrap()) });
    assert_eq!(server.admin().unwrap().info("clients", "connected_clients").unwrap().as_deref(), Some("2"));
}

#[test]
fn dropped_futures_leave_the_store_usable() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let kv = kv_async::Kv::new(kv_async::stores::RedisStore::connect(server.url()).unwrap());
    runtime().block_on(async {
        for micros in 0..200 {
            let _ = tokio::time::timeout(Duration::from_micros(micros), kv.increment("n", 1)).await;
        }
        let before: i64 = kv.get("n").await.unwrap().unwrap_or(0);
        assert_eq!(kv.increment("n", 1).await.unwrap(), before + 1);
    });
}

#[test]
fn outside_a_runtime_the_async_store_says_so() {
    let kv = kv_async::Kv::new(kv_async::stores::RedisStore::connect("redis://127.0.0.1:1").unwrap());
    let mut get = Box::pin(kv.get::<i64>("k"));
    let waker = std::task::Waker::noop();
    let std::task::Poll::Ready(answer) = get.as_mut().poll(&mut std::task::Context::from_waker(waker)) else {
        panic!("it answers at once")
    };
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn tls_by_a_certificate_authority_of_one_s_own() {
    let Some(server) = need(private_redis(Options::redis().tls().password("pw"))) else { return };
    let certs = server.certs().unwrap();
    let ca = std::fs::read(certs.ca()).unwrap();
    let trusting = Setup { ca: Some(ca.clone()), ..Setup::url(server.url()) };
    each(&trusting, |side| {
        side.put("k", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
    each(&Setup { timeout: Some(Duration::from_secs(2)), ..Setup::url(server.url()) }, |side| {
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "an authority that nobody trusts: {error}");
    });
    let Some(server) = need(private_redis(Options::redis().tls_with_client_certs())) else { return };
    let certs = server.certs().unwrap();
    let read = |path: std::path::PathBuf| std::fs::read(path).unwrap();
    let shown = Some((read(certs.cert()), read(certs.key())));
    let setup = Setup { ca: Some(read(certs.ca())), client_certificate: shown, ..Setup::url(server.url()) };
    each(&setup, |side| {
        side.put("k", 1).unwrap();
        assert_eq!(side.get("k").unwrap(), Some(1));
    });
    each(&Setup { client_certificate: None, ..setup }, |side| {
        assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Connection);
    });
}

#[test]
fn valkey_is_one_too() {
    let Some(server) = need(private_redis(Options::valkey())) else { return };
    let url = server.url().replace("redis://", "valkey://");
    let store = kv_sync::stores::ValkeyStore::connect(&url).unwrap();
    assert_eq!(store.describe().name, "Valkey");
    let capabilities = store.capabilities().unwrap();
    assert_eq!(capabilities, store.describe().capabilities);
    let kv = kv_sync::Kv::new(store);
    assert_eq!(kv.increment("n", 1).unwrap(), 1);
    runtime().block_on(async {
        let kv = kv_async::Kv::new(kv_async::stores::ValkeyStore::connect(&url).unwrap());
        assert_eq!(kv.increment("n", 1).await.unwrap(), 2);
        assert_eq!(kv.take::<i64>("n").await.unwrap(), Some(2));
    });
}

#[test]
fn the_pool_is_bounded_and_waits() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let options = kv_sync::stores::RedisOptions::from_url(server.url()).unwrap().with_pool_size(2);
    let kv = kv_sync::Kv::new(kv_sync::stores::RedisStore::with_options(options).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let kv = &kv;
            scope.spawn(move || (0..50).for_each(|n| drop(kv.put(&format!("{thread}:{n}"), &n).unwrap())));
        }
    });
    assert_eq!(kv.all_keys(&kv_core::KeyFilter::all()).unwrap().len(), 400);
    let clients = server.admin().unwrap().info("clients", "connected_clients").unwrap().unwrap();
    assert!(clients.parse::<u32>().unwrap() <= 3, "{clients}, with the one that asks");
}

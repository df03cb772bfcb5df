//! Each flavour in runtimes that are not its own.

use kv_core::KeyFilter;
use kv_tests::need;
use kv_tests::servers::{Options, private_redis};

use super::runtime;

/// L7: a blocking call inside an async runtime works, on every store.
#[test]
fn a_blocking_call_inside_a_runtime_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut kvs = vec![
        kv_sync::Kv::new(kv_sync::stores::MemoryStore::new()),
        kv_sync::Kv::new(kv_sync::stores::SimpleStore::new()),
        kv_sync::Kv::new(kv_sync::stores::DiskStore::open(dir.path().join("kv.db"))),
        kv_sync::Kv::new(kv_sync::stores::DiskStore::diskcache(dir.path().join("cache"))),
        kv_sync::Kv::new(kv_sync::stores::MultiDiskStore::open(dir.path().join("many"))),
    ];
    let server = need(private_redis(Options::redis()));
    if let Some(server) = &server {
        kvs.push(kv_sync::Kv::new(kv_sync::stores::RedisStore::connect(server.url()).unwrap()));
    }
    let use_all = move |kvs: &[kv_sync::Kv]| {
        for kv in kvs {
            kv.put("k", &1).unwrap();
            assert_eq!(kv.increment("k", 1).unwrap(), 2, "{}", kv.describe());
            assert_eq!(kv.all_keys(&KeyFilter::all()).unwrap(), ["k"]);
            kv.close().unwrap();
            assert!(kv.ping().is_ok());
        }
    };
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current.block_on(async { use_all(&kvs) });
    let many = runtime();
    many.block_on(async move { tokio::spawn(async move { use_all(&kvs) }).await.unwrap() });
}

/// L8: an async handle outlives the runtime of its first use.
#[test]
fn an_async_handle_outlives_its_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let mut kvs = vec![
        kv_async::Kv::new(kv_async::stores::MemoryStore::new()),
        kv_async::Kv::new(kv_async::stores::DiskStore::open(dir.path().join("kv.db"))),
        kv_async::Kv::new(kv_async::stores::DiskStore::diskcache(dir.path().join("cache"))),
        kv_async::Kv::new(kv_async::stores::MultiDiskStore::open(dir.path().join("many"))),
    ];
    let server = need(private_redis(Options::redis()));
    if let Some(server) = &server {
        kvs.push(kv_async::Kv::new(kv_async::stores::RedisStore::connect(server.url()).unwrap()));
    }
    for number in 1..=3 {
        let one = if number == 2 {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
        } else {
            runtime()
        };
        for kv in &kvs {
            let sum = one.block_on(kv.increment("k", 1)).unwrap();
            assert_eq!(sum, number, "{} in runtime {number}", kv.describe());
        }
    }
}

//! Both flavours in one program.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt;
use kv_core::ListOptions;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn items_of_a_listing_one_by_one() {
    let expected: BTreeSet<String> = (0..25).map(|number| format!("key:{number}")).collect();
    let options = || ListOptions::starting_with("key:").with_limit(10);

    let kv = kv_sync::Kv::new(kv_sync::stores::MemoryStore::new());
    for key in &expected {
        kv.put(key, "value").unwrap();
    }
    let keys: BTreeSet<String> = kv.key_pages(options()).into_items().map(Result::unwrap).collect();
    assert_eq!(keys, expected);
    let entries = kv.entry_pages(options()).into_items().map(Result::unwrap);
    assert!(entries.map(|(_, entry)| entry.unwrap().decode::<String>().unwrap()).all(|value| value == "value"));
    let refused = kv.key_pages(options().with_limit(0)).into_items().collect::<Vec<_>>();
    assert!(matches!(&refused[..], [Err(_)]), "an error ends the listing: {refused:?}");

    runtime().block_on(async {
        let kv = kv_async::Kv::new(kv_async::stores::MemoryStore::new());
        for key in &expected {
            kv.put(key, "value").await.unwrap();
        }
        let keys: BTreeSet<String> = kv.key_pages(options()).into_items().try_collect().await.unwrap();
        assert_eq!(keys, expected);
        let entries: Vec<_> = kv.entry_pages(options()).into_items().try_collect().await.unwrap();
        assert_eq!(entries.len(), 25);
        assert!(kv.key_pages(options().with_limit(0)).into_items().try_collect::<Vec<_>>().await.is_err());
    });
}

#[test]
fn a_culler_frees_until_it_is_dropped() {
    let ttl = kv_core::PutOptions::ttl(Duration::from_millis(1));
    let tick = Duration::from_millis(5);

    let store = std::sync::Arc::new(kv_sync::stores::MemoryStore::new());
    let kv = kv_sync::Kv::from_arc(store.clone());
    let culler = kv.cull_every(tick).unwrap();
    kv.put_with("a", &1, &ttl).unwrap();
    while !store.driver().is_empty() {
        std::thread::sleep(tick);
    }
    drop(culler);
    assert!(kv.cull_every(Duration::ZERO).is_err());

    runtime().block_on(async {
        let store = std::sync::Arc::new(kv_async::stores::MemoryStore::new());
        let kv = kv_async::Kv::from_arc(store.clone());
        let culler = kv.cull_every(tick).await.unwrap();
        kv.put_with("a", &1, &ttl).await.unwrap();
        while !store.driver().is_empty() {
            tokio::time::sleep(tick).await;
        }
        drop(culler);
        kv.put_with("b", &1, &ttl).await.unwrap();
        tokio::time::sleep(10 * tick).await;
        assert!(!store.driver().is_empty(), "dropped, it culls no more");
    });
}

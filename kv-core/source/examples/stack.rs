//! A stack of wrappers: statistics on top, values compressed and then encrypted, a cache in memory, and a store that keeps
//! them. Values leave the program as ciphertext.
//!
//! ```console
//! cargo run -p kv-sync --features full --example stack                             # a SQLite file
//! cargo run -p kv-sync --features full --example stack -- redis://localhost:6379/0
//! ```
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use kv_source::stores::{DiskStore, MemoryOptions, MemoryStore, RedisStore};
use kv_source::wrappers::{
    Aead, Compression, Encryption, Operation, PassthroughCache, Retry, Statistics, StatisticsHandle,
};
use kv_source::{Kv, PutOptions, Stack, Store};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    owner: String,
    notes: Vec<String>,
}

#[cfg_attr(not(feature = "is_sync"), tokio::main(flavor = "current_thread"))]
#[maybe_async::maybe_async]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join("kv-stack.db");
    let far: Arc<dyn Store> = match std::env::args().nth(1) {
        Some(url) => Arc::new(RedisStore::connect(&url)?),
        None => Arc::new(DiskStore::open(&path)),
    };
    // From a vault, in earnest. Records are bound to this name, their collection and their key.
    let key = [7; 32];

    let statistics = StatisticsHandle::new();
    let kv = Stack::new()
        .layer(|store| Statistics::new(store).with_handle(statistics.clone()))
        .layer(Compression::zstd)
        .layer(|store| Encryption::new(store, Aead::new("accounts of example.com", 1, &key)))
        .layer(|store| {
            let near = MemoryStore::bounded(MemoryOptions::default().with_max_bytes(64 << 20))?;
            PassthroughCache::new(near, store).with_max_ttl(Some(Duration::from_secs(60)))
        })
        .layer(|store| Retry::new(store).with_retries(2))
        .kv(Arc::clone(&far))?;
    println!("{}", kv.describe());

    let accounts = kv.collection("accounts");
    let alice = Account { owner: "Alice".to_owned(), notes: vec!["pays on time".to_owned(); 100] };
    accounts.put_with("alice", &alice, &PutOptions::ttl(Duration::from_secs(3600))).await?;
    for _ in 0..1000 {
        let found: Option<Account> = accounts.get("alice").await?;
        assert_eq!(found.as_ref(), Some(&alice));
    }
    let visits = accounts.increment("visits", 1).await?;

    // What the store itself holds.
    let stored = Kv::new(far).collection("accounts").get_entry("alice").await?.ok_or("it was just put")?;
    let plain = serde_json::to_vec(&alice)?.len();
    println!("{plain} bytes of JSON are stored as {} bytes of ciphertext", stored.value().as_encoded().len());
    assert!(!String::from_utf8_lossy(stored.value().as_encoded()).contains("Alice"));

    let snapshot = statistics.snapshot();
    let reads = snapshot.tally("accounts", Operation::Get);
    println!("{} reads, {} hits, visit number {visits}", reads.calls, reads.hits);
    kv.close().await?;
    Ok(())
}

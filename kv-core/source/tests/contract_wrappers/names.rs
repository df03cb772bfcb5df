//! Wrappers that change names.

use kv_source::Kv;
use kv_source::contract::Setting;
use kv_source::wrappers::{PrefixCollections, PrefixKeys, SingleCollection};

use crate::{Stack, memory};

/// Seeds of a store within are written past a prefix.
const SEEDS: &str = "l6_seeds_write_only_what_is_absent";

fn prefix_keys(setting: &Setting) -> Kv {
    Kv::new(PrefixKeys::new(memory(setting), "app").unwrap())
}

fn prefix_collections(setting: &Setting) -> Kv {
    Kv::new(PrefixCollections::new(memory(setting), "app").unwrap())
}

fn single_collection(setting: &Setting) -> Kv {
    Kv::new(SingleCollection::new(memory(setting), "all").unwrap())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn prefix_keys_holds() {
    Stack::new(prefix_keys).skipping(SEEDS).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn prefix_collections_holds() {
    Stack::new(prefix_collections).skipping(SEEDS).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn single_collection_holds() {
    Stack::new(single_collection).skipping(SEEDS).holds().await;
}

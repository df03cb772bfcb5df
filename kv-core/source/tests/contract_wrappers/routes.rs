//! Wrappers that send collections different ways.

use kv_source::contract::Setting;
use kv_source::stores::SimpleStore;
use kv_source::wrappers::{CollectionRouting, Routing};
use kv_source::{Kv, Pattern};

use crate::{Stack, memory};

/// Another store, with all that the setting says but the seeds, which are one store's.
fn other(setting: &Setting) -> SimpleStore {
    let mut setting = setting.clone();
    setting.seeds.clear();
    setting.apply(SimpleStore::new())
}

/// Half of all names go each way.
fn is_odd(collection: &str) -> bool {
    collection.bytes().fold(0_u8, |sum, byte| sum ^ byte) % 2 == 1
}

fn routing(setting: &Setting) -> Kv {
    // The store for the rest has the seeds, wherever they would go otherwise.
    let seeded: Vec<String> = setting.seeds.iter().map(|(collection, ..)| collection.clone()).collect();
    let by_parity = move |collection: &str| {
        let is_seeded = seeded.iter().any(|name| name == collection);
        (is_odd(collection) && !is_seeded).then_some("odd")
    };
    Kv::new(Routing::new(memory(setting), by_parity).with_store("odd", other(setting)).unwrap())
}

fn collection_routing(setting: &Setting) -> Kv {
    let table = CollectionRouting::new(memory(setting));
    let table = table.with_collections(["a", "b", "users"], other(setting)).unwrap();
    Kv::new(table.with_pattern(Pattern::new("*[a-m]").unwrap(), other(setting)))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn routing_holds() {
    Stack::new(routing).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn collection_routing_holds() {
    // The store for the rest has the seeds, and the table has another store for them.
    Stack::new(collection_routing).skipping("l6_seeds_write_only_what_is_absent").holds().await;
}

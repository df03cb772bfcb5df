use std::time::Duration;

use kv_core::{ErrorKind, Name, PutOptions, TimeLeft, ValueRef};

use super::*;
use crate::stores::{MemoryStore, NullStore, SimpleStore};
use crate::wrappers::{Operation, PrefixCollections, PrefixKeys, Statistics, TtlClamp};

const SECOND: Duration = Duration::from_secs(1);

/// A wrapper that says that it encrypts, and does not.
#[derive(Debug)]
struct Named<S, const ENCRYPTION: bool>(S);

#[maybe_async::maybe_async(AFIT)]
impl<S: Store, const ENCRYPTION: bool> crate::wrappers::Wrapper for Named<S, ENCRYPTION> {
    type Inner = S;
    const NAME: &'static str = if ENCRYPTION { "Encryption" } else { "Compression" };

    fn inner(&self) -> &S {
        &self.0
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_call_passes_the_layers_in_the_order_in_which_they_are_written() {
    let (mut outer, mut inner) = (None, None);
    let store = Stack::new()
        .layer(|store| {
            let counted = Statistics::new(store);
            outer = Some(counted.handle());
            counted
        })
        .layer(|store| PrefixCollections::new(store, "app"))
        .layer(|store| TtlClamp::new(store, None, Some(60 * SECOND)))
        .layer(|store| {
            let counted = Statistics::new(store);
            inner = Some(counted.handle());
            counted
        })
        .layer(|store| PrefixKeys::new(store, "p"))
        .store(SimpleStore::new())
        .unwrap();
    assert_eq!(
        store.describe().to_string(),
        "Statistics → PrefixCollections(app) → TtlClamp(..60s) → Statistics → PrefixKeys(p) → Simple"
    );
    let name = Name::new("c", "k");
    let _ = store.put(name, ValueRef::Json(b"1"), &PutOptions::ttl(3600.0)).await.unwrap();
    let kv = Kv::from_arc(store);
    let left = kv.collection("c").ttl("k").await.unwrap().and_then(TimeLeft::duration);
    assert!(left <= Some(60 * SECOND), "the clamp is in it");
    let keys = kv.collection("c").all_keys(&kv_core::KeyFilter::all()).await.unwrap();
    assert_eq!(keys, ["k"], "what every layer has to say of listings");
    let counted = |handle: Option<kv_core::StatisticsHandle>, collection| {
        handle.unwrap().snapshot().tally(collection, Operation::Put).writes
    };
    assert_eq!(counted(outer, "c"), 1);
    assert_eq!(counted(inner, "app__c"), 1);
}

#[test]
fn a_stack_without_layers_is_the_store() {
    let kv = Stack::new().kv(MemoryStore::new()).unwrap();
    assert_eq!(kv.describe().to_string(), "Memory");
}

#[test]
fn what_cannot_work_is_refused_and_says_why() {
    let needing = Stack::new().layer(Statistics::new).needing(Need::ConditionalWrites).kv(NullStore::new());
    let clamps = Stack::new()
        .layer(|store| TtlClamp::new(store, Some(60 * SECOND), None))
        .layer(Statistics::new)
        .layer(|store| TtlClamp::new(store, None, Some(SECOND)))
        .kv(MemoryStore::new());
    let ciphertext = Stack::new().layer(Named::<_, true>).layer(Named::<_, false>).kv(MemoryStore::new());
    let layer = Stack::new().layer(|store| PrefixKeys::new(store, "")).kv(MemoryStore::new());
    for (refused, why) in [
        (needing, "the stack needs conditional writes, and Null has none: Statistics → Null"),
        (clamps, "no TTL is within the bounds of both TtlClamp(60s..) and TtlClamp(..1s)"),
        (ciphertext, "Encryption stands outside Compression"),
        (layer, "the prefix \"\" is ambiguous"),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(why), "{error}");
    }
    let right = Stack::new().layer(Named::<_, false>).layer(Named::<_, true>).kv(MemoryStore::new()).unwrap();
    assert_eq!(right.describe().to_string(), "Compression → Encryption → Memory");
}

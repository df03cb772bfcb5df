//! The contract on every wrapper over Redis, in both flavours. (The same over memory: `contract_wrappers` of both crates.)
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use kv_tests::need;
use kv_tests::servers;

/// What a store on a server has none of, as it is opened here.
const SKIPS: [&str; 9] = [
    "t6_writes_free_what_has_expired",
    "order_is_of_bytes",
    "e2_an_outage_is_never_a_miss",
    "l1_a_failed_first_use_is_tried_again",
    "o7_a_batch_reports_it_at_its_position",
    "o7_a_listing_shows_its_key",
    "o7_it_can_be_replaced_and_removed",
    "o7_clear_removes_it",
    "e3_what_cannot_be_read_is_corrupted",
];

/// A listing walks through a database, so that spaces are spread over several.
fn database(space: &str) -> u32 {
    1 + space.bytes().take(24).map(u32::from).sum::<u32>() % 15
}

fn assert_held(failed: &[&str], mut skipped: Vec<&str>, more: &[&'static str], report: &dyn std::fmt::Display) {
    assert_eq!(failed, [""; 0], "{report}");
    let mut skips = [&SKIPS[..], more].concat();
    skips.sort_unstable();
    skipped.sort_unstable();
    assert_eq!(skipped, skips, "{report}");
}

/// One stack in one flavour: `$store` is a Redis store with the clock and the space of the setting.
macro_rules! flavour {
    ($kv:ident, $test:meta, [$($async:ident)?], [$($await:tt)*], $store:ident, $setting:ident => $stack:expr,
     [$($deviation:literal),*], [$($skip:literal),*]) => {
        use $kv::contract::{Deviation, Setting, Subject, check_all};
        #[allow(unused_imports, reason = "each stack has wrappers of its own")]
        use $kv::{stores::*, wrappers::*, *};

        #[derive(Debug)]
        struct Remote(kv_tests::servers::Server);

        impl Subject for Remote {
            fn open(&self, $setting: &Setting) -> Kv {
                let options = RedisOptions::from_url(&self.0.url).unwrap().with_namespace(&$setting.space);
                let options = options.with_database(crate::database(&$setting.space));
                let $store = $setting.apply(RedisStore::with_options(options).unwrap());
                Kv::new($stack)
            }

            fn deviations(&self) -> Vec<Deviation> {
                vec![$(Deviation { check: $deviation, why: "see the wrapper's own tests" }),*]
            }
        }

        #[$test]
        $($async)? fn holds() {
            let Some(server) = crate::need(crate::servers::redis()) else { return };
            let report = check_all(&Remote(server))$($await)*;
            crate::assert_held(&report.failed(), report.skipped(), &[$($skip),*], &report);
        }
    };
}

/// One stack in both flavours; deviations are those that the wrapper declares.
macro_rules! stack {
    ($name:ident, $store:ident, $setting:ident => $stack:expr, deviating [$($deviation:literal),*], skipping [$($skip:literal),*]) => {
        mod $name {
            mod blocking {
                flavour!(kv_sync, test, [], [], $store, $setting => $stack, [$($deviation),*], [$($skip),*]);
            }

            mod awaiting {
                flavour!(kv_async, tokio::test, [async], [.await], $store, $setting => $stack, [$($deviation),*], [$($skip),*]);
            }
        }
    };
}

stack!(statistics, store, setting => Statistics::new(store), deviating [], skipping []);
stack!(prefix_keys, store, setting => PrefixKeys::new(store, "app").unwrap(), deviating [],
    skipping ["l6_seeds_write_only_what_is_absent"]);
stack!(prefix_collections, store, setting => PrefixCollections::new(store, "app").unwrap(), deviating [],
    skipping ["l6_seeds_write_only_what_is_absent"]);
stack!(ttl_clamp, store, setting => TtlClamp::new(store, Some(std::time::Duration::from_nanos(1)), None).unwrap(), deviating [],
    skipping []);
stack!(single_collection, store, setting => SingleCollection::new(store, "all").unwrap(), deviating [],
    skipping ["l6_seeds_write_only_what_is_absent"]);
// Its writes go past it.
stack!(read_only, store, setting => {
    let store = std::sync::Arc::new(store);
    contract::WrittenPast::new(ReadOnly::new(std::sync::Arc::clone(&store)), store)
}, deviating [], skipping []);
stack!(faults, store, setting => Faults::new(store), deviating [], skipping []);
stack!(limit_size, store, setting => LimitSize::new(store, None, Some(20_000_000)).unwrap(), deviating [], skipping []);
stack!(default_value, store, setting => DefaultValue::new(store, &1).unwrap().only_in("elsewhere"), deviating [], skipping []);
stack!(timeout, store, setting => Timeout::new(store, std::time::Duration::from_secs(60)).unwrap(), deviating [], skipping []);
stack!(logging, store, setting => Logging::new(store), deviating [], skipping []);
stack!(retry, store, setting => Retry::new(store), deviating [], skipping []);
stack!(circuit_breaker, store, setting => CircuitBreaker::new(store).with_failures(1).unwrap(), deviating [], skipping []);
stack!(concurrency_limit, store, setting => ConcurrencyLimit::new(store, 4).unwrap(), deviating [], skipping []);
// Two handles on one far store have a cache each: a write past the one is seen when its copy's TTL ends.
stack!(passthrough_cache, store, setting =>
    PassthroughCache::new(MemoryStore::new().with_clock(setting.clock.clone()), store),
    deviating ["l3_handles_see_each_other_s_writes"], skipping []);
stack!(fallback, store, setting => Fallback::new(store, SimpleStore::new().with_clock(setting.clock.clone())), deviating [], skipping []);
stack!(mirror, store, setting => Mirror::new(store, SimpleStore::new().with_clock(setting.clock.clone())),
    deviating [], skipping ["o3_atomic_batches_do_not_mix"]);
stack!(routing, store, setting => Routing::new(store, |_: &str| None::<&str>), deviating [], skipping []);
stack!(collection_routing, store, setting => CollectionRouting::new(store), deviating [], skipping []);
stack!(compression, store, setting => Compression::zstd(store), deviating [], skipping []);
stack!(encryption, store, setting => Encryption::new(store, Aead::new("here", 1, &[7; 32])),
    deviating ["l6_seeds_write_only_what_is_absent"], skipping []);

//! Round trips, counted by the proxy.

use kv_core::PutOptions;
use kv_tests::need;
use kv_tests::proxy::Proxy;

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::{each, names};

/// What it answered is of no interest.
fn used<T>(_: T) {}

#[test]
fn every_operation_takes_the_round_trips_that_are_promised() {
    let Some(server) = need(postgres()) else { return };
    for pooler in [false, true] {
        let table = TestTable::new(server.clone());
        let proxy = Proxy::start((&*server.host, server.port)).unwrap();
        let setup = Setup { port: Some(proxy.port()), table: table.name.clone(), pooler, ..Setup::url(&server.url) };
        each(&setup, |side| {
            let (keys, plain) = (names(30), PutOptions::default());
            let absent = PutOptions::default().with_condition(kv_core::Condition::IfAbsent);
            let run = |name: &str, promised: u64, call: &dyn Fn()| {
                // The first time prepares the statement.
                call();
                proxy.reset();
                call();
                let taken = proxy.counts().round_trips;
                assert_eq!(taken, promised, "{name}, {}, pooler: {pooler}", side.name());
            };
            run("put", 1, &|| drop(side.put("k", 1).unwrap()));
            run("get", 1, &|| assert_eq!(side.get("k").unwrap(), Some(1)));
            run("miss", 1, &|| assert_eq!(side.get("none").unwrap(), None));
            run("exists", 1, &|| assert!(side.exists("k").unwrap()));
            run("put_many", 1, &|| drop(side.put_many(&keys, &plain).unwrap()));
            run("get_many", 1, &|| assert_eq!(side.get_many(&keys).unwrap().len(), 30));
            run("put if absent", 1, &|| used(side.put_json_with("c", "k", "1", &absent).unwrap()));
            run("put at revision", 1, &|| {
                used(side.put_at("c", "k", "1", &kv_core::Revision::from_number(0)).unwrap())
            });
            run("delete", 1, &|| used(side.delete("k").unwrap()));
            run("count", 1, &|| used(side.count("default_collection").unwrap()));
            run("keys", 1, &|| drop(side.all_keys("default_collection").unwrap()));
            run("collections", 1, &|| drop(side.collections().unwrap()));
            run("delete_many", 1, &|| used(side.delete_many(&keys).unwrap()));
            let hundred: Vec<String> = (0..100).map(|number| format!("h{number:04}")).collect();
            let put_hundred = || drop(side.put_many(&hundred, &plain).unwrap());
            // The first thousand prepares what frees.
            (0..10).for_each(|_| put_hundred());
            proxy.reset();
            (0..20).for_each(|_| put_hundred());
            let taken = proxy.counts().round_trips;
            assert_eq!(taken, 20 + 2, "2,000 writes free twice what has ended, {}, pooler: {pooler}", side.name());
            run("increment", 2, &|| used(side.increment("n", 1).unwrap()));
            run("ping", 1, &|| side.ping().unwrap());
            run("empty batch", 0, &|| drop(side.put_many(&[], &plain).unwrap()));
            side.clear("default_collection").unwrap();
            side.clear("c").unwrap();
        });
    }
}

//! Making the table.

use kv_core::ErrorKind;
use kv_tests::need;

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::{Side, each};

#[test]
fn many_make_the_table_at_the_same_time() {
    let Some(server) = need(postgres()) else { return };
    for round in 0..3 {
        let table = TestTable::new(server.clone());
        let setup = Setup { table: table.name.clone(), ..Setup::url(&server.url) };
        let setup = Setup { schema: (round == 2).then(|| format!("{}_s", table.name)), ..setup };
        std::thread::scope(|scope| {
            for number in 0..8 {
                let setup = &setup;
                scope.spawn(move || {
                    let side = if number % 2 == 0 { Side::blocking(setup) } else { Side::awaiting(setup) };
                    side.put(&format!("k{number}"), number).unwrap();
                });
            }
        });
        let side = Side::blocking(&setup);
        assert_eq!(side.count("default_collection").unwrap(), 8);
        if let Some(schema) = &setup.schema {
            server.run(&format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

#[test]
fn odd_names_of_tables_and_schemas() {
    let Some(server) = need(postgres()) else { return };
    let long = format!("{}{}", "L\"".repeat(20), "x".repeat(23));
    for (schema, name) in [("Kv Schema", "select"), ("kv-s", "Mixed Case\"; DROP TABLE x; --"), ("kv_s", &long)] {
        let setup = Setup { table: name.to_owned(), schema: Some(schema.to_owned()), ..Setup::url(&server.url) };
        each(&setup, |side| {
            side.put("k", 1).unwrap();
            assert_eq!(side.all_keys("default_collection").unwrap(), ["k"]);
        });
        server.run(&format!("DROP SCHEMA \"{schema}\" CASCADE"));
    }
}

#[test]
fn a_table_of_another_collation_is_listed_in_the_order_of_bytes() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let name = &table.name;
    server.run(&format!(
        "CREATE TABLE {name} (collection TEXT COLLATE \"en-x-icu\" NOT NULL, key TEXT COLLATE \"en-x-icu\" NOT NULL, \
         value JSONB NOT NULL, ttl DOUBLE PRECISION, created_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, \
         PRIMARY KEY (collection, key))"
    ));
    let setup = Setup { table: name.clone(), ..Setup::url(&server.url) };
    each(&setup, |side| {
        let mut keys = ["a", "B", "b", "A", "é", "e", "f", "\u{1}", "_", "ä\0", "Z", "z-1", "z1"].map(str::to_owned);
        for key in &keys {
            side.put_json("c", key, "1").unwrap();
            side.put_json(key, "k", "1").unwrap();
        }
        keys.sort();
        for limit in [1, 3, 100] {
            assert_eq!(side.keys_in_pages("c", limit).unwrap(), keys, "{}", side.name());
        }
        assert_eq!(side.collections().unwrap().len(), keys.len() + 1);
    });
    let index = server.value(&format!("SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_{name}_kv_order'"));
    assert_eq!(index.as_deref(), Some("1"));
}

#[test]
fn without_leave_to_make_it_set_up_tells_what_to_run() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let setup = Setup { table: table.name.clone(), no_create: true, ..Setup::url(&server.url) };
    each(&setup, |side| {
        let error = side.get("k").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let (_, script) = error.message().split_once("run: ").unwrap();
        server.run(script);
        assert_eq!(side.get("k").unwrap(), None);
        // What lacks is told again, and is enough.
        server.run(&format!("DROP TRIGGER kv_forget ON {0}; ALTER TABLE {0} DROP COLUMN kv_bytes", table.name));
        side.close().unwrap();
        let error = Side::blocking(&setup).get("k").unwrap_err();
        let (_, script) = error.message().split_once("run: ").unwrap();
        server.run(script);
        assert_eq!(Side::blocking(&setup).get("k").unwrap(), None);
        server.run(&format!("DROP TABLE {}", table.name));
    });
}

#[test]
fn a_table_of_another_program_is_left_alone() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    for columns in [
        "id int PRIMARY KEY",
        "collection TEXT, key TEXT, value JSONB, ttl float8, created_at timestamptz, expires_at timestamptz",
    ] {
        server.run(&format!("CREATE TABLE {} ({columns})", table.name));
        each(&Setup { table: table.name.clone(), ..Setup::url(&server.url) }, |side| {
            assert_eq!(side.get("k").unwrap_err().kind(), ErrorKind::Configuration, "{columns}");
        });
        let count = server.value(&format!(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = '{}'::regclass AND attname LIKE 'kv%'",
            table.name
        ));
        assert_eq!(count.as_deref(), Some("0"));
        server.run(&format!("DROP TABLE {}", table.name));
    }
}

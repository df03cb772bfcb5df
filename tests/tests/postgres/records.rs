//! Values and names that hurt, foreign and damaged rows, limits.

use std::time::Duration;

use kv_core::formats::postgres::{Fidelity, MARK, MOST_KEY_BYTES};
use kv_core::{ErrorKind, ManualClock, PutOptions, Timestamp, ValueRef};
use kv_tests::need;

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::{Side, each};

fn setup(table: &TestTable) -> Setup {
    Setup { table: table.name.clone(), ..Setup::url(&table.server.url) }
}

/// What the scan says of a text is what the server makes of it.
#[test]
fn jsonb_keeps_what_is_said_to_be_exact() {
    let Some(server) = need(postgres()) else { return };
    let url = server.url.clone();
    let work = move || {
        let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mut texts: Vec<String> = [
            "0",
            "-0",
            "-0.0",
            "1.0",
            "1.50",
            "-1.500",
            "0.1",
            "1e5",
            "1E-7",
            "5e-324",
            "1.7976931348623157e308",
            "1e400",
            "1e401",
            "1e131072",
            "1e-16384",
            "\"\"",
            "\"\\u0000\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\\\u0000\"",
            "{\"a\":{},\"b\":[]}",
            "{\"\":null}",
            "\"\u{1F600}\u{10FFFF}\"",
            "null",
            "true",
            "\"\\u007f\\u0001\"",
            "{\"\\u0000\":1}",
            "[\"\\ud83d\\u0041\"]",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend(["7".repeat(4_000), format!("0.{}", "7".repeat(3_999)), nested(512)]);
        for number in 0..300_u32 {
            let float = f64::from_bits(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(number) + 1));
            if float.is_finite() {
                texts.push(serde_json::to_string(&(float, float.trunc(), i128::from(number) << 90)).unwrap());
            }
        }
        for text in texts {
            let back = client.query_one("SELECT $1::text::jsonb::text", &[&text]);
            let fidelity = Fidelity::of(text.as_bytes());
            match (fidelity, back) {
                (Fidelity::None, _) => {}
                (_, Err(error)) => panic!("{text:.80} is {fidelity:?} and refused: {error}"),
                (Fidelity::Exact, Ok(row)) => {
                    let back: String = row.get(0);
                    assert!(
                        ValueRef::Json(back.as_bytes()).means(ValueRef::Json(text.as_bytes())),
                        "{text:.80}: {back:.80}"
                    );
                }
                (_, Ok(_)) => {}
            }
        }
    };
    std::thread::spawn(work).join().unwrap();
}

#[test]
fn values_that_hurt_come_back_as_they_were() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server);
    each(&setup(&table), |side| {
        let deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
        for json in [
            "1e300",
            "-0.0",
            "[1e22, -0, 5e-324]",
            "\"\\u0000\"",
            "{\"\\u0000\": \"\\ud83d\"}",
            "\"text\"",
            "null",
            "[]",
            "123456789012345678901234567890",
            "1e999999",
            "\"'; DROP TABLE kv_store; --\"",
            &deep,
        ] {
            side.put_json("c", "k", json).unwrap();
            let entry = side.entry_in("c", "k").unwrap().unwrap();
            let exact = Fidelity::of(json.as_bytes()) != Fidelity::Exact;
            let read = entry.as_json().unwrap();
            assert!(
                if exact {
                    read == json
                } else {
                    ValueRef::Json(read.as_bytes()).means(ValueRef::Json(json.as_bytes()))
                },
                "{json:.80} {read:.80}"
            );
        }
        let large = format!("\"{}\"", "x".repeat(33 << 20));
        side.put_json("c", "large", &large).unwrap();
        assert!(side.entry_in("c", "large").unwrap().unwrap().as_json() == Some(&large));
        side.put_value("b", ValueRef::Bytes(&[0, 1, 255]), &PutOptions::default()).unwrap();
        assert_eq!(side.entry("b").unwrap().unwrap().as_bytes(), Some(&[0, 1, 255][..]));
        side.put("b", 1).unwrap();
        assert_eq!(side.get("b").unwrap(), Some(1), "nothing is left of the bytes");
    });
}

#[test]
fn names_that_the_server_cannot_hold() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server);
    each(&setup(&table), |side| {
        // Hard to compress, and as long as can be.
        let mut seed = 1_u64;
        let mut noise = |bytes: usize| -> String {
            let letter = |_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(33 + u8::try_from(seed >> 33 & 63).unwrap())
            };
            (0..bytes).map(letter).collect()
        };
        let long = noise(2_048);
        let collections = [long.clone(), "a\0b".to_owned(), format!("{MARK}x"), "plain".to_owned(), noise(700)];
        for collection in &collections {
            let fits = MOST_KEY_BYTES.saturating_sub(collection.len()).min(2_048);
            let mut keys = vec![
                "\0".to_owned(),
                "a\0b".to_owned(),
                "a".to_owned(),
                "a\u{1}".to_owned(),
                format!("{MARK}"),
                noise(2_048),
                noise(fits),
                noise(2_047),
                noise(612),
                noise(613),
                "a\0".to_owned(),
                "b".to_owned(),
            ];
            for key in &keys {
                side.put_json(collection, key, &serde_json::to_string(key).unwrap()).unwrap();
            }
            for key in &keys {
                let entry = side.entry_in(collection, key).unwrap().unwrap();
                assert_eq!(&entry.decode::<String>().unwrap(), key);
            }
            keys.sort();
            keys.dedup();
            for limit in [1, 2, 5, 100] {
                assert_eq!(side.keys_in_pages(collection, limit).unwrap(), keys, "{collection:.20} {limit}");
            }
            assert_eq!(side.count(collection).unwrap(), keys.len() as u64);
        }
        let mut found = side.collections().unwrap();
        let mut expected = collections.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        for collection in &collections {
            assert!(side.clear(collection).unwrap() > 8);
        }
        assert_eq!(side.collections().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn rows_that_are_not_ours_to_read() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    each(&setup(&table), |side| {
        side.put_json("c", "k", "1").unwrap();
        let name = &table.name;
        // Another program's row has whatever it likes in the six columns that it knows.
        server.run(&format!(
            "INSERT INTO {name} (collection, key, value, created_at, expires_at) VALUES ('c', 'far', '\"x\"', 'infinity', \
             'infinity'), ('c', 'past', '1', '-infinity', '-infinity'), ('c', '', '1', NULL, NULL), \
             ('c', '{MARK}odd', '1', NULL, NULL), ('c', 'late', '[]', NULL, '200000-01-01') ON CONFLICT DO NOTHING"
        ));
        assert_eq!(side.entry_in("c", "far").unwrap().unwrap().as_json(), Some("\"x\""));
        assert_eq!(side.entry_in("c", "far").unwrap().unwrap().expires(), None);
        assert!(side.entry_in("c", "past").unwrap().is_none());
        assert!(side.entry_in("c", "late").unwrap().unwrap().expires().is_some());
        assert_eq!(side.all_keys("c").unwrap(), ["far", "k", "late"]);
        // A row under a stored form that says that it is of another name.
        let stored =
            kv_core::formats::postgres::key(&kv_core::formats::postgres::collection("c"), "a\0").text.into_owned();
        server.run(&format!("INSERT INTO {name} (collection, key, value) VALUES ('c', '{stored}', '1')"));
        assert_eq!(side.entry_in("c", "a\0").unwrap_err().kind(), ErrorKind::Corrupted);
        side.put_json("c", "a\0", "2").unwrap();
        assert_eq!(side.entry_in("c", "a\0").unwrap().unwrap().as_json(), Some("2"));
        server.run(&format!("DELETE FROM {name}"));
    });
}

#[test]
fn what_has_ended_is_freed_by_the_way_and_by_culling() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let now = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
    let clock = ManualClock::new(now);
    each(&Setup { clock: Some(clock.clone()), ..setup(&table) }, |side| {
        let rows = || server.value(&format!("SELECT count(*) FROM {}", table.name)).unwrap().parse::<u64>().unwrap();
        let ends = PutOptions::ttl(Duration::from_secs(1));
        for number in 0..30 {
            side.put_json_with("c", &format!("{number}"), "1", &ends).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        assert_eq!(rows(), 30);
        for number in 0..1_000 {
            side.put("k", number).unwrap();
        }
        assert_eq!(rows(), 1, "writes free what has ended");
        server.run(&format!(
            "INSERT INTO {} (collection, key, value, expires_at) SELECT 'c', n::text, '1', 'epoch' FROM \
             generate_series(1, 12000) AS n",
            table.name
        ));
        // A row that somebody has locked is left.
        assert_eq!(side.cull().unwrap(), 12_000);
        assert_eq!(side.clear("default_collection").unwrap(), 1);
    });
}

#[test]
fn too_large_is_said_before_anything_is_sent() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server);
    let side = Side::blocking(&setup(&table));
    let error = side.put_value("k", ValueRef::Bytes(&vec![0; (255 << 20) + 1]), &PutOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(side.get("k").unwrap(), None);
}

#[test]
fn of_many_who_write_on_one_condition_one_does() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let side = Side::blocking(&setup(&table));
    side.put("k", 1).unwrap();
    for round in 0..20 {
        // Ours and another program's.
        if round % 2 == 0 {
            server.run(&format!("UPDATE {} SET value = '7' WHERE key = 'k'", table.name));
        }
        let revision = side.entry("k").unwrap().unwrap().revision();
        let won = std::thread::scope(|scope| {
            let writer = |_| scope.spawn(|| side.put_at("default_collection", "k", "8", &revision).unwrap());
            let writers: Vec<_> = (0..6).map(writer).collect();
            writers.into_iter().map(|writer| u32::from(writer.join().unwrap())).sum::<u32>()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

#[test]
fn batches_of_the_same_keys_do_not_wait_for_each_other_for_ever() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server);
    let side = Side::blocking(&setup(&table));
    std::thread::scope(|scope| {
        for thread in 0..6_usize {
            let side = &side;
            scope.spawn(move || {
                for round in 0..15_usize {
                    let order = |number: usize| (number * (2 * thread + 1) + round) % 64;
                    let keys: Vec<String> = (0..64).map(|number| format!("k{}", order(number))).collect();
                    side.put_many(&keys, &PutOptions::default())
                        .unwrap()
                        .into_iter()
                        .for_each(|one| drop(one.unwrap()));
                    side.delete_many(&keys).unwrap();
                }
            });
        }
    });
    assert_eq!(side.count("default_collection").unwrap(), 0);
}

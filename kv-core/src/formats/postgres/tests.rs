use proptest::prelude::*;

use super::*;

fn row() -> Row<'static> {
    Row { revision: Some(-1), value: Some(b"\x01[1, 2]"), ..Row::default() }
}

#[test]
fn a_row_is_an_entry() {
    let created = to_server(Timestamp::UNIX_EPOCH);
    let row = Row { created: Some(created), expires: Some(1), metadata: Some(br#"{"a":"b"}"#), ..row() };
    let entry = row.entry(false).unwrap();
    assert_eq!(entry.as_json(), Some("[1, 2]"));
    assert_eq!(entry.revision(), Revision::from_number(u64::MAX));
    assert_eq!(entry.created(), Some(Timestamp::UNIX_EPOCH));
    assert_eq!(entry.expires().map(|expires| expires.to_string()).as_deref(), Some("2000-01-01T00:00:00.000001+00:00"));
    assert_eq!(entry.metadata().and_then(|metadata| metadata.get("a")), Some("b"));
    assert_eq!(row.entry(true).unwrap().as_json(), Some("null"));
}

#[test]
fn what_is_kept_beside_counts_more_than_jsonb() {
    let text = Row { text: Some(b"-0.0"), value: None, ..row() };
    assert_eq!(text.entry(false).unwrap().as_json(), Some("-0.0"));
    let bytes = Row { bytes: Some(b""), value: None, ..row() };
    assert_eq!(bytes.entry(false).unwrap().as_bytes(), Some(&b""[..]));
}

#[test]
fn of_a_row_that_another_wrote_nothing_of_ours_counts() {
    let left =
        Row { text: Some(b"1"), bytes: Some(b"2"), metadata: Some(b"x"), revision: None, xmin: Some(7), ..row() };
    let entry = left.entry(false).unwrap();
    assert_eq!((entry.as_json(), entry.metadata()), (Some("[1, 2]"), None));
    assert_eq!(entry.revision(), foreign_revision(7));
    assert_eq!(State::of(&entry.revision()), Some(State::Foreign(7)));
}

#[test]
fn states_are_of_revisions() {
    assert_eq!(State::of(&Revision::from_number(u64::MAX)), Some(State::Ours(-1)));
    for other in ["", "x", "7", "x-1", "x+7", "x07", "x4294967296"] {
        assert_eq!(State::of(&Revision::from_text(other)), None, "{other}");
    }
    assert_eq!(State::of(&Revision::of_document(b"", None)), None);
}

#[test]
fn instants_beyond_ours_are_the_ends() {
    let at = |expires| Row { expires: Some(expires), ..row() }.entry(false).unwrap().expires();
    assert_eq!(at(i64::MAX), None);
    assert_eq!(at(i64::MAX - 1), Some(Timestamp::MAX));
    assert_eq!(at(i64::MIN), Some(Timestamp::MIN));
    assert_eq!(Row { created: Some(i64::MIN), ..row() }.entry(false).unwrap().created(), None);
    for instant in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        assert_eq!(from_server(to_server(instant)), instant);
    }
}

#[test]
fn what_this_store_never_writes_is_refused() {
    for damaged in [
        Row { value: None, ..row() },
        Row { value: Some(b""), ..row() },
        Row { value: Some(b"\x02[]"), ..row() },
        Row { value: Some(b"\x01"), ..row() },
        Row { value: Some(b"\x01\"\xff\""), ..row() },
        Row { text: Some(b"1"), bytes: Some(b"2"), ..row() },
        Row { text: Some(b"\xff"), ..row() },
        Row { metadata: Some(b"{"), ..row() },
        Row { metadata: Some(b"[]"), ..row() },
        Row { revision: None, ..row() },
    ] {
        let error = damaged.entry(false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{damaged:?}");
    }
}

#[test]
fn a_row_says_whose_it_is() {
    let collection = collection("c");
    let (plain, odd) = (key(&collection, "k"), key(&collection, "\0"));
    assert!(row().is_of(&collection, &plain) && !row().is_of(&collection, &odd));
    let of_odd = Row { key: Some(b"\0"), ..row() };
    assert!(of_odd.is_of(&collection, &odd) && !of_odd.is_of(&collection, &plain));
    assert!(!Row { key: Some(b"\0\0"), ..row() }.is_of(&collection, &odd));
}

#[test]
fn names_of_tables_are_checked_and_quoted() {
    let table = Table::new("My Schema", "select").unwrap();
    assert_eq!(table.to_string(), "\"My Schema\".\"select\"");
    assert_eq!(table.belongings()[1], "idx_select_expires_at");
    let longest = "x".repeat(63);
    let names = Table::new("s", &*longest).unwrap().belongings();
    assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    assert_ne!(names, Table::new("s", "y".repeat(63)).unwrap().belongings());
    for (schema, name) in [("", "t"), ("s", ""), ("s", "a\0"), ("s", &*"x".repeat(64)), ("s", &*"é".repeat(32))] {
        assert_eq!(Table::new(schema, name).unwrap_err().kind(), ErrorKind::Configuration, "{schema} {name}");
    }
}

#[test]
fn every_statement_has_as_many_parameters_as_it_says() {
    let statements = Statements::new(&Table::new("s", "t").unwrap());
    for query in Query::ALL {
        for in_byte_order in [true, false] {
            let text = statements.text(*query, in_byte_order);
            let count = query.parameters().len();
            assert!((1..=count).all(|number| text.contains(&format!("${number}"))), "{query:?}: {text}");
            assert!(!text.contains(&format!("${}", count + 1)), "{query:?}: {text}");
            // The order of locks is always that of bytes.
            let asks = !in_byte_order && Statements::number(*query, false) != *query as usize;
            assert_eq!(text.contains("COLLATE"), asks || *query == Query::DeleteMany, "{query:?}: {text}");
        }
    }
    assert_eq!(
        statements.text(Query::Delete, true),
        "DELETE FROM \"s\".\"t\" WHERE collection = $1 AND key = $2 RETURNING (expires_at IS NULL OR expires_at > $3)"
    );
}

fn complete() -> Found {
    Found {
        schema: true,
        table: true,
        columns: "ttl double precision,collection text,key text,value jsonb,created_at timestamp with time zone,\
                  expires_at timestamp with time zone,kv_revision bigint,kv_metadata text,kv_text text,kv_bytes bytea,\
                  kv_collection bytea,kv_key bytea,more text"
            .to_owned(),
        unique: true,
        trigger: true,
        encoding: "UTF8".to_owned(),
        ..Found::default()
    }
}

#[test]
fn what_there_is_decides_what_set_up_does() {
    assert!(complete().is_complete().unwrap());
    assert!(!Found { trigger: false, ..complete() }.is_complete().unwrap());
    assert!(
        !Found { columns: complete().columns.replace("kv_key bytea", "x text"), ..complete() }.is_complete().unwrap()
    );
    let nothing = Found { table: false, columns: String::new(), ..complete() };
    assert!(!nothing.is_complete().unwrap());
    for (found, says) in [
        (Found { encoding: "LATIN1".to_owned(), ..complete() }, "LATIN1"),
        (Found { table: false, ..complete() }, "no table"),
        (Found { unique: false, ..complete() }, "unique"),
        (Found { columns: complete().columns.replace("jsonb", "json"), ..complete() }, "`value`"),
        (Found { columns: complete().columns.replace("ttl", "x"), ..complete() }, "`ttl`"),
    ] {
        let error = found.is_complete().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(says), "{error}");
    }
    let table = Table::new("s", "t").unwrap();
    let script = setup_script(&table, &Found::default());
    assert!(
        script.contains("CREATE SCHEMA IF NOT EXISTS \"s\"")
            && script.contains("CREATE TABLE IF NOT EXISTS \"s\".\"t\"")
    );
    let script = setup_script(&table, &Found { rows: 1e6, ..complete() });
    assert!(
        !script.contains("SCHEMA IF") && !script.contains("CREATE TABLE") && !script.contains("kv_order"),
        "{script}"
    );
    assert!(
        setup_script(&table, &complete()).contains("\"idx_t_kv_order\" ON \"s\".\"t\" (collection, key COLLATE \"C\")")
    );
}

proptest! {
    #[test]
    fn no_row_makes_it_panic(
        numbers in any::<(Option<i64>, Option<i64>, Option<i64>, Option<u32>)>(),
        columns in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..12)), 6),
        head in any::<bool>(),
    ) {
        let column = |at: usize| columns[at].as_deref();
        let row = Row {
            expires: numbers.0,
            created: numbers.1,
            revision: numbers.2,
            xmin: numbers.3,
            metadata: column(0),
            collection: column(1),
            key: column(2),
            text: column(3),
            bytes: column(4),
            value: column(5),
        };
        if let Err(error) = row.entry(head) {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupted);
        }
    }
}

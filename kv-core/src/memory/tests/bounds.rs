use super::*;

fn entries(most: usize) -> Table {
    Table::new(TableOptions::default().with_max_entries(most))
}

#[test]
fn the_bound_on_entries_holds_after_every_put_and_spares_the_entry_put() {
    for most in [0, 1, 2, 3, 10, 100, 1000, 5000] {
        let table = entries(most);
        for index in 0..(4 * most).max(20) {
            let key = index.to_string();
            put(&table, &key, "1", None, 0);
            assert_eq!(table.len(), (index + 1).min(most.max(1)), "bound {most}: it is full, and no more");
            assert!(table.get(name(&key)).is_some(), "bound {most}, {key}");
        }
        assert_eq!(stored(&table), table.usage());
        let modified = table.modify(name("new"), &Change::Increment(1), START, 1).unwrap();
        assert!(modified.applied && table.get(name("new")).is_some());
        table.put_many("c", ["x", "y", "z"].map(|key| (key, json("1"))), START);
        assert_eq!(table.len(), most.max(1));
        assert!(table.get(name("z")).is_some());
        assert_eq!(stored(&table), table.usage());
        assert_eq!(table.destroy(START).sum::<u64>(), most.max(1) as u64);
        assert_eq!(table.usage(), Usage::default());
    }
}

#[test]
fn the_bound_on_bytes_holds_whatever_the_sizes() {
    for most in [400, 1000, 20_000, 200_000] {
        let table = Table::new(TableOptions::default().with_max_bytes(most));
        let mut kept = 0;
        for index in 0..2000_usize {
            let value = "x".repeat(index * 7919 % (most / 2));
            let key = (index % 700).to_string();
            let record = Record::new(ValueRef::Bytes(value.as_bytes()), 1);
            if !table.fits(name(&key), &record) {
                continue;
            }
            kept += 1;
            assert!(table.put(name(&key), &record, &Condition::Always, START).is_written());
            assert!(table.bytes() <= most, "{} of {most}", table.bytes());
            assert_eq!(table.get(name(&key)).unwrap().as_bytes(), Some(value.as_bytes()));
        }
        assert!(kept > 1000 && table.bytes() > most / 4, "{} of {most}", table.bytes());
        assert_eq!(stored(&table), table.usage());
    }
}

#[test]
fn fits_says_what_an_entry_will_cost() {
    let table = Table::new(TableOptions::default().with_max_bytes(1000));
    let notes = Metadata::new().with("owner", "alice");
    let value = "x".repeat(1000);
    let mut edge = None;
    for len in 0..1000 {
        let record = Record::new(ValueRef::Bytes(&value.as_bytes()[..len]), 1).with_metadata(Some(&notes));
        let alone = Table::default();
        assert!(alone.put(name("k"), &record, &Condition::Always, START).is_written());
        assert_eq!(table.fits(name("k"), &record), alone.bytes() <= 1000, "{len}");
        edge = edge.or_else(|| (alone.bytes() > 1000).then_some(len));
    }
    assert!(edge.is_some_and(|edge| edge > 100));
    assert!(Table::default().fits(name("k"), &json(&value)));
}

#[test]
fn a_change_that_outgrows_the_table_is_refused() {
    let table = Table::new(TableOptions::default().with_max_bytes(400));
    let record = Record::new(ValueRef::Bytes(b"ab"), 1);
    assert!(table.put(name("k"), &record, &Condition::Always, START).is_written());
    let more = [0; 400];
    let error = table.modify(name("k"), &Change::Append(ValueRef::Bytes(&more)), START, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(table.get(name("k")).unwrap().as_bytes(), Some(&b"ab"[..]));
    assert_eq!(stored(&table), table.usage());
}

#[test]
fn overwriting_at_capacity_evicts_nobody() {
    for most in [1, 3, 64, 1000] {
        let table = entries(most);
        for value in ["1", "2", "33"] {
            (0..most).for_each(|index| put(&table, &index.to_string(), value, None, 0));
            let keys: Vec<String> = (0..most).map(|index| index.to_string()).collect();
            assert!(keys.iter().all(|key| text(table.get(name(key))).as_deref() == Some(value)), "{most}");
        }
    }
}

#[test]
fn what_has_ended_goes_before_what_is_alive() {
    for ended in ["a", "b", "c"] {
        let table = entries(3);
        ["a", "b", "c"].iter().for_each(|key| put(&table, key, "1", (*key == ended).then_some(5), 0));
        assert!(table.get(name(ended)).is_some(), "it was used, which does not save it");
        put(&table, "d", "1", None, 5);
        let left: Vec<&str> = ["a", "b", "c", "d"].into_iter().filter(|key| table.get(name(key)).is_some()).collect();
        let expected: Vec<&str> = ["a", "b", "c", "d"].into_iter().filter(|key| *key != ended).collect();
        assert_eq!(left, expected);
    }
}

#[test]
fn the_evicting_hand_looks_for_what_has_ended_first() {
    // All in one window, and more buckets than a write sweeps by the way.
    for ended in 0..40 {
        let table = entries(40);
        (0..40).for_each(|index| put(&table, &index.to_string(), "1", (index == ended).then_some(5), 0));
        put(&table, "new", "1", None, 5);
        assert!((0..40).all(|index| table.get(name(&index.to_string())).is_some() == (index != ended)), "{ended}");
    }
}

#[test]
fn what_is_read_stays_and_what_is_not_goes() {
    let table = entries(100);
    let hot: Vec<String> = (0..50).map(|index| format!("hot{index}")).collect();
    hot.iter().for_each(|key| put(&table, key, "1", None, 0));
    for index in 0..1000 {
        assert!(hot.iter().all(|key| table.get(name(key)).is_some()), "after {index} others");
        put(&table, &index.to_string(), "1", None, 0);
    }
    // Left alone, they go too, in the hand's second round at the latest.
    (1000..2000).for_each(|index| put(&table, &index.to_string(), "1", None, 0));
    assert!(hot.iter().all(|key| table.get(name(key)).is_none()));
}

#[test]
fn one_large_entry_takes_the_place_of_many() {
    let table = Table::new(TableOptions::default().with_max_bytes(1 << 20));
    for index in 0..20_000 {
        put(&table, &index.to_string(), "1", None, 0);
        // All in use: the hand finds nothing at its first round.
        table.get(name(&index.to_string())).unwrap();
    }
    let large = vec![0; (1 << 20) - 300];
    let record = Record::new(ValueRef::Bytes(&large), 1);
    assert!(table.fits(name("large"), &record));
    assert!(table.put(name("large"), &record, &Condition::Always, START).is_written());
    assert!(table.bytes() <= 1 << 20, "{}", table.bytes());
    assert_eq!(table.get(name("large")).unwrap().as_bytes(), Some(&large[..]));
    assert_eq!(stored(&table), table.usage());
}

#[test]
fn the_largest_value_is_taken_and_one_byte_more_is_not() {
    let table = Table::new(TableOptions::default().with_max_bytes(1000));
    let value = vec![7; table.max_value_bytes().unwrap()];
    let record = Record::new(ValueRef::Bytes(&value), 1);
    assert!(table.fits(Name::new("c", "k"), &record));
    assert!(!table.fits(Name::new("c", "kk"), &record));
    assert_eq!(Table::default().max_value_bytes(), None);
    assert_eq!(Table::new(TableOptions::default().with_max_entries(1)).max_value_bytes(), None);
}

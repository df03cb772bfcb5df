use std::collections::HashMap;

use super::*;
use crate::{Cursor, Pattern};

/// All keys, page by page, with `between` after each.
fn walk(table: &Table, options: &ListOptions, now: i64, mut between: impl FnMut(&Table, usize)) -> Vec<String> {
    let (mut options, mut keys) = (options.clone(), Vec::new());
    for page_number in 0.. {
        assert!(page_number < 10_000, "it comes to no end");
        let page = table.list("c", &options, at(now)).unwrap();
        assert!(page.items.len() <= options.limit);
        keys.extend(page.items.into_iter().map(|item| item.key));
        if page.next.is_none() {
            break;
        }
        // As text, for it may be carried so.
        options.cursor = page.next.map(|next| next.as_str().parse().unwrap());
        between(table, page_number);
    }
    keys
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[test]
fn pages_hold_each_live_key_once() {
    let table = Table::default();
    for index in 0..1000 {
        put(&table, &format!("{index:04}"), "1", (index % 10 == 0).then_some(5), 0);
        assert!(table.put(Name::new("d", &index.to_string()), &json("1"), &Condition::Always, START).is_written());
    }
    let all: Vec<String> = (0..1000).map(|index| format!("{index:04}")).collect();
    let live: Vec<String> = (0..1000).filter(|index| index % 10 != 0).map(|index| format!("{index:04}")).collect();
    for limit in [1, 7, 100, 899, 900, 901, 5000, usize::MAX] {
        let options = ListOptions::default().with_limit(limit);
        assert_eq!(sorted(walk(&table, &options, 4, |_, _| ())), all, "{limit}");
        assert_eq!(sorted(walk(&table, &options, 5, |_, _| ())), live, "{limit}");
    }
    assert!(table.list("c", &ListOptions::default().with_limit(1000), START).unwrap().next.is_none());
    let prefix = ListOptions::starting_with("01").with_limit(30);
    assert_eq!(sorted(walk(&table, &prefix, 4, |_, _| ())), all[100..200]);
    let pattern = ListOptions::pattern(Pattern::new("*77").unwrap()).with_limit(3);
    assert_eq!(walk(&table, &pattern, 4, |_, _| ()).len(), 10);
    assert!(table.list("x", &ListOptions::default(), START).unwrap().items.is_empty());
}

#[test]
fn keys_that_stay_are_listed_once_while_the_table_grows_and_shrinks() {
    let table = Table::default();
    let steady: Vec<String> = (0..1000).map(|index| format!("s{index:04}")).collect();
    steady.iter().for_each(|key| put(&table, key, "1", None, 0));
    let before = buckets(&table);
    let mut most = 0;
    let options = ListOptions::starting_with("s").with_limit(9);
    let keys = walk(&table, &options, 0, |table, page| {
        if page < 40 {
            (0..1000).for_each(|index| put(table, &format!("x{page}-{index}"), "1", None, 0));
            most = buckets(table);
        } else if page == 60 {
            assert_eq!(table.clear("c", &KeyFilter::starting_with("x"), START).sum::<u64>(), 40_000);
        }
        steady.iter().skip(page).step_by(50).for_each(|key| put(table, key, "2", None, 0));
    });
    assert_eq!(sorted(keys), steady);
    assert!(most > 8 * before && buckets(&table) < most / 2, "{before} {most} {}", buckets(&table));
}

#[test]
fn keys_of_one_hash_are_all_listed_whatever_the_page() {
    let table = Table::default();
    let mut first: HashMap<u32, String> = HashMap::new();
    let mut keys = Vec::new();
    for index in 0..2_000_000 {
        let key = format!("{index}");
        if let Some(twin) = first.insert(table.hash(name(&key)), key.clone()) {
            keys.extend([twin, key]);
        }
        if keys.len() >= 12 {
            break;
        }
    }
    assert_eq!(keys.len(), 12, "32 bits: by 100,000 keys the first two meet");
    keys.iter().for_each(|key| put(&table, key, "1", None, 0));
    keys.sort();
    for limit in 1..=4 {
        let options = ListOptions::default().with_limit(limit);
        assert_eq!(sorted(walk(&table, &options, 0, |_, _| ())), keys, "{limit}");
    }
    // Each has its own record all the same.
    put(&table, &keys[0], "2", None, 0);
    assert!(keys[1..].iter().all(|key| text(table.get(name(key))).as_deref() == Some("1")));
}

#[test]
fn keys_at_the_edges_of_shards_are_listed() {
    let table = Table::default();
    let span = 1 << table.shift;
    let mut keys = Vec::new();
    for first in (0..64_u32).map(|shard| shard * span) {
        for hash in [first, first + 1, first + span / 2, first + (span - 2), first + (span - 1)] {
            // Two of each hash, which no search would find here; a listing goes by the slots.
            for twin in ["a", "b"] {
                let key = format!("{hash:08x}{twin}");
                let slot = Slot::new(hash, name(&key), &json("1"));
                assert!(table.shards[table.shard_of(hash)].write().put(slot, &Condition::Always, START.into()).is_ok());
                keys.push(key);
            }
        }
    }
    assert_eq!(keys.len(), table.len());
    for limit in [1, 2, 3, 9, 10, 11, 640] {
        let options = ListOptions::default().with_limit(limit);
        assert_eq!(walk(&table, &options, 0, |_, _| ()), keys, "{limit}: in order, too");
    }
}

#[test]
fn a_page_looks_at_a_bounded_number_of_entries() {
    let table = Table::default();
    (0..100_000).for_each(|index| put(&table, &index.to_string(), "1", None, 0));
    let options = ListOptions::starting_with("77777");
    let first = table.list("c", &options, START).unwrap();
    let mut pages = 1;
    assert_eq!(walk(&table, &options, 0, |_, _| pages += 1), ["77777"]);
    assert!(first.next.is_some() && (4..20).contains(&pages), "{pages}");
}

#[test]
fn entries_come_with_the_keys_where_they_are_wanted() {
    let table = Table::default();
    put(&table, "k", "[1]", Some(7), 0);
    let options = ListOptions::default();
    assert!(table.list("c", &options, START).unwrap().items[0].entry.is_none());
    let entry = table.list("c", &options.with_entries(), START).unwrap().items.remove(0).entry.unwrap().unwrap();
    assert_eq!((entry.as_json(), entry.expires()), (Some("[1]"), Some(at(7))));
}

#[test]
fn foreign_cursors_are_refused() {
    let (table, other) = (Table::default(), Table::default());
    for index in 0..100 {
        let key = index.to_string();
        put(&table, &key, "1", None, 0);
        put(&other, &key, "1", None, 0);
        assert!(table.put(Name::new(&key, "k"), &json("1"), &Condition::Always, START).is_written());
    }
    let small = ListOptions::default().with_limit(10);
    let own = table.list("c", &small, START).unwrap().next.unwrap();
    let foreign = other.list("c", &small, START).unwrap().next.unwrap();
    let of_names = table.collections(&small, START).unwrap().page().next.unwrap();
    let with = |cursor: &Cursor| small.clone().with_cursor(Some(cursor.clone()));
    assert!(table.list("c", &with(&own), START).is_ok() && table.collections(&with(&of_names), START).is_ok());
    let tag = &own.as_str()[..9];
    let bad =
        ["", "m", "m0", "é", &format!("{tag}é0000000"), &format!("{tag}+0000000"), &format!("{tag}00000000x"), tag];
    let bad = bad.map(Cursor::new);
    for cursor in bad.iter().chain([&foreign, &of_names]) {
        let error = table.list("c", &with(cursor), START).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{cursor}");
    }
    assert!(table.list("0", &with(&own), START).is_err(), "the cursor of another collection");
    assert!(table.collections(&with(&own), START).is_err());
    assert!(table.list("c", &small.clone().with_limit(0), START).is_err());
    assert!(table.collections(&small.with_limit(0), START).is_err());
}

#[test]
fn collections_are_those_with_a_live_entry() {
    let table = Table::default();
    for (collection, expires) in [("b", None), ("a", Some(5)), ("a", None), ("é", None), ("ab", Some(5)), ("d", None)]
    {
        let key = format!("{expires:?}");
        let record = json("1").with_expires(expires.map(at));
        assert!(table.put(Name::new(collection, &key), &record, &Condition::Always, START).is_written());
    }
    let list = |options: ListOptions, now| {
        let (mut options, mut names) = (options, Vec::new());
        loop {
            let page = table.collections(&options, at(now)).unwrap().page();
            assert!(!page.items.is_empty() && page.items.len() <= options.limit);
            names.extend(page.items);
            match page.next {
                Some(next) => options.cursor = Some(next),
                None => return names,
            }
        }
    };
    for limit in [1, 2, 3, 4, 5, usize::MAX] {
        let options = ListOptions::default().with_limit(limit);
        assert_eq!(list(options.clone(), 4), ["a", "ab", "b", "d", "é"], "{limit}");
        assert_eq!(list(options, 5), ["a", "b", "d", "é"], "{limit}");
    }
    assert_eq!(list(ListOptions::starting_with("a"), 4), ["a", "ab"]);
}

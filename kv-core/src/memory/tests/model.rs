//! Random operations, on the table and on a sorted map that does the same in the plainest way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 6] = ["a", "ab", "abc", "b", "é", "\0"];
const COLLECTIONS: [&str; 2] = ["c", "ca"];

/// A collection and a key, by number.
type Place = (usize, usize);

#[derive(Debug, Clone)]
enum Step {
    Advance(i64),
    Put(Place, i64, Option<i64>, u8),
    PutMany(usize, Vec<(usize, i64)>),
    Delete(Place, u8),
    DeleteMany(usize, Vec<usize>),
    Modify(Place, u8, i64),
    GetMany(usize, Vec<usize>),
    List(usize, usize, usize),
    Collections(usize),
    Clear(usize, usize),
    Cull,
    Destroy,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..COLLECTIONS.len(), 0..KEYS.len());
    let collection = || 0..COLLECTIONS.len();
    let keys = || prop::collection::vec(0..KEYS.len(), 0..6);
    // Instants around whole seconds too, for slots keep those.
    let ttl = || prop::option::of(prop_oneof![1..20_i64, Just(500_000), Just(1_000_000)]);
    prop_oneof![
        4 => prop_oneof![1..15_i64, Just(400_000), Just(999_995)].prop_map(Step::Advance),
        8 => (place(), -9..9_i64, ttl(), 0..5_u8).prop_map(|(place, value, ttl, condition)| Step::Put(place, value, ttl, condition)),
        2 => (collection(), prop::collection::vec((0..KEYS.len(), 0..9_i64), 0..6)).prop_map(|(c, items)| Step::PutMany(c, items)),
        3 => (place(), 0..5_u8).prop_map(|(place, condition)| Step::Delete(place, condition)),
        2 => (collection(), keys()).prop_map(|(c, keys)| Step::DeleteMany(c, keys)),
        6 => (place(), 0..8_u8, 1..20_i64).prop_map(|(place, change, by)| Step::Modify(place, change, by)),
        2 => (collection(), keys()).prop_map(|(c, keys)| Step::GetMany(c, keys)),
        3 => (collection(), 0..3_usize, 1..5_usize).prop_map(|(c, prefix, limit)| Step::List(c, prefix, limit)),
        1 => (1..3_usize).prop_map(Step::Collections),
        1 => (collection(), 0..3_usize).prop_map(|(c, prefix)| Step::Clear(c, prefix)),
        1 => Just(Step::Cull),
        1 => Just(Step::Destroy),
    ]
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<(&'static str, &'static str), Entry>,
    now: i64,
    revision: u64,
}

type Shown = (String, Option<Timestamp>, Option<Timestamp>, String);

fn shown(entry: &Entry) -> Shown {
    (entry.as_json().unwrap().to_owned(), entry.created(), entry.expires(), entry.revision().to_string())
}

impl Model {
    fn now(&self) -> Timestamp {
        at(self.now)
    }

    fn live(&self, (collection, key): (&'static str, &'static str)) -> Option<&Entry> {
        self.entries.get(&(collection, key)).filter(|entry| entry.expires().is_none_or(|expires| expires > self.now()))
    }

    fn keys(&self, collection: &str, prefix: &str) -> Vec<&'static str> {
        let all = self.entries.keys().filter(|name| self.live(**name).is_some());
        all.filter(|(its, key)| *its == collection && key.starts_with(prefix)).map(|(_, key)| *key).collect()
    }

    /// A condition, and whether it holds.
    fn condition(&self, name: (&'static str, &'static str), number: u8) -> (Condition, bool) {
        let live = self.live(name);
        let stored = self.entries.get(&name).map_or(Revision::from_number(0), Entry::revision);
        match number {
            0 => (Condition::Always, true),
            1 => (Condition::IfAbsent, live.is_none()),
            2 => (Condition::IfPresent, live.is_some()),
            3 => (Condition::IfRevision(stored), live.is_some()),
            _ => (Condition::IfRevision(Revision::from_number(u64::MAX)), false),
        }
    }

    fn run(&mut self, table: &Table, step: &Step) {
        let prefixes = ["", "a", "ab"];
        let full = |place: Place| (COLLECTIONS[place.0], KEYS[place.1]);
        let now = self.now();
        self.revision += 1;
        match step {
            Step::Advance(by) => self.now += by,
            Step::Put(place, value, ttl, condition) => {
                let (value, name) = (value.to_string(), full(*place));
                let record = Record::new(ValueRef::Json(value.as_bytes()), self.revision)
                    .with_created(Some(now))
                    .with_expires(ttl.map(|ttl| at(self.now + ttl)));
                let (condition, holds) = self.condition(name, *condition);
                let outcome = table.put(Name::new(name.0, name.1), &record, &condition, now);
                assert_eq!(outcome.is_written(), holds, "{condition:?}");
                if holds {
                    self.entries.insert(name, Entry::new(&record));
                }
            }
            Step::PutMany(c, items) => {
                let values: Vec<String> = items.iter().map(|(_, value)| value.to_string()).collect();
                let records = values.iter().map(|value| Record::new(ValueRef::Json(value.as_bytes()), self.revision));
                let items: Vec<_> = items.iter().map(|(key, _)| KEYS[*key]).zip(records).collect();
                table.put_many(COLLECTIONS[*c], items.iter().copied(), now);
                let entries = items.iter().map(|(key, record)| ((COLLECTIONS[*c], *key), Entry::new(record)));
                self.entries.extend(entries);
            }
            Step::Delete(place, condition) => {
                let name = full(*place);
                let (condition, holds) = self.condition(name, *condition);
                let expected = match (self.live(name), holds) {
                    (None, _) => DeleteOutcome::Missing,
                    (_, true) => DeleteOutcome::Deleted,
                    (_, false) => DeleteOutcome::Conflict,
                };
                assert_eq!(table.delete(Name::new(name.0, name.1), &condition, now), expected);
                if expected == DeleteOutcome::Deleted {
                    self.entries.remove(&name);
                }
            }
            Step::DeleteMany(c, keys) => {
                let keys: Vec<&'static str> = keys.iter().map(|key| KEYS[*key]).collect();
                let expected: Vec<bool> = keys
                    .iter()
                    .map(|key| {
                        let live = self.live((COLLECTIONS[*c], key)).is_some();
                        self.entries.remove(&(COLLECTIONS[*c], *key));
                        live
                    })
                    .collect();
                assert_eq!(table.delete_many(COLLECTIONS[*c], &keys, now), expected);
            }
            Step::Modify(place, change, by) => {
                let (name, text) = (full(*place), by.to_string());
                let value = ValueRef::Json(text.as_bytes());
                let change = match change {
                    0 | 1 => Change::Increment(*by),
                    2 => Change::Take,
                    3 => Change::Replace { value, expiry: Expiry::At(at(self.now + by)), metadata: None },
                    4 => Change::Touch(Expiry::At(at(self.now + by))),
                    5 => Change::Touch(Expiry::Never),
                    6 => Change::Append(value),
                    _ => Change::Swap { expected: Some(value), new: None },
                };
                let live = self.live(name).cloned();
                let modified = table.modify(Name::new(name.0, name.1), &change, now, self.revision);
                let Ok(decision) = change.decide(live.as_ref(), now, self.revision) else {
                    assert!(modified.is_err(), "{change:?}");
                    return;
                };
                let modified = modified.unwrap();
                let after = match &decision {
                    Decision::Put(next) => Some(Entry::new(&next.record())),
                    _ => None,
                };
                assert_eq!(modified.applied, !matches!(decision, Decision::Leave), "{change:?}");
                assert_eq!(modified.before.as_ref().map(shown), live.as_ref().map(shown));
                assert_eq!(modified.after.as_ref().map(shown), after.as_ref().map(shown));
                match (modified.applied, after) {
                    (true, Some(after)) => drop(self.entries.insert(name, after)),
                    (true, None) => drop(self.entries.remove(&name)),
                    (false, _) => (),
                }
            }
            Step::GetMany(c, keys) => {
                let keys: Vec<&'static str> = keys.iter().map(|key| KEYS[*key]).collect();
                let live = |entry: &Entry| entry.expires().is_none_or(|expires| expires > now);
                let entries = table.get_many(COLLECTIONS[*c], &keys);
                let read: Vec<_> =
                    entries.iter().map(|entry| entry.as_ref().filter(|entry| live(entry)).map(shown)).collect();
                let expected: Vec<_> = keys.iter().map(|key| self.live((COLLECTIONS[*c], key)).map(shown)).collect();
                assert_eq!(read, expected);
            }
            Step::List(c, prefix, limit) => {
                let mut options = ListOptions::starting_with(prefixes[*prefix]).with_limit(*limit);
                let mut keys = Vec::new();
                loop {
                    let page = table.list(COLLECTIONS[*c], &options, now).unwrap();
                    assert!(page.items.len() <= *limit);
                    keys.extend(page.items.into_iter().map(|item| item.key));
                    options.cursor = page.next;
                    if options.cursor.is_none() {
                        break;
                    }
                }
                keys.sort();
                assert_eq!(keys, self.keys(COLLECTIONS[*c], prefixes[*prefix]));
            }
            Step::Collections(limit) => {
                let live: Vec<&str> = COLLECTIONS.into_iter().filter(|c| !self.keys(c, "").is_empty()).collect();
                let page = table.collections(&ListOptions::default().with_limit(*limit), now).unwrap().page();
                assert_eq!(page.items, live[..live.len().min(*limit)]);
                assert_eq!(page.next.is_some(), live.len() > *limit);
            }
            Step::Clear(c, prefix) => {
                let filter = KeyFilter::starting_with(prefixes[*prefix]);
                let live = self.keys(COLLECTIONS[*c], prefixes[*prefix]).len() as u64;
                assert_eq!(table.count(COLLECTIONS[*c], &filter, now).sum::<u64>(), live);
                assert_eq!(table.clear(COLLECTIONS[*c], &filter, now).sum::<u64>(), live);
                self.entries.retain(|(its, key), _| *its != COLLECTIONS[*c] || !key.starts_with(prefixes[*prefix]));
            }
            Step::Cull => {
                let before = table.len();
                let live: usize = COLLECTIONS.into_iter().map(|c| self.keys(c, "").len()).sum();
                assert_eq!(table.cull(now).sum::<u64>(), (before - live) as u64);
                assert_eq!(table.len(), live);
            }
            Step::Destroy => {
                let live: usize = COLLECTIONS.into_iter().map(|c| self.keys(c, "").len()).sum();
                assert_eq!(table.destroy(now).sum::<u64>(), live as u64);
                assert_eq!(table.usage(), Usage::default());
                self.entries.clear();
            }
        }
        assert_eq!(stored(table), table.usage());
    }

    fn compare(&self, table: &Table) {
        for collection in COLLECTIONS {
            let options = ListOptions::default().with_entries();
            let page = table.list(collection, &options, self.now()).unwrap();
            let mut read: Vec<(String, Shown)> =
                page.items.into_iter().map(|item| (item.key, shown(&item.entry.unwrap().unwrap()))).collect();
            read.sort();
            let live = self.keys(collection, "").into_iter();
            let expected: Vec<(String, Shown)> =
                live.map(|key| (key.to_owned(), shown(self.live((collection, key)).unwrap()))).collect();
            assert_eq!(read, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_a_sorted_map_does(steps in prop::collection::vec(step(), 1..80), bounded: bool) {
        // A bound that is never reached changes nothing but where sums are kept and how many shards there are.
        let options = if bounded { TableOptions::default().with_max_entries(100) } else { TableOptions::default() };
        let (table, mut model) = (Table::new(options), Model::default());
        for step in &steps {
            model.run(&table, step);
            model.compare(&table);
        }
    }
}

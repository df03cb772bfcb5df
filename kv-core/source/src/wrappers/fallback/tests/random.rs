use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::stores::MemoryStore;
use crate::wrappers::{Faults, RandomFaults};

/// What may be read of a key: what was written last, and what failed writes since may have made of it.
type Possible = BTreeMap<&'static str, BTreeSet<Option<i64>>>;

fn wrote(possible: &mut Possible, key: &'static str, value: Option<i64>, failed: Option<&Error>) {
    let values = possible.entry(key).or_insert_with(|| BTreeSet::from([None]));
    match failed {
        None => *values = BTreeSet::from([value]),
        Some(error) if error.outcome_unknown() => {
            values.insert(value);
        }
        Some(_) => {}
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn through_any_outages_nothing_older_is_read() {
    const KEYS: [&str; 3] = ["a", "b", "c"];
    for seed in 0..60 {
        let (one, two) = (Arc::new(Faults::new(MemoryStore::new())), Arc::new(Faults::new(MemoryStore::new())));
        let handles = [one.handle(), two.handle()];
        let faults = |seed| RandomFaults::seeded(seed).refused(0.25).lost_answers(0.1);
        handles[0].at_random(faults(seed));
        handles[1].at_random(faults(seed + 1000));
        let stack = Arc::new(Fallback::new(Arc::clone(&one), Arc::clone(&two)).with_write_through());
        let (kv, known) = (Kv::new(Arc::clone(&stack)), stack.handle());
        let mut random = fastrand::Rng::with_seed(seed);
        let mut possible = Possible::new();
        let (mut reads, mut writes) = (0, 0);
        for number in 0..300 {
            let key = KEYS[random.usize(..KEYS.len())];
            match random.u8(..6) {
                0 => {
                    let put = kv.put(key, &number).await;
                    writes += u32::from(put.is_ok());
                    wrote(&mut possible, key, Some(number), put.as_ref().err());
                }
                1 => {
                    let put = kv.put_many(&[("a", number), ("b", number)], &PutOptions::default()).await;
                    for (at, key) in ["a", "b"].into_iter().enumerate() {
                        let failed = match &put {
                            Ok(answers) => answers[at].as_ref().err(),
                            Err(error) => Some(error),
                        };
                        wrote(&mut possible, key, Some(number), failed);
                    }
                }
                2 => {
                    let deleted = kv.delete(key).await;
                    wrote(&mut possible, key, None, deleted.as_ref().err());
                }
                3 => {
                    let deleted = kv.store().delete_many(kv.name(), &["b", "c"], &CallOptions::default()).await;
                    for (at, key) in ["b", "c"].into_iter().enumerate() {
                        let failed = match &deleted {
                            Ok(answers) => answers[at].as_ref().err(),
                            Err(error) => Some(error),
                        };
                        wrote(&mut possible, key, None, failed);
                    }
                }
                4 => {
                    let swapped = kv.get_and_put(key, &number).await;
                    wrote(&mut possible, key, Some(number), swapped.as_ref().err());
                }
                _ => {
                    let Ok(got) = kv.get::<i64>(key).await else { continue };
                    reads += 1;
                    let allowed = possible.entry(key).or_insert_with(|| BTreeSet::from([None]));
                    assert!(allowed.contains(&got), "seed {seed}, call {number}: {key} is {got:?}, not {allowed:?}");
                }
            }
        }
        assert!(reads > 5 && writes > 5, "seed {seed}: {reads} reads and {writes} writes went through");
        handles.iter().for_each(crate::wrappers::FaultHandle::clear);
        assert_eq!(known.report().unnamed, 0);
        stack.reconcile().await.unwrap();
        assert!(known.report().is_empty());
        for key in KEYS {
            let first = Kv::new(Arc::clone(&one)).get::<i64>(key).await.unwrap();
            let second = Kv::new(Arc::clone(&two)).get::<i64>(key).await.unwrap();
            assert_eq!(first, second, "seed {seed}: {key}");
        }
    }
}

//! Whatever fails, and however calls overlap: no read is of what was before a write.

use super::*;
use crate::wrappers::{Fault, FaultHandle, Faults, RandomFaults};

type Faulty = Faults<SimpleStore>;

fn faulty() -> (Arc<Faulty>, FaultHandle) {
    let store = Faults::new(SimpleStore::new());
    let handle = store.handle();
    (Arc::new(store), handle)
}

/// What really is in the far store.
#[maybe_async::maybe_async]
async fn truth(far: &Arc<Faulty>, key: &str) -> Option<u64> {
    let store = crate::wrappers::Wrapper::inner(&**far);
    let name = Name::new(DEFAULT_COLLECTION, key);
    let entry = store.get(name, &GetOptions::default()).await.unwrap();
    entry.map(|entry| entry.decode().unwrap())
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn no_read_is_stale_whatever_fails() {
    const KEYS: [&str; 3] = ["a", "b", "c"];
    for seed in 0..20 {
        let ((near, near_faults), (far, far_faults)) = (faulty(), faulty());
        let missing = Duration::from_secs(60);
        let cache = PassthroughCache::new(near, Arc::clone(&far)).with_missing_ttl(missing).unwrap();
        let kv = Kv::new(cache);
        near_faults.at_random(RandomFaults::seeded(seed).refused(0.2).lost_answers(0.2));
        far_faults.at_random(RandomFaults::seeded(seed + 1000).refused(0.1).lost_answers(0.1));
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut reads, mut failures) = (0, 0);
        for step in 0..300_u64 {
            let key = KEYS[chance.usize(0..KEYS.len())];
            let done = match chance.u8(0..12) {
                0 => kv.put(key, &step).await.map(drop),
                1 => kv.delete(key).await.map(drop),
                2 => kv.increment(key, 1).await.map(drop),
                3 => kv.put_many(&[("a", step), ("c", step)], &PutOptions::default()).await.map(drop),
                4 => kv.delete_many(&KEYS[..2]).await.map(drop),
                5 if chance.u8(0..4) == 0 => kv.clear().await.map(drop),
                5 => kv.take::<u64>(key).await.map(drop),
                6 | 7 => {
                    let expected = [truth(&far, "a").await, truth(&far, "b").await, truth(&far, "c").await];
                    let read = kv.get_many::<u64>(&KEYS).await;
                    read.map(|read| {
                        reads += 1;
                        for (read, expected) in read.into_iter().zip(expected) {
                            assert_eq!(read.unwrap(), expected, "seed {seed}, step {step}");
                        }
                    })
                }
                _ => {
                    let expected = truth(&far, key).await;
                    let read = get(&kv, key).await;
                    read.map(|read| {
                        reads += 1;
                        assert_eq!(read, expected, "seed {seed}, step {step}");
                    })
                }
            };
            failures += u32::from(done.is_err());
        }
        assert!(reads > 100 && failures > 10, "{reads} reads, {failures} failures");
    }
}

/// Writes, and reads what it wrote or something later.
struct Count(Kv);

#[maybe_async::maybe_async]
impl Task for Count {
    type Output = ();

    async fn run(&self, _number: usize) {
        for _ in 0..200 {
            let written = self.0.increment("k", 1).await.unwrap();
            let one = self.0.get::<i64>("k").await.unwrap();
            let many = self.0.get_many::<i64>(&["k"]).await.unwrap().remove(0).unwrap();
            assert!(one >= Some(written), "{one:?} after {written}");
            assert!(many >= one, "{many:?} after {one:?}");
        }
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread")))]
async fn what_was_written_is_read_by_many_at_the_same_time() {
    let ((near, near_faults), (far, far_faults)) = (faulty(), faulty());
    let short = Duration::from_micros(200);
    near_faults.at_random(RandomFaults::seeded(1).refused(0.1).lost_answers(0.1).slow(0.1, short));
    far_faults.at_random(RandomFaults::seeded(2).slow(0.1, short));
    crate::testing::together(8, Count(Kv::new(PassthroughCache::new(near, far)))).await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_damaged_near_store_is_asked_in_vain_and_a_damaged_far_one_is_told() {
    let ((near, near_faults), (far, far_faults)) = (faulty(), faulty());
    let kv = Kv::new(PassthroughCache::new(near, far).with_stale_on_error(secs(1)).unwrap());
    kv.put("k", &1).await.unwrap();
    near_faults.inject(Fault::refused(ErrorKind::Corrupted).always());
    let read = get(&kv, "k").await.unwrap();
    assert_eq!(read, Some(1));
    far_faults.inject(Fault::refused(ErrorKind::Corrupted));
    let error = get(&kv, "k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
}

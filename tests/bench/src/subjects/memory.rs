//! The floor of memory: a map in 64 shards, each an RwLock, of Arcs with the instant at which they end.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::RwLock;

use super::Blocking;
use crate::data::{TTL, User, VALUE};

/// What stands in a map or a cache.
#[derive(Debug)]
pub struct Held {
    pub expires: u64,
    pub bytes: Box<[u8]>,
}

impl Held {
    pub fn new(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { expires: now() + TTL.as_micros() as u64, bytes: bytes.into() })
    }

    /// Whether it is there, with its bytes at hand.
    pub fn is_there(&self) -> bool {
        self.expires > now() && !self.bytes.is_empty()
    }
}

/// The exact clock, in microseconds.
#[inline]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

type Shard = RwLock<HashTable<(String, Arc<Held>)>>;

/// Cache lines of its own for each lock.
#[derive(Default)]
#[repr(align(128))]
struct Padded(Shard);

/// The map. The key is hashed once, and found without a `String` being made.
pub struct Map {
    shards: Vec<Padded>,
    seed: RandomState,
}

impl Map {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { shards: (0..64).map(|_| Padded::default()).collect(), seed: RandomState::default() })
    }

    #[inline]
    fn at(&self, key: &str) -> (u64, &Shard) {
        let hash = self.seed.hash_one(key);
        (hash, &self.shards[(hash >> 32) as usize & 63].0)
    }

    #[inline]
    fn find(&self, key: &str) -> Option<Arc<Held>> {
        let (hash, shard) = self.at(key);
        let table = shard.read();
        let held = &table.find(hash, |(known, _)| known == key)?.1;
        (held.expires > now()).then(|| Arc::clone(held))
    }

    pub fn insert(&self, key: &str, bytes: &[u8]) {
        let held = Held::new(bytes);
        let (hash, shard) = self.at(key);
        let mut table = shard.write();
        let old = match table.find_mut(hash, |(known, _)| known == key) {
            Some(slot) => Some(std::mem::replace(&mut slot.1, held)),
            None => {
                table.insert_unique(hash, (key.to_owned(), held), |(known, _)| self.seed.hash_one(known));
                None
            }
        };
        drop(table);
        drop(old);
    }
}

impl Blocking for Map {
    const TYPED: bool = true;

    #[inline]
    fn get(&self, key: &str) -> bool {
        self.find(key).is_some_and(|held| !held.bytes.is_empty())
    }

    fn put(&self, key: &str) {
        self.insert(key, VALUE);
    }

    fn delete(&self, key: &str) -> bool {
        let (hash, shard) = self.at(key);
        let mut table = shard.write();
        let removed = table.find_entry(hash, |(known, _)| known == key).ok().map(|entry| entry.remove().0);
        drop(table);
        removed.is_some()
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let found: Vec<Option<Arc<Held>>> = keys.iter().map(|key| self.find(key)).collect();
        std::hint::black_box(&found).iter().flatten().count()
    }

    fn get_typed(&self, key: &str) -> bool {
        let decode = |held: Arc<Held>| serde_json::from_slice::<User>(&held.bytes).ok();
        std::hint::black_box(self.find(key).and_then(decode)).is_some()
    }

    fn put_typed(&self, key: &str) {
        thread_local!(static USER: User = User::sample());
        USER.with(|user| self.insert(key, &serde_json::to_vec(user).expect("it serialises")));
    }
}

/// The floor again, with the kernel's coarse clock in place of the exact one: entries may end some milliseconds late.
pub struct Coarse(pub Arc<Map>);

impl Blocking for Coarse {
    fn get(&self, key: &str) -> bool {
        let (hash, shard) = self.0.at(key);
        let table = shard.read();
        let Some((_, held)) = table.find(hash, |(known, _)| known == key) else { return false };
        let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        let held = (held.expires > time.tv_sec as u64 * 1_000_000).then(|| Arc::clone(held));
        drop(table);
        held.is_some_and(|held| !held.bytes.is_empty())
    }

    fn put(&self, key: &str) {
        self.0.put(key);
    }

    fn delete(&self, key: &str) -> bool {
        self.0.delete(key)
    }
}

//! The suite on every store that needs no server, and on stacks of wrappers.
#![cfg(all(feature = "contract", feature = "disk"))]
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "shared/skips.rs"]
mod skips;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_source::contract::{Deviation, Setting, Subject};
use kv_source::stores::{
    DiskOptions, DiskStore, MemoryOptions, MemoryStore, MultiDiskOptions, MultiDiskStore, NullStore, SimpleStore,
};
use kv_source::wrappers::{PrefixCollections, PrefixKeys, Statistics, TtlClamp};
use kv_source::{Kv, Name};
use tempfile::TempDir;

use crate::skips::IN_PROCESS;

/// Opens stores in the directories of their spaces.
type Open = fn(&Path, &Setting) -> Kv;

/// A store that keeps nothing outside of its handle.
#[derive(Debug)]
struct InProcess(fn(&Setting) -> Kv);

impl Subject for InProcess {
    fn open(&self, setting: &Setting) -> Kv {
        self.0(setting)
    }
}

/// A store in files, with a directory for each space.
#[derive(Debug)]
struct InFiles {
    directory: TempDir,
    open: Open,
    damage: fn(&Path, Name<'_>) -> bool,
    deviations: Vec<Deviation>,
}

impl InFiles {
    fn new(open: Open, damage: fn(&Path, Name<'_>) -> bool) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), open, damage, deviations: Vec::new() }
    }

    fn deviating(mut self, check: &'static str, why: &'static str) -> Self {
        self.deviations.push(Deviation { check, why });
        self
    }

    fn space(&self, setting: &Setting) -> PathBuf {
        let space = self.directory.path().join(&setting.space);
        std::fs::create_dir_all(&space).unwrap();
        space
    }
}

#[maybe_async::maybe_async]
impl Subject for InFiles {
    fn open(&self, setting: &Setting) -> Kv {
        (self.open)(&self.space(setting), setting)
    }

    fn deviations(&self) -> Vec<Deviation> {
        self.deviations.clone()
    }

    async fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
        (self.damage)(&self.space(setting), name)
    }
}

/// Puts a text that is no JSON where a row has its metadata, and a number where it has its value.
fn damage_row(file: &Path, name: Name<'_>) -> bool {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    let damage = "UPDATE entries SET metadata = '{', value = 1.5 WHERE collection = ?1 AND key = ?2";
    connection.execute(damage, [name.collection, name.key]).unwrap() == 1
}

/// A store within others' reach: every space is a part of one store, kept apart by a wrapper.
#[derive(Debug)]
struct Neighbours<S> {
    stores: Mutex<HashMap<String, Arc<S>>>,
    make: fn(&Setting) -> S,
    wrap: fn(Arc<S>, &str) -> Kv,
}

impl<S> Neighbours<S> {
    fn new(make: fn(&Setting) -> S, wrap: fn(Arc<S>, &str) -> Kv) -> Self {
        Self { stores: Mutex::default(), make, wrap }
    }
}

impl<S: std::fmt::Debug + Send + Sync + 'static> Subject for Neighbours<S> {
    fn open(&self, setting: &Setting) -> Kv {
        // The spaces of one check begin alike, and have one clock.
        let check = setting.space.chars().take(24).collect();
        let mut stores = self.stores.lock().unwrap();
        let store = stores.entry(check).or_insert_with(|| Arc::new((self.make)(setting)));
        (self.wrap)(Arc::clone(store), &setting.space)
    }
}

/// A store in files has no server to lose.
const IN_FILES: [&str; 2] = ["e2_an_outage_is_never_a_miss", "l1_a_failed_first_use_is_tried_again"];

/// Seeds of a store within are written past a prefix.
const SEEDS: &str = "l6_seeds_write_only_what_is_absent";

fn with<const N: usize>(names: &[&'static str], more: &[&'static str]) -> [&'static str; N] {
    let all: Vec<_> = names.iter().chain(more).copied().collect();
    all.try_into().unwrap()
}

mod memory {
    use super::*;

    fn open(setting: &Setting) -> Kv {
        Kv::new(setting.apply(MemoryStore::new()))
    }

    kv_source::contract_tests!(InProcess(open), skips: with::<10>(&IN_PROCESS, &["order_is_of_bytes"]));
}

/// With bounds that it does not meet.
mod bounded_memory {
    use super::*;

    fn open(setting: &Setting) -> Kv {
        let options = MemoryOptions::default().with_max_entries(1_000_000).with_max_bytes(1 << 30);
        Kv::new(setting.apply(MemoryStore::bounded(options).unwrap()))
    }

    kv_source::contract_tests!(InProcess(open), skips: with::<10>(&IN_PROCESS, &["order_is_of_bytes"]));
}

mod simple {
    use super::*;

    fn open(setting: &Setting) -> Kv {
        Kv::new(setting.apply(SimpleStore::new()))
    }

    kv_source::contract_tests!(InProcess(open), skips: IN_PROCESS);
}

mod null {
    use super::*;

    fn open(setting: &Setting) -> Kv {
        Kv::new(setting.apply(NullStore::new()))
    }

    kv_source::contract_tests!(InProcess(open));
}

mod disk {
    use super::*;

    fn open(space: &Path, setting: &Setting) -> Kv {
        Kv::new(setting.apply(DiskStore::open(space.join("kv.db"))))
    }

    fn damage(space: &Path, name: Name<'_>) -> bool {
        damage_row(&space.join("kv.db"), name)
    }

    kv_source::contract_tests!(InFiles::new(open, damage), skips: IN_FILES);
}

/// A file for each collection, few of them open at a time.
mod multi_disk {
    use super::*;

    fn open(space: &Path, setting: &Setting) -> Kv {
        let options = MultiDiskOptions::default().with_max_open(4).with_disk(DiskOptions::default().with_readers(1));
        Kv::new(setting.apply(MultiDiskStore::with_options(space, options)))
    }

    fn damage(space: &Path, name: Name<'_>) -> bool {
        let file = space.join(kv_core::formats::disk::file_name(name.collection));
        damage_row(&file, name)
    }

    kv_source::contract_tests!(InFiles::new(open, damage), skips: IN_FILES);
}

/// The directory of Python's `diskcache`.
mod diskcache {
    use super::*;

    fn open(space: &Path, setting: &Setting) -> Kv {
        Kv::new(setting.apply(DiskStore::diskcache(space)))
    }

    fn damage(space: &Path, name: Name<'_>) -> bool {
        let connection = rusqlite::Connection::open(space.join("cache.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        let key = format!("{}::{}", name.collection, name.key);
        connection.execute("UPDATE Cache SET value = '{', filename = NULL WHERE key = ?1", [key]).unwrap() == 1
    }

    const STAYS: &str = "what cannot be read may be another program's, and stays in the directory";

    kv_source::contract_tests!(
        InFiles::new(open, damage).deviating("o7_clear_removes_it", STAYS),
        skips: with::<3>(&IN_FILES, &["t6_writes_free_what_has_expired"])
    );
}

/// Three wrappers around a store in memory.
mod stack_on_memory {
    use super::*;

    fn open(setting: &Setting) -> Kv {
        let clamped = TtlClamp::new(setting.apply(MemoryStore::new()), Some(Duration::from_nanos(1)), None).unwrap();
        Kv::new(PrefixKeys::new(Statistics::new(clamped), "app").unwrap())
    }

    kv_source::contract_tests!(InProcess(open), skips: with::<11>(&IN_PROCESS, &["order_is_of_bytes", SEEDS]));
}

/// Three wrappers around a store on disk.
mod stack_on_disk {
    use super::*;

    fn open(space: &Path, setting: &Setting) -> Kv {
        let counted = Statistics::new(setting.apply(DiskStore::open(space.join("kv.db"))));
        Kv::new(PrefixCollections::new(PrefixKeys::new(counted, "k::").unwrap(), "\u{e9}").unwrap())
    }

    fn damage(space: &Path, name: Name<'_>) -> bool {
        let (collection, key) = (format!("\u{e9}__{}", name.collection), format!("k::__{}", name.key));
        damage_row(&space.join("kv.db"), Name::new(&collection, &key))
    }

    kv_source::contract_tests!(InFiles::new(open, damage), skips: with::<3>(&IN_FILES, &[SEEDS]));
}

/// Stores that share the collections of one, told apart by the prefixes of their keys.
mod keys_of_one_store {
    use super::*;

    fn make(setting: &Setting) -> SimpleStore {
        setting.apply(SimpleStore::new())
    }

    fn wrap(store: Arc<SimpleStore>, space: &str) -> Kv {
        Kv::new(Statistics::new(PrefixKeys::new(store, space).unwrap()))
    }

    kv_source::contract_tests!(Neighbours::new(make, wrap), skips: with::<10>(&IN_PROCESS, &[SEEDS]));
}

/// Stores that share one, told apart by the prefixes of their collections.
mod collections_of_one_store {
    use super::*;

    fn make(setting: &Setting) -> MemoryStore {
        setting.apply(MemoryStore::new())
    }

    fn wrap(store: Arc<MemoryStore>, space: &str) -> Kv {
        Kv::new(Statistics::new(PrefixCollections::new(store, space).unwrap()))
    }

    kv_source::contract_tests!(
        Neighbours::new(make, wrap),
        skips: with::<11>(&IN_PROCESS, &["order_is_of_bytes", SEEDS])
    );
}

//! A store under test, as the suite sees it.

use std::fmt;

use kv_core::{Clock, ManualClock, Name, Revisions, SystemClock, Timestamp};

use crate::driver::Driver;
use crate::kv::Kv;
use crate::managed::Managed;

/// Where and how a store is to be opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Setting {
    /// A name that nothing else has: of lower-case letters, digits and `-`, at most 40 bytes. A store that outlives its
    /// handles keeps what it is given under this name (a directory, a prefix, a namespace), and nowhere else; opened in
    /// the same space again it shows the same entries.
    pub space: String,
    /// The clock to judge expiry by.
    pub clock: ManualClock,
    /// Where revisions come from.
    pub revisions: Revisions,
    /// The collection of the operations that name none, where it is to be another.
    pub default_collection: Option<String>,
    /// What set-up is to write where it is absent: collection, key, value.
    pub seeds: Vec<(String, String, i64)>,
}

impl Setting {
    /// A space of its own. The clock shows a whole second tomorrow, so that no backend's own clock is ahead of it, and
    /// stands still.
    pub fn fresh() -> Self {
        const DAY: i64 = 86_400;
        let tomorrow = (SystemClock.now().as_micros() / 1_000_000 + DAY) * 1_000_000;
        Self {
            space: format!("contract-{:016x}", fastrand::u64(..)),
            clock: ManualClock::new(Timestamp::from_micros(tomorrow).unwrap()),
            revisions: Revisions::default(),
            default_collection: None,
            seeds: Vec::new(),
        }
    }

    /// This setting in another space.
    #[must_use]
    pub fn in_space(&self, space: impl Into<String>) -> Self {
        Self { space: space.into(), ..self.clone() }
    }

    /// A store with the clock, the revisions, the default collection and the seeds of this setting.
    pub fn apply<D: Driver>(&self, store: Managed<D>) -> Managed<D> {
        let mut store = store.with_clock(self.clock.clone()).with_revisions(self.revisions.clone());
        if let Some(collection) = &self.default_collection {
            store = store.with_default_collection(collection).unwrap();
        }
        for (collection, key, value) in &self.seeds {
            store = store.with_seed(collection, key, value).unwrap();
        }
        store
    }
}

/// What a store changes on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The check that does not apply, by its name in [`CHECKS`](super::CHECKS).
    pub check: &'static str,
    /// Why, and where what holds instead is tested.
    pub why: &'static str,
}

/// A store, or a stack of wrappers around one, under test.
///
/// Only [`open`](Self::open) is needed. The other methods let the suite do what no store can be asked to do to itself;
/// where they are left out, the checks that need them are skipped, and say so.
#[maybe_async::maybe_async]
pub trait Subject: fmt::Debug + Send + Sync + 'static {
    /// A handle of the store in this setting: empty if the space is new, with what is there if it is not (or always
    /// empty, if entries do not outlive their handles). Must do no I/O beyond making a place for it.
    fn open(&self, setting: &Setting) -> Kv;

    /// Where this store does otherwise than the contract, on purpose.
    fn deviations(&self) -> Vec<Deviation> {
        Vec::new()
    }

    /// Puts something that cannot be read in place of the record of that name, which is there; answers whether it did.
    async fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
        let _ = (setting, name);
        false
    }

    /// Cuts the store of this setting off from its backend, or lets it through again; answers whether it did.
    async fn cut_off(&self, setting: &Setting, off: bool) -> bool {
        let _ = (setting, off);
        false
    }
}

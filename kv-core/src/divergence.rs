//! What two stores that should hold the same are known to disagree on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Which of two stores holds what the program was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Newer {
    /// The first: the second missed a write, or may have.
    First,
    /// The second: the first missed a write.
    Second,
}

/// A record on which two stores disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DivergedName {
    /// Its collection.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// Which store is right.
    pub newer: Newer,
}

/// What is known of two stores' differences at one moment.
///
/// # Examples
///
/// ```
/// use kv_core::{DivergenceHandle, Name, Newer};
///
/// let handle = DivergenceHandle::new(1);
/// assert!(handle.note(Name::new("users", "alice"), Newer::First));
/// assert!(!handle.note(Name::new("users", "bob"), Newer::First), "there is room for one");
/// let report = handle.report();
/// assert_eq!((report.names.len(), report.unnamed), (1, 0));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DivergenceReport {
    /// The records, in order of their names.
    pub names: Vec<DivergedName>,
    /// How many more differences there were than could be named.
    pub unnamed: u64,
    /// How many reads the second store has answered for the first.
    pub second_reads: u64,
}

impl DivergenceReport {
    /// Whether no difference is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.unnamed == 0
    }
}

/// A bounded list of the records on which two stores disagree: to read while the wrapper that keeps it stands inside a
/// stack. Cheap to clone; clones are the same list.
#[derive(Debug, Clone)]
pub struct DivergenceHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    /// As many as there are names, so that nobody locks who has nothing to look for.
    known: AtomicUsize,
    names: Mutex<Names>,
    unnamed: AtomicU64,
    second_reads: AtomicU64,
}

#[derive(Debug, Default)]
struct Names {
    by_collection: BTreeMap<String, BTreeMap<String, Note>>,
    stamp: u64,
}

/// One difference, and which of all that were noted it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Which store is right.
    pub newer: Newer,
    stamp: u64,
}

impl DivergenceHandle {
    /// A list of at most so many names.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            known: AtomicUsize::new(0),
            names: Mutex::default(),
            unnamed: AtomicU64::new(0),
            second_reads: AtomicU64::new(0),
        }))
    }

    /// What is known now.
    pub fn report(&self) -> DivergenceReport {
        let names = self.0.names.lock();
        let named = names.by_collection.iter().flat_map(|(collection, keys)| {
            keys.iter().map(|(key, note)| DivergedName {
                collection: collection.clone(),
                key: key.clone(),
                newer: note.newer,
            })
        });
        DivergenceReport {
            names: named.collect(),
            unnamed: self.unnamed(),
            second_reads: self.0.second_reads.load(Ordering::Relaxed),
        }
    }

    /// Forgets everything: for when somebody has brought the stores in line.
    pub fn forget(&self) {
        let mut names = self.0.names.lock();
        names.by_collection.clear();
        self.0.known.store(0, Ordering::Release);
        self.0.unnamed.store(0, Ordering::Release);
    }

    /// How many differences there were that could not be named.
    pub fn unnamed(&self) -> u64 {
        self.0.unnamed.load(Ordering::Acquire)
    }

    /// Whether no name is known.
    pub fn is_empty(&self) -> bool {
        self.0.known.load(Ordering::Acquire) == 0
    }

    /// Notes a difference; answers whether there was room for the name. Without room nothing is noted.
    pub fn note(&self, name: Name<'_>, newer: Newer) -> bool {
        let mut names = self.0.names.lock();
        let known = names.by_collection.get(name.collection).is_some_and(|keys| keys.contains_key(name.key));
        if !known {
            if self.0.known.load(Ordering::Relaxed) >= self.0.most {
                return false;
            }
            self.0.known.fetch_add(1, Ordering::Release);
        }
        names.stamp += 1;
        let note = Note { newer, stamp: names.stamp };
        names.by_collection.entry(name.collection.to_owned()).or_default().insert(name.key.to_owned(), note);
        true
    }

    /// Counts a difference that has no name here.
    pub fn note_unnamed(&self) {
        self.0.unnamed.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts reads that the second store answered.
    pub fn note_second_reads(&self, reads: u64) {
        self.0.second_reads.fetch_add(reads, Ordering::Relaxed);
    }

    /// What is known of this record.
    pub fn get(&self, name: Name<'_>) -> Option<Note> {
        if self.is_empty() {
            return None;
        }
        self.0.names.lock().by_collection.get(name.collection)?.get(name.key).copied()
    }

    /// Takes a record from the list, unless something was noted of it since that note.
    pub fn settle(&self, name: Name<'_>, note: Note) {
        let mut names = self.0.names.lock();
        let Some(keys) = names.by_collection.get_mut(name.collection) else { return };
        if keys.get(name.key) == Some(&note) {
            keys.remove(name.key);
            if keys.is_empty() {
                names.by_collection.remove(name.collection);
            }
            self.0.known.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name<'static> = Name { collection: "c", key: "k" };

    #[test]
    fn what_was_noted_since_stays() {
        let handle = DivergenceHandle::new(2);
        assert!(handle.is_empty() && handle.get(NAME).is_none());
        assert!(handle.note(NAME, Newer::First));
        let old = handle.get(NAME).unwrap();
        assert!(handle.note(NAME, Newer::Second));
        handle.settle(NAME, old);
        let new = handle.get(NAME).unwrap();
        assert_eq!(new.newer, Newer::Second);
        handle.settle(NAME, new);
        handle.settle(NAME, new);
        assert!(handle.is_empty() && handle.report().is_empty());
    }

    #[test]
    fn the_list_is_bounded() {
        let handle = DivergenceHandle::new(1);
        assert!(handle.note(NAME, Newer::First));
        assert!(handle.note(NAME, Newer::Second), "what is listed has room");
        assert!(!handle.note(Name::new("c", "other"), Newer::First));
        handle.note_unnamed();
        let report = handle.report();
        assert_eq!((report.names.len(), report.names[0].newer, report.unnamed), (1, Newer::Second, 1));
        handle.forget();
        assert!(handle.report().is_empty() && handle.note(Name::new("c", "other"), Newer::First));
    }
}

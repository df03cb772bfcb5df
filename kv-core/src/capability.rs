//! What a store can do, and promises.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// For whom an operation is one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Atomicity {
    /// There is no such operation: it answers `Unsupported`.
    Unsupported,
    /// For every user of this process.
    ProcessLocal,
    /// For every client of the backend.
    Linearizable,
}

/// How complete a listing is while others write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Listing {
    /// There is none: it answers `Unsupported`.
    Unsupported,
    /// Every key that was there throughout, some perhaps more than once.
    AtLeastOnce,
    /// Every key that was there throughout, once.
    ExactlyOnce,
}

/// How far the stored format is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stability {
    /// What is stored stays readable by every later version.
    Stable,
    /// It should stay readable; a change would be announced.
    Preview,
    /// It may change with any version.
    Unstable,
}

/// What a store, or a whole stack, can do. Every statement is tested against the backend.
///
/// # Examples
///
/// ```
/// use kv_core::{Atomicity, Capabilities};
///
/// let none = Capabilities::none();
/// assert_eq!(none.conditional, Atomicity::Unsupported);
/// assert!(!none.persistent);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether entries are kept at all.
    pub stores: bool,
    /// Conditional writes and what is built from them: update, increment, touch, ...
    pub conditional: Atomicity,
    /// Whether all of a `put_many` is written in one step, or none.
    pub atomic_batches: bool,
    /// Listing of keys and entries, and counting.
    pub listing: Listing,
    /// Whether keys are listed in order of their UTF-8 bytes.
    pub ordered: bool,
    /// Listing of collections.
    pub collections: bool,
    /// Removing a collection's, or all of the store's, records.
    pub clear: bool,
    /// Freeing expired entries on demand.
    pub cull: bool,
    /// How much later than its instant an entry may still be there.
    pub expiry_resolution: Duration,
    /// Metadata beside the value.
    pub metadata: bool,
    /// Whether entries outlive the process.
    pub persistent: bool,
    /// Whether other processes see the same entries.
    pub shared: bool,
    /// The longest key in bytes.
    pub max_key_bytes: usize,
    /// The longest collection name in bytes.
    pub max_collection_bytes: usize,
    /// The longest encoded value in bytes, where the backend has a limit.
    pub max_value_bytes: Option<u64>,
}

impl Capabilities {
    /// Nothing at all, to begin from.
    pub fn none() -> Self {
        Self {
            stores: false,
            conditional: Atomicity::Unsupported,
            atomic_batches: false,
            listing: Listing::Unsupported,
            ordered: false,
            collections: false,
            clear: false,
            cull: false,
            expiry_resolution: Duration::ZERO,
            metadata: false,
            persistent: false,
            shared: false,
            max_key_bytes: crate::MAX_NAME_BYTES,
            max_collection_bytes: crate::MAX_NAME_BYTES,
            max_value_bytes: None,
        }
    }
}

/// What a store says of itself, without asking the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// The store, or the stack from the outside in: `TtlClamp(Redis)`.
    pub name: String,
    /// How far its stored format is settled.
    pub stability: Stability,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Description {
    /// A description.
    pub fn new(name: impl Into<String>, stability: Stability, capabilities: Capabilities) -> Self {
        Self { name: name.into(), stability, capabilities }
    }

    /// The description of this store within that wrapper.
    #[must_use]
    pub fn wrapped_in(mut self, wrapper: &str) -> Self {
        self.name = format!("{wrapper}({})", self.name);
        self
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

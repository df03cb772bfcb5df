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

/// What a store, or a stack, says of itself, without asking the backend.
///
/// It prints as the layers that a call passes, from the outside in.
///
/// # Examples
///
/// ```
/// use kv_core::{Capabilities, Description, Stability};
///
/// let store = Description::new("Redis", Stability::Stable, Capabilities::none());
/// let stack = store.wrapped_in("Compression").with_parameters("zstd").wrapped_in("Retry").with_parameters("3");
/// assert_eq!(stack.to_string(), "Retry(3) → Compression(zstd) → Redis");
/// assert_eq!((stack.name.as_str(), stack.layers[1].name.as_str()), ("Redis", "Compression"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// The store's name, at the bottom of the stack.
    pub name: String,
    /// How far its stored format is settled.
    pub stability: Stability,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The wrappers around it, from the outside in.
    #[serde(default)]
    pub layers: Vec<Layer>,
}

/// What a wrapper says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Layer {
    /// What it is.
    pub name: String,
    /// What it was told, in short.
    #[serde(default)]
    pub parameters: Option<String>,
    /// The bounds that it keeps TTLs between.
    #[serde(default)]
    pub ttls: Option<TtlBounds>,
    /// Other stores that it reads or writes beside the one below: a cache's near store, a fallback.
    #[serde(default)]
    pub beside: Vec<Description>,
}

/// Bounds of TTLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TtlBounds {
    /// The least.
    pub min: Option<Duration>,
    /// The most.
    pub max: Option<Duration>,
}

impl TtlBounds {
    /// Bounds; `None` is no bound.
    pub fn new(min: Option<Duration>, max: Option<Duration>) -> Self {
        Self { min, max }
    }

    /// Whether no TTL is within both.
    pub fn contradict(&self, other: &Self) -> bool {
        let above = |one: &Self, other: &Self| matches!((one.min, other.max), (Some(min), Some(max)) if min > max);
        above(self, other) || above(other, self)
    }
}

impl Description {
    /// A description of a store.
    pub fn new(name: impl Into<String>, stability: Stability, capabilities: Capabilities) -> Self {
        Self { name: name.into(), stability, capabilities, layers: Vec::new() }
    }

    /// The description of this store within that wrapper.
    #[must_use]
    pub fn wrapped_in(mut self, wrapper: &str) -> Self {
        let layer = Layer { name: wrapper.to_owned(), parameters: None, ttls: None, beside: Vec::new() };
        self.layers.insert(0, layer);
        self
    }

    /// With what the outermost wrapper was told, in short. It must hold no secret.
    #[must_use]
    pub fn with_parameters(self, parameters: impl Into<String>) -> Self {
        self.outermost(|layer| layer.parameters = Some(parameters.into()))
    }

    /// With the bounds that the outermost wrapper keeps TTLs between.
    #[must_use]
    pub fn with_ttls(self, bounds: TtlBounds) -> Self {
        self.outermost(|layer| layer.ttls = Some(bounds))
    }

    /// With another store that the outermost wrapper has beside the one below.
    #[must_use]
    pub fn with_beside(self, store: Self) -> Self {
        self.outermost(|layer| layer.beside.push(store))
    }

    fn outermost(mut self, tell: impl FnOnce(&mut Layer)) -> Self {
        if let Some(layer) = self.layers.first_mut() {
            tell(layer);
        }
        self
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let beside = self.beside.iter().map(ToString::to_string);
        let told: Vec<String> = self.parameters.iter().cloned().chain(beside).collect();
        if told.is_empty() { Ok(()) } else { write!(f, "({})", told.join(", ")) }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in &self.layers {
            write!(f, "{layer} → ")?;
        }
        f.write_str(&self.name)
    }
}

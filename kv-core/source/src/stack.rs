//! Stacks, written in the order in which a call passes them.

use std::fmt;
use std::sync::Arc;

use kv_core::{Description, Need, Result, check_stack};

use crate::kv::Kv;
use crate::store::Store;

/// Puts wrappers on a store, reading from top to bottom as a call passes them, and refuses a stack that cannot work.
///
/// A layer is a function that puts a wrapper around the store that it is given: a constructor, or a closure that calls
/// one. It may answer the wrapper, or a result.
///
/// ```
/// use std::time::Duration;
/// use kv_source::{Need, Stack};
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::{PrefixKeys, Statistics, TtlClamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Stack::new()
///     .layer(Statistics::new)
///     .layer(|store| TtlClamp::new(store, None, Some(Duration::from_secs(60))))
///     .layer(|store| PrefixKeys::new(store, "app"))
///     .needing(Need::ConditionalWrites)
///     .kv(MemoryStore::new())?;
///
/// assert_eq!(kv.describe().to_string(), "Statistics → TtlClamp(..60s) → PrefixKeys(app) → Memory");
/// assert_eq!(kv.increment("visits", 1).await?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # What is refused
///
/// The error, of kind [`Configuration`](kv_core::ErrorKind::Configuration), says why:
///
/// * something that the program [needs](Self::needing) is missing, and which layer lacks it;
/// * encryption stands outside compression: compression would be given ciphertext;
/// * two clamps leave no TTL;
/// * a cache has a near store that other processes share;
/// * prefixes leave no room for names;
/// * what a layer itself refuses.
///
/// ```
/// use std::time::Duration;
/// use kv_source::Stack;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::TtlClamp;
///
/// let second = Duration::from_secs(1);
/// let error = Stack::new()
///     .layer(|store| TtlClamp::new(store, None, Some(second)))
///     .layer(|store| TtlClamp::new(store, Some(60 * second), None))
///     .kv(MemoryStore::new())
///     .unwrap_err();
/// assert!(error.message().starts_with("no TTL is within the bounds of both TtlClamp(..1s) and TtlClamp(60s..)"));
/// ```
///
/// # Cost
///
/// Layers are trait objects, so that each costs a call through a pointer more than in a stack written as a type,
/// `Statistics::new(TtlClamp::new(..)?)`.
#[must_use = "it is no store before `store` or `kv` is called"]
#[derive(Default)]
pub struct Stack<'a> {
    layers: Vec<Box<Wrap<'a>>>,
    needs: Vec<Need>,
}

type Wrap<'a> = dyn FnOnce(Arc<dyn Store>) -> Result<Arc<dyn Store>> + 'a;

/// What a layer of a [`Stack`] may answer: a store, or a result of one.
pub trait IntoLayer {
    /// The store, or why there is none.
    ///
    /// # Errors
    ///
    /// The layer's own.
    fn into_layer(self) -> Result<Arc<dyn Store>>;
}

impl<S: Store> IntoLayer for S {
    fn into_layer(self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self))
    }
}

impl<S: Store> IntoLayer for Result<S> {
    fn into_layer(self) -> Result<Arc<dyn Store>> {
        self?.into_layer()
    }
}

impl<'a> Stack<'a> {
    /// A stack without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this layer below those so far: a call passes it after them.
    pub fn layer<L: IntoLayer>(mut self, wrap: impl FnOnce(Arc<dyn Store>) -> L + 'a) -> Self {
        self.layers.push(Box::new(|below| wrap(below).into_layer()));
        self
    }

    /// Refuses a stack without this.
    pub fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// The stack, on this store. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`Configuration`](kv_core::ErrorKind::Configuration) for a stack that cannot work, and what a layer refuses.
    pub fn store(self, store: impl Store) -> Result<Arc<dyn Store>> {
        let mut stack: Arc<dyn Store> = Arc::new(store);
        let mut levels: Vec<Description> = vec![stack.describe()];
        for wrap in self.layers.into_iter().rev() {
            stack = wrap(stack)?;
            levels.push(stack.describe());
        }
        check_stack(&levels, &self.needs)?;
        Ok(stack)
    }

    /// A handle of the stack on this store. Does no I/O.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Self::store).
    pub fn kv(self, store: impl Store) -> Result<Kv> {
        self.store(store).map(Kv::from_arc)
    }
}

impl fmt::Debug for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("layers", &self.layers.len()).field("needs", &self.needs).finish()
    }
}

#[cfg(test)]
mod tests;

//! By a table.

use std::collections::HashMap;
use std::sync::Arc;

use kv_core::{Error, ErrorKind, Pattern, Result, check_collection};

use super::{REST, Router, Rule};
use crate::store::Store;

/// Each collection in the store that a table has for it, by its name or by a pattern, or in the one for the rest.
///
/// A name comes before every pattern, and of patterns the one that was added first.
///
/// ```
/// use kv_source::{Kv, Pattern};
/// use kv_source::stores::{MemoryStore, SimpleStore};
/// use kv_source::wrappers::CollectionRouting;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let store = CollectionRouting::new(SimpleStore::new())
///     .with_collections(["users", "groups"], MemoryStore::new())?
///     .with_pattern(Pattern::new("cache.*")?, MemoryStore::new());
/// let kv = Kv::new(store);
///
/// kv.collection("users").put("alice", &1).await?;
/// kv.collection("cache.pages").put("/", &"...").await?;
/// kv.collection("other").put("k", &2).await?;
/// assert_eq!(kv.all_collections().await?.len(), 3);
/// assert_eq!(kv.destroy().await?, 3);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A look into a table by the collection's name, and where it is not there a match against each pattern. Otherwise as
/// [`Routing`](super::Routing).
///
/// # Order
///
/// As [`Routing`](super::Routing): the table must have the names that reach it, with the prefixes that wrappers around
/// it put before them.
///
/// # Different from Python
///
/// Patterns, and all that spans stores: Python's wrapper can neither list, cull, destroy nor close. The default
/// collection is routed as any other; in Python it is always in the store for the rest.
pub type CollectionRouting = Router<ByTable>;

/// The rule of a [`CollectionRouting`].
#[derive(Debug, Clone, Default)]
pub struct ByTable {
    names: HashMap<String, usize>,
    patterns: Vec<(Pattern, usize)>,
}

impl Rule for ByTable {
    const NAME: &'static str = "CollectionRouting";

    fn place(&self, collection: &str, _stores: &[(String, Arc<dyn Store>)]) -> Result<usize> {
        let by_name = self.names.get(collection).copied();
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| pattern.matches(collection));
        Ok(by_name.or_else(|| by_pattern().map(|(_, place)| *place)).unwrap_or(REST))
    }
}

impl CollectionRouting {
    /// All collections in this store, but for those of the routes to come. Does no I/O.
    pub fn new(rest: impl Store) -> Self {
        Self::over(rest, ByTable::default())
    }

    /// With these collections in that store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if one of them has a store already, or if there is none;
    /// [`ErrorKind::InvalidCollection`] for a name that no collection has.
    pub fn with_collections<C: Into<String>>(
        mut self,
        collections: impl IntoIterator<Item = C>,
        store: impl Store,
    ) -> Result<Self> {
        let refusal = |message| Err(Error::new(ErrorKind::Configuration, message).in_store(ByTable::NAME));
        let place = self.stores.len();
        let collections: Vec<String> = collections.into_iter().map(Into::into).collect();
        let called = match &collections[..] {
            [] => return refusal("a route of no collections".to_owned()),
            [only] => only.clone(),
            [first, more @ ..] => format!("{first} and {} more", more.len()),
        };
        for collection in collections {
            check_collection(&collection).map_err(|error| error.in_store(ByTable::NAME))?;
            if self.rule.names.contains_key(&collection) {
                return refusal(format!("the collection {collection:?} has two routes"));
            }
            self.rule.names.insert(collection, place);
        }
        self.stores.push((called, Arc::new(store)));
        Ok(self)
    }

    /// With the collections that match in that store, but for those that have a store by their name or by an earlier
    /// pattern.
    #[must_use]
    pub fn with_pattern(mut self, pattern: Pattern, store: impl Store) -> Self {
        let called = pattern.as_str().to_owned();
        self.rule.patterns.push((pattern, self.stores.len()));
        self.stores.push((called, Arc::new(store)));
        self
    }
}

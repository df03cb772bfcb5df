//! By a function.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use kv_core::{Error, ErrorKind, Result};

use super::{REST, Router, Rule};
use crate::store::Store;

/// Each collection in the store that a function names for it, or in the one for the rest.
///
/// The function is asked for every call, so it should be quick; it must always name the same store for the same
/// collection, or entries are not found again. A name is a `&'static str`, or a `String`.
///
/// ```
/// use kv_source::{Kv, Store};
/// use kv_source::stores::{MemoryStore, SimpleStore};
/// use kv_source::wrappers::Routing;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let by_tenant = |collection: &str| collection.starts_with("acme.").then_some("acme");
/// let store = Routing::new(SimpleStore::new(), by_tenant).with_store("acme", MemoryStore::new())?;
/// assert_eq!(store.describe().name, "Routing(acme: Memory, rest: Simple)");
///
/// let kv = Kv::new(store);
/// kv.collection("acme.users").put("alice", &1).await?;
/// kv.collection("users").put("bob", &2).await?;
/// let mut collections = kv.all_collections().await?;
/// collections.sort();
/// assert_eq!(collections, ["acme.users", "users"]);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// None beyond the store's own: a call on a collection is one call on one store. `collections` is a page of one store
/// for each page, so that pages may be short, or empty without being the last. `ping`, `cull`, `destroy` and the like
/// take as long as all stores together.
///
/// # Order
///
/// The function is given the names that reach it:
///
/// * right: `PrefixCollections(Routing)` with a function that knows the prefixed names, or `Routing` with stores that
///   each have a prefix;
/// * wrong: `PrefixCollections("app")` around a `Routing` whose function looks for `users`: it is asked about
///   `app__users`.
///
/// Two routes to the same records (the same file, the same server and prefix) are safe, for each collection goes one
/// way; but `destroy` empties every store whole, also of what was never routed there.
///
/// # Different from Python
///
/// The function names stores, where Python's answers them; so listings and care can go to all of them, which Python's
/// wrapper cannot do at all. The default collection is routed as any other; in Python it is always in the store for the
/// rest.
pub type Routing = Router<ByFunction>;

type Function = dyn Fn(&str) -> Option<Cow<'static, str>> + Send + Sync;

/// The rule of a [`Routing`].
#[derive(Clone)]
pub struct ByFunction(Arc<Function>);

impl fmt::Debug for ByFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByFunction")
    }
}

impl Rule for ByFunction {
    const NAME: &'static str = "Routing";

    fn place(&self, collection: &str, stores: &[(String, Arc<dyn Store>)]) -> Result<usize> {
        let Some(wanted) = (self.0)(collection) else { return Ok(REST) };
        stores.iter().skip(1).position(|(called, _)| *called == wanted).map(|place| place + 1).ok_or_else(|| {
            let message = format!("the routing function names the store {wanted:?}, and there is none called so");
            Error::new(ErrorKind::Configuration, message)
        })
    }
}

impl Routing {
    /// Collections for which the function answers `None` in this store, the others in those that it names, once
    /// [`with_store`](Self::with_store) has added them. Does no I/O.
    ///
    /// A call on a collection for which it names a store that is none is
    /// [`Configuration`](ErrorKind::Configuration), and reaches no store.
    pub fn new<N: Into<Cow<'static, str>>>(
        rest: impl Store,
        route: impl Fn(&str) -> Option<N> + Send + Sync + 'static,
    ) -> Self {
        Self::over(rest, ByFunction(Arc::new(move |collection| route(collection).map(Into::into))))
    }

    /// With a store that the function can name so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if another is called so already.
    pub fn with_store(mut self, called: impl Into<String>, store: impl Store) -> Result<Self> {
        let called = called.into();
        if self.stores.iter().skip(1).any(|(other, _)| *other == called) {
            let message = format!("there are two stores called {called:?}");
            return Err(Error::new(ErrorKind::Configuration, message).in_store(ByFunction::NAME));
        }
        self.stores.push((called, Arc::new(store)));
        Ok(self)
    }
}

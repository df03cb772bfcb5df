//! Collections in different stores.

use std::fmt;
use std::sync::Arc;

use kv_core::{
    CallOptions, Capabilities, Change, Cursor, DeleteOptions, DeleteOutcome, Description, Entry, Error, GetOptions,
    KeyFilter, ListOptions, Listed, Modified, Name, Page, PutItem, PutOptions, PutOutcome, Result, Stability,
    Timestamp, ValueRef, Written,
};

use crate::store::Store;

mod by_function;
mod by_table;

pub use by_function::{ByFunction, Routing};
pub use by_table::{ByTable, CollectionRouting};

/// Several stores as one, each with collections of its own: a [`Routing`] or a [`CollectionRouting`].
///
/// Every collection is in one of them, which the rule `R` names; one store is for the rest. What is about a collection
/// goes there and nowhere else. `collections` lists those of all stores, one store after the other, and of each store
/// only what is routed to it, so that what stands elsewhere under the same name does not show twice. `ping`, `setup`,
/// `close`, `cull` and `destroy` go to all stores; the first error ends them, but for `close`, which closes them all.
///
/// It can do what all of its stores can, and its limits are the narrowest of theirs. A store is asked for what it can
/// do even where others cannot, but for `collections`, `cull` and `destroy`, which are
/// [`Unsupported`](kv_core::ErrorKind::Unsupported) unless all stores can.
///
/// The default collection and the clock are those of the store for the rest.
pub struct Router<R> {
    rule: R,
    /// With what they are called; the one for the rest first.
    stores: Vec<(String, Arc<dyn Store>)>,
}

/// Where the store for the rest is.
const REST: usize = 0;

/// Which collection is in which store.
pub trait Rule: fmt::Debug + Send + Sync + 'static {
    /// What a router with this rule is called.
    const NAME: &'static str;

    /// The place, among these stores, of the one for this collection.
    ///
    /// # Errors
    ///
    /// [`Configuration`](kv_core::ErrorKind::Configuration) if the rule names a store that is none.
    fn place(&self, collection: &str, stores: &[(String, Arc<dyn Store>)]) -> Result<usize>;
}

impl<R: Rule> Router<R> {
    fn over(rest: impl Store, rule: R) -> Self {
        Self { rule, stores: vec![("rest".to_owned(), Arc::new(rest))] }
    }

    /// The store of this collection.
    ///
    /// # Errors
    ///
    /// [`Configuration`](kv_core::ErrorKind::Configuration) if the rule names a store that is none.
    pub fn store_of(&self, collection: &str) -> Result<&Arc<dyn Store>> {
        let place = self.rule.place(collection, &self.stores)?;
        Ok(&self.stores[place].1)
    }

    fn route(&self, collection: &str, operation: &'static str) -> Result<&Arc<dyn Store>> {
        self.store_of(collection).map_err(|error| error.in_store(R::NAME).during(operation).in_collection(collection))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Store>> {
        self.stores.iter().map(|(_, store)| store)
    }

    /// What one store cannot do, all of them together cannot.
    fn require(&self, can: fn(&Capabilities) -> bool, what: &'static str, operation: &'static str) -> Result<()> {
        if self.all().all(|store| can(&store.describe().capabilities)) {
            return Ok(());
        }
        Err(Error::unsupported(what).in_store(R::NAME).during(operation))
    }
}

/// What two stores both can.
fn both(one: Capabilities, other: &Capabilities) -> Capabilities {
    let mut both = one;
    both.stores &= other.stores;
    both.conditional = both.conditional.min(other.conditional);
    both.atomic_batches &= other.atomic_batches;
    both.listing = both.listing.min(other.listing);
    both.ordered &= other.ordered;
    both.collections &= other.collections;
    both.clear &= other.clear;
    both.cull &= other.cull;
    both.expiry_resolution = both.expiry_resolution.max(other.expiry_resolution);
    both.metadata &= other.metadata;
    both.persistent &= other.persistent;
    both.shared &= other.shared;
    both.max_key_bytes = both.max_key_bytes.min(other.max_key_bytes);
    both.max_collection_bytes = both.max_collection_bytes.min(other.max_collection_bytes);
    both.max_value_bytes = [both.max_value_bytes, other.max_value_bytes].into_iter().flatten().min();
    both
}

fn less_settled(one: Stability, other: Stability) -> Stability {
    match (one, other) {
        (Stability::Stable, other) => other,
        (one, Stability::Stable) => one,
        (Stability::Preview, Stability::Preview) => one,
        _ => Stability::Unstable,
    }
}

/// Which store a page of collections is from, and where in it: `2`, or `2:` and the store's own cursor.
fn position(cursor: Option<&Cursor>, stores: usize) -> Result<(usize, Option<Cursor>)> {
    let Some(cursor) = cursor else { return Ok((0, None)) };
    let (place, inner) = match cursor.as_str().split_once(':') {
        Some((place, inner)) => (place, Some(Cursor::new(inner))),
        None => (cursor.as_str(), None),
    };
    match place.parse() {
        Ok(place) if place < stores => Ok((place, inner)),
        _ => Err(cursor.refusal()),
    }
}

#[maybe_async::maybe_async]
#[deny(clippy::missing_trait_methods)]
impl<R: Rule> Store for Router<R> {
    fn describe(&self) -> Description {
        let mut all = self.stores[REST].1.describe();
        let mut names = Vec::with_capacity(self.stores.len());
        for (called, store) in &self.stores[1..] {
            let description = store.describe();
            all.capabilities = both(all.capabilities, &description.capabilities);
            all.stability = less_settled(all.stability, description.stability);
            names.push(format!("{called}: {description}"));
        }
        names.push(format!("{}: {all}", self.stores[REST].0));
        all.name = format!("{}({})", R::NAME, names.join(", "));
        all.layers.clear();
        all
    }

    fn default_collection(&self) -> &str {
        self.stores[REST].1.default_collection()
    }

    fn now(&self) -> Timestamp {
        self.stores[REST].1.now()
    }

    fn has_come(&self, instant: Timestamp) -> bool {
        self.stores[REST].1.has_come(instant)
    }

    fn at_hand(&self, _name: Name<'_>) -> Option<Option<Entry>> {
        // Which store has it is for `get` to say.
        None
    }

    fn put_at_hand(&self, _name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Option<Result<PutOutcome>> {
        None
    }

    async fn get(&self, name: Name<'_>, options: &GetOptions) -> Result<Option<Entry>> {
        self.route(name.collection, "get")?.get(name, options).await
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.route(collection, "get_many")?.get_many(collection, keys, options).await
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        self.route(name.collection, "put")?.put(name, value, options).await
    }

    async fn put_many(
        &self,
        collection: &str,
        items: &[PutItem<'_>],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        self.route(collection, "put_many")?.put_many(collection, items, options).await
    }

    async fn delete(&self, name: Name<'_>, options: &DeleteOptions) -> Result<DeleteOutcome> {
        self.route(name.collection, "delete")?.delete(name, options).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], options: &CallOptions) -> Result<Vec<Result<bool>>> {
        self.route(collection, "delete_many")?.delete_many(collection, keys, options).await
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, options: &CallOptions) -> Result<Modified> {
        self.route(name.collection, change.operation())?.modify(name, change, options).await
    }

    async fn list(&self, collection: &str, options: &ListOptions) -> Result<Page<Listed>> {
        self.route(collection, "list")?.list(collection, options).await
    }

    async fn collections(&self, options: &ListOptions) -> Result<Page<String>> {
        let fail = |error: Error| error.in_store(R::NAME).during("collections");
        self.require(|can| can.collections, "listing the collections of all stores", "collections")?;
        let (place, cursor) = position(options.cursor.as_ref(), self.stores.len()).map_err(fail)?;
        let inner = options.clone().with_cursor(cursor);
        let page = self.stores[place].1.collections(&inner).await?;
        let mut items = page.items;
        // What is routed elsewhere is listed there. A collection that the rule has no store for can be in none.
        items.retain(|name| self.rule.place(name, &self.stores).is_ok_and(|at| at == place));
        let next = match page.next {
            Some(next) => Some(format!("{place}:{next}")),
            None if place + 1 < self.stores.len() => Some((place + 1).to_string()),
            None => None,
        };
        Ok(Page::new(items, next.map(Cursor::new)))
    }

    async fn count(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.route(collection, "count")?.count(collection, filter, options).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, options: &CallOptions) -> Result<u64> {
        self.route(collection, "clear")?.clear(collection, filter, options).await
    }

    async fn destroy(&self, options: &CallOptions) -> Result<u64> {
        self.require(|can| can.clear, "destroying the data of all stores", "destroy")?;
        let mut destroyed = 0;
        for store in self.all() {
            destroyed += store.destroy(options).await?;
        }
        Ok(destroyed)
    }

    async fn cull(&self, options: &CallOptions) -> Result<u64> {
        self.require(|can| can.cull, "culling all stores", "cull")?;
        let mut culled = 0;
        for store in self.all() {
            culled += store.cull(options).await?;
        }
        Ok(culled)
    }

    async fn ping(&self, options: &CallOptions) -> Result<()> {
        for store in self.all() {
            store.ping(options).await?;
        }
        Ok(())
    }

    async fn setup(&self) -> Result<()> {
        for store in self.all() {
            store.setup().await?;
        }
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        let mut closed = Ok(());
        for store in self.all() {
            let this = store.close().await;
            closed = closed.and(this);
        }
        closed
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let mut all = self.stores[REST].1.capabilities().await?;
        for (_, store) in &self.stores[1..] {
            let these = store.capabilities().await?;
            all = both(all, &these);
        }
        Ok(all)
    }
}

impl<R: Rule> fmt::Debug for Router<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(R::NAME).field("rule", &self.rule).field("stores", &self.stores).finish()
    }
}

#[cfg(test)]
mod tests;

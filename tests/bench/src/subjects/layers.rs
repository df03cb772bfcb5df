//! Wrappers that only hand on: what a layer of a stack costs by itself.

use std::sync::Arc;

#[derive(Debug)]
struct Blocking(Arc<dyn kv_sync::Store>);

#[derive(Debug)]
struct Awaiting(Arc<dyn kv_async::Store>);

impl kv_sync::wrappers::Wrapper for Blocking {
    type Inner = Arc<dyn kv_sync::Store>;
    const NAME: &'static str = "Layer";

    fn inner(&self) -> &Self::Inner {
        &self.0
    }
}

impl kv_async::wrappers::Wrapper for Awaiting {
    type Inner = Arc<dyn kv_async::Store>;
    const NAME: &'static str = "Layer";

    fn inner(&self) -> &Self::Inner {
        &self.0
    }
}

/// A store in memory below so many layers.
pub fn blocking(depth: usize) -> Arc<dyn kv_sync::Store> {
    let store: Arc<dyn kv_sync::Store> = Arc::new(kv_sync::stores::MemoryStore::new());
    (0..depth).fold(store, |store, _| Arc::new(Blocking(store)))
}

/// A store in memory below so many layers.
pub fn awaiting(depth: usize) -> Arc<dyn kv_async::Store> {
    let store: Arc<dyn kv_async::Store> = Arc::new(kv_async::stores::MemoryStore::new());
    (0..depth).fold(store, |store, _| Arc::new(Awaiting(store)))
}

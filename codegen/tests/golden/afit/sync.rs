use std::collections::BTreeMap;
use std::sync::Arc;

pub trait Raw: Send + Sync {
    /// Documented.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;

    fn put<'a>(&'a self, key: &'a str) -> BTreeMap<String, Box<dyn Fn(u8) -> u8>>
    where
        Self: Sized;

    fn close(&self);

    fn ping(&self) -> (u8, [kv_sync::Value; 2]) {
        self.ping_of(1)
    }

    fn local(&self) {}
}

impl<S: Raw> Raw for Arc<S> {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.as_ref().get(key)
    }
}

pub fn free() -> u32 {
    answer()
}

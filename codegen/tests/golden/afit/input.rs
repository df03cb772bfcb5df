use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

#[maybe_async::maybe_async(AFIT)]
pub trait Raw: Send + Sync {
    /// Documented.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, Error>> + Send;

    fn put<'a>(
        &'a self,
        key: &'a str,
    ) -> impl std::future::Future<Output = BTreeMap<String, Box<dyn Fn(u8) -> u8>>> + Send + 'a
    where
        Self: Sized;

    fn close(&self) -> impl Future<Output = ()> + Send + '_;

    fn ping(&self) -> impl Future<Output = (u8, [kv_source::Value; 2])> + Send {
        self.ping_of(1)
    }

    async fn local(&self) {}
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Raw> Raw for Arc<S> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.as_ref().get(key).await
    }
}

#[maybe_async::maybe_async(AFIT)]
pub fn free() -> impl Future<Output = u32> + Send {
    answer()
}

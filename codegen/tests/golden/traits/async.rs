//! Traits and impls.

/// What a store does.
#[async_trait::async_trait]
pub trait Store: Send + Sync {
    /// Gets.
    async fn get(&self, key: &str) -> Option<u32>;

    // Two in one.
    async fn get_twice(&self, key: &str) -> (Option<u32>, Option<u32>) {
        let first = self.get(key).await;
        (first, self.get(key).await)
    }

    fn name(&self) -> String;
}

#[derive(Debug)]
pub struct Wrapper<S, const N: usize = { 1 + 1 }>(S);

/// Documented.
#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S, const N: usize> Store for Wrapper<S, { N }>
where
    S: for<'a> Named<'a> + Store,
{
    async fn get(&self, key: &str) -> Option<u32> {
        self.0.get(key).await
    }
}

impl<F> Wrapper<F, 1>
where
    F: for<'a> Fn(&'a str) -> u32 + Store,
{
    pub async fn load(&self) -> u32 {
        self.get("a").await.unwrap_or((self.0)("b"))
    }
}

impl<S: Store> Wrapper<S, 2> {
    /// On the method alone.
    #[must_use]
    pub(crate) async fn load(&self) -> u32 {
        // A fn in a fn needs an attribute of its own.
        async fn inner() -> u32 {
            1
        }
        inner().await
    }

    fn plain(&self) -> u32 {
        2
    }
}

pub async unsafe fn free() {}

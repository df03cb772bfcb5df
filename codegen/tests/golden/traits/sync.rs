//! Traits and impls.

/// What a store does.
pub trait Store: Send + Sync {
    /// Gets.
    fn get(&self, key: &str) -> Option<u32>;

    // Two in one.
    fn get_twice(&self, key: &str) -> (Option<u32>, Option<u32>) {
        let first = self.get(key);
        (first, self.get(key))
    }

    fn name(&self) -> String;
}

#[derive(Debug)]
pub struct Wrapper<S, const N: usize = { 1 + 1 }>(S);

/// Documented.
#[deny(clippy::missing_trait_methods)]
impl<S, const N: usize> Store for Wrapper<S, { N }>
where
    S: for<'a> Named<'a> + Store,
{
    fn get(&self, key: &str) -> Option<u32> {
        self.0.get(key)
    }
}

impl<F> Wrapper<F, 1>
where
    F: for<'a> Fn(&'a str) -> u32 + Store,
{
    pub fn load(&self) -> u32 {
        self.get("a").unwrap_or((self.0)("b"))
    }
}

impl<S: Store> Wrapper<S, 2> {
    /// On the method alone.
    #[must_use]
    pub(crate) fn load(&self) -> u32 {
        // A fn in a fn needs an attribute of its own.
        fn inner() -> u32 {
            1
        }
        inner()
    }

    fn plain(&self) -> u32 {
        2
    }
}

pub unsafe fn free() {}

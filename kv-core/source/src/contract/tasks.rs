//! Work that several do at the same time.

use crate::kv::Kv;

/// What one of several at the same time does. A trait and no closure, because that is what both flavours have.
#[maybe_async::maybe_async]
pub(super) trait Task: Send + Sync + 'static {
    type Output: Send + 'static;

    async fn run(&self, kv: Kv, number: usize) -> Self::Output;
}

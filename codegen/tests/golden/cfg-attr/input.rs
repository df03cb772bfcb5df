//! Docs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "is_sync"), allow(clippy::unused_async, reason = "seams"))]

// A comment.
#[cfg_attr(feature = "is_sync", derive(Debug, Clone), must_use)]
#[cfg_attr(not(feature = "is_sync"), derive(Clone))]
/// Between.
pub struct Handle; #[cfg_attr(feature = "is_sync", allow(dead_code))] fn beside() {}

#[cfg(feature = "memory")]
#[cfg_attr(not(feature = "is_sync"), tokio::main(flavor = "current_thread"))]
#[maybe_async::maybe_async]
async fn main() -> Result<(), kv_source::Error> {
    kv_source::run().await
}

#[cfg_attr(
    not(feature = "is_sync"),
    doc = "of kv_source, a string",
)]
mod inner {}

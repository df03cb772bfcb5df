//! Docs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(clippy::unused_async, reason = "seams")]

// A comment.
#[derive(Clone)]
/// Between.
pub struct Handle;
fn beside() {}

#[cfg(feature = "memory")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), kv_async::Error> {
    kv_async::run().await
}

#[doc = "of kv_source, a string"]
mod inner {}

//! Docs.
#![cfg_attr(docsrs, feature(doc_cfg))]

// A comment.
#[derive(Debug, Clone)]
#[must_use]
/// Between.
pub struct Handle;
#[allow(dead_code)]
fn beside() {}

#[cfg(feature = "memory")]
fn main() -> Result<(), kv_sync::Error> {
    kv_sync::run()
}

mod inner {}

//! Of [`kv_sync::Kv`], not of `my_kv_source` nor kv_source_2. See [kv_sync](crate) and the package kv-sync,
//! not kv-source-x nor a-kv-source.
//!
//! ```toml
//! [dependencies]
//! kv-sync = "0.1"
//! ```

use kv_sync::{Kv, contract};
use kv_tests::other;
use zebra::Z;

// In a comment kv_source stays.
pub use ::kv_sync::Store as _;

#[doc = "and in a string: kv_source"]
fn name() -> &'static str {
    let kv_source_name = stringify!(kv_sync::Kv);
    "kv_source"
}
/** In a block comment: kv_sync. */
fn block() {}

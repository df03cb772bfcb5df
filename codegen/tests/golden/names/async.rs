//! Of [`kv_async::Kv`], not of `my_kv_source` nor kv_source_2. See [kv_async](crate) and the package kv-async,
//! not kv-source-x nor a-kv-source.
//!
//! ```toml
//! [dependencies]
//! kv-async = "0.1"
//! ```

use kv_async::{Kv, contract};
use kv_tests::other;
use zebra::Z;

// In a comment kv_source stays.
pub use ::kv_async::Store as _;

#[doc = "and in a string: kv_source"]
fn name() -> &'static str {
    let kv_source_name = stringify!(kv_async::Kv);
    "kv_source"
}
/** In a block comment: kv_async. */
fn block() {}

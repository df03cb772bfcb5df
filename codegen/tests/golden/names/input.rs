//! Of [`kv_source::Kv`], not of `my_kv_source` nor kv_source_2. See [kv_source](crate) and the package kv-source,
//! not kv-source-x nor a-kv-source.
//!
//! ```toml
//! [dependencies]
//! kv-source = "0.1"
//! ```

use zebra::Z;
use kv_source::{contract, Kv};
use kv_tests::other;

// In a comment kv_source stays.
pub use ::kv_source::Store as _;

#[doc = "and in a string: kv_source"]
fn name() -> &'static str {
    let kv_source_name = stringify!(kv_source::Kv);
    "kv_source"
}
/** In a block comment: kv_source. */
fn block() {}

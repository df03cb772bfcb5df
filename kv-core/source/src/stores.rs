//! The stores.
//!
//! | store | keeps entries | expiry | conditional writes |
//! | --- | --- | --- | --- |
//! | [`MemoryStore`] | in this process, bounded if wished | exact | linearizable |
//! | [`SimpleStore`] | in this process, in order | exact | linearizable |
//! | [`NullStore`] | nowhere | - | unsupported |


mod memory;
mod null;
mod simple;


pub use memory::{MemoryDriver, MemoryOptions, MemoryStore};
pub use null::{NullDriver, NullStore};
pub use simple::{SimpleDriver, SimpleStore};

use kv_core::{Atomicity, Capabilities, Listing};

/// What every store in this process's memory can do.
fn in_process(ordered: bool) -> Capabilities {
    let mut capabilities = Capabilities::none();
    capabilities.stores = true;
    capabilities.conditional = Atomicity::Linearizable;
    capabilities.listing = Listing::ExactlyOnce;
    capabilities.ordered = ordered;
    capabilities.collections = true;
    capabilities.clear = true;
    capabilities.cull = true;
    capabilities.metadata = true;
    capabilities
}

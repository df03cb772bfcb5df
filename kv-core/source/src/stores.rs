//! The stores.
//!
//! | store | keeps entries | expiry | conditional writes |
//! | --- | --- | --- | --- |
//! | [`MemoryStore`] | in this process, bounded if wished | exact | linearizable |
//! | [`SimpleStore`] | in this process, in order | exact | linearizable |
//! | [`NullStore`] | nowhere | - | unsupported |
//! | [`DiskStore`] | in one SQLite file | exact | linearizable, across processes |
//! | [`DiskcacheStore`] | in a directory of Python's `diskcache` | exact | linearizable, across processes |
//! | [`MultiDiskStore`] | in one SQLite file a collection | exact | linearizable, across processes |
//! | `PostgresStore` (feature `postgres`) | in a table of a server of that name | exact | linearizable |
//! | `MongoStore` (feature `mongodb`) | in MongoDB | exact, by this clock | linearizable |
//! | `RedisStore`, `ValkeyStore` (feature `redis`) | in a server of that name | exact, by this clock | linearizable |
//! | `ElasticsearchStore`, `OpenSearchStore` (feature `elasticsearch`) | in a server of that name | exact, by this clock | linearizable |

#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "disk")]
mod diskcache;
#[cfg(feature = "elasticsearch")]
mod elasticsearch;
mod memory;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "disk")]
mod multi_disk;
mod null;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod simple;

#[cfg(feature = "disk")]
#[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
pub use disk::{DiskDriver, DiskOptions, DiskStore, Durability};
#[cfg(feature = "disk")]
#[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
pub use diskcache::{DiskcacheDriver, DiskcacheStore};
#[cfg(feature = "elasticsearch")]
#[cfg_attr(docsrs, doc(cfg(feature = "elasticsearch")))]
pub use elasticsearch::{ElasticsearchDriver, ElasticsearchOptions, ElasticsearchStore, OpenSearchStore};
pub use memory::{MemoryDriver, MemoryOptions, MemoryStore};
#[cfg(feature = "mongodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "mongodb")))]
pub use mongodb::{MongoClientV3, MongoDriver, MongoOptions, MongoStore};
#[cfg(feature = "disk")]
#[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
pub use multi_disk::{MultiDiskDriver, MultiDiskOptions, MultiDiskStore};
pub use null::{NullDriver, NullStore};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use postgres::{PostgresDriver, PostgresOptions, PostgresPoolV0, PostgresStore};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis::{RedisClientV1, RedisDriver, RedisOptions, RedisStore, ValkeyStore};
pub use simple::{SimpleDriver, SimpleStore};

#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use crate::http::HttpClientV1;

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

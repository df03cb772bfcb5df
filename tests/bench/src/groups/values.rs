//! Compression and encryption over memory, against the bare codec or cipher doing the same on the same bytes. The floor
//! keeps what comes of it in a store in memory too, by a plain put or get; nothing is subtracted.

use super::{FLOOR, OURS};
use crate::data::json;
use crate::measure::{Plan, Row, compare};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};
use crate::subjects::values::{Bare, Codec, FERNET_KEY, KEY};
use crate::subjects::{Op, ours};

const KEYS: usize = 100;
const OPS: [Op; 2] = [Op::Put, Op::Get];
pub const GROUP: &str = "values";

/// The wrapper that does the same, over memory.
macro_rules! wrapped {
    ($flavour:ident, $codec:expr) => {{
        use $flavour::stores::MemoryStore;
        use $flavour::wrappers::{Aead, Compression, Encryption, Fernet};
        let store = MemoryStore::new();
        let store: std::sync::Arc<dyn $flavour::Store> = match $codec {
            Codec::Gzip => std::sync::Arc::new(Compression::gzip(store)),
            Codec::Zstd => std::sync::Arc::new(Compression::zstd(store)),
            Codec::Lz4 => std::sync::Arc::new(Compression::lz4(store)),
            Codec::Aead => std::sync::Arc::new(Encryption::new(store, Aead::new("bench", 1, &KEY))),
            Codec::Fernet => {
                std::sync::Arc::new(Encryption::new(store, Fernet::new(FERNET_KEY).expect("the key is one")))
            }
        };
        store
    }};
}

pub fn run(plan: Plan) -> Vec<Row> {
    let keys = Keys::new(KEYS);
    let runtimes = Runtimes::new();
    let mut rows = Vec::new();
    // What Python has as "1 KB" is the least that is compressed.
    for kilobytes in [1, 10, 100] {
        let value = json(kilobytes * 1024);
        for codec in Codec::ALL {
            let config = |flavour: &str| format!("{flavour}, {}, {kilobytes} KB", codec.name());
            if plan.wants(GROUP, &config("blocking"), &OPS) {
                let subjects = [
                    blocking(
                        FLOOR,
                        Bare::new(kv_sync::Kv::new(kv_sync::stores::MemoryStore::new()), codec, value),
                        &keys,
                        1,
                    ),
                    blocking(OURS, ours::blocking_of(wrapped!(kv_sync, codec), value), &keys, 1),
                ];
                OPS.iter().for_each(|op| rows.extend(compare(GROUP, &config("blocking"), *op, &subjects, plan)));
            }
            if plan.wants(GROUP, &config("async"), &OPS) {
                let floor = Bare::new(kv_async::Kv::new(kv_async::stores::MemoryStore::new()), codec, value);
                let subjects = [
                    awaiting(FLOOR, floor, &keys, &runtimes, 1),
                    awaiting(OURS, ours::awaiting_of(wrapped!(kv_async, codec), value), &keys, &runtimes, 1),
                ];
                OPS.iter().for_each(|op| rows.extend(compare(GROUP, &config("async"), *op, &subjects, plan)));
            }
        }
    }
    rows
}

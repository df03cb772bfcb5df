//! The same value, keys and documents for every subject.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long entries live: longer than any run, so that expiry is checked and never met.
pub const TTL: Duration = Duration::from_secs(6 * 3600);

/// How many keys a batch has.
pub const BATCH: usize = 100;

/// The value as its JSON.
pub const VALUE: &[u8] = br#"{"id":481516,"name":"Alice Example","email":"alice@example.com","active":true,"score":98.6,"tags":["admin","beta"],"address":{"street":"1 Main Street","city":"Springfield"},"n":0}"#;

/// The value as its type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    id: u64,
    name: String,
    email: String,
    active: bool,
    score: f64,
    tags: Vec<String>,
    address: Address,
    n: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    city: String,
}

impl User {
    pub fn sample() -> Self {
        serde_json::from_slice(VALUE).expect("the value is of its type")
    }
}

/// So many keys, shuffled: walking over them in order is kind to the processor, and looking them up is not.
pub fn keys(count: usize) -> Vec<String> {
    let mut keys: Vec<String> = (0..count).map(|i| format!("user:{i:08}")).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for i in (1..count).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        keys.swap(i, (state % (i as u64 + 1)) as usize);
    }
    keys
}

/// Keys of the same length that nobody writes.
pub fn missing_keys(count: usize) -> Vec<String> {
    keys(count).into_iter().map(|key| key.replace("user:", "none:")).collect()
}

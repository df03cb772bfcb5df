//! The same value, keys and documents for every subject.

use std::fmt::Write as _;
use std::time::Duration;

use kv_core::{Record, Timestamp, ValueRef};
use serde::{Deserialize, Serialize};

/// How long entries live: longer than any run, so that expiry is checked and never met.
pub const TTL: Duration = Duration::from_secs(6 * 3600);

/// How many keys a batch has.
pub const BATCH: usize = 100;

/// The value as its JSON.
pub const VALUE: &[u8] = br#"{"id":481516,"name":"Alice Example","email":"alice@example.com","active":true,"score":98.6,"tags":["admin","beta"],"address":{"street":"1 Main Street","city":"Springfield"},"n":0}"#;

/// The record that floors write at this instant, in microseconds.
pub fn record(now: u64) -> Record<'static> {
    let at = |micros: u64| Timestamp::from_micros(micros as i64);
    Record::new(ValueRef::Json(VALUE), std::hint::black_box(0x0123_4567_89ab_cdef))
        .with_created(at(now))
        .with_expires(at(now + TTL.as_micros() as u64))
}

/// A JSON array of so many bytes: users of whom no two are alike, and no more so than users are.
pub fn json(len: usize) -> &'static [u8] {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::from("[");
    while text.len() < len {
        let (id, score) = (next() % 1_000_000, next() % 1000);
        let (name, street) = (next() as u32, next() % 1000);
        let _ = write!(
            text,
            r#"{{"id":{id},"name":"User {name:08x}","email":"{name:08x}@example.com","active":{},"score":{score},"#,
            score > 500
        );
        let _ = write!(text, r#""address":{{"street":"{street} Main Street","city":"Springfield"}}}},"#);
    }
    text.truncate(len - 1);
    // Cut in the middle of a user, who gives way to a number of as many digits.
    let last = text.rfind("},{").map_or(1, |at| at + 2);
    text.replace_range(last.., &"1".repeat(len - 1 - last));
    text.push(']');
    text.leak().as_bytes()
}

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

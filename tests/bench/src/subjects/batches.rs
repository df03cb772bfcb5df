//! A thousand small values, put one after the other or in one call.

use std::sync::Arc;
use std::time::Instant;

use kv_core::{PutItem, PutOptions, ValueRef};
use tokio::runtime::Runtime;

use super::{Op, Subject};

const COUNT: usize = 1000;
const FAILED: &str = "the operation succeeds";

/// What is put.
struct Thousand {
    keys: Vec<String>,
    value: String,
    at_once: bool,
}

impl Thousand {
    fn new(at_once: bool) -> Self {
        // With its quotes 200 bytes of JSON.
        let value = format!("\"{}\"", "x".repeat(198));
        Self { keys: (0..COUNT).map(|number| format!("batch:{number:04}")).collect(), value, at_once }
    }

    fn items(&self) -> Vec<PutItem<'_>> {
        self.keys.iter().map(|key| PutItem::new(key, self.value())).collect()
    }

    fn value(&self) -> ValueRef<'_> {
        ValueRef::Json(self.value.as_bytes())
    }
}

pub struct PutsBlocking {
    name: &'static str,
    kv: kv_sync::Kv,
    thousand: Thousand,
}

impl PutsBlocking {
    pub fn one_by_one(name: &'static str, kv: kv_sync::Kv) -> Self {
        Self { name, kv, thousand: Thousand::new(false) }
    }

    pub fn at_once(name: &'static str, kv: kv_sync::Kv) -> Self {
        Self { name, kv, thousand: Thousand::new(true) }
    }
}

impl Subject for PutsBlocking {
    fn name(&self) -> &str {
        self.name
    }

    fn has(&self, op: Op) -> bool {
        op == Op::Thousand
    }

    fn run(&self, _: Op, _: usize, count: usize) -> f64 {
        let options = PutOptions::default();
        let begin = Instant::now();
        for _ in 0..count {
            if self.thousand.at_once {
                let written = self.kv.put_items(&self.thousand.items(), &options).expect(FAILED);
                assert!(written.iter().all(Result::is_ok));
            } else {
                for key in &self.thousand.keys {
                    let _ = self.kv.put_value(key, self.thousand.value(), &options).expect(FAILED);
                }
            }
        }
        begin.elapsed().as_nanos() as f64 / count as f64
    }
}

pub struct PutsAsync {
    name: &'static str,
    kv: kv_async::Kv,
    runtime: Arc<Runtime>,
    thousand: Thousand,
}

impl PutsAsync {
    pub fn one_by_one(name: &'static str, kv: kv_async::Kv, runtime: &Arc<Runtime>) -> Self {
        Self { name, kv, runtime: Arc::clone(runtime), thousand: Thousand::new(false) }
    }

    pub fn at_once(name: &'static str, kv: kv_async::Kv, runtime: &Arc<Runtime>) -> Self {
        Self { name, kv, runtime: Arc::clone(runtime), thousand: Thousand::new(true) }
    }
}

impl Subject for PutsAsync {
    fn name(&self) -> &str {
        self.name
    }

    fn has(&self, op: Op) -> bool {
        op == Op::Thousand
    }

    fn run(&self, _: Op, _: usize, count: usize) -> f64 {
        let options = PutOptions::default();
        let begin = Instant::now();
        self.runtime.block_on(async {
            for _ in 0..count {
                if self.thousand.at_once {
                    let written = self.kv.put_items(&self.thousand.items(), &options).await.expect(FAILED);
                    assert!(written.iter().all(Result::is_ok));
                } else {
                    for key in &self.thousand.keys {
                        let _ = self.kv.put_value(key, self.thousand.value(), &options).await.expect(FAILED);
                    }
                }
            }
        });
        begin.elapsed().as_nanos() as f64 / count as f64
    }
}

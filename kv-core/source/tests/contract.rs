//! The suite on every store that needs no server, and on stacks of wrappers.
#![cfg(all(feature = "contract", feature = "disk"))]

use kv_source::Kv;
use kv_source::contract::{Setting, Subject};
use kv_source::stores::{MemoryOptions, MemoryStore, NullStore, SimpleStore};

#[derive(Debug)]
struct Memory;

impl Subject for Memory {
    fn open(&self, setting: &Setting) -> Kv {
        Kv::new(setting.apply(MemoryStore::new()))
    }
}

mod memory {
    kv_source::contract_tests!(super::Memory);
}

#[derive(Debug)]
struct Simple;

impl Subject for Simple {
    fn open(&self, setting: &Setting) -> Kv {
        Kv::new(setting.apply(SimpleStore::new()))
    }
}

mod simple {
    kv_source::contract_tests!(super::Simple);
}

#[derive(Debug)]
struct Null;

impl Subject for Null {
    fn open(&self, setting: &Setting) -> Kv {
        Kv::new(setting.apply(NullStore::new()))
    }
}

mod null {
    kv_source::contract_tests!(super::Null);
}

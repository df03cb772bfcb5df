//! Wrappers that change values.
#![cfg(all(feature = "compression", feature = "encryption"))]

use kv_source::Kv;
use kv_source::contract::Setting;
use kv_source::stores::MemoryStore;
use kv_source::wrappers::{Aead, Algorithm, Compression, Compressor, Encryption, Fernet};

use crate::{Stack, memory};

const SEEDS: &str = "l6_seeds_write_only_what_is_absent";
const PLAIN_SEEDS: &str =
    "seeds of a store within are not encrypted, and refused (`seeds_of_the_store_within_are_refused`)";

const FERNET_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

/// Compresses also what is short.
fn eager(algorithm: Algorithm) -> Compressor {
    Compressor::new(algorithm).with_threshold(0)
}

fn sealed(setting: &Setting) -> Encryption<MemoryStore> {
    Encryption::new(memory(setting), Aead::new("contract", 2, &[2; 32]))
}

fn gzip(setting: &Setting) -> Kv {
    Kv::new(Compression::new(memory(setting), eager(Algorithm::Gzip)))
}

#[cfg(feature = "compression-zstd")]
fn zstd(setting: &Setting) -> Kv {
    Kv::new(Compression::new(memory(setting), eager(Algorithm::Zstd)))
}

fn lz4(setting: &Setting) -> Kv {
    Kv::new(Compression::lz4(memory(setting)))
}

fn aead(setting: &Setting) -> Kv {
    Kv::new(sealed(setting).with_reencryption_on_read().unwrap())
}

fn fernet(setting: &Setting) -> Kv {
    Kv::new(Encryption::new(memory(setting), Fernet::new(FERNET_KEY).unwrap()))
}

fn both(setting: &Setting) -> Kv {
    Kv::new(Compression::new(sealed(setting), eager(Algorithm::Lz4)))
}

fn both_as_python(setting: &Setting) -> Kv {
    let encrypted = Encryption::new(memory(setting), Fernet::new(FERNET_KEY).unwrap());
    Kv::new(Compression::new(encrypted, eager(Algorithm::Gzip)))
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn compression_by_gzip_holds() {
    Stack::new(gzip).holds().await;
}

#[cfg(feature = "compression-zstd")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn compression_by_zstd_holds() {
    Stack::new(zstd).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn compression_by_lz4_holds() {
    Stack::new(lz4).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn encryption_by_aead_holds() {
    Stack::new(aead).deviating(SEEDS, PLAIN_SEEDS).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn encryption_by_fernet_holds() {
    Stack::new(fernet).deviating(SEEDS, PLAIN_SEEDS).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn compression_of_what_is_encrypted_holds() {
    Stack::new(both).deviating(SEEDS, PLAIN_SEEDS).holds().await;
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn compression_of_what_is_encrypted_as_python_does_it_holds() {
    Stack::new(both_as_python).deviating(SEEDS, PLAIN_SEEDS).holds().await;
}

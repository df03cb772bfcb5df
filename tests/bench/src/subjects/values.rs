//! Codecs and ciphers as they are: the crates that the wrappers use, with their settings, and what is made once kept for
//! the next value where the crate can. What Python's forms have in base64 is in base64 here too; of envelopes, checks of
//! what was read, and names there is nothing.

use std::sync::Arc;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hmac::{Hmac, Mac};
use kv_core::{PutOptions, ValueRef};
use parking_lot::Mutex;
use sha2::Sha256;

use super::{Awaiting, Blocking};
use crate::data::TTL;

pub const KEY: [u8; 32] = [7; 32];
/// The same in base64.
pub const FERNET_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// What is done to values.
#[derive(Debug, Clone, Copy)]
pub enum Codec {
    Gzip,
    Zstd,
    Lz4,
    Aead,
    Fernet,
}

impl Codec {
    pub const ALL: [Self; 5] = [Self::Gzip, Self::Zstd, Self::Lz4, Self::Aead, Self::Fernet];

    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Aead => "XChaCha20-Poly1305",
            Self::Fernet => "Fernet",
        }
    }

    fn bare(self) -> Box<dyn Pair> {
        match self {
            Self::Gzip => {
                Box::new(Gzip(Mutex::new((Compress::new(Compression::new(1), false), Decompress::new(false)))))
            }
            Self::Zstd => {
                let compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL).expect(WORKS);
                Box::new(Zstd(Mutex::new((compressor, zstd::bulk::Decompressor::new().expect(WORKS)))))
            }
            Self::Lz4 => Box::new(Lz4),
            Self::Aead => Box::new(XChaCha20Poly1305::new(&KEY.into())),
            Self::Fernet => Box::new(Fernet),
        }
    }
}

const WORKS: &str = "what the bench does works";

/// One way and back.
trait Pair: Send + Sync + 'static {
    fn close(&self, plain: &[u8]) -> Vec<u8>;
    fn open(&self, closed: &[u8]) -> Vec<u8>;
}

struct Gzip(Mutex<(Compress, Decompress)>);

const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

impl Pair for Gzip {
    fn close(&self, plain: &[u8]) -> Vec<u8> {
        let codec = &mut self.0.lock().0;
        codec.reset();
        let mut out = Vec::with_capacity(plain.len() + 64);
        out.extend_from_slice(&GZIP_HEADER);
        assert_eq!(codec.compress_vec(plain, &mut out, FlushCompress::Finish).expect(WORKS), Status::StreamEnd);
        out.extend_from_slice(&crc32fast::hash(plain).to_le_bytes());
        out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        BASE64_STANDARD.encode(out).into_bytes()
    }

    fn open(&self, closed: &[u8]) -> Vec<u8> {
        let closed = BASE64_STANDARD.decode(closed).expect(WORKS);
        let (body, trailer) = closed[GZIP_HEADER.len()..].split_last_chunk::<8>().expect(WORKS);
        let [a, b, c, d, len @ ..] = *trailer;
        let codec = &mut self.0.lock().1;
        codec.reset(false);
        let mut plain = Vec::with_capacity(u32::from_le_bytes(len) as usize);
        assert_eq!(codec.decompress_vec(body, &mut plain, FlushDecompress::Finish).expect(WORKS), Status::StreamEnd);
        assert_eq!(crc32fast::hash(&plain), u32::from_le_bytes([a, b, c, d]));
        plain
    }
}

struct Zstd(Mutex<(zstd::bulk::Compressor<'static>, zstd::bulk::Decompressor<'static>)>);

impl Pair for Zstd {
    fn close(&self, plain: &[u8]) -> Vec<u8> {
        self.0.lock().0.compress(plain).expect(WORKS)
    }

    fn open(&self, closed: &[u8]) -> Vec<u8> {
        let len = zstd::bulk::Decompressor::upper_bound(closed).expect(WORKS);
        self.0.lock().1.decompress(closed, len).expect(WORKS)
    }
}

struct Lz4;

impl Pair for Lz4 {
    fn close(&self, plain: &[u8]) -> Vec<u8> {
        lz4_flex::compress_prepend_size(plain)
    }

    fn open(&self, closed: &[u8]) -> Vec<u8> {
        lz4_flex::decompress_size_prepended(closed).expect(WORKS)
    }
}

fn random<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).expect(WORKS);
    bytes
}

impl Pair for XChaCha20Poly1305 {
    fn close(&self, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<24>();
        [&nonce[..], &self.encrypt(&nonce.into(), plain).expect(WORKS)].concat()
    }

    fn open(&self, closed: &[u8]) -> Vec<u8> {
        let (nonce, sealed) = closed.split_first_chunk::<24>().expect(WORKS);
        self.decrypt(nonce.into(), sealed).expect(WORKS)
    }
}

/// Version, instant, vector, AES-128-CBC, HMAC-SHA256; in base64 twice, as Python stores it.
struct Fernet;

impl Fernet {
    fn mac(signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&KEY[..16]).expect(WORKS);
        mac.update(signed);
        mac
    }

    fn key() -> &'static [u8; 16] {
        KEY.last_chunk().expect(WORKS)
    }
}

impl Pair for Fernet {
    fn close(&self, plain: &[u8]) -> Vec<u8> {
        let iv = random::<16>();
        let mut token = Vec::with_capacity(25 + plain.len() + 16 + 32);
        token.push(0x80);
        token.extend_from_slice(&(super::memory::now() / 1_000_000).to_be_bytes());
        token.extend_from_slice(&iv);
        let cipher = cbc::Encryptor::<Aes128>::new(Self::key().into(), &iv.into());
        token.extend_from_slice(&cipher.encrypt_padded_vec::<Pkcs7>(plain));
        let mac = Self::mac(&token).finalize();
        token.extend_from_slice(&mac.into_bytes());
        BASE64_STANDARD.encode(BASE64_URL_SAFE.encode(token)).into_bytes()
    }

    fn open(&self, closed: &[u8]) -> Vec<u8> {
        let token = BASE64_URL_SAFE.decode(BASE64_STANDARD.decode(closed).expect(WORKS)).expect(WORKS);
        let (signed, mac) = token.split_last_chunk::<32>().expect(WORKS);
        Self::mac(signed).verify_slice(mac).expect(WORKS);
        let (iv, sealed) = signed[9..].split_first_chunk::<16>().expect(WORKS);
        let cipher = cbc::Decryptor::<Aes128>::new(Self::key().into(), iv.into());
        cipher.decrypt_padded_vec::<Pkcs7>(sealed).expect(WORKS)
    }
}

/// A store that knows nothing of it, and one who does it himself.
pub struct Bare<K> {
    kv: K,
    pair: Box<dyn Pair>,
    value: &'static [u8],
    options: PutOptions,
}

impl<K> Bare<K> {
    pub fn new(kv: K, codec: Codec, value: &'static [u8]) -> Arc<Self> {
        let pair = codec.bare();
        assert_eq!(pair.open(&pair.close(value)), value, "{}", codec.name());
        Arc::new(Self { kv, pair, value, options: PutOptions::ttl(TTL) })
    }
}

impl Blocking for Bare<kv_sync::Kv> {
    fn get(&self, key: &str) -> bool {
        let entry = self.kv.get_entry(key).expect(WORKS);
        entry.is_some_and(|entry| !self.pair.open(entry.value().as_encoded()).is_empty())
    }

    fn put(&self, key: &str) {
        let closed = self.pair.close(self.value);
        self.kv.put_value(key, ValueRef::Bytes(&closed), &self.options).expect(WORKS);
    }

    fn delete(&self, key: &str) -> bool {
        self.kv.delete(key).expect(WORKS)
    }
}

impl Awaiting for Bare<kv_async::Kv> {
    async fn get(&self, key: &str) -> bool {
        let entry = self.kv.get_entry(key).await.expect(WORKS);
        entry.is_some_and(|entry| !self.pair.open(entry.value().as_encoded()).is_empty())
    }

    async fn put(&self, key: &str) {
        let closed = self.pair.close(self.value);
        self.kv.put_value(key, ValueRef::Bytes(&closed), &self.options).await.expect(WORKS);
    }

    async fn delete(&self, key: &str) -> bool {
        self.kv.delete(key).await.expect(WORKS)
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let mut found = 0;
        for key in keys {
            found += usize::from(self.get(key).await);
        }
        found
    }

    async fn put_many(&self, keys: &[String]) {
        for key in keys {
            self.put(key).await;
        }
    }
}

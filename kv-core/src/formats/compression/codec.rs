//! The algorithms.

use std::fmt;
use std::io::Read;
use std::ops::RangeInclusive;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::formats::corrupted;
use crate::scratch::room;
use crate::{Error, ErrorKind, Result};

/// How a value is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// As Python does it.
    Gzip,
    /// Smaller and faster than gzip.
    #[cfg(feature = "compression-zstd")]
    #[cfg_attr(docsrs, doc(cfg(feature = "compression-zstd")))]
    Zstd,
    /// The fastest, and the least small.
    Lz4,
}

impl Algorithm {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Gzip => 1,
            #[cfg(feature = "compression-zstd")]
            Self::Zstd => 2,
            Self::Lz4 => 3,
        }
    }

    pub(super) fn of_number(number: u8) -> Result<Self> {
        match number {
            1 => Ok(Self::Gzip),
            #[cfg(feature = "compression-zstd")]
            2 => Ok(Self::Zstd),
            #[cfg(not(feature = "compression-zstd"))]
            2 => {
                let message = "it is compressed by zstd, which needs the feature `compression-zstd`";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
            3 => Ok(Self::Lz4),
            _ => Err(corrupted("it is compressed by an algorithm that is not known")),
        }
    }

    pub(super) fn default_level(self) -> i32 {
        match self {
            // Python's.
            Self::Gzip => 1,
            #[cfg(feature = "compression-zstd")]
            Self::Zstd => zstd::DEFAULT_COMPRESSION_LEVEL,
            Self::Lz4 => 0,
        }
    }

    /// Those that can be asked for; an empty range if there are none.
    #[expect(clippy::reversed_empty_ranges, reason = "it is meant to be empty")]
    pub(super) fn levels(self) -> RangeInclusive<i32> {
        match self {
            Self::Gzip => 1..=9,
            #[cfg(feature = "compression-zstd")]
            Self::Zstd => 1..=22,
            Self::Lz4 => 1..=0,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            #[cfg(feature = "compression-zstd")]
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        })
    }
}

/// Working memory of codecs, which takes longer to make than a short value takes to compress.
#[derive(Default)]
pub(super) struct Codecs {
    gzip: Pool<Compress>,
    gunzip: Pool<Decompress>,
    #[cfg(feature = "compression-zstd")]
    zstd: Pool<zstd::bulk::Compressor<'static>>,
    #[cfg(feature = "compression-zstd")]
    unzstd: Pool<zstd::bulk::Decompressor<'static>>,
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codecs")
    }
}

impl Codecs {
    /// The compressed bytes behind `room` zeros.
    pub(super) fn compress(&self, algorithm: Algorithm, level: i32, plain: &[u8], room: usize) -> Result<Vec<u8>> {
        match algorithm {
            Algorithm::Gzip => self.gzip.with(
                || Ok(Compress::new(Compression::new(level.unsigned_abs()), false)),
                |codec| gzip(codec, plain, room),
            ),
            #[cfg(feature = "compression-zstd")]
            Algorithm::Zstd => self.zstd.with(
                || zstd::bulk::Compressor::new(level).map_err(failed),
                |codec| {
                    let mut out = vec![0; room + zstd::zstd_safe::compress_bound(plain.len())];
                    let len = codec.compress_to_buffer(plain, &mut out[room..]).map_err(failed)?;
                    out.truncate(room + len);
                    Ok(out)
                },
            ),
            Algorithm::Lz4 => {
                let mut out = vec![0; room + lz4_flex::block::get_maximum_output_size(plain.len())];
                let len = lz4_flex::block::compress_into(plain, &mut out[room..]).map_err(failed)?;
                out.truncate(room + len);
                Ok(out)
            }
        }
    }

    /// Decompresses one gzip member of at most `limit` bytes, with its checksum, and nothing behind it, to the buffer's
    /// begin; how many bytes it is.
    pub(super) fn gunzip(&self, compressed: &[u8], limit: u32, out: &mut Vec<u8>) -> Result<usize> {
        match compressed {
            [0x1f, 0x8b, 8, 0, _, _, _, _, _, _, body @ ..] => {
                self.gunzip.with(|| Ok(Decompress::new(false)), |codec| inflate(codec, body, limit, out))
            }
            _ => {
                *out = gunzip(compressed, limit)?;
                Ok(out.len())
            }
        }
    }

    /// Decompresses what should have `len` bytes to the buffer's begin; how many it has, which is no more.
    pub(super) fn decompress(
        &self,
        algorithm: Algorithm,
        compressed: &[u8],
        len: u32,
        out: &mut Vec<u8>,
    ) -> Result<usize> {
        let damaged = || corrupted(format!("its {algorithm} data is damaged"));
        match algorithm {
            Algorithm::Gzip => self.gunzip(compressed, len, out),
            #[cfg(feature = "compression-zstd")]
            Algorithm::Zstd => self.unzstd.with(
                || zstd::bulk::Decompressor::new().map_err(failed),
                |codec| codec.decompress_to_buffer(compressed, room(out, len as usize)).map_err(|_| damaged()),
            ),
            Algorithm::Lz4 => unlz4(compressed, room(out, len as usize)).ok_or_else(damaged),
        }
    }
}

/// On its own, for the compiler: within all else the loop is a fifth slower.
#[inline(never)]
fn unlz4(compressed: &[u8], out: &mut [u8]) -> Option<usize> {
    lz4_flex::block::decompress_into(compressed, out).ok()
}

/// A gzip member of one's own: its header and its trailer are 18 bytes, and the codec can be used again.
fn gzip(codec: &mut Compress, plain: &[u8], room: usize) -> Result<Vec<u8>> {
    // Deflate, no flags, no time, the fastest, an unknown system.
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
    codec.reset();
    let mut out = Vec::with_capacity(room + HEADER.len() + plain.len() / 2 + 64);
    out.resize(room, 0);
    out.extend_from_slice(&HEADER);
    loop {
        let read = usize::try_from(codec.total_in()).unwrap_or(usize::MAX);
        let rest = plain.get(read..).unwrap_or_default();
        match codec.compress_vec(rest, &mut out, FlushCompress::Finish).map_err(failed)? {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError => out.reserve(out.len().max(64)),
        }
    }
    out.extend_from_slice(&crc32fast::hash(plain).to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "gzip keeps the length modulo 2^32")]
    out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    Ok(out)
}

/// The rest of a gzip member whose header has no fields, as Python's and ours.
fn inflate(codec: &mut Decompress, body: &[u8], limit: u32, out: &mut Vec<u8>) -> Result<usize> {
    // Deflate makes no more of a byte.
    const MOST: usize = 1032;
    let damaged = || corrupted("its gzip data is damaged");
    let (deflated, trailer) = body.split_last_chunk::<8>().ok_or_else(damaged)?;
    let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
    let len = u32::from_le_bytes([l0, l1, l2, l3]);
    if len > limit {
        return Err(bomb(limit));
    }
    let len = len as usize;
    if len > deflated.len().saturating_mul(MOST) {
        return Err(damaged());
    }
    codec.reset(false);
    // With room for more, which there must not be.
    let out = room(out, len.saturating_add(1));
    let status = codec.decompress(deflated, out, FlushDecompress::Finish).map_err(|_| damaged())?;
    let is_whole = status == Status::StreamEnd;
    if is_whole && usize::try_from(codec.total_in()) != Ok(deflated.len()) {
        return Err(corrupted("something stands behind its gzip data"));
    }
    let is_as_long = usize::try_from(codec.total_out()) == Ok(len);
    if !is_whole || !is_as_long || crc32fast::hash(&out[..len]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(damaged());
    }
    Ok(len)
}

/// One whose header may have fields.
fn gunzip(compressed: &[u8], limit: u32) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut reader = flate2::bufread::GzDecoder::new(compressed).take(u64::from(limit) + 1);
    reader.read_to_end(&mut plain).map_err(|_| corrupted("its gzip data is damaged"))?;
    if plain.len() > limit as usize {
        return Err(bomb(limit));
    }
    if !reader.into_inner().into_inner().is_empty() {
        return Err(corrupted("something stands behind its gzip data"));
    }
    Ok(plain)
}

#[cold]
pub(super) fn bomb(limit: u32) -> Error {
    corrupted(format!("it decompresses to more than the {limit} bytes that are allowed"))
}

/// A codec without memory, or the like.
#[cold]
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Backend, "compressing failed").with_source(error)
}

/// What was made and is in no hand at the moment.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// More than this many at a time are let go of after their use.
    const MOST: usize = 16;

    fn with<R>(&self, make: impl FnOnce() -> Result<T>, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let kept = self.0.lock().pop();
        let mut codec = kept.map_or_else(make, Ok)?;
        let result = work(&mut codec);
        let mut kept = self.0.lock();
        if kept.len() < Self::MOST {
            kept.push(codec);
        }
        result
    }
}

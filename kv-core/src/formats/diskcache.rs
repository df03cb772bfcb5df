//! The directory of Python's `diskcache` 5.6.3, in which `py-key-value-aio` keeps its `DiskStore`.
//!
//! It holds a SQLite database, [`DATABASE`], and a file for every value that is long. Its table `Cache` has a row for
//! each record:
//!
//! | column | what |
//! | --- | --- |
//! | `key`, `raw` | the name as text, as [`key`] has it; 1 |
//! | `store_time`, `access_time`, `access_count` | when it was written, in seconds since 1970; the same; 0 |
//! | `expire_time` | when it ends, in [seconds since 1970](seconds), or null |
//! | `tag` | null |
//! | `mode`, `value` | [`RAW`]: the document is the value. [`TEXT`], [`BINARY`]: it is in the file, the value is null |
//! | `filename`, `size` | the file within the directory, and its bytes; null and 0 if there is none |
//!
//! Its table `Settings` tells [how the directory is to be used](Settings), and its triggers keep two sums there:
//! `count` of rows and `size` of files.

mod keys;
mod row;
mod settings;
#[cfg(test)]
mod tests;

pub mod sql;

use std::fmt::Write as _;
use std::path::{Component, MAIN_SEPARATOR, Path};

use crate::Timestamp;

pub use keys::{is_shared, key, legacy_key, owner, split};
use row::leading_collection;
pub use row::{Content, Place, missing_file, read};
pub use settings::{Cell, Eviction, Settings};

/// The name of the database in the directory.
pub const DATABASE: &str = "cache.db";

/// The mode of a row whose value is in the row.
pub const RAW: i64 = 1;
/// The mode of a row whose value is bytes in a file.
pub const BINARY: i64 = 2;
/// The mode of a row whose value is text in a file, in UTF-8.
pub const TEXT: i64 = 3;
/// The mode of a row whose value is a Python object.
pub const PICKLE: i64 = 4;

/// The seconds since 1970 that a row notes for an instant: the first number that is not before it, so that the row ends
/// the record no earlier than its document does.
///
/// # Examples
///
/// ```
/// use kv_core::Timestamp;
/// use kv_core::formats::diskcache::{instant, seconds};
///
/// let expires = Timestamp::from_micros(1_795_233_445_612_217).unwrap();
/// assert!((seconds(expires) - 1_795_233_445.612_217).abs() < 1e-6);
/// assert_eq!(instant(seconds(expires)), expires);
/// ```
pub fn seconds(instant: Timestamp) -> f64 {
    let micros = instant.as_micros();
    let seconds = micros as f64 / 1e6;
    // In units of 2^-52 microseconds, of which numbers from 1 on are made up without a rest.
    let (whole, part) = (seconds.floor(), seconds - seconds.floor());
    let reached = (whole as i128) * 1_000_000 * (1 << 52) + (part * 2_f64.powi(52)) as i128 * 1_000_000;
    if reached < i128::from(micros) << 52 { seconds.next_up() } else { seconds }
}

/// The instant that a row's seconds mean: the nearest whole microsecond, as Python reads them.
pub fn instant(seconds: f64) -> Timestamp {
    let (whole, part) = (seconds.floor(), seconds - seconds.floor());
    // Casts saturate, and a NaN, which SQLite does not store, becomes 0.
    let micros = (whole as i64).saturating_mul(1_000_000).saturating_add((part * 1e6).round_ties_even() as i64);
    let bound = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_micros(micros).unwrap_or(bound)
}

/// When a record ends that has `row` in its row and `document` in its document. The row is right, as it is for Python;
/// where the two are within a millisecond, the document tells the instant exactly.
pub fn expires(row: Option<f64>, document: Option<Timestamp>) -> Option<Timestamp> {
    const SAME: i64 = 1000;
    let row = instant(row?);
    let same = |document: &Timestamp| (document.as_micros() - row.as_micros()).abs() <= SAME;
    Some(document.filter(same).unwrap_or(row))
}

/// The name of a new file, made of 128 random bits: two folders, and 28 hex digits.
///
/// # Examples
///
/// ```
/// use kv_core::formats::diskcache::new_file;
///
/// let name = new_file(0xda84_82b8_953c_29cb_9515_dae3_7a51_a60b).replace('\\', "/");
/// assert_eq!(name, "da/84/82b8953c29cb9515dae37a51a60b.val");
/// ```
pub fn new_file(random: u128) -> String {
    let digits = format!("{random:032x}");
    let mut name = String::with_capacity(digits.len() + 6);
    // Writing to a `String` cannot fail.
    let _ = write!(name, "{}{MAIN_SEPARATOR}{}{MAIN_SEPARATOR}{}.val", &digits[..2], &digits[2..4], &digits[4..]);
    name
}

/// Whether a row's file lies within the directory, and is not its database.
pub fn is_inside(file: &str) -> bool {
    let mut components = Path::new(file).components().peekable();
    !file.starts_with(DATABASE)
        && components.peek().is_some()
        && components.all(|component| matches!(component, Component::Normal(_)))
}

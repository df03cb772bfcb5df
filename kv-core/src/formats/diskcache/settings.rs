//! How a directory is to be used.

/// What the `Settings` of a directory say, as far as it concerns those who read and write it.
///
/// # Examples
///
/// ```
/// use kv_core::formats::diskcache::{Cell, Eviction, Settings};
///
/// let mut settings = Settings::default();
/// settings.note("disk_min_file_size", Cell::Integer(1024));
/// settings.note("eviction_policy", Cell::Text(b"least-recently-stored"));
/// assert!(settings.is_inline(b"short"));
/// assert!(!settings.is_inline(&[b'x'; 1024]));
/// assert_eq!(settings.eviction, Eviction::ByStoreTime);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Text of so many characters, and bytes of that number, stand in a file. In row `disk_min_file_size`.
    pub min_file_size: usize,
    /// How many rows a write removes at most: of those that have ended, and of what is evicted. In row `cull_limit`.
    pub cull_limit: u32,
    /// What is removed when the directory is full. In row `eviction_policy`.
    pub eviction: Eviction,
    /// The bytes of a full directory. In row `size_limit`.
    pub size_limit: u64,
    /// Whether the database keeps a write-ahead log. In row `sqlite_journal_mode`.
    pub keeps_log: bool,
}

/// What is removed when a directory is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Eviction {
    /// Nothing: it is never full. What Python's `DiskStore` sets unless it is given a `max_size`.
    None,
    /// What was written longest ago. What it sets with a `max_size`.
    ByStoreTime,
    /// What was used longest ago.
    ByAccessTime,
    /// What was used least.
    ByAccessCount,
}

impl Eviction {
    /// The rows in the order in which they are evicted, if any are: rowid, filename.
    pub fn victims(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::ByStoreTime => Some("SELECT rowid, filename FROM Cache ORDER BY store_time"),
            Self::ByAccessTime => Some("SELECT rowid, filename FROM Cache ORDER BY access_time"),
            Self::ByAccessCount => Some("SELECT rowid, filename FROM Cache ORDER BY access_count"),
        }
    }
}

/// The settings of a fresh directory of Python's `DiskStore`.
impl Default for Settings {
    fn default() -> Self {
        Self { min_file_size: 32_768, cull_limit: 10, eviction: Eviction::None, size_limit: 1 << 30, keeps_log: true }
    }
}

/// A cell as SQLite has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// Text.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Settings {
    /// All rows of a fresh directory, in their order.
    pub fn fresh() -> [(&'static str, Cell<'static>); 16] {
        [
            ("statistics", Cell::Integer(0)),
            ("tag_index", Cell::Integer(0)),
            ("eviction_policy", Cell::Text(b"none")),
            ("size_limit", Cell::Integer(1 << 30)),
            ("cull_limit", Cell::Integer(10)),
            ("sqlite_auto_vacuum", Cell::Integer(1)),
            ("sqlite_cache_size", Cell::Integer(8192)),
            ("sqlite_journal_mode", Cell::Text(b"wal")),
            ("sqlite_mmap_size", Cell::Integer(64 << 20)),
            ("sqlite_synchronous", Cell::Integer(1)),
            ("disk_min_file_size", Cell::Integer(32_768)),
            ("disk_pickle_protocol", Cell::Integer(5)),
            ("count", Cell::Integer(0)),
            ("size", Cell::Integer(0)),
            ("hits", Cell::Integer(0)),
            ("misses", Cell::Integer(0)),
        ]
    }

    /// Takes in a row. One that says nothing to us, or makes no sense, changes nothing.
    pub fn note(&mut self, key: &str, value: Cell<'_>) {
        match (key, value) {
            ("disk_min_file_size", Cell::Integer(size)) => self.min_file_size = usize::try_from(size).unwrap_or(0),
            ("cull_limit", Cell::Integer(limit)) => self.cull_limit = u32::try_from(limit).unwrap_or(0),
            ("size_limit", Cell::Integer(limit)) => self.size_limit = u64::try_from(limit).unwrap_or(0),
            ("sqlite_journal_mode", Cell::Text(mode)) => self.keeps_log = mode.eq_ignore_ascii_case(b"wal"),
            ("eviction_policy", Cell::Text(policy)) => {
                self.eviction = match policy {
                    b"least-recently-stored" => Eviction::ByStoreTime,
                    b"least-recently-used" => Eviction::ByAccessTime,
                    b"least-frequently-used" => Eviction::ByAccessCount,
                    _ => Eviction::None,
                }
            }
            _ => {}
        }
    }

    /// Whether a value stands in its row: text by its characters, bytes by their number.
    pub fn is_inline(&self, stored: &[u8]) -> bool {
        let is_continuation = |byte: &&u8| **byte & 0xc0 == 0x80;
        // A document begins with a brace, and an envelope has no characters.
        let spared = |stored: &[u8]| match stored.first() {
            Some(b'{') => stored.iter().filter(is_continuation).count(),
            _ => 0,
        };
        stored.len() < self.min_file_size || stored.len() - spared(stored) < self.min_file_size
    }
}

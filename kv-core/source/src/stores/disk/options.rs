//! How a disk store keeps its file.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, by whatever means: the operating system has the write. After a loss of power the last
    /// writes may be missing; what is there is sound.
    #[default]
    Process,
    /// A loss of power too: the disk has the write, which takes it 10 to 100 times as long. Writers that wait for the
    /// disk together are served together.
    Power,
}

/// How a disk store keeps its file.
///
/// ```
/// use std::time::Duration;
/// use kv_source::stores::{DiskOptions, Durability};
///
/// let options = DiskOptions::default()
///     .with_durability(Durability::Power)
///     .with_busy_timeout(Duration::from_secs(1))
///     .with_max_file_bytes(1 << 30);
/// assert_eq!(options.max_file_bytes, Some(1 << 30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskOptions {
    /// What an acknowledged write survives; [`Durability::Process`] unless told otherwise.
    pub durability: Durability,
    /// The bytes of memory that the page caches of all connections may take together: the writer and
    /// [`readers`](Self::readers) have equal shares, of 64 KiB at least. 32 MiB unless told otherwise.
    pub cache_bytes: u64,
    /// The bytes that the file may grow to, at least 128 KiB; no limit of ours if `None`. A write that would exceed it
    /// answers [`ErrorKind::Full`]. The write-ahead log beside the file, 4 MiB as a rule, is not counted, and a file
    /// that is larger already stays as it is.
    pub max_file_bytes: Option<u64>,
    /// How long a call waits for a lock that another process holds, unless the call has a time-out of its own; 5
    /// seconds unless told otherwise.
    pub busy_timeout: Duration,
    /// The most connections for reading that are kept open while nobody reads, at least 1; 8 unless told otherwise.
    pub readers: usize,
    /// Whether the file is only read: it must be there, and every write answers [`ErrorKind::ReadOnly`].
    pub read_only: bool,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            cache_bytes: 32 * 1024 * 1024,
            max_file_bytes: None,
            busy_timeout: Duration::from_secs(5),
            readers: 8,
            read_only: false,
        }
    }
}

/// Room for the tables and a little in them.
const LEAST_FILE: u64 = 128 * 1024;

impl DiskOptions {
    /// With this durability.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// With so many bytes of page cache.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// With a file of at most so many bytes.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = Some(bytes);
        self
    }

    /// With this patience with other processes.
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// With at most so many idle connections for reading.
    #[must_use]
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// Only read, or written too.
    #[must_use]
    pub fn with_read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        if self.readers == 0 {
            return Err(Error::new(ErrorKind::Configuration, "`readers` is 0; it takes 1 or more"));
        }
        if let Some(bytes) = self.max_file_bytes.filter(|bytes| *bytes < LEAST_FILE) {
            let message = format!("`max_file_bytes` is {bytes}; it takes {LEAST_FILE} or more");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Ok(())
    }
}

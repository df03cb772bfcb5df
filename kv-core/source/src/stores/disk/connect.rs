//! Opening a database file: what every connection to it has in common, whatever its tables.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use super::engine::nap;
use super::fault::Fault;
use super::options::{DiskOptions, Durability};

/// Looks at a file that was opened, and lays out its tables if it is new. Told whether the file can be written to.
pub(crate) type Prepare = Box<dyn Fn(&Connection, bool) -> Result<(), Fault> + Send + Sync>;

/// How an [`Engine`](super::Engine) opens its file.
pub(crate) struct Opening {
    path: PathBuf,
    options: DiskOptions,
    prepare: Prepare,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("path", &self.path).field("options", &self.options).finish_non_exhaustive()
    }
}

/// Statements kept prepared for a connection: more than there are.
const STATEMENTS: usize = 64;

/// The bytes that the log keeps when it is empty.
const LOG_BYTES: i64 = 16 * 1024 * 1024;

/// The least page cache that a connection gets.
const LEAST_CACHE: u64 = 64 * 1024;

impl Opening {
    /// Does no I/O. `prepare` runs each time that the file is opened for writing, before anything else uses it.
    pub(crate) fn new(
        path: impl Into<PathBuf>,
        options: DiskOptions,
        prepare: impl Fn(&Connection, bool) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        let path = path.into();
        // So that the store stays where it is when the process changes its directory, and that no name means something
        // else to SQLite (`:memory:`).
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, options, prepare: Box::new(prepare) }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How long a call may wait for a lock.
    pub(crate) fn patience(&self, timeout: Option<Duration>) -> Duration {
        timeout.unwrap_or(self.options.busy_timeout)
    }

    /// Opens the file for the engine's one writer, and prepares it. `None` if there is no file and none is to be made.
    pub(crate) fn writer(&self, create: bool) -> Result<Option<Connection>> {
        self.options.check()?;
        if self.path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "the path of the database is empty"));
        }
        if self.path.is_dir() {
            let message = format!("{} is a directory; the store takes the path of a file", self.path.display());
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        if !self.path.exists() {
            if !create {
                return Ok(None);
            }
            let missing = |what: String| Err(Error::new(ErrorKind::Configuration, what));
            if self.options.read_only {
                return missing(format!("{} does not exist, and is only read", self.path.display()));
            }
            if let Some(directory) = self.path.parent().filter(|directory| !directory.exists()) {
                return missing(format!("the directory {} does not exist; the store makes none", directory.display()));
            }
        }
        let patience = self.options.busy_timeout;
        let open = || {
            let create = if self.options.read_only {
                OpenFlags::SQLITE_OPEN_READ_ONLY
            } else if create {
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            } else {
                OpenFlags::SQLITE_OPEN_READ_WRITE
            };
            let connection = self.connect(create)?;
            connection.busy_timeout(patience)?;
            let can_write = !connection.is_readonly("main")?;
            (self.prepare)(&connection, can_write)?;
            // After `prepare`, because it must not touch a file that is not ours.
            if can_write {
                let power = self.options.durability == Durability::Power;
                connection.pragma_update(None, "synchronous", if power { "FULL" } else { "NORMAL" })?;
                // On macOS the plain call only reaches the disk's own cache.
                connection.pragma_update(None, "fullfsync", power)?;
                // What one great transaction has written does not keep its room for good.
                connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
                if let Some(bytes) = self.options.max_file_bytes {
                    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
                    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
                    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
                }
            }
            Ok(connection)
        };
        open().map(Some).map_err(|fault: Fault| fault.into_error(&self.path, patience))
    }

    /// Opens the file for reading; it must be there.
    fn reader(&self) -> Result<Connection, Fault> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection, Fault> {
        // Without `SQLITE_OPEN_URI`, so that no path is read as an address.
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let share = (self.options.cache_bytes / (self.options.readers as u64 + 1)).max(LEAST_CACHE);
        let kibibytes = i64::try_from(share / 1024).unwrap_or(i64::MAX);
        connection.pragma_update(None, "cache_size", -kibibytes)?;
        Ok(connection)
    }
}

/// Has the file keep a write-ahead log, which lets readers and a writer work at once. It stays so for good.
pub(crate) fn keep_a_log(connection: &Connection, patience: Duration) -> Result<(), Fault> {
    let start = Instant::now();
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(Fault::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let message = format!("the file system cannot hold a write-ahead log; the journal mode stays {mode}");
                return Err(Error::new(ErrorKind::Configuration, message).into());
            }
            // SQLite does not always wait for this lock by itself.
            Err(fault) if fault.is_busy() && start.elapsed() < patience => {
                nap(Duration::from_millis(2));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// A connection for reading, lent to a piece of work.
#[derive(Debug)]
pub(crate) struct Reader<'c> {
    connection: &'c Connection,
    in_place: bool,
}

impl Reader<'_> {
    /// Whether the work delays others, so that it should answer [`Fault::TooMuchInPlace`] rather than read much.
    pub(crate) fn is_in_place(&self) -> bool {
        self.in_place
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The connections for reading that nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Idle>>,
}

/// A connection and the patience that it is set to.
#[derive(Debug)]
pub(crate) struct Idle {
    connection: Connection,
    patience: Option<Duration>,
}

impl Readers {
    /// One that is open already.
    pub(crate) fn idle(&self) -> Option<Idle> {
        self.idle.lock().pop()
    }

    /// One that is open already, or a new one.
    pub(crate) fn any(&self, opening: &Opening) -> Result<Idle, Fault> {
        match self.idle() {
            Some(idle) => Ok(idle),
            None => Ok(Idle { connection: opening.reader()?, patience: None }),
        }
    }

    /// Takes one back; more than are to be kept are closed.
    pub(crate) fn give_back(&self, idle: Idle, opening: &Opening) {
        let mut all = self.idle.lock();
        if all.len() < opening.options.readers {
            all.push(idle);
        } else {
            drop(all);
            drop(idle);
        }
    }

    /// Takes all that are not in use, to be closed where that may take its time.
    pub(crate) fn take_all(&self) -> Vec<Idle> {
        std::mem::take(&mut *self.idle.lock())
    }

    /// Runs work here and now, waiting for locks as long as `patience` says.
    pub(crate) fn read<T>(
        &self,
        opening: &Opening,
        patience: Duration,
        mut work: impl FnMut(&Reader<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut run = || {
            let mut idle = self.any(opening)?;
            let answer = idle.run(patience, false, &mut work);
            self.give_back(idle, opening);
            answer
        };
        run().map_err(|fault| fault.into_error(opening.path(), patience))
    }
}

impl Idle {
    /// Runs work on this connection.
    pub(crate) fn run<T>(
        &mut self,
        patience: Duration,
        in_place: bool,
        work: &mut impl FnMut(&Reader<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.patience != Some(patience) {
            self.connection.busy_timeout(patience)?;
            self.patience = Some(patience);
        }
        let answer = work(&Reader { connection: &self.connection, in_place });
        if !self.connection.is_autocommit() {
            // Work that failed half-way must not leave an old snapshot to the next.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        answer
    }
}

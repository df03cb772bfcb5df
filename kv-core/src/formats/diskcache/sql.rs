//! The statements.

/// For a database that has no table yet, before anything else.
pub const FRESH: &str = "PRAGMA auto_vacuum = FULL";

/// Makes what is not there of tables, indexes and triggers.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS Settings (key TEXT NOT NULL UNIQUE, value);
CREATE TABLE IF NOT EXISTS Cache (
    rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER,
    store_time REAL, expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0,
    tag BLOB, size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS Cache_key_raw ON Cache(key, raw);
CREATE INDEX IF NOT EXISTS Cache_expire_time ON Cache (expire_time);
CREATE TRIGGER IF NOT EXISTS Settings_count_insert AFTER INSERT ON Cache FOR EACH ROW
    BEGIN UPDATE Settings SET value = value + 1 WHERE key = 'count'; END;
CREATE TRIGGER IF NOT EXISTS Settings_count_delete AFTER DELETE ON Cache FOR EACH ROW
    BEGIN UPDATE Settings SET value = value - 1 WHERE key = 'count'; END;
CREATE TRIGGER IF NOT EXISTS Settings_size_insert AFTER INSERT ON Cache FOR EACH ROW
    BEGIN UPDATE Settings SET value = value + NEW.size WHERE key = 'size'; END;
CREATE TRIGGER IF NOT EXISTS Settings_size_update AFTER UPDATE ON Cache FOR EACH ROW
    BEGIN UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = 'size'; END;
CREATE TRIGGER IF NOT EXISTS Settings_size_delete AFTER DELETE ON Cache FOR EACH ROW
    BEGIN UPDATE Settings SET value = value - OLD.size WHERE key = 'size'; END;
";

/// How many there are of the nine things that [`SCHEMA`] makes, and how many things there are in all.
pub const STATE: &str = "SELECT count(*) FILTER (WHERE name IN (
    'Settings', 'Cache', 'Cache_key_raw', 'Cache_expire_time', 'Settings_count_insert', 'Settings_count_delete',
    'Settings_size_insert', 'Settings_size_update', 'Settings_size_delete')), count(*) FROM sqlite_master";
/// How many things [`SCHEMA`] makes.
pub const COMPLETE: i64 = 9;

/// The settings: key, value.
pub const SETTINGS: &str = "SELECT key, value FROM Settings";
/// Notes the setting ?1 with the value ?2, unless there is one.
pub const ADD_SETTING: &str = "INSERT OR IGNORE INTO Settings VALUES (?1, ?2)";

/// The row of the key ?1: rowid, expire_time, mode, filename, value.
pub const FIND: &str = "SELECT rowid, expire_time, mode, filename, value FROM Cache WHERE key = ?1 AND raw = 1";
/// The row ?1: the same columns as [`FIND`].
pub const ROW: &str = "SELECT rowid, expire_time, mode, filename, value FROM Cache WHERE rowid = ?1";
/// The rows from the key ?1 on, in order, that are live at ?2: key, then the columns of [`FIND`]. Stop where what is
/// looked for ends.
pub const FROM: &str = "SELECT key, rowid, expire_time, mode, filename, value FROM Cache
    WHERE key >= ?1 AND raw = 1 AND (expire_time IS NULL OR expire_time > ?2) ORDER BY key";
/// The keys from ?1 on, in order, whether live or not: key, rowid.
pub const KEYS_FROM: &str = "SELECT key, rowid FROM Cache WHERE key >= ?1 AND raw = 1 ORDER BY key";

/// Writes a row: key, now, expire_time, size, mode, filename, value.
pub const INSERT: &str = "INSERT INTO Cache
    (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
    VALUES (?1, 1, ?2, ?3, ?2, 0, NULL, ?4, ?5, ?6, ?7)";
/// Writes the row ?1 anew: now, expire_time, size, mode, filename, value.
pub const UPDATE: &str = "UPDATE Cache SET store_time = ?2, expire_time = ?3, access_time = ?2, access_count = 0,
    tag = NULL, size = ?4, mode = ?5, filename = ?6, value = ?7 WHERE rowid = ?1";
/// Gives the row ?1 the key ?2.
pub const RENAME: &str = "UPDATE Cache SET key = ?2 WHERE rowid = ?1";
/// Removes the row ?1.
pub const DELETE: &str = "DELETE FROM Cache WHERE rowid = ?1";
/// Removes at most ?2 rows that have ended at ?1, whatever they are: rowid, filename.
pub const DELETE_ENDED: &str = "DELETE FROM Cache WHERE rowid IN (
    SELECT rowid FROM Cache WHERE expire_time <= ?1 ORDER BY expire_time LIMIT ?2) RETURNING rowid, filename";
/// Whether the row ?1, or the row of the key ?1, has the file ?2.
pub const ROW_HAS_FILE: &str = "SELECT 1 FROM Cache WHERE rowid = ?1 AND filename = ?2";
/// See [`ROW_HAS_FILE`].
pub const KEY_HAS_FILE: &str = "SELECT 1 FROM Cache WHERE key = ?1 AND raw = 1 AND filename = ?2";

/// The bytes that the database and the files take.
pub const VOLUME: &str = "SELECT page_count * page_size + (SELECT value FROM Settings WHERE key = 'size')
    FROM pragma_page_count, pragma_page_size";

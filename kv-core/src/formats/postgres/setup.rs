//! Making the table, and finding out what there is of it.

use std::fmt::Write as _;

use super::sql::{INDEXED, Table, quoted};
use crate::{Error, ErrorKind, Result};

/// The columns, each with its type as the database writes it.
const COLUMNS: [(&str, &str); 12] = [
    ("collection", "text"),
    ("key", "text"),
    ("value", "jsonb"),
    ("ttl", "double precision"),
    ("created_at", "timestamp with time zone"),
    ("expires_at", "timestamp with time zone"),
    ("kv_revision", "bigint"),
    ("kv_metadata", "text"),
    ("kv_text", "text"),
    ("kv_bytes", "bytea"),
    ("kv_collection", "bytea"),
    ("kv_key", "bytea"),
];

/// How many of the columns are Python's.
const OF_PYTHON: usize = 6;

/// What there is: one row, in the order of [`Found`].
pub(super) const INSPECT: &str = "SELECT n.oid IS NOT NULL, c.oid IS NOT NULL AND c.relkind IN ('r', 'p'), \
     COALESCE((SELECT string_agg(a.attname::text || ' ' || pg_catalog.format_type(a.atttypid, NULL), ',') \
     FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''), \
     EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid \
     AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 2 AND (SELECT count(*) \
     FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
     AND a.attname IN ('collection', 'key')) = 2), \
     EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = $3 AND t.tgenabled <> 'D'), \
     EXISTS (SELECT FROM pg_catalog.pg_class AS i WHERE i.relnamespace = n.oid AND i.relname = $4), \
     EXISTS (SELECT FROM pg_catalog.pg_class AS i WHERE i.relnamespace = n.oid AND i.relname = $5), \
     EXISTS (SELECT FROM pg_catalog.pg_class AS i WHERE i.relnamespace = n.oid AND i.relname = $6), \
     COALESCE((SELECT o.collname IN ('C', 'POSIX') OR o.collname = 'default' AND d.datcollate IN ('C', 'POSIX') \
     AND COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' \
     FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_collation AS o ON o.oid = a.attcollation \
     JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database() \
     WHERE a.attrelid = c.oid AND a.attname = 'key'), false), \
     COALESCE(c.reltuples, 0)::float8, pg_catalog.getdatabaseencoding()::text \
     FROM (SELECT $1::text AS schema, $2::text AS name) AS w \
     LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema \
     LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name";

/// A table of more rows is not given another index, which would hold up writers for longer than a set-up may take.
const MOST_ROWS_TO_INDEX: f64 = 200_000.0;

/// What there is of a table, as [`Query::Inspect`](super::Query::Inspect) tells it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// There is a schema of the name.
    pub schema: bool,
    /// There is a table of the name, and it is one.
    pub table: bool,
    /// Its columns: the name, a space and the type of each, with commas between.
    pub columns: String,
    /// Collection and key are unique in it.
    pub unique: bool,
    /// It has the trigger.
    pub trigger: bool,
    /// It has the index of what ends.
    pub expiry_index: bool,
    /// It has the index of true keys.
    pub name_index: bool,
    /// It has the index of keys in the order of bytes.
    pub order_index: bool,
    /// Its keys are ordered by their bytes.
    pub in_byte_order: bool,
    /// About so many rows; negative if that is not known.
    pub rows: f64,
    /// The database's encoding.
    pub encoding: String,
}

impl Found {
    /// Whether the store can work on it as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if no set-up can make it so: another table has the name, or the encoding is not
    /// UTF-8.
    pub fn is_complete(&self) -> Result<bool> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        if self.encoding != "UTF8" {
            return refuse(format!("the database's encoding is {}; this store takes UTF8", self.encoding));
        }
        if !self.table && !self.columns.is_empty() {
            return refuse("what has the table's name is no table".to_owned());
        }
        if !self.table {
            return Ok(false);
        }
        let mut complete = true;
        for (place, (name, sort)) in COLUMNS.iter().enumerate() {
            let column = self.columns.split(',').filter_map(|column| column.split_once(' ')).find(|(n, _)| n == name);
            match column {
                Some((_, found)) if found == *sort => {}
                Some(_) => return refuse(format!("the table's column `{name}` is not of the type {sort}")),
                None if place < OF_PYTHON => {
                    return refuse(format!("the table has no column `{name}`: it is another's"));
                }
                None => complete = false,
            }
        }
        if !self.unique {
            return refuse("the table has no unique index on collection and key".to_owned());
        }
        Ok(complete && self.trigger)
    }
}

impl Table {
    /// The names of the trigger and of the three indexes, as [`Query::Inspect`](super::Query::Inspect) takes them.
    pub fn belongings(&self) -> [String; 4] {
        [
            "kv_forget".to_owned(),
            // As Python's library names it.
            self.owned_name("idx_", "_expires_at"),
            self.owned_name("idx_", "_kv_key"),
            self.owned_name("idx_", "_kv_order"),
        ]
    }
}

/// What makes of what there is a table that the store works on: one script, that several may run at a time.
pub fn setup_script(table: &Table, found: &Found) -> String {
    let [trigger, expiry, names, order] = table.belongings();
    let function = table.beside(&table.owned_name("", "_kv_forget"));
    // Whoever else makes tables of this sort waits here, until the script is through.
    let mut script = "SELECT pg_catalog.pg_advisory_xact_lock(7743011205311033);\n".to_owned();
    // Writing to a `String` cannot fail.
    if !found.schema {
        let _ = writeln!(script, "CREATE SCHEMA IF NOT EXISTS {};", quoted(table.schema()));
    }
    if !found.table {
        let _ = writeln!(
            script,
            "CREATE TABLE IF NOT EXISTS {table} (collection TEXT COLLATE \"C\" NOT NULL, key TEXT COLLATE \"C\" NOT NULL, \
             value JSONB NOT NULL, ttl DOUBLE PRECISION, created_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, \
             PRIMARY KEY (collection, key));"
        );
    }
    let ours = COLUMNS.iter().skip(OF_PYTHON);
    let columns: Vec<_> = ours.map(|(name, sort)| format!("ADD COLUMN IF NOT EXISTS {name} {sort}")).collect();
    let _ = writeln!(script, "ALTER TABLE {table} {};", columns.join(", "));
    let few = found.rows <= MOST_ROWS_TO_INDEX;
    if !found.expiry_index && few {
        let name = quoted(&expiry);
        let _ =
            writeln!(script, "CREATE INDEX IF NOT EXISTS {name} ON {table} (expires_at) WHERE expires_at IS NOT NULL;");
    }
    if !found.name_index {
        let name = quoted(&names);
        let _ = writeln!(
            script,
            "CREATE INDEX IF NOT EXISTS {name} ON {table} (collection, ({INDEXED})) WHERE kv_key IS NOT NULL;"
        );
    }
    if found.table && !found.in_byte_order && !found.order_index && few {
        let name = quoted(&order);
        let _ = writeln!(script, "CREATE INDEX IF NOT EXISTS {name} ON {table} (collection, key COLLATE \"C\");");
    }
    let _ = write!(
        script,
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $kv$ BEGIN \
         NEW.kv_revision := NULL; NEW.kv_metadata := NULL; NEW.kv_text := NULL; NEW.kv_bytes := NULL; RETURN NEW; \
         END $kv$;\n\
         DROP TRIGGER IF EXISTS {trigger} ON {table};\n\
         CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW WHEN (OLD.kv_revision IS NOT NULL \
         AND NEW.kv_revision IS NOT DISTINCT FROM OLD.kv_revision) EXECUTE FUNCTION {function}();\n"
    );
    script
}

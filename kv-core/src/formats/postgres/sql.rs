//! The statements.

use crate::{Error, ErrorKind, Result};

/// The longest name of anything in the database, in bytes.
const MOST_NAME_BYTES: usize = 63;

/// A table: in a schema, under a name, both checked and quoted.
///
/// # Examples
///
/// ```
/// use kv_core::formats::postgres::Table;
///
/// let table = Table::new("public", "Kv \"1\"")?;
/// assert_eq!(table.to_string(), r#""public"."Kv ""1""""#);
/// assert!(Table::new("public", "").is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    schema: String,
    name: String,
}

impl Table {
    /// The table of this name, which may be any that the database takes, in letter case as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a name that is empty, longer than 63 bytes, or holds a NUL.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Result<Self> {
        let (schema, name) = (schema.into(), name.into());
        for (what, name) in [("schema", &schema), ("table", &name)] {
            if name.is_empty() || name.len() > MOST_NAME_BYTES || name.contains('\0') {
                let message = format!("the name of the {what} is empty, holds a NUL, or has more than 63 bytes");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
        Ok(Self { schema, name })
    }

    /// The schema's name, not quoted.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table's name, not quoted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of something that belongs to the table: cut and told apart by a hash where it would be too long.
    pub(super) fn owned_name(&self, before: &str, after: &str) -> String {
        let whole = format!("{before}{}{after}", self.name);
        if whole.len() <= MOST_NAME_BYTES {
            return whole;
        }
        let digest = crate::Revision::of_document(self.name.as_bytes(), None).as_document().unwrap_or_default().0;
        format!("{before}{}{after}", &digest[..digest.len().min(32)])
    }

    /// Something in the table's schema, qualified and quoted.
    pub(super) fn beside(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(name))
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.beside(&self.name))
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The sorts of parameters and of what comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are named as the database names them")]
pub enum Sort {
    Text,
    Texts,
    Bytea,
    Byteas,
    Int8,
    Int8s,
    Float8,
    Float8s,
    Timestamptz,
    Timestamptzs,
    Jsonb,
    Jsonbs,
    Xid,
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A statement that the store sends.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Query { $($(#[$doc])* $name,)* }

        impl Query {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

queries! {
    /// A record: collection, key.
    Get,
    /// The same without the value.
    Head,
    /// Records: collection, keys.
    GetMany,
    /// The same without the values.
    HeadMany,
    /// Writes a record: collection, key, value, ttl, created, expires, revision, metadata, text, bytes, true collection,
    /// true key.
    Put,
    /// The same if there is no live one; the present instant comes last.
    PutIfAbsent,
    /// The same if there is a live one.
    PutIfPresent,
    /// The same if it has this revision, which comes after the instant.
    PutIfOurs,
    /// The same if another program wrote it in this transaction.
    PutIfForeign,
    /// Writes records: collection, true collection, and the other columns as arrays, in the order of [`Put`](Self::Put).
    PutMany,
    /// Removes a record: collection, key, now. Tells whether it was live.
    Delete,
    /// The same if it has this revision. Tells whether it was removed, and of a live one whether it had the revision when
    /// the statement began: if it had and was not removed, another writer was first.
    DeleteIfOurs,
    /// The same if another program wrote it in this transaction.
    DeleteIfForeign,
    /// Removes records: collection, keys, now. Tells of each found its key and whether it was live.
    DeleteMany,
    /// A page of keys: collection, true collection, from, after, before, now, limit, and for true keys: from, after,
    /// before, and what their beginnings come from.
    Keys,
    /// The same with the records.
    Entries,
    /// A page of collections: after, before, now, limit.
    Collections,
    /// How many live records there are: collection, true collection, from, before, now, and for true keys: from, before.
    Count,
    /// Removes some records, in the parameters of [`Count`](Self::Count) and a limit. Tells how many, and how many were
    /// live.
    Clear,
    /// Removes some records of all: now, limit. Tells the same.
    Destroy,
    /// Removes some records that have ended: now, limit. Tells how many.
    Cull,
    /// A sign of life.
    Ping,
    /// What there is of the table: schema, name, and the names of its trigger and of its indexes.
    Inspect,
}

impl Query {
    /// The sorts of its parameters.
    pub fn parameters(self) -> &'static [Sort] {
        use Sort::{
            Bytea, Byteas, Float8, Float8s, Int8, Int8s, Jsonb, Jsonbs, Text, Texts, Timestamptz, Timestamptzs, Xid,
        };
        const PUT: [Sort; 14] = [
            Text,
            Text,
            Jsonb,
            Float8,
            Timestamptz,
            Timestamptz,
            Int8,
            Text,
            Text,
            Bytea,
            Bytea,
            Bytea,
            Timestamptz,
            Int8,
        ];
        const PUT_IF_FOREIGN: [Sort; 14] = [
            Text,
            Text,
            Jsonb,
            Float8,
            Timestamptz,
            Timestamptz,
            Int8,
            Text,
            Text,
            Bytea,
            Bytea,
            Bytea,
            Timestamptz,
            Xid,
        ];
        const COUNT: [Sort; 8] = [Text, Bytea, Text, Text, Timestamptz, Bytea, Bytea, Int8];
        match self {
            Self::Get | Self::Head => &[Text, Text],
            Self::GetMany | Self::HeadMany => &[Text, Texts],
            Self::Put => PUT.split_at(12).0,
            Self::PutIfAbsent | Self::PutIfPresent => PUT.split_at(13).0,
            Self::PutIfOurs => &PUT,
            Self::PutIfForeign => &PUT_IF_FOREIGN,
            Self::PutMany => {
                &[Text, Bytea, Texts, Jsonbs, Float8s, Timestamptzs, Timestamptzs, Int8s, Texts, Texts, Byteas, Byteas]
            }
            Self::Delete => &[Text, Text, Timestamptz],
            Self::DeleteIfOurs => &[Text, Text, Timestamptz, Int8],
            Self::DeleteIfForeign => &[Text, Text, Timestamptz, Xid],
            Self::DeleteMany => &[Text, Texts, Timestamptz],
            Self::Keys | Self::Entries => {
                &[Text, Bytea, Text, Text, Text, Timestamptz, Int8, Bytea, Bytea, Bytea, Bytea]
            }
            Self::Collections => &[Text, Text, Timestamptz, Int8],
            Self::Count => COUNT.split_at(7).0,
            Self::Clear => &COUNT,
            Self::Destroy | Self::Cull => &[Timestamptz, Int8],
            Self::Ping => &[],
            Self::Inspect => &[Text, Text, Text, Text, Text, Text],
        }
    }

    fn is_about_order(self) -> bool {
        matches!(self, Self::Keys | Self::Entries | Self::Count | Self::Clear)
    }
}

/// The text of every statement, for one table.
#[derive(Debug, Clone)]
pub struct Statements {
    plain: Vec<String>,
    collated: Vec<String>,
}

impl Statements {
    /// Those that work on this table.
    pub fn new(table: &Table) -> Self {
        let table = table.to_string();
        let plain = Query::ALL.iter().map(|query| text(*query, &table, "")).collect();
        let collated = Query::ALL.iter().map(|query| text(*query, &table, " COLLATE \"C\"")).collect();
        Self { plain, collated }
    }

    /// The text of a statement. Where the column's own order is not that of bytes, one is asked for.
    pub fn text(&self, query: Query, in_byte_order: bool) -> &str {
        let texts = if in_byte_order { &self.plain } else { &self.collated };
        texts.get(query as usize).map_or("", String::as_str)
    }

    /// Which statement of a connection it is, of twice as many as there are queries.
    pub fn number(query: Query, in_byte_order: bool) -> usize {
        let other = !in_byte_order && query.is_about_order();
        query as usize + if other { Query::ALL.len() } else { 0 }
    }
}

/// The columns of a record, in the order of [`Row`](super::Row); without the value three of nothing.
const RECORD: &str = "expires_at, created_at, kv_revision, CASE WHEN kv_revision IS NULL THEN xmin END AS kv_xmin, \
     kv_metadata, kv_collection, kv_key, kv_text, kv_bytes, \
     CASE WHEN kv_revision IS NULL OR (kv_text IS NULL AND kv_bytes IS NULL) THEN value END AS value";

const HEAD: &str = "expires_at, created_at, kv_revision, CASE WHEN kv_revision IS NULL THEN xmin END AS kv_xmin, \
     kv_metadata, kv_collection, kv_key, NULL::text, NULL::bytea, NULL::jsonb";

const COLUMNS: &str = "collection, key, value, ttl, created_at, expires_at, kv_revision, kv_metadata, kv_text, kv_bytes, \
     kv_collection, kv_key";

const FROM_EXCLUDED: &str = "value = EXCLUDED.value, ttl = EXCLUDED.ttl, created_at = EXCLUDED.created_at, \
     expires_at = EXCLUDED.expires_at, kv_revision = EXCLUDED.kv_revision, kv_metadata = EXCLUDED.kv_metadata, \
     kv_text = EXCLUDED.kv_text, kv_bytes = EXCLUDED.kv_bytes, kv_collection = EXCLUDED.kv_collection, \
     kv_key = EXCLUDED.kv_key";

const FROM_PARAMETERS: &str = "value = $3, ttl = $4, created_at = $5, expires_at = $6, kv_revision = $7, \
     kv_metadata = $8, kv_text = $9, kv_bytes = $10, kv_collection = $11, kv_key = $12";

/// The bytes at the beginning of a true key that its index has.
pub(super) const INDEXED: &str = "substring(kv_key from 1 for 512)";

/// The text of a statement; `order` is what is said of the order of keys.
fn text(query: Query, table: &str, order: &str) -> String {
    let insert = format!("INSERT INTO {table} AS kv ({COLUMNS})");
    let values = "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let upsert = format!("ON CONFLICT (collection, key) DO UPDATE SET {FROM_EXCLUDED}");
    let live = |now: &str| format!("(expires_at IS NULL OR expires_at > {now})");
    let update = format!("UPDATE {table} SET {FROM_PARAMETERS} WHERE collection = $1 AND key = $2 AND {}", live("$13"));
    let delete_if = |state: &str| {
        let live = live("$3");
        format!(
            "WITH gone AS (DELETE FROM {table} WHERE collection = $1 AND key = $2 AND {live} AND {state} RETURNING 1) \
             SELECT EXISTS (SELECT FROM gone), \
             (SELECT ({state}) IS TRUE FROM {table} WHERE collection = $1 AND key = $2 AND {live})"
        )
    };
    let page = |columns: &str| {
        let live = live("$6");
        format!(
            "(SELECT key, {columns} FROM {table} WHERE collection = $1 AND kv_collection IS NOT DISTINCT FROM $2 \
             AND key{order} >= $3 AND key{order} > $4 AND key{order} < $5 AND kv_key IS NULL AND {live} \
             ORDER BY key{order} LIMIT $7) UNION ALL \
             (SELECT key, {columns} FROM {table} WHERE collection = $1 AND kv_collection IS NOT DISTINCT FROM $2 \
             AND kv_key IS NOT NULL AND {INDEXED} >= $11 AND kv_key >= $8 AND kv_key > $9 \
             AND ($10::bytea IS NULL OR kv_key < $10) AND {live} ORDER BY {INDEXED}, kv_key LIMIT $7)"
        )
    };
    let plain_ones = format!("kv_key IS NULL AND key{order} >= $3 AND key{order} < $4");
    let stored_ones = "kv_key IS NOT NULL AND kv_key >= $6 AND ($7::bytea IS NULL OR kv_key < $7)";
    let in_collection = "collection = $1 AND kv_collection IS NOT DISTINCT FROM $2";
    let remove = |which: &str, now: &str, limit: &str| {
        let live = live(now);
        format!(
            "WITH gone AS (DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {which} \
             LIMIT {limit})) RETURNING {live} AS live) SELECT count(*), count(*) FILTER (WHERE live) FROM gone"
        )
    };
    match query {
        Query::Get => format!("SELECT {RECORD} FROM {table} WHERE collection = $1 AND key = $2"),
        Query::Head => format!("SELECT {HEAD} FROM {table} WHERE collection = $1 AND key = $2"),
        Query::GetMany => format!("SELECT key, {RECORD} FROM {table} WHERE collection = $1 AND key = ANY ($2)"),
        Query::HeadMany => format!("SELECT key, {HEAD} FROM {table} WHERE collection = $1 AND key = ANY ($2)"),
        Query::Put => format!("{insert} {values} {upsert}"),
        Query::PutIfAbsent => format!("{insert} {values} {upsert} WHERE kv.expires_at <= $13"),
        Query::PutIfPresent => update,
        Query::PutIfOurs => format!("{update} AND kv_revision = $14"),
        Query::PutIfForeign => format!("{update} AND kv_revision IS NULL AND xmin = $14"),
        Query::PutMany => format!(
            "{insert} SELECT $1, u.key, u.value, u.ttl, u.created, u.expires, u.revision, u.metadata, u.text, u.bytes, \
             $2, u.name FROM UNNEST($3::text[], $4::jsonb[], $5::float8[], $6::timestamptz[], $7::timestamptz[], \
             $8::int8[], $9::text[], $10::text[], $11::bytea[], $12::bytea[]) \
             AS u (key, value, ttl, created, expires, revision, metadata, text, bytes, name) {upsert}"
        ),
        Query::Delete => {
            format!("DELETE FROM {table} WHERE collection = $1 AND key = $2 RETURNING {}", live("$3"))
        }
        Query::DeleteIfOurs => delete_if("kv_revision = $4"),
        Query::DeleteIfForeign => delete_if("kv_revision IS NULL AND xmin = $4"),
        // Rows are locked in the order in which batches write them, or two batches would wait for each other.
        Query::DeleteMany => format!(
            "WITH found AS MATERIALIZED (SELECT key AS one FROM {table} WHERE collection = $1 AND key = ANY ($2) \
             ORDER BY key COLLATE \"C\" FOR UPDATE) \
             DELETE FROM {table} AS t USING found WHERE t.collection = $1 AND t.key = found.one RETURNING t.key, {}",
            live("$3")
        ),
        Query::Keys => page("kv_key"),
        Query::Entries => page(RECORD),
        Query::Collections => format!(
            "WITH RECURSIVE names AS ((SELECT collection FROM {table} WHERE collection > $1 ORDER BY collection LIMIT 1) \
             UNION ALL SELECT (SELECT t.collection FROM {table} AS t WHERE t.collection > names.collection \
             ORDER BY t.collection LIMIT 1) FROM names WHERE names.collection IS NOT NULL AND ($2 = '' OR \
             names.collection < $2)) \
             SELECT names.collection, live.kv_collection, live.is_live FROM names LEFT JOIN LATERAL \
             (SELECT kv_collection, true AS is_live FROM {table} AS t WHERE t.collection = names.collection AND \
             (t.expires_at IS NULL OR t.expires_at > $3) ORDER BY t.key \
             LIMIT 1) AS live ON true WHERE names.collection IS NOT NULL LIMIT $4"
        ),
        Query::Count => format!(
            "SELECT (SELECT count(*) FROM {table} WHERE {in_collection} AND {plain_ones} AND {live}) + \
             (SELECT count(*) FROM {table} WHERE {in_collection} AND {stored_ones} AND {live})",
            live = live("$5")
        ),
        Query::Clear => remove(&format!("{in_collection} AND (({plain_ones}) OR ({stored_ones}))"), "$5", "$8"),
        Query::Destroy => remove("true", "$1", "$2"),
        Query::Cull => format!(
            "WITH gone AS (DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} \
             WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
             SELECT count(*) FROM gone"
        ),
        Query::Ping => "SELECT 1".to_owned(),
        Query::Inspect => super::setup::INSPECT.to_owned(),
    }
}

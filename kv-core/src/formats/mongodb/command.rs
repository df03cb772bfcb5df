//! The command that writes many documents.

use super::{ARRAY, BOOLEAN, DOCUMENT, begin, decimal, element, encode, end, string};
use crate::{Name, Record, Result};

/// An `update` command with a statement for each record, written straight into one buffer: each replaces the document of
/// its key, or inserts it.
///
/// # Examples
///
/// ```
/// use kv_core::formats::mongodb::UpdateCommand;
/// use kv_core::{Name, Record, ValueRef};
///
/// let mut command = UpdateCommand::new("users", None);
/// command.push(Name::new("users", "alice"), &Record::new(ValueRef::Json(b"{}"), 1))?;
/// assert_eq!(command.len(), 1);
/// assert!(command.finish().len() > 100);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug)]
pub struct UpdateCommand {
    bytes: Vec<u8>,
    updates: usize,
    len: u32,
}

impl UpdateCommand {
    /// The most statements: the server takes twice as many.
    pub const MOST: usize = 50_000;
    /// The bytes from which on the next record goes into another command: the server takes 16 MiB.
    pub const FULL: usize = 14 << 20;

    /// A command on this collection, by its name in MongoDB, with this write concern, which is a BSON document.
    pub fn new(collection: &str, write_concern: Option<&[u8]>) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        begin(&mut bytes);
        string(&mut bytes, "update", collection.as_bytes());
        // Those behind one that is refused are written all the same.
        element(&mut bytes, BOOLEAN, "ordered");
        bytes.push(0);
        if let Some(concern) = write_concern {
            element(&mut bytes, DOCUMENT, "writeConcern");
            bytes.extend_from_slice(concern);
        }
        element(&mut bytes, ARRAY, "updates");
        let updates = begin(&mut bytes);
        Self { bytes, updates, len: 0 }
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// Those of [`encode`]; then nothing is added.
    pub fn push(&mut self, name: Name<'_>, record: &Record<'_>) -> Result<()> {
        let out = &mut self.bytes;
        let start = out.len();
        out.push(DOCUMENT);
        decimal(out, self.len);
        out.push(0);
        let statement = begin(out);
        element(out, DOCUMENT, "q");
        let query = begin(out);
        string(out, "key", name.key.as_bytes());
        end(out, query);
        element(out, DOCUMENT, "u");
        if let Err(error) = encode(name, record, out) {
            out.truncate(start);
            return Err(error);
        }
        element(out, BOOLEAN, "upsert");
        out.push(1);
        end(out, statement);
        self.len += 1;
        Ok(())
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the next record, which has about so many bytes, belongs into another command.
    pub fn is_full_for(&self, bytes: usize) -> bool {
        self.len > 0 && (self.len() >= Self::MOST || self.bytes.len() + bytes > Self::FULL)
    }

    /// The command: a BSON document.
    pub fn finish(mut self) -> Vec<u8> {
        end(&mut self.bytes, self.updates);
        end(&mut self.bytes, 0);
        self.bytes
    }
}

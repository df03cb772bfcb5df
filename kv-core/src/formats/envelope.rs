//! Values that stand for others: how an object that is such an envelope is told from a user's own.

use std::fmt;

use memchr::memmem;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::corrupted;
use crate::Result;

/// The names by which Python marks such objects. One is enough: of a damaged envelope the others are left.
pub(super) struct Claims {
    /// What all of them begin with.
    pub(super) begin: &'static str,
    pub(super) names: &'static [&'static str],
}

impl Claims {
    /// Whether this is an object that has one of the names, however it is written.
    pub(super) fn are_in(&self, json: &[u8]) -> bool {
        if json.trim_ascii_start().first() != Some(&b'{') {
            return false;
        }
        // A letter can be written as `\u0061`.
        let may = memmem::find(json, self.begin.as_bytes()).is_some() || memmem::find(json, b"\\u00").is_some();
        // What cannot be parsed is for the reader to refuse.
        may && serde_json::Deserializer::from_slice(json).deserialize_map(self).unwrap_or(true)
    }
}

impl<'de> Visitor<'de> for &Claims {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        // To the end: the parser is not content with less.
        while let Some((name, IgnoredAny)) = map.next_entry::<std::borrow::Cow<'_, str>, _>()? {
            found |= self.names.contains(&name.as_ref());
        }
        Ok(found)
    }
}

/// Refuses what was written by another program and is no JSON.
pub(super) fn check_json(text: &[u8]) -> Result<()> {
    match serde_json::from_slice::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(corrupted("what its envelope holds is not JSON (NaN and Infinity, which Python writes, are none)"))
        }
    }
}

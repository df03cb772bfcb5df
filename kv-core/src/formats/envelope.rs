//! Values that stand for others: how an object that is such an envelope is told from a user's own.

use std::fmt;

use base64::Engine;
use memchr::memmem;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::corrupted;
use crate::Result;
use crate::scratch::room;

/// The names by which Python marks such objects. One is enough: of a damaged envelope the others are left.
pub(super) struct Claims {
    /// What all of them begin with.
    pub(super) begin: &'static str,
    pub(super) names: &'static [&'static str],
}

impl Claims {
    /// Whether this is an object that has one of the names, however it is written.
    pub(super) fn are_in(&self, json: &[u8]) -> bool {
        let Some(object) = json.trim_ascii_start().strip_prefix(b"{") else { return false };
        let first = object.trim_ascii_start().strip_prefix(b"\"");
        let is_first = |name: &&str| first.is_some_and(|text| text.strip_prefix(name.as_bytes()).is_some_and(ends));
        if self.names.iter().any(is_first) {
            return true;
        }
        // A letter can be written as `\u0061`.
        let may = memmem::find(json, self.begin.as_bytes()).is_some() || memmem::find(json, b"\\u00").is_some();
        // What cannot be parsed is for the reader to refuse.
        may && serde_json::Deserializer::from_slice(json).deserialize_map(self).unwrap_or(true)
    }
}

/// One way in which an envelope with base64 inside is written: what stands before it, and what behind.
pub(super) type Form = (&'static str, &'static str);

/// The data of an envelope that is written in one of these forms, decoded to the buffer's begin; how many bytes it is.
/// `None` of one that is written otherwise, or damaged.
pub(super) fn unwrapped(text: &[u8], forms: &[Form], engine: &impl Engine, out: &mut Vec<u8>) -> Option<usize> {
    let of_form = |(begin, end): &Form| text.strip_prefix(begin.as_bytes())?.strip_suffix(end.as_bytes());
    // Base64 has neither quotes nor escapes: what is decoded is the whole text that stands there.
    unbased(forms.iter().find_map(of_form)?, engine, out)
}

/// Decodes base64 to the buffer's begin; how many bytes it is.
pub(super) fn unbased(data: &[u8], engine: &impl Engine, out: &mut Vec<u8>) -> Option<usize> {
    engine.decode_slice(data, room(out, base64::decoded_len_estimate(data.len()))).ok()
}

fn ends(text: &[u8]) -> bool {
    text.first() == Some(&b'"')
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

/// Refuses what another program wrote as JSON and is none. The text is as it was written, by its checksum, and to parse
/// it takes longer than all else that reading it takes: an object or a list without the words that Python writes beside
/// JSON is taken for what it was written as. Whoever decodes it parses it.
pub(super) fn check_json(text: &[u8]) -> Result<()> {
    let has_ends = matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')));
    if has_ends && std::str::from_utf8(text).is_ok() && !has_python_s_words(text) {
        return Ok(());
    }
    match serde_json::from_slice::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(corrupted("what its envelope holds is not JSON (NaN and Infinity, which Python writes, are none)"))
        }
    }
}

/// Whether `NaN` or `Infinity` is in the text. One pass over most texts, which have few such capitals.
fn has_python_s_words(text: &[u8]) -> bool {
    const FEW: usize = 64;
    let begins = |at: usize| text[at..].starts_with(b"NaN") || text[at..].starts_with(b"Infinity");
    let mut capitals = memchr::memchr2_iter(b'N', b'I', text);
    match capitals.by_ref().take(FEW).find(|at| begins(*at)) {
        Some(_) => true,
        None => capitals.next().is_some_and(|at| {
            let has = |word: &str| memmem::find(&text[at..], word.as_bytes()).is_some();
            has("NaN") || has("Infinity")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_s_words_are_found_wherever_they_stand() {
        for word in ["NaN", "-Infinity"] {
            for before in [0, 1, 63, 64, 65, 200] {
                let text = format!("[{}{word}]", "\"NI\",".repeat(before));
                assert!(check_json(text.as_bytes()).is_err(), "{word} after {before}");
                let text = format!("[{}\"{word}\"]", "\"NI\",".repeat(before));
                assert!(check_json(text.as_bytes()).is_ok(), "{word} in a text after {before}");
            }
        }
        assert!(check_json(format!("[{}1]", "\"NI\",".repeat(200)).as_bytes()).is_ok());
        assert!(check_json(b"[\xff]").is_err());
    }
}

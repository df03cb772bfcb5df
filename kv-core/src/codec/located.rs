//! Where in a value something does not fit.

use std::cell::RefCell;
use std::fmt::Write;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use super::Codec;
use crate::Error;

thread_local! {
    static PATH: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Reads a `T` for the sake of the path to what does not fit, which it leaves in [`PATH`]: codecs have no other way
/// out.
struct Located<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_path_to_error::deserialize::<D, T>(deserializer) {
            Ok(_) => Ok(Self(PhantomData)),
            Err(error) => {
                PATH.set(Some(shortened(&error.path().to_string())));
                Err(error.into_inner())
            }
        }
    }
}

/// The same error with the path. What fits is never read twice.
#[cold]
pub(super) fn locate<T: DeserializeOwned, C: Codec>(codec: &C, encoded: &[u8], error: Error) -> Error {
    PATH.take();
    let _ = codec.decode::<Located<T>>(encoded);
    match PATH.take() {
        Some(path) if path != "." => Error::new(error.kind(), format!("{} at `{path}`", error.message())),
        _ => error,
    }
}

/// A path holds the names of fields, and of a map's keys, which may be of any length.
fn shortened(path: &str) -> String {
    const SHOWN: usize = 200;
    let mut text = String::new();
    for character in path.chars().take(SHOWN) {
        if character.is_control() { text.extend(character.escape_default()) } else { text.push(character) }
    }
    if path.chars().nth(SHOWN).is_some() {
        // Writing to a string does not fail.
        let _ = write!(text, "... ({} bytes)", path.len());
    }
    text
}

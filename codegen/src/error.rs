//! What can go wrong in a run.

use std::path::{Path, PathBuf};

use crate::refuse::Refusal;

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source holds what cannot be carried over.
    #[error("{}", lines(.0))]
    Refused(Vec<Refusal>),
    /// Rules that fired nowhere, each with its flavour.
    #[error("{}", lines(.0))]
    Unused(Vec<String>),
    /// The manifests differ where they must not.
    #[error("{}", lines(.0))]
    Manifests(Vec<String>),
    /// Files written by hand stand where generated ones belong.
    #[error("{}", lines(&.0.iter().map(|path| format!("{path}: written by hand, and a generated file belongs here; \
        move it, or delete it")).collect::<Vec<_>>()))]
    HandWritten(Vec<String>),
    /// rustfmt refuses what was generated.
    #[error("{}", lines(.0))]
    Format(Vec<String>),
    /// A manifest that is not TOML.
    #[error("{path}: {message}")]
    Toml {
        /// The manifest.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// More than one of these.
    #[error("{}", lines(.0))]
    Several(Vec<Error>),
}

impl Error {
    pub(crate) fn io(path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::Io { path: path.to_owned(), source: source.into() }
    }

    /// `Ok` when there is none.
    pub(crate) fn of(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join("\n")
}

//! What the generator refuses to carry over, and what it tells the author to do instead.

use std::fmt;

/// Why something is refused.
#[allow(missing_docs, reason = "each is described by its message")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    AsyncBlock,
    AsyncForm,
    AwaitInMacro,
    AwaitAway,
    Concurrency,
    FlavourPath,
    FlavourName,
    IsSync,
    MaybeAsync,
    Unmarked,
    SeamTwin,
    SeamSwitch,
    SameOutput,
    DocFence,
    NotRust,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::AsyncBlock,
        Self::AsyncForm,
        Self::AwaitInMacro,
        Self::AwaitAway,
        Self::Concurrency,
        Self::FlavourPath,
        Self::FlavourName,
        Self::IsSync,
        Self::MaybeAsync,
        Self::Unmarked,
        Self::SeamTwin,
        Self::SeamSwitch,
        Self::SameOutput,
        Self::DocFence,
        Self::NotRust,
    ];
}

/// One refusal: where, and what to do instead. Refusals sort by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Why.
    pub reason: Reason,
    /// What is wrong, and what to do instead.
    pub message: String,
}

impl Refusal {
    /// A refusal of the byte at `offset` of `text`, which is what the file at `path` holds.
    pub(crate) fn new(path: &str, text: &str, offset: usize, reason: Reason, message: String) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
            message,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path, self.line, self.column, self.message)
    }
}

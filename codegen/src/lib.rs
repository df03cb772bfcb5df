//! Emits the crates `kv-sync` and `kv-async` from their one source, `kv-core/source`.
//!
//! The source is plain async Rust under maybe-async's attributes. Its text is edited by token spans and never printed
//! from a syntax tree, so comments, doc text, blank lines and string literals stay as they are. [`RULES`] is the list
//! of what is changed, [`Reason`] the list of what is refused because it cannot be carried over truthfully.

mod attrs;
mod docs;
mod edit;
mod emit;
mod error;
mod format;
mod lex;
mod manifest;
mod refuse;
mod rules;
mod transform;
mod walk;

pub use emit::{Drift, Plan, plan};
pub use error::Error;
pub use format::format_all;
pub use manifest::compare as compare_manifests;
pub use refuse::{Reason, Refusal};
pub use rules::{Flavour, Hits, RULES, Rule, RuleId};
pub use transform::{Generated, Outcome, Source, transform};

//! The table of rules, and how often each has fired.

use std::fmt;

/// One of the two emitted crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    /// `kv-sync`, which blocks.
    Sync,
    /// `kv-async`, which awaits.
    Async,
}

impl Flavour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sync, Self::Async];

    /// The crate's name in code.
    #[must_use]
    pub fn ident(self) -> &'static str {
        match self {
            Self::Sync => "kv_sync",
            Self::Async => "kv_async",
        }
    }

    /// The crate's name as a package, and its folder.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Sync => "kv-sync",
            Self::Async => "kv-async",
        }
    }

    /// How the name of a file that only this flavour has ends.
    #[must_use]
    pub fn seam_ending(self) -> &'static str {
        match self {
            Self::Sync => "_sync.rs",
            Self::Async => "_async.rs",
        }
    }

    /// The other one.
    #[must_use]
    pub fn twin(self) -> Self {
        match self {
            Self::Sync => Self::Async,
            Self::Async => Self::Sync,
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync => "sync",
            Self::Async => "async",
        })
    }
}

/// Names the rules, in the order of [`RULES`].
#[allow(missing_docs, reason = "each is described in the table")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleId {
    AsyncTrait,
    MaybeAsync,
    Afit,
    ImplFuture,
    FutureImport,
    AsyncFn,
    Await,
    AsyncClosure,
    AsyncFnBound,
    Test,
    CfgAttr,
    SeamSwitch,
    SeamFile,
    CrateName,
    DocAwait,
    DocAsyncFn,
    DocMain,
    LoneLine,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which.
    pub id: RuleId,
    /// Its name in messages.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The flavours in which it changes something.
    pub flavours: &'static [Flavour],
    /// Why the source may do without it; a rule that is not optional must fire.
    pub optional: Option<&'static str>,
}

const BOTH: &[Flavour] = &Flavour::ALL;
const SYNC: &[Flavour] = &[Flavour::Sync];

const fn rule(id: RuleId, name: &'static str, flavours: &'static [Flavour], does: &'static str) -> Rule {
    Rule { id, name, does, flavours, optional: None }
}

const fn optional(rule: Rule, why: &'static str) -> Rule {
    Rule { optional: Some(why), ..rule }
}

/// Every rule.
pub const RULES: [Rule; 18] = [
    rule(
        RuleId::AsyncTrait,
        "async-trait",
        BOTH,
        "`#[maybe_async::maybe_async]` on a trait or an impl of one: `#[async_trait::async_trait]`, or nothing",
    ),
    rule(RuleId::MaybeAsync, "maybe-async", BOTH, "`#[maybe_async::maybe_async]` on an inherent impl or a fn: nothing"),
    rule(RuleId::Afit, "afit", BOTH, "`#[maybe_async::maybe_async(AFIT)]`: nothing"),
    rule(RuleId::ImplFuture, "impl-future", SYNC, "`-> impl Future<Output = T> + ..`: `-> T`"),
    optional(
        rule(RuleId::FutureImport, "future-import", SYNC, "`use std::future::Future;`: nothing"),
        "`Future` is in the prelude of edition 2024",
    ),
    rule(RuleId::AsyncFn, "async-fn", SYNC, "`async fn`: `fn`"),
    rule(RuleId::Await, "await", SYNC, "`.await`: nothing"),
    optional(
        rule(RuleId::AsyncClosure, "async-closure", SYNC, "`async |x|`: `|x|`"),
        "maybe-async cannot strip one yet, so the source may have to do without",
    ),
    optional(
        rule(RuleId::AsyncFnBound, "async-fn-bound", SYNC, "`AsyncFn`, `AsyncFnMut`, `AsyncFnOnce`: `Fn` and so on"),
        "useless without async closures, which maybe-async cannot strip yet",
    ),
    rule(RuleId::Test, "test", BOTH, "`#[maybe_async::test(..)]`: `#[test]` or `#[tokio::test]`"),
    rule(
        RuleId::CfgAttr,
        "cfg-attr",
        BOTH,
        "`#[cfg_attr(feature = \"is_sync\", X)]` and its negation: `#[X]` or nothing",
    ),
    rule(RuleId::SeamSwitch, "seam-switch", BOTH, "`path = \"x_sync.rs\"` in such a `cfg_attr`: nothing"),
    rule(RuleId::SeamFile, "seam-file", BOTH, "`x_sync.rs` and `x_async.rs`: `x.rs`, each in its flavour"),
    rule(RuleId::CrateName, "crate-name", BOTH, "`kv_source`: the crate's own name"),
    rule(RuleId::DocAwait, "doc-await", SYNC, "`.await` in a doc comment's code: nothing"),
    rule(RuleId::DocAsyncFn, "doc-async-fn", SYNC, "`async fn` in a doc comment's code: `fn`"),
    rule(RuleId::DocMain, "doc-main", SYNC, "`#[tokio::main]` in a doc comment's code: nothing"),
    rule(RuleId::LoneLine, "lone-line", BOTH, "a deleted attribute or import that stands alone takes its line with it"),
];

/// How often each rule has fired, by flavour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits([[usize; 2]; RULES.len()]);

impl Hits {
    pub(crate) fn count(&mut self, rule: RuleId, flavour: Flavour) {
        self.0[rule as usize][flavour as usize] += 1;
    }

    /// How often `rule` has fired for `flavour`.
    #[must_use]
    pub fn of(&self, rule: RuleId, flavour: Flavour) -> usize {
        self.0[rule as usize][flavour as usize]
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine += theirs;
        }
    }

    /// The rules, with the flavour, that should have fired and have not.
    pub fn unused(&self) -> impl Iterator<Item = (&'static Rule, Flavour)> {
        RULES
            .iter()
            .flat_map(|rule| rule.flavours.iter().map(move |flavour| (rule, *flavour)))
            .filter(|(rule, flavour)| rule.optional.is_none() && self.of(rule.id, *flavour) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_names() {
        for (index, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.id as usize, index, "{}", rule.name);
        }
    }

    #[test]
    fn a_rule_that_has_not_fired_is_named_for_each_flavour() {
        let mut hits = Hits::default();
        hits.count(RuleId::Afit, Flavour::Sync);
        let unused: Vec<_> = hits.unused().map(|(rule, flavour)| (rule.name, flavour)).collect();
        assert!(unused.contains(&("afit", Flavour::Async)));
        assert!(!unused.contains(&("afit", Flavour::Sync)));
        assert!(unused.contains(&("await", Flavour::Sync)));
        assert!(!unused.contains(&("await", Flavour::Async)), "it does nothing in that flavour");
        assert!(!unused.iter().any(|(name, _)| *name == "async-closure"), "it is optional");
    }
}

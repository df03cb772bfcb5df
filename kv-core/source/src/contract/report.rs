//! Running checks, and what came of them.

use std::fmt;

use super::subject::Subject;
use super::table::{CHECKS, Check};
use super::{side, table};

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store held it.
    Held,
    /// It does not apply: the store cannot do such things, or the subject does not help. The reason.
    Skipped(&'static str),
    /// The store does otherwise on purpose. The reason.
    Deviates(&'static str),
    /// The store failed it. What was wrong.
    Failed(String),
}

/// What came of all checks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The store, by its own description.
    pub store: String,
    /// The checks, in the order of the clauses.
    pub outcomes: Vec<(Check, Outcome)>,
}

impl Report {
    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the checks that were skipped.
    pub fn skipped(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    fn named(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        self.outcomes.iter().filter(|(_, outcome)| wanted(outcome)).map(|(check, _)| check.name).collect()
    }

    /// Panics with the whole report if a check failed.
    #[track_caller]
    pub fn assert_held(&self) {
        assert!(self.failed().is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.named(|outcome| *outcome == Outcome::Held).len();
        write!(f, "{}: {held} of {} checks held", self.store, self.outcomes.len())?;
        for (check, outcome) in &self.outcomes {
            match outcome {
                Outcome::Held => Ok(()),
                Outcome::Skipped(why) => write!(f, "\n  skipped  {}: {why}", check.name),
                Outcome::Deviates(why) => write!(f, "\n  deviates {}: {why}", check.name),
                Outcome::Failed(why) => write!(f, "\n  FAILED   {} ({}): {why}", check.name, check.clauses.join(", ")),
            }?;
        }
        Ok(())
    }
}

fn deviation(name: &str, subject: &dyn Subject) -> Option<&'static str> {
    let deviations = subject.deviations();
    for deviation in &deviations {
        assert!(table::find(deviation.check).is_some(), "a deviation names {}, which is no check", deviation.check);
    }
    deviations.iter().find(|deviation| deviation.check == name).map(|deviation| deviation.why)
}

/// Runs one check of [`CHECKS`], by its name.
///
/// # Panics
///
/// If there is no check of that name.
#[maybe_async::maybe_async]
pub async fn check(name: &str, subject: &dyn Subject) -> Outcome {
    if let Some(why) = deviation(name, subject) {
        return Outcome::Deviates(why);
    }
    match side::caught(name, subject).await {
        Ok(Ok(())) => Outcome::Held,
        Ok(Err(skipped)) => Outcome::Skipped(skipped.0),
        Err(message) => Outcome::Failed(message),
    }
}

/// Runs every check, whether others failed or not.
#[maybe_async::maybe_async]
pub async fn check_all(subject: &dyn Subject) -> Report {
    let mut outcomes = Vec::with_capacity(CHECKS.len());
    for one in CHECKS {
        outcomes.push((*one, check(one.name, subject).await));
    }
    let store = subject.open(&super::Setting::fresh()).describe().to_string();
    Report { store, outcomes }
}

/// Runs one check as a test: panics if it failed, and if it was skipped though `skips` does not name it, or was not
/// though it does. Without `skips` every skip is taken, and printed.
#[doc(hidden)]
#[maybe_async::maybe_async]
#[allow(clippy::print_stderr, reason = "a skip must be seen")]
pub async fn test(name: &'static str, subject: &dyn Subject, skips: Option<&[&str]>) {
    let outcome = check(name, subject).await;
    let may_skip = skips.is_none_or(|skips| skips.contains(&name));
    match outcome {
        Outcome::Failed(why) => panic!("{name} ({}): {why}", table::find(name).map_or("", |check| check.clauses[0])),
        Outcome::Skipped(why) if !may_skip => panic!("{name} was skipped: {why}"),
        Outcome::Skipped(why) => eprintln!("SKIPPED {name}: {why}"),
        Outcome::Deviates(why) => eprintln!("DEVIATES {name}: {why}"),
        Outcome::Held => {
            let stale = skips.is_some_and(|skips| skips.contains(&name));
            assert!(!stale, "{name} is named among the skips, and held");
        }
    }
}

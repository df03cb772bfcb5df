//! What a level is a constant for.

use std::time::Duration;

use kv_core::{Error, Operation, Tally};
use tracing::{Level, Span};

const TARGET: &str = "kv";

/// What is told of an operation that has ended.
pub(super) struct Done<'a> {
    pub(super) operation: Operation,
    pub(super) collection: Option<&'a str>,
    pub(super) keys: usize,
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    pub(super) error: Option<&'a Error>,
    pub(super) names: Option<Vec<String>>,
    pub(super) values: Option<Vec<String>>,
    pub(super) answered: Option<Vec<String>>,
}

macro_rules! at {
    ($level:expr, $one:ident) => {
        match $level {
            Level::ERROR => $one!(Level::ERROR),
            Level::WARN => $one!(Level::WARN),
            Level::INFO => $one!(Level::INFO),
            Level::DEBUG => $one!(Level::DEBUG),
            Level::TRACE => $one!(Level::TRACE),
        }
    };
}

pub(super) fn is_wanted(level: Level) -> bool {
    macro_rules! one {
        ($level:expr) => {
            tracing::enabled!(target: TARGET, $level)
        };
    }
    at!(level, one)
}

pub(super) fn span(level: Level, operation: Operation, collection: Option<&str>) -> Span {
    macro_rules! one {
        ($level:expr) => {
            tracing::span!(target: TARGET, $level, "kv", operation = operation.as_str(), collection)
        };
    }
    at!(level, one)
}

pub(super) fn done(level: Level, done: &Done<'_>) {
    let Tally { hits, misses, writes, deletes, errors, .. } = done.tally;
    let kind = done.error.map(|error| format!("{:?}", error.kind()));
    let names = done.names.as_ref().map(tracing::field::debug);
    let values = done.values.as_ref().map(tracing::field::debug);
    let answered = done.answered.as_ref().map(tracing::field::debug);
    macro_rules! one {
        ($level:expr) => {
            tracing::event!(
                target: TARGET,
                $level,
                operation = done.operation.as_str(),
                collection = done.collection,
                keys = done.keys as u64,
                hits,
                misses,
                writes,
                deletes,
                errors,
                elapsed_us = u64::try_from(done.elapsed.as_micros()).unwrap_or(u64::MAX),
                error_kind = kind.as_deref(),
                outcome_unknown = done.error.map(Error::outcome_unknown),
                names,
                values,
                answered,
                "done"
            )
        };
    }
    at!(level, one);
}

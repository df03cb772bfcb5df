//! To the recorder of the `metrics` facade.

use std::time::Duration;

use kv_core::{Operation, Tally};
use metrics::Unit;

const CALLS: &str = "kv_calls_total";
const HITS: &str = "kv_hits_total";
const MISSES: &str = "kv_misses_total";
const WRITES: &str = "kv_writes_total";
const DELETES: &str = "kv_deletes_total";
const ERRORS: &str = "kv_errors_total";
const DURATION: &str = "kv_call_duration_seconds";

pub(super) fn describe() {
    metrics::describe_counter!(
        CALLS,
        Unit::Count,
        "What was asked: keys for operations on keys, calls for the others."
    );
    metrics::describe_counter!(HITS, Unit::Count, "Live entries met.");
    metrics::describe_counter!(MISSES, Unit::Count, "Names without a live entry.");
    metrics::describe_counter!(WRITES, Unit::Count, "Records written.");
    metrics::describe_counter!(DELETES, Unit::Count, "Live entries removed.");
    metrics::describe_counter!(ERRORS, Unit::Count, "Errors answered.");
    metrics::describe_histogram!(DURATION, Unit::Seconds, "What calls took.");
}

pub(super) fn record(collection: Option<&str>, operation: Operation, tally: Tally, took: Duration) {
    let collection = collection.unwrap_or_default();
    let Tally { calls, hits, misses, writes, deletes, errors } = tally;
    for (name, number) in
        [(CALLS, calls), (HITS, hits), (MISSES, misses), (WRITES, writes), (DELETES, deletes), (ERRORS, errors)]
    {
        if number > 0 {
            let labels = [("operation", operation.as_str().into()), ("collection", collection.to_owned().into())];
            metrics::counter!(name, &labels as &[(&'static str, metrics::SharedString)]).increment(number);
        }
    }
    let labels = [("operation", operation.as_str().into()), ("collection", collection.to_owned().into())];
    metrics::histogram!(DURATION, &labels as &[(&'static str, metrics::SharedString)]).record(took);
}

#[cfg(test)]
mod tests;

//! Events and spans.

use std::time::Instant;

use kv_core::{Result, Tally, ValueRef};
use tracing::Level;

use super::request::Request;
use crate::store::Store;

mod emit;

#[cfg_attr(feature = "is_sync", path = "logging/within_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "logging/within_async.rs")]
mod within;

/// Tells a `tracing` subscriber of every operation: a span around it and an event when it has ended.
///
/// The span is `kv`, with `operation` and, where there is one, `collection`. The event has these fields, in the target
/// `kv`:
///
/// | field | |
/// | --- | --- |
/// | `operation` | its name: `get`, `put_many`, `increment`, ... |
/// | `collection` | where there is one |
/// | `keys` | how many keys it names |
/// | `hits`, `misses`, `writes`, `deletes`, `errors` | what came of it, as [`Tally`] counts them |
/// | `elapsed_us` | what it took, in microseconds |
/// | `error_kind`, `outcome_unknown` | of an error |
/// | `names` | the keys, if [asked for](Self::with_keys) |
/// | `values`, `answered` | the values that were sent and answered, if [asked for](Self::with_values_logged) |
///
/// Operations are told of at `DEBUG`, and those with an error at `WARN`, or at [other levels](Self::with_levels).
/// Neither keys nor values are told unless asked for, and error messages never are. A call that is dropped before it
/// ends closes its span and has no event.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::stores::MemoryStore;
/// use kv_source::wrappers::Logging;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(Logging::new(MemoryStore::new()).with_keys());
/// kv.put("k", &1).await?;
/// // DEBUG kv{operation="put" collection="default_collection"}: kv: done keys=1 writes=1 elapsed_us=3 names=["k"] ...
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// Where no subscriber wants either level, a comparison of two. Otherwise two readings of the system's clock, and what
/// the subscriber does.
///
/// # Order
///
/// It tells what reaches it, under the names it is given: around a cache what the program asked, within it what the
/// cache missed; around a retrying wrapper a call once, within it every attempt. What the wrappers within it tell
/// stands in its span. Wrong is to ask for values around encryption: plain text then stands in the log.
///
/// # Different from Python
///
/// Python logs the start and the end of a call as text, at `INFO`, and its values always: its `log_values` is never
/// asked.
#[derive(Debug, Clone)]
pub struct Logging<S> {
    store: S,
    level: Level,
    failures: Level,
    keys: bool,
    values: bool,
}

impl<S: Store> Logging<S> {
    /// This store, told of at `DEBUG`, and its errors at `WARN`.
    pub fn new(store: S) -> Self {
        Self { store, level: Level::DEBUG, failures: Level::WARN, keys: false, values: false }
    }

    /// Told of at this level, and operations with an error at that.
    #[must_use]
    pub fn with_levels(mut self, level: Level, failures: Level) -> Self {
        (self.level, self.failures) = (level, failures);
        self
    }

    /// With the keys. Keys often say who a program's users are.
    #[must_use]
    pub fn with_keys(mut self) -> Self {
        self.keys = true;
        self
    }

    /// With all values, sent and answered, whole, as they are: **whatever is secret in them stands in the log**.
    #[must_use]
    pub fn with_values_logged(mut self) -> Self {
        self.values = true;
        self
    }

    fn tell<R: Request>(&self, request: &R, answer: &Result<R::Answer>, tally: Tally, began: Instant) {
        let level = if tally.errors > 0 { self.failures } else { self.level };
        if !emit::is_wanted(level) {
            return;
        }
        let (mut values, mut answered) = (Vec::new(), Vec::new());
        if self.values {
            let text = |value: ValueRef<'_>| String::from_utf8_lossy(value.as_encoded()).into_owned();
            request.each_value(&mut |value| values.push(text(value)));
            if let Ok(answer) = answer {
                request.each_answered(answer, &mut |value| answered.push(text(value)));
            }
        }
        emit::done(
            level,
            &emit::Done {
                operation: request.operation(),
                collection: request.collection(),
                keys: request.keys(),
                tally,
                elapsed: began.elapsed(),
                error: answer.as_ref().err(),
                names: self.keys.then(|| {
                    let mut names = Vec::new();
                    request.each_key(&mut |key| names.push(key.to_owned()));
                    names
                }),
                values: Some(values).filter(|values| !values.is_empty()),
                answered: Some(answered).filter(|answered| !answered.is_empty()),
            },
        );
    }
}

#[maybe_async::maybe_async(AFIT)]
impl<S: Store> crate::wrappers::Around for Logging<S> {
    type Inner = S;
    const NAME: &'static str = "Logging";

    fn inner(&self) -> &S {
        &self.store
    }

    async fn around<R: Request>(&self, request: &R) -> Result<R::Answer> {
        if !emit::is_wanted(self.level) && !emit::is_wanted(self.failures) {
            return request.send(&self.store).await;
        }
        let span = emit::span(self.level, request.operation(), request.collection());
        let began = Instant::now();
        let answer = within::within(&span, request, &self.store).await;
        let tally = request.tally(&answer);
        span.in_scope(|| self.tell(request, &answer, tally, began));
        answer
    }
}

#[cfg(test)]
mod tests;

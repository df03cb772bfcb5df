//! What truly differs between the flavours, blocking.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::case::Held;
use super::subject::Subject;
use super::table::run;
use super::tasks::Task;
use crate::kv::Kv;

/// Runs a check; an error is what it panicked with.
pub(super) fn caught(name: &str, subject: &dyn Subject) -> Result<Held, String> {
    catch_unwind(AssertUnwindSafe(|| run(name, subject))).map_err(|payload| words(&*payload))
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Runs a task so many times at the same time; each is told its number and the handle of its turn.
pub(super) fn together<T: Task>(handles: &[Kv], count: usize, task: T) -> Vec<T::Output> {
    let task = Arc::new(task);
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let (kv, task) = (handles[number % handles.len()].clone(), Arc::clone(&task));
            std::thread::spawn(move || task.run(kv, number))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap_or_else(|payload| resume_unwind(payload))).collect()
}

/// Runs a task to its end: a blocking call cannot be dropped. Answers whether it could be.
pub(super) fn abandoned<T: Task>(kv: &Kv, _polls: usize, task: &T) -> bool {
    task.run(kv.clone(), 0);
    false
}

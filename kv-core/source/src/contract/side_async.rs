//! What truly differs between the flavours, awaiting.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;

use super::case::Held;
use super::subject::Subject;
use super::table::run;
use super::tasks::Task;
use crate::kv::Kv;

/// Runs a check; an error is what it panicked with.
pub(super) async fn caught(name: &str, subject: &dyn Subject) -> Result<Held, String> {
    let mut check = Box::pin(run(name, subject));
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(words(&*payload))),
    })
    .await
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Runs a task so many times at the same time; each is told its number and the handle of its turn.
pub(super) async fn together<T: Task>(handles: &[Kv], count: usize, task: T) -> Vec<T::Output> {
    let task = Arc::new(task);
    let running: Vec<_> = (0..count)
        .map(|number| {
            let (kv, task) = (handles[number % handles.len()].clone(), Arc::clone(&task));
            tokio::spawn(async move { task.run(kv, number).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(count);
    for one in running {
        answers.push(one.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
    }
    answers
}

/// Polls a task so many times and drops it, unless it ends before. Answers whether it was dropped.
pub(super) async fn abandoned<T: Task>(kv: &Kv, polls: usize, task: &T) -> bool {
    let mut future = Box::pin(task.run(kv.clone(), 0));
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(true);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending if left == 0 => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

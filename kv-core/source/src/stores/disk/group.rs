//! Writing: one transaction for all jobs that wait, one answer for each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kv_core::{Error, Result};
use rusqlite::Connection;

use super::connect::Opening;
use super::fault::Fault;

/// How many statements a job consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// At most one that writes, which is a transaction of its own.
    One,
    /// Several, which happen all or not at all.
    Many,
}

/// A job that waits for its turn. It may be run more than once; only the last run counts.
pub(crate) trait Job: Send {
    /// How many statements it consists of.
    fn steps(&self) -> Steps;

    /// Until when it may wait for a lock.
    fn deadline(&self) -> Instant;

    /// Asks, once, whether it is still wanted. From then on it cannot be taken back.
    fn start(&mut self) -> bool;

    /// Runs it, and keeps what it answers.
    fn attempt(&mut self, connection: &Connection) -> Result<(), Fault>;

    /// Tells whoever waits what the last run answered, or that it failed.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

/// The most jobs in one transaction, so that none waits for long.
const MOST: usize = 512;

/// The one connection that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    patience: Option<Duration>,
    path: PathBuf,
}

impl Writer {
    /// Opens the file. `None` if there is none and none is to be made.
    pub(crate) fn open(opening: &Opening, create: bool) -> Result<Option<Self>> {
        let connection = opening.writer(create)?;
        Ok(connection.map(|connection| Self { connection, patience: None, path: opening.path().to_owned() }))
    }

    /// Runs one job as one transaction.
    pub(crate) fn run_alone<T>(
        &mut self,
        steps: Steps,
        patience: Duration,
        job: &mut impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T> {
        self.alone(steps, patience, job).map_err(|fault| {
            let doubt = fault.leaves_doubt();
            let error = fault.into_error(&self.path, patience);
            if doubt { error.with_outcome_unknown() } else { error }
        })
    }

    fn alone<T>(
        &mut self,
        steps: Steps,
        patience: Duration,
        job: &mut impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.wait_for(patience)?;
        if steps == Steps::One {
            return job(&self.connection);
        }
        self.run("BEGIN IMMEDIATE")?;
        let outcome = job(&self.connection).and_then(|answer| self.run("COMMIT").map(|()| answer));
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }

    /// Runs all these jobs, in as few transactions as can be, and answers each when its writes are kept.
    pub(crate) fn run_all(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut jobs = jobs.into_iter();
        loop {
            let group: Vec<_> = jobs.by_ref().filter_map(|mut job| job.start().then_some(job)).take(MOST).collect();
            if group.is_empty() {
                return;
            }
            self.run_group(group);
        }
    }

    fn run_group(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let start = Instant::now();
        while jobs.len() > 1 {
            let soonest = jobs.iter().map(|job| job.deadline()).min().unwrap_or(start);
            match self.run_together(soonest, &mut jobs) {
                Ok(outcomes) => {
                    for (job, outcome) in jobs.into_iter().zip(outcomes) {
                        let path = &self.path;
                        job.answer(outcome.map_err(|fault| fault.into_error(path, start.elapsed())));
                    }
                    return;
                }
                Err(fault) if fault.is_busy() => {
                    let now = Instant::now();
                    let (late, rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.deadline() <= now);
                    for job in late {
                        let fault = Fault::Sqlite(rusqlite::Error::SqliteFailure(BUSY, None));
                        job.answer(Err(fault.into_error(&self.path, start.elapsed())));
                    }
                    jobs = rest;
                }
                // Whose fault it was is found out one by one.
                Err(_) => break,
            }
        }
        for mut job in jobs {
            let patience = job.deadline().saturating_duration_since(Instant::now());
            let outcome = self.run_alone(job.steps(), patience, &mut |connection| job.attempt(connection));
            job.answer(outcome);
        }
    }

    /// Runs all jobs in one transaction: what each came to, or why there was no transaction, and then nothing of any
    /// was kept.
    fn run_together(&mut self, deadline: Instant, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.wait_for(deadline.saturating_duration_since(Instant::now()))?;
        self.run("BEGIN IMMEDIATE")?;
        let mut together = || {
            let mut outcomes = Vec::with_capacity(jobs.len());
            for job in jobs.iter_mut() {
                let outcome = self.attempt_within(job.as_mut());
                if self.connection.is_autocommit() {
                    // The failure of one took the transaction of all with it.
                    return Err(outcome.err().unwrap_or(Fault::Sqlite(rusqlite::Error::InvalidQuery)));
                }
                outcomes.push(outcome);
            }
            self.run("COMMIT")?;
            Ok(outcomes)
        };
        let outcomes = together();
        if outcomes.is_err() {
            self.roll_back();
        }
        outcomes
    }

    /// Runs a job so that its failure undoes what it did, and only that.
    fn attempt_within(&self, job: &mut dyn Job) -> Result<(), Fault> {
        if job.steps() == Steps::One {
            // One statement undoes itself.
            return job.attempt(&self.connection);
        }
        self.run("SAVEPOINT job")?;
        let outcome = job.attempt(&self.connection);
        if outcome.is_err() && !self.connection.is_autocommit() {
            self.run("ROLLBACK TO job")?;
        }
        if !self.connection.is_autocommit() {
            self.run("RELEASE job")?;
        }
        outcome
    }

    fn run(&self, statement: &'static str) -> Result<(), Fault> {
        self.connection.prepare_cached(statement)?.execute(())?;
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Where even this fails, the next transaction will say so.
            let _ = self.run("ROLLBACK");
        }
    }

    fn wait_for(&mut self, patience: Duration) -> Result<(), Fault> {
        if self.patience != Some(patience) {
            self.connection.busy_timeout(patience)?;
            self.patience = Some(patience);
        }
        Ok(())
    }
}

const BUSY: rusqlite::ffi::Error =
    rusqlite::ffi::Error { code: rusqlite::ErrorCode::DatabaseBusy, extended_code: rusqlite::ffi::SQLITE_BUSY };

/// The error of a job that waited for its turn until its time was up.
pub(crate) fn waited_in_vain(opening: &Opening, waited: Duration) -> Error {
    Fault::Sqlite(rusqlite::Error::SqliteFailure(BUSY, None)).into_error(opening.path(), waited)
}

/// Tells all of them why none could be run.
pub(crate) fn refuse(jobs: Vec<Box<dyn Job>>, error: Error) {
    let (kind, message) = (error.kind(), error.message().to_owned());
    let mut error = Some(error);
    for job in jobs {
        let error = error.take().unwrap_or_else(|| Error::new(kind, message.clone()));
        job.answer(Err(error));
    }
}

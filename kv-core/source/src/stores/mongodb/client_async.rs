//! The client of a store, awaiting: one for each runtime, since what watches the servers are tasks of its runtime.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use kv_core::{Error, ErrorKind, Result};
use mongodb::action::{Find, RunCursorCommand};
use mongodb::bson::RawDocumentBuf;
use mongodb::options::ClientOptions;
use mongodb::raw_batch_cursor::RawBatch;
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::failure::{Failure, told};
use super::options::MongoOptions;
use crate::within::{Effect, Within, timed_out};

/// A client that the user has, of major version 3 of the crate `mongodb`.
///
/// It is for [`from_client_v3`](crate::Managed::from_client_v3). The other flavour takes its own form of one.
pub type SharedClient = mongodb::Client;

/// A client of the driver's, with the store's database.
pub(super) struct Line {
    pub(super) database: mongodb::Database,
    client: SharedClient,
    /// Whether the last request was answered, so that the next one need not find a server first.
    heard: AtomicBool,
}

impl Line {
    fn new(client: SharedClient, database: &str) -> Self {
        Self { database: client.database(database), client, heard: AtomicBool::new(false) }
    }

    /// The database for commands on the whole server.
    pub(super) fn admin(&self) -> mongodb::Database {
        self.client.database("admin")
    }
}

/// The client of a store.
pub(super) struct Client {
    kind: Kind,
    database: String,
    connect_timeout: Duration,
    response_timeout: Duration,
}

enum Kind {
    Own {
        options: Box<MongoOptions>,
        places: Mutex<Vec<(Id, Arc<Line>)>>,
    },
    /// Handed in: not ours to close.
    Lent(Arc<Line>),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Own { options, .. } => write!(f, "Client({}, {:?})", options.servers(), self.database),
            Kind::Lent(_) => write!(f, "Client(handed in, {:?})", self.database),
        }
    }
}

impl Client {
    /// More runtimes than that at one time connect anew when they take turns.
    const MOST_PLACES: usize = 8;

    /// No I/O.
    pub(super) fn new(options: &MongoOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            kind: Kind::Own { options: Box::new(options.clone()), places: Mutex::new(Vec::new()) },
            database: options.database.clone(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
        })
    }

    /// No I/O.
    pub(super) fn lent(client: SharedClient, database: &str) -> Self {
        Self {
            kind: Kind::Lent(Arc::new(Line::new(client, database))),
            database: database.to_owned(),
            connect_timeout: MongoOptions::DEFAULT_TIMEOUT,
            response_timeout: MongoOptions::DEFAULT_TIMEOUT,
        }
    }

    pub(super) fn database_name(&self) -> &str {
        &self.database
    }

    /// The client of this runtime, made if there is none. It contacts no server but that of names.
    pub(super) async fn line(&self, within: Within) -> Result<Arc<Line>> {
        let (options, places) = match &self.kind {
            Kind::Lent(line) => return Ok(Arc::clone(line)),
            Kind::Own { options, places } => (options, places),
        };
        let runtime = Handle::try_current().map(|handle| handle.id()).map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no Tokio runtime here, which this store is to be used in")
        })?;
        let here = |places: &[(Id, Arc<Line>)]| {
            places.iter().find(|place| place.0 == runtime).map(|place| Arc::clone(&place.1))
        };
        if let Some(line) = here(&places.lock()) {
            return Ok(line);
        }
        let line = Box::pin(self.make(options, within)).await?;
        let mut places = places.lock();
        if let Some(other) = here(&places) {
            return Ok(other);
        }
        // The first one is the oldest, most likely of a runtime that is gone.
        let dropped = (places.len() == Self::MOST_PLACES).then(|| places.remove(0));
        places.push((runtime, Arc::clone(&line)));
        drop(places);
        drop(dropped);
        Ok(line)
    }

    async fn make(&self, options: &MongoOptions, within: Within) -> Result<Arc<Line>> {
        let parsing = ClientOptions::parse(options.url()).into_future();
        let parsed = timeout(within.at_most(self.connect_timeout)?, parsing).await.map_err(|_| timed_out())?;
        let parsed = parsed.map_err(|error| told(&error, Effect::Read).into_error())?;
        let client = mongodb::Client::with_options(options.complete(parsed));
        let client = client.map_err(|error| told(&error, Effect::Read).into_error())?;
        Ok(Arc::new(Line::new(client, &self.database)))
    }

    /// Does it, and waits for it as long as it may take.
    pub(super) async fn attempt<T, A>(
        &self,
        line: &Line,
        action: A,
        effect: Effect,
        within: Within,
    ) -> Result<T, Failure>
    where
        T: Send,
        A: IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    {
        let answer = timeout(within.for_answer(self.usual(line))?, action.into_future()).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| told(&error, effect)),
            Err(_) => Err(effect.unanswered(timed_out()).into()),
        };
        note(line, &answer);
        answer
    }

    /// As [`attempt`](Self::attempt), where every failure is an error.
    pub(super) async fn run<T, A>(&self, line: &Line, action: A, effect: Effect, within: Within) -> Result<T>
    where
        T: Send,
        A: IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    {
        self.attempt(line, action, effect, within).await.map_err(Failure::into_error)
    }

    /// How long an action may take: an answer's time, and that of a connection if there may be none.
    fn usual(&self, line: &Line) -> Duration {
        match line.heard.load(Ordering::Relaxed) {
            true => self.response_timeout,
            false => self.response_timeout + self.connect_timeout,
        }
    }

    /// Reads what is found, or only what comes in the first answer.
    pub(super) async fn read(
        &self,
        line: &Line,
        find: Find<'_, RawDocumentBuf>,
        all: bool,
        within: Within,
    ) -> Result<Vec<RawBatch>> {
        let fetch = async {
            let mut cursor = find.batch().await?;
            let mut batches = Vec::with_capacity(1);
            while let Some(batch) = cursor.next().await {
                batches.push(batch?);
                if !all {
                    break;
                }
            }
            Ok(batches)
        };
        self.run(line, fetch, Effect::Read, within).await
    }

    /// Reads what a command answers as a cursor.
    pub(super) async fn read_command(
        &self,
        line: &Line,
        command: RunCursorCommand<'_>,
        effect: Effect,
        within: Within,
    ) -> Result<Vec<RawBatch>, Failure> {
        let fetch = async {
            let mut cursor = command.batch().await?;
            let mut batches = Vec::with_capacity(1);
            while let Some(batch) = cursor.next().await {
                batches.push(batch?);
            }
            Ok(batches)
        };
        self.attempt(line, fetch, effect, within).await
    }

    /// Closes what is not in use; what is in use closes when it is done.
    pub(super) async fn close(&self) {
        let Kind::Own { places, .. } = &self.kind else { return };
        let lines = std::mem::take(&mut *places.lock());
        for (_, line) in lines {
            if let Ok(line) = Arc::try_unwrap(line) {
                drop(line.database);
                // One of another runtime may wait for tasks that do not run any more.
                let _ = timeout(Duration::from_secs(1), line.client.shutdown().into_future()).await;
            }
        }
    }
}

fn note<T>(line: &Line, answer: &Result<T, Failure>) {
    let is_lost = |error: &Error| matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
    let heard = !matches!(answer, Err(Failure::Other(error)) if is_lost(error));
    // Read before written, so that the cache line stays shared.
    if line.heard.load(Ordering::Relaxed) != heard {
        line.heard.store(heard, Ordering::Relaxed);
    }
}

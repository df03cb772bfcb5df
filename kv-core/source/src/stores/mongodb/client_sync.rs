//! The client of a store, blocking: the driver's own blocking client, waited for on a runtime that all such stores share.

use std::fmt;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use kv_core::{Error, ErrorKind, Result};
use mongodb::action::{Find, RunCursorCommand};
use mongodb::bson::RawDocumentBuf;
use mongodb::options::ClientOptions;
use mongodb::raw_batch_cursor::RawBatch;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::failure::{Failure, told};
use super::options::MongoOptions;
use crate::flavour::outside_runtime;
use crate::within::{Effect, Within, timed_out};

/// A client that the user has, of major version 3 of the crate `mongodb`.
///
/// It is for [`from_client_v3`](crate::Managed::from_client_v3). The other flavour takes its own form of one.
pub type SharedClient = mongodb::sync::Client;

/// The driver's blocking calls have no time-out, and neither has its socket. So its actions, which are the same ones in
/// both of its flavours, are waited for here.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("kv-mongodb").enable_all().build()
});

fn runtime() -> Result<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| {
        Error::new(ErrorKind::Backend, "the system gives no thread for the client").with_source(error.to_string())
    })
}

/// A client of the driver's, with the store's database.
pub(super) struct Line {
    pub(super) database: mongodb::sync::Database,
    client: SharedClient,
    /// Whether the last request was answered, so that the next one need not find a server first.
    heard: AtomicBool,
}

impl Line {
    fn new(client: SharedClient, database: &str) -> Self {
        Self { database: client.database(database), client, heard: AtomicBool::new(false) }
    }

    /// The database for commands on the whole server.
    pub(super) fn admin(&self) -> mongodb::sync::Database {
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
        line: Mutex<Option<Arc<Line>>>,
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
    /// No I/O.
    pub(super) fn new(options: &MongoOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            kind: Kind::Own { options: Box::new(options.clone()), line: Mutex::new(None) },
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

    /// The client, made if there is none. It contacts no server but that of names.
    pub(super) fn line(&self, within: Within) -> Result<Arc<Line>> {
        let (options, place) = match &self.kind {
            Kind::Lent(line) => return Ok(Arc::clone(line)),
            Kind::Own { options, line } => (options, line),
        };
        if let Some(line) = &*place.lock() {
            return Ok(Arc::clone(line));
        }
        let allowed = within.at_most(self.connect_timeout)?;
        let client = outside_runtime(|| {
            runtime()?.block_on(async {
                let parsing = ClientOptions::parse(options.url()).into_future();
                let parsed = timeout(allowed, parsing).await.map_err(|_| timed_out())?;
                let parsed = parsed.map_err(|error| told(&error, Effect::Read).into_error())?;
                let client = mongodb::Client::with_options(options.complete(parsed));
                Ok(SharedClient::from(client.map_err(|error| told(&error, Effect::Read).into_error())?))
            })
        })?;
        let mut place = place.lock();
        Ok(Arc::clone(place.get_or_insert_with(|| Arc::new(Line::new(client, &self.database)))))
    }

    /// Does it, and waits for it as long as it may take.
    pub(super) fn attempt<T, A>(&self, line: &Line, action: A, effect: Effect, within: Within) -> Result<T, Failure>
    where
        T: Send,
        A: IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    {
        let allowed = within.for_answer(self.usual(line))?;
        let answer =
            outside_runtime(|| Ok(runtime()?.block_on(async { timeout(allowed, action.into_future()).await })))?;
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| told(&error, effect)),
            Err(_) => Err(effect.unanswered(timed_out()).into()),
        };
        note(line, &answer);
        answer
    }

    /// As [`attempt`](Self::attempt), where every failure is an error.
    pub(super) fn run<T, A>(&self, line: &Line, action: A, effect: Effect, within: Within) -> Result<T>
    where
        T: Send,
        A: IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    {
        self.attempt(line, action, effect, within).map_err(Failure::into_error)
    }

    /// How long an action may take: an answer's time, and that of a connection if there may be none.
    fn usual(&self, line: &Line) -> Duration {
        match line.heard.load(Ordering::Relaxed) {
            true => self.response_timeout,
            false => self.response_timeout + self.connect_timeout,
        }
    }

    /// Reads what is found, or only what comes in the first answer.
    pub(super) fn read(
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
        self.run(line, fetch, Effect::Read, within)
    }

    /// Reads what a command answers as a cursor.
    pub(super) fn read_command(
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
        self.attempt(line, fetch, effect, within)
    }

    /// Closes what is not in use; what is in use closes when it is done.
    pub(super) fn close(&self) {
        let Kind::Own { line, .. } = &self.kind else { return };
        let Some(line) = line.lock().take().and_then(Arc::into_inner) else { return };
        drop(line.database);
        let _ = outside_runtime(|| {
            let shutdown = async { timeout(Duration::from_secs(1), line.client.shutdown().into_future()).await };
            // What is not closed by then closes by itself.
            let _ = runtime()?.block_on(shutdown);
            Ok(())
        });
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

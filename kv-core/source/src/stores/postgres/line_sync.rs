//! One connection, blocking.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
/// Both flavours speak the protocol by this crate.
pub(super) use tokio_postgres as protocol;
use tokio_postgres::{Client, NoTls, Statement};
#[cfg(feature = "postgres-tls")]
pub(super) use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect::{Security, Settings, millis};
use super::failure::{Lost, told};
use super::params::{Answer, Request};
use crate::within::timed_out;

/// A connection, with the runtime of this thread's that drives it while a call waits, and the statements that it has
/// prepared.
///
/// It is the client that `postgres` wraps, and wrapped the same way. That one gives no call a time-out, and has no way to
/// give up one that waits.
pub(super) struct Line {
    /// Only taken to be ended.
    runtime: Option<Runtime>,
    client: Client,
    statements: Vec<Option<Statement>>,
    /// What the server was told last.
    statement_timeout: Option<Duration>,
}

impl Drop for Line {
    /// Without waiting, which it must not inside another runtime. The connection's task and its socket go along.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Line {
    pub(super) fn open(settings: &Settings, security: &Security, within: Duration) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Error::new(ErrorKind::Backend, "the system gave no event queue").with_source(error))?;
        let client = runtime.block_on(async { timeout(within, connect(settings, security)).await });
        let client = match client {
            Ok(Ok(client)) => client,
            failed => {
                runtime.shutdown_background();
                return Err(failed
                    .map_or_else(|_| timed_out(), |failed| failed.map_or_else(|error| told(&error), |_| timed_out())));
            }
        };
        let statement_timeout = settings.statement_timeout;
        Ok(Self { runtime: Some(runtime), client, statements: Vec::new(), statement_timeout })
    }

    /// Whether it is known to be gone, after a look at what has come in.
    pub(super) fn is_closed(&self) -> bool {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async {
                // The first lets the runtime look, the second lets the connection's task read.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            });
        }
        self.client.is_closed()
    }

    pub(super) fn ask(&mut self, request: &Request<'_>, settings: &Settings, within: Duration) -> Result<Answer, Lost> {
        let Self { runtime, client, statements, statement_timeout } = self;
        let Some(runtime) = runtime else { return Err(Lost::TimedOut) };
        let mut exchange = Exchange { client, statements, statement_timeout };
        runtime.block_on(async {
            timeout(within, exchange.ask(request, settings, within)).await.unwrap_or(Err(Lost::TimedOut))
        })
    }

    pub(super) fn script(&mut self, sql: &str, within: Duration) -> Result<(), Lost> {
        let Some(runtime) = &self.runtime else { return Err(Lost::TimedOut) };
        runtime.block_on(async {
            timeout(within, self.client.batch_execute(sql)).await.map_err(|_| Lost::TimedOut)?.map_err(Lost::Says)
        })
    }
}

async fn connect(settings: &Settings, security: &Security) -> Result<Client, tokio_postgres::Error> {
    match security {
        Security::Plain => {
            let (client, connection) = settings.config.connect(NoTls).await?;
            // What ends it shows in the calls that wait.
            tokio::spawn(async { drop(connection.await) });
            Ok(client)
        }
        #[cfg(feature = "postgres-tls")]
        Security::Tls(tls) => {
            let (client, connection) = settings.config.connect((**tls).clone()).await?;
            tokio::spawn(async { drop(connection.await) });
            Ok(client)
        }
    }
}

/// What a call has of its connection.
struct Exchange<'l> {
    client: &'l Client,
    statements: &'l mut Vec<Option<Statement>>,
    statement_timeout: &'l mut Option<Duration>,
}

impl Exchange<'_> {
    async fn ask(&mut self, request: &Request<'_>, settings: &Settings, within: Duration) -> Result<Answer, Lost> {
        let wanted = settings.statement_timeout_for(within);
        if wanted != *self.statement_timeout
            && let Some(wanted) = wanted
        {
            self.client.batch_execute(&format!("SET statement_timeout = {}", millis(wanted))).await?;
            *self.statement_timeout = Some(wanted);
        }
        if settings.pooler {
            return self.unprepared(request).await;
        }
        match self.prepared(request).await {
            Err(lost) if lost.is_forgotten() => {
                self.statements.clear();
                self.prepared(request).await
            }
            answer => answer,
        }
    }

    async fn prepared(&mut self, request: &Request<'_>) -> Result<Answer, Lost> {
        if self.statements.len() <= request.number {
            self.statements.resize(request.number + 1, None);
        }
        let statement = match &self.statements[request.number] {
            Some(statement) => statement,
            None => {
                let statement = self.client.prepare_typed(request.sql, &request.types()).await;
                let statement = statement.map_err(Lost::Unsent)?;
                self.statements[request.number].insert(statement)
            }
        };
        let params = request.plain();
        if request.gives_rows() {
            return Ok(Answer { rows: self.client.query(statement, &params).await?, written: 0 });
        }
        Ok(Answer { rows: Vec::new(), written: self.client.execute(statement, &params).await? })
    }

    /// Without a name for the statement, which is parsed anew.
    async fn unprepared(&self, request: &Request<'_>) -> Result<Answer, Lost> {
        let params = request.typed();
        if request.gives_rows() {
            return Ok(Answer { rows: self.client.query_typed(request.sql, &params).await?, written: 0 });
        }
        Ok(Answer { rows: Vec::new(), written: self.client.execute_typed(request.sql, &params).await? })
    }
}

//! One connection, awaiting.

use std::pin::pin;
use std::time::Duration;

use kv_core::Result;
use tokio::task::AbortHandle;
use tokio::time::timeout;
/// Both flavours speak the protocol by this crate.
pub(super) use tokio_postgres as protocol;
use tokio_postgres::{Client, NoTls, Statement};
#[cfg(feature = "postgres-tls")]
pub(super) use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect::{Security, Settings, millis};
use super::failure::{Lost, told};
use super::params::{Answer, Request};
use crate::flavour::Alarm;
use crate::within::timed_out;

/// A connection, with the task that reads it and the statements that it has prepared.
pub(super) struct Line {
    task: AbortHandle,
    alarm: Alarm,
    session: Session,
}

struct Session {
    client: Client,
    statements: Vec<Option<Statement>>,
    /// What the server was told last.
    statement_timeout: Option<Duration>,
}

impl Drop for Line {
    /// An answer that nobody waits for any more may never come.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    pub(super) async fn open(settings: &Settings, security: &Security, within: Duration) -> Result<Self> {
        let line = timeout(within, Self::connect(settings, security)).await.map_err(|_| timed_out())?;
        line.map_err(|error| told(&error))
    }

    async fn connect(settings: &Settings, security: &Security) -> Result<Self, tokio_postgres::Error> {
        let (client, task) = match security {
            Security::Plain => {
                let (client, connection) = settings.config.connect(NoTls).await?;
                // What ends it shows in the calls that wait.
                (client, tokio::spawn(async { drop(connection.await) }))
            }
            #[cfg(feature = "postgres-tls")]
            Security::Tls(tls) => {
                let (client, connection) = settings.config.connect((**tls).clone()).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
        };
        let statement_timeout = settings.statement_timeout;
        let session = Session { client, statements: Vec::new(), statement_timeout };
        Ok(Self { task: task.abort_handle(), alarm: Alarm::default(), session })
    }

    /// Whether it is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.session.client.is_closed()
    }

    pub(super) async fn ask(
        &mut self,
        request: &Request<'_>,
        settings: &Settings,
        within: Duration,
    ) -> Result<Answer, Lost> {
        let answer = pin!(self.session.exchange(request, settings, within));
        self.alarm.within(within, answer).await.unwrap_or(Err(Lost::TimedOut))
    }

    pub(super) async fn script(&mut self, sql: &str, within: Duration) -> Result<(), Lost> {
        let answer = timeout(within, self.session.client.batch_execute(sql)).await;
        answer.map_err(|_| Lost::TimedOut)?.map_err(Lost::Says)
    }
}

impl Session {
    async fn exchange(&mut self, request: &Request<'_>, settings: &Settings, within: Duration) -> Result<Answer, Lost> {
        let wanted = settings.statement_timeout_for(within);
        if wanted != self.statement_timeout
            && let Some(wanted) = wanted
        {
            self.client.batch_execute(&format!("SET statement_timeout = {}", millis(wanted))).await?;
            self.statement_timeout = Some(wanted);
        }
        if settings.pooler {
            return unprepared(&self.client, request).await;
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
}

/// Without a name for the statement, which is parsed anew.
pub(super) async fn unprepared(client: &Client, request: &Request<'_>) -> Result<Answer, Lost> {
    let params = request.typed();
    if request.gives_rows() {
        return Ok(Answer { rows: client.query_typed(request.sql, &params).await?, written: 0 });
    }
    Ok(Answer { rows: Vec::new(), written: client.execute_typed(request.sql, &params).await? })
}

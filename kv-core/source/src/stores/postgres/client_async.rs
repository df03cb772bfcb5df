//! The client of a store, awaiting.

use std::fmt;

use deadpool_postgres::{Object, Pool, PoolError};
use kv_core::{Error, ErrorKind, Result};
use tokio::time::timeout;

use super::connect::Settings;
use super::connections::Connections;
use super::failure::{Lost, told};
use super::line::unprepared;
use super::params::{Answer, Request};
use crate::within::{Effect, Within, timed_out};

/// A pool that the user has, of version 0.14 of the crate `deadpool-postgres` (and so 0.7 of `tokio-postgres`).
///
/// It is for [`from_pool_v0`](crate::Managed::from_pool_v0). The other flavour takes its own form of one.
pub struct SharedPool(Pool);

impl From<Pool> for SharedPool {
    fn from(pool: Pool) -> Self {
        Self(pool)
    }
}

impl fmt::Debug for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPool")
    }
}

/// The client of a store.
pub(super) enum Client {
    Own(Box<Connections>),
    /// Handed in: its connections are not ours to close.
    Lent(SharedPool, Box<Settings>),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => write!(f, "Client({})", own.settings().address),
            Self::Lent(..) => f.write_str("Client(handed in)"),
        }
    }
}

/// A connection of somebody else's pool. One on which an answer is outstanding does not go back.
struct Borrowed(Option<Object>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl Client {
    /// No I/O.
    pub(super) fn new(settings: Settings) -> Self {
        Self::Own(Box::new(Connections::new(settings)))
    }

    /// No I/O.
    pub(super) fn lent(pool: SharedPool, settings: Settings) -> Self {
        Self::Lent(pool, Box::new(settings))
    }

    /// Sends and waits for the answer.
    pub(super) async fn ask(&self, request: &Request<'_>, effect: Effect, within: Within) -> Result<Answer> {
        match self {
            Self::Own(own) => own.ask(request, effect, within).await,
            Self::Lent(pool, settings) => {
                let mut answer = borrow(&pool.0, request, settings, within).await?;
                if answer.as_ref().is_err_and(|lost| lost.is_broken() && (effect == Effect::Read || lost.is_unsent())) {
                    answer = borrow(&pool.0, request, settings, within).await?;
                }
                answer.map_err(|lost| lost.told(effect))
            }
        }
    }

    /// Runs several statements in one transaction.
    pub(super) async fn script(&self, sql: &str, within: Within) -> Result<()> {
        match self {
            Self::Own(own) => own.script(sql, within).await,
            Self::Lent(pool, settings) => {
                let mut borrowed = Borrowed(Some(get(&pool.0, settings, within).await?));
                let Some(client) = &borrowed.0 else { return Err(timed_out()) };
                let patience = within.for_answer(settings.response_timeout)?;
                let answer = timeout(patience, client.batch_execute(sql)).await.map_err(|_| timed_out())?;
                drop(borrowed.0.take());
                answer.map_err(|error| told(&error))
            }
        }
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) async fn close(&self) {
        if let Self::Own(own) = self {
            own.close();
        }
    }
}

async fn get(pool: &Pool, settings: &Settings, within: Within) -> Result<Object> {
    let got = timeout(within.at_most(settings.connect_timeout)?, pool.get()).await.map_err(|_| timed_out())?;
    got.map_err(|error| match error {
        PoolError::Timeout(_) => timed_out(),
        PoolError::Backend(error) => told(&error),
        PoolError::Closed => Error::new(ErrorKind::Connection, "the pool that was handed in is closed"),
        _ => Error::new(ErrorKind::Connection, "the pool that was handed in gave no connection"),
    })
}

/// The outer error: nothing was sent.
async fn borrow(
    pool: &Pool,
    request: &Request<'_>,
    settings: &Settings,
    within: Within,
) -> Result<Result<Answer, Lost>> {
    let mut borrowed = Borrowed(Some(get(pool, settings, within).await?));
    let Some(object) = &borrowed.0 else { return Err(timed_out()) };
    let patience = within.for_answer(settings.response_timeout)?;
    let Ok(answer) = timeout(patience, exchange(object, request, settings)).await else {
        return Ok(Err(Lost::TimedOut));
    };
    drop(borrowed.0.take());
    Ok(answer)
}

async fn exchange(object: &Object, request: &Request<'_>, settings: &Settings) -> Result<Answer, Lost> {
    if settings.pooler {
        return unprepared(object, request).await;
    }
    match prepared(object, request).await {
        Err(lost) if lost.is_forgotten() => {
            object.statement_cache.clear();
            prepared(object, request).await
        }
        answer => answer,
    }
}

async fn prepared(object: &Object, request: &Request<'_>) -> Result<Answer, Lost> {
    let statement = object.prepare_typed_cached(request.sql, &request.types()).await.map_err(Lost::Unsent)?;
    let params = request.plain();
    if request.gives_rows() {
        return Ok(Answer { rows: object.query(&statement, &params).await?, written: 0 });
    }
    Ok(Answer { rows: Vec::new(), written: object.execute(&statement, &params).await? })
}

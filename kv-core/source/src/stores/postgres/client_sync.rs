//! The client of a store, blocking.

use std::borrow::Cow;
use std::fmt;
use std::ops::DerefMut;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use kv_core::formats::postgres::Query;
use kv_core::{Error, ErrorKind, Result};

use super::connect::Settings;
use super::connections::Connections;
use super::failure::Lost;
use super::params::{Answer, Param, Request};
use crate::flavour::outside_runtime;
use crate::within::{Effect, Within};

/// A pool that the user has: of version 0.8 of the crate `r2d2`, with connections of version 0.19 of `postgres`.
///
/// It is for [`from_pool_v0`](crate::Managed::from_pool_v0). The other flavour takes its own form of one.
pub struct SharedPool(Arc<dyn Lend>);

impl<M: r2d2::ManageConnection<Connection = postgres::Client>> From<r2d2::Pool<M>> for SharedPool {
    fn from(pool: r2d2::Pool<M>) -> Self {
        Self(Arc::new(pool))
    }
}

impl fmt::Debug for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPool")
    }
}

/// A pool of any manager.
trait Lend: Send + Sync {
    fn lend(&self, within: Duration) -> Result<Box<dyn DerefMut<Target = postgres::Client>>>;
}

impl<M: r2d2::ManageConnection<Connection = postgres::Client>> Lend for r2d2::Pool<M> {
    fn lend(&self, within: Duration) -> Result<Box<dyn DerefMut<Target = postgres::Client>>> {
        match self.get_timeout(within) {
            Ok(connection) => Ok(Box::new(connection)),
            // The error's text is the client's own, of the last attempt to connect, and holds no value.
            Err(error) => {
                let says = error.to_string();
                Err(match says.contains("authentication") || says.contains("password") {
                    true => Error::new(ErrorKind::PermissionDenied, "the server refused the user or the password"),
                    false => Error::new(ErrorKind::Connection, "the pool gave no connection").with_source(says),
                })
            }
        }
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
    pub(super) fn ask(&self, request: &Request<'_>, effect: Effect, within: Within) -> Result<Answer> {
        match self {
            Self::Own(own) => outside_runtime(|| own.ask(request, effect, within)),
            Self::Lent(pool, settings) => {
                let ask = || borrow(pool, Work::of(request), settings, within);
                let mut answer = ask()?;
                if effect == Effect::Read && answer.as_ref().is_err_and(Lost::is_broken) {
                    answer = ask()?;
                }
                answer.map_err(|lost| lost.told(effect))
            }
        }
    }

    /// Runs several statements in one transaction.
    pub(super) fn script(&self, sql: &str, within: Within) -> Result<()> {
        match self {
            Self::Own(own) => outside_runtime(|| own.script(sql, within)),
            Self::Lent(pool, settings) => {
                let answer = borrow(pool, Work::Script(sql.to_owned()), settings, within)?;
                answer.map(drop).map_err(|lost| lost.told(Effect::Read))
            }
        }
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        if let Self::Own(own) = self {
            own.close();
        }
    }
}

/// What another thread does.
enum Work {
    Request(Query, String, Vec<Param<'static>>),
    Script(String),
}

impl Work {
    fn of(request: &Request<'_>) -> Self {
        let params = request.params.iter().cloned().map(into_owned).collect();
        Self::Request(request.query, request.sql.to_owned(), params)
    }

    fn run(self, client: &mut postgres::Client) -> Result<Answer, Lost> {
        match self {
            Self::Script(sql) => {
                client.batch_execute(&sql)?;
                Ok(Answer::default())
            }
            Self::Request(query, sql, params) => {
                let request = Request { query, sql: &sql, number: 0, params };
                let params = request.typed();
                if request.gives_rows() {
                    return Ok(Answer { rows: client.query_typed(&sql, &params)?, written: 0 });
                }
                Ok(Answer { rows: Vec::new(), written: client.execute_typed(&sql, &params)? })
            }
        }
    }
}

/// A parameter that may go to another thread.
fn into_owned(param: Param<'_>) -> Param<'static> {
    match param {
        Param::Text(text) => Param::Text(owned(text)),
        Param::OptionalText(text) => Param::OptionalText(text.map(owned)),
        Param::Bytes(bytes) => Param::Bytes(bytes.map(owned)),
        Param::Json(text) => Param::Json(owned(text)),
        Param::Number(number) => Param::Number(number),
        Param::Instant(instant) => Param::Instant(instant),
        Param::Seconds(seconds) => Param::Seconds(seconds),
        Param::Transaction(number) => Param::Transaction(number),
        Param::Texts(texts) => Param::Texts(texts.into_iter().map(|text| text.map(owned)).collect()),
        Param::ManyBytes(many) => Param::ManyBytes(many.into_iter().map(|bytes| bytes.map(owned)).collect()),
        Param::Jsons(texts) => Param::Jsons(texts.into_iter().map(owned).collect()),
        Param::Numbers(numbers) => Param::Numbers(numbers),
        Param::Instants(instants) => Param::Instants(instants),
        Param::ManySeconds(seconds) => Param::ManySeconds(seconds),
    }
}

fn owned<T: ToOwned + ?Sized + 'static>(value: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(value.into_owned())
}

/// The outer error: nothing was sent.
///
/// The client knows no time-out of an answer. So another thread waits for it, and keeps the connection out of the pool
/// until it has come, or the connection breaks.
fn borrow(pool: &SharedPool, work: Work, settings: &Settings, within: Within) -> Result<Result<Answer, Lost>> {
    let (gives, answers) = mpsc::sync_channel(1);
    let pool = Arc::clone(&pool.0);
    let to_connect = within.at_most(settings.connect_timeout)?;
    let waits = move || {
        let mut connection = match pool.lend(to_connect) {
            Ok(connection) => connection,
            Err(error) => {
                // The one who asked may have gone.
                let _ = gives.send(Err(error));
                return;
            }
        };
        let answer = work.run(&mut connection);
        drop(connection);
        let _ = gives.send(Ok(answer));
    };
    let thread = std::thread::Builder::new().name("kv-call".to_owned()).spawn(waits);
    thread.map_err(|error| Error::new(ErrorKind::Backend, "no thread for a call").with_source(error))?;
    // To be lent a connection is part of the call here.
    let patience = within.for_answer(settings.response_timeout)?;
    match answers.recv_timeout(patience) {
        Ok(answer) => answer,
        Err(_) => Ok(Err(Lost::TimedOut)),
    }
}

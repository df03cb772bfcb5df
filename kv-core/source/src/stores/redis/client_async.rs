//! The connection to the server, awaiting: one, on which calls do not wait for each other.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::failure::{Effect, is_broken, told, unanswered};
use super::options::RedisOptions;
use super::within::{STALE, Within};

/// A client that the user has: a connection that mends itself, of major version 1 of the crate `redis`.
pub type SharedClient = ConnectionManager;

/// What is sent: a command, or several in one write.
pub(super) trait Request: Sync {
    type Answer: Send;

    /// Sends it and reads the answer. Errors of the server are values.
    fn send<C: ConnectionLike + Send>(
        &self,
        connection: &mut C,
    ) -> impl Future<Output = RedisResult<Self::Answer>> + Send;
}

impl Request for Cmd {
    type Answer = Value;

    async fn send<C: ConnectionLike + Send>(&self, connection: &mut C) -> RedisResult<Value> {
        connection.req_packed_command(self).await
    }
}

impl Request for Pipeline {
    type Answer = Vec<Value>;

    async fn send<C: ConnectionLike + Send>(&self, connection: &mut C) -> RedisResult<Vec<Value>> {
        connection.req_packed_commands(self, 0, self.len()).await
    }
}

/// The client of a store.
pub(super) enum Client {
    Own(Box<Lines>),
    /// Handed in: not ours to close, and it reconnects by itself.
    Lent { manager: SharedClient, timeout: Duration },
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(lines) => write!(f, "Client({})", lines.address),
            Self::Lent { .. } => f.write_str("Client(handed in)"),
        }
    }
}

impl Client {
    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        // Answers are timed here, by what the call says.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        Ok(Self::Own(Box::new(Lines {
            client: options.client()?,
            config,
            address: options.endpoint.to_string(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            places: Mutex::new(Vec::new()),
            began: Instant::now(),
        })))
    }

    /// No I/O.
    pub(super) fn lent(manager: SharedClient) -> Self {
        Self::Lent { manager, timeout: RedisOptions::DEFAULT_TIMEOUT }
    }

    /// Makes a first connection, if there is none.
    pub(super) async fn open(&self) -> Result<()> {
        match self {
            Self::Own(lines) => {
                let place = lines.place()?;
                lines.line(&place, Within::new(None)).await.map(drop)
            }
            Self::Lent { .. } => Ok(()),
        }
    }

    /// Sends and waits for the answer.
    pub(super) async fn ask<R: Request>(&self, request: &R, effect: Effect, within: Within) -> Result<R::Answer> {
        match self {
            Self::Own(lines) => lines.ask(request, effect, within).await,
            Self::Lent { manager, timeout } => {
                let mut manager = manager.clone();
                let answer = in_time(request.send(&mut manager), within.for_answer(*timeout)?).await;
                match answer {
                    Err(error) if is_broken(&error) && effect == Effect::Read => {
                        // It has begun to reconnect.
                        let answer = in_time(request.send(&mut manager), within.for_answer(*timeout)?).await;
                        answer.map_err(|error| told(&error))
                    }
                    answer => answer.map_err(|error| unanswered(&error, effect)),
                }
            }
        }
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) async fn close(&self) {
        if let Self::Own(lines) = self {
            let places = std::mem::take(&mut *lines.places.lock());
            drop(places);
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>, within: Duration) -> RedisResult<T> {
    let elapsed = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    timeout(within, answer).await.map_err(elapsed)?
}

/// A connection for each runtime that the store is used in: it is a task of its runtime, and ends with it.
pub(super) struct Lines {
    client: redis::Client,
    config: AsyncConnectionConfig,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    places: Mutex<Vec<Arc<Place>>>,
    began: Instant,
}

/// A runtime's connection.
struct Place {
    runtime: Id,
    line: Mutex<Option<Line>>,
    /// Held while it is made, by one for all. A runtime that stops with it held keeps no other one waiting.
    making: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    /// When an answer last came over it, in microseconds of the store's life.
    heard: Arc<AtomicU64>,
    /// Whether it has just been made for this call.
    is_new: bool,
}

impl Lines {
    /// More runtimes than that at one time connect anew when they take turns.
    const MOST_PLACES: usize = 8;

    fn place(&self) -> Result<Arc<Place>> {
        let runtime = Handle::try_current().map(|handle| handle.id()).map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no Tokio runtime here, which this store is to be used in")
        })?;
        let mut places = self.places.lock();
        if let Some(place) = places.iter().find(|place| place.runtime == runtime) {
            return Ok(Arc::clone(place));
        }
        let place = Place { runtime, line: Mutex::new(None), making: tokio::sync::Mutex::new(()) };
        let place = Arc::new(place);
        // The first one is the oldest, most likely of a runtime that is gone.
        let dropped = (places.len() == Self::MOST_PLACES).then(|| places.remove(0));
        places.push(Arc::clone(&place));
        drop(places);
        drop(dropped);
        Ok(place)
    }

    async fn line(&self, place: &Place, within: Within) -> Result<Line> {
        let current = place.line.lock().clone();
        match current {
            Some(line) => Ok(line),
            None => Box::pin(self.connect(place, within)).await,
        }
    }

    async fn connect(&self, place: &Place, within: Within) -> Result<Line> {
        let connecting = within.at_most(self.connect_timeout)?;
        let made = timeout(connecting, async {
            let _one_for_all = place.making.lock().await;
            let current = place.line.lock().clone();
            if let Some(line) = current {
                return Ok(line);
            }
            let connection = self.client.get_multiplexed_async_connection_with_config(&self.config).await;
            let connection = connection.map_err(|error| told(&error))?;
            let heard = Arc::new(AtomicU64::new(self.micros()));
            let line = Line { connection, heard, is_new: false };
            *place.line.lock() = Some(line.clone());
            Ok(Line { is_new: true, ..line })
        });
        made.await.map_err(|_| Error::new(ErrorKind::Timeout, "the server took too long to connect to"))?
    }

    async fn ask<R: Request>(&self, request: &R, effect: Effect, within: Within) -> Result<R::Answer> {
        let place = self.place()?;
        let mut line = self.line(&place, within).await?;
        let stale = !line.is_new && self.silence(&line) >= STALE;
        if stale && effect == Effect::Change {
            let ping = redis::cmd("PING");
            if self.exchange(&place, &mut line, &ping, within).await?.is_err() {
                self.forget(&place, &line);
                line = self.line(&place, within).await?;
            }
        }
        let may_repeat = match effect {
            Effect::Read => true,
            Effect::Put => stale,
            Effect::Change => false,
        };
        match self.exchange(&place, &mut line, request, within).await? {
            Err(error) if may_repeat && is_broken(&error) => {
                let lost = |later: Error| if effect == Effect::Read { later } else { later.with_outcome_unknown() };
                line = self.line(&place, within).await.map_err(lost)?;
                let answer = self.exchange(&place, &mut line, request, within).await.map_err(lost)?;
                answer.map_err(|error| unanswered(&error, effect))
            }
            answer => answer.map_err(|error| unanswered(&error, effect)),
        }
    }

    /// The outer error: nothing was sent.
    async fn exchange<R: Request>(
        &self,
        place: &Place,
        line: &mut Line,
        request: &R,
        within: Within,
    ) -> Result<RedisResult<R::Answer>> {
        let waiting = within.for_answer(self.response_timeout)?;
        let answer = in_time(request.send(&mut line.connection), waiting).await;
        match &answer {
            Ok(_) => line.heard.store(self.micros(), Ordering::Relaxed),
            // Nothing at all came for so long: the network may have lost the connection without a word. A connection
            // that answers others, or was given up on early, stays.
            Err(error) if error.is_timeout() && self.silence(line) < self.response_timeout => {}
            Err(_) => self.forget(place, line),
        }
        Ok(answer)
    }

    /// Makes the next call connect anew, unless it would already. Calls that wait for answers on this one go on.
    fn forget(&self, place: &Place, line: &Line) {
        let mut current = place.line.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.heard, &line.heard)) {
            let dropped = current.take();
            drop(current);
            drop(dropped);
        }
    }

    fn silence(&self, line: &Line) -> Duration {
        Duration::from_micros(self.micros().saturating_sub(line.heard.load(Ordering::Relaxed)))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}


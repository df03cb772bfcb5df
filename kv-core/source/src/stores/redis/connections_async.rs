//! The connections to the server, awaiting: one for each runtime, on which calls do not wait for each other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, RedisError, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::commands::Commands;
use super::failure::{is_broken, told, unanswered};
use super::options::RedisOptions;
use crate::within::Effect;
use crate::within::{STALE, Within};

pub(super) async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>, within: Duration) -> RedisResult<T> {
    let elapsed = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    timeout(within, answer).await.map_err(elapsed)?
}

/// A connection for each runtime that the store is used in: it is a task of its runtime, and ends with it.
pub(super) struct Connections {
    client: redis::Client,
    config: AsyncConnectionConfig,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    places: Mutex<Vec<Place>>,
    began: Instant,
}

/// A runtime's connection.
struct Place {
    runtime: Id,
    line: Option<Line>,
    /// Held while it is made, by one for all. A runtime that stops with it held keeps no other one waiting.
    making: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    state: Arc<LineState>,
}

struct LineState {
    /// The calls that wait for answers.
    asking: Arc<AtomicUsize>,
    /// When an answer last came over it, in microseconds of the store's life.
    heard: AtomicU64,
    /// The task that writes and reads, where the client does not look after it itself.
    task: Option<AbortHandle>,
}

impl Drop for LineState {
    /// No call waits for an answer any more: the task must not, for one that never comes.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Connections {
    /// More runtimes than that at one time connect anew when they take turns.
    const MOST_PLACES: usize = 8;

    /// No I/O.
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        // Answers are timed here, by what the call says. In a shorter queue many tasks would wait for room.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(1024);
        Ok(Self {
            client: options.client()?,
            config,
            address: options.endpoint.to_string(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            places: Mutex::new(Vec::new()),
            began: Instant::now(),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Makes the first one, if there is none.
    pub(super) async fn open(&self) -> Result<()> {
        let (runtime, line) = self.here()?;
        if line.is_none() {
            self.connect(runtime, Within::new(None)).await?;
        }
        Ok(())
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub(super) fn close(&self) {
        let places = std::mem::take(&mut *self.places.lock());
        drop(places);
    }

    /// This runtime, and its connection if there is one.
    fn here(&self) -> Result<(Id, Option<Line>)> {
        let runtime = Handle::try_current().map(|handle| handle.id()).map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no Tokio runtime here, which this store is to be used in")
        })?;
        let places = self.places.lock();
        let place = places.iter().find(|place| place.runtime == runtime);
        Ok((runtime, place.and_then(|place| place.line.clone())))
    }

    /// The lock under which a runtime's connection is made.
    fn making(&self, runtime: Id) -> Arc<tokio::sync::Mutex<()>> {
        let mut places = self.places.lock();
        if let Some(place) = places.iter().find(|place| place.runtime == runtime) {
            return Arc::clone(&place.making);
        }
        let making = Arc::default();
        // The first one is the oldest, most likely of a runtime that is gone.
        let dropped = (places.len() == Self::MOST_PLACES).then(|| places.remove(0));
        places.push(Place { runtime, line: None, making: Arc::clone(&making) });
        drop(places);
        drop(dropped);
        making
    }

    #[cold]
    async fn connect(&self, runtime: Id, within: Within) -> Result<Line> {
        let connecting = within.at_most(self.connect_timeout)?;
        let making = self.making(runtime);
        let made = timeout(connecting, async {
            let _one_for_all = making.lock().await;
            if let (_, Some(line)) = self.here()? {
                return Ok(line);
            }
            let asking = Arc::default();
            let (connection, task) = self.dial(&asking).await.map_err(|error| told(&error))?;
            let heard = AtomicU64::new(self.micros());
            let line = Line { connection, state: Arc::new(LineState { asking, heard, task }) };
            if let Some(place) = self.places.lock().iter_mut().find(|place| place.runtime == runtime) {
                place.line = Some(line.clone());
            }
            Ok(line)
        });
        made.await.map_err(|_| Error::new(ErrorKind::Timeout, "the server took too long to connect to"))?
    }

    async fn dial(&self, asking: &Arc<AtomicUsize>) -> RedisResult<(MultiplexedConnection, Option<AbortHandle>)> {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = tokio::net::TcpStream::connect((host.as_str(), *port)).await?;
                // To a server on this machine the way is shorter than a system call, and the kernel gathers well while
                // it waits for an answer (Nagle's algorithm). Over a network its waiting costs a round trip.
                let is_near = stream.peer_addr()?.ip().is_loopback();
                stream.set_nodelay(!is_near)?;
                match is_near {
                    true => self.speak_over(stream).await,
                    false => self.speak_over(Gathering::new(stream, asking)).await,
                }
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                self.speak_over(Gathering::new(tokio::net::UnixStream::connect(path).await?, asking)).await
            }
            _ => Ok((self.client.get_multiplexed_async_connection_with_config(&self.config).await?, None)),
        }
    }

    async fn speak_over<S>(&self, stream: S) -> RedisResult<(MultiplexedConnection, Option<AbortHandle>)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let login = self.client.get_connection_info().redis_settings();
        let (connection, task) = MultiplexedConnection::new_with_config(login, stream, self.config.clone()).await?;
        Ok((connection, Some(tokio::spawn(task).abort_handle())))
    }

    /// Sends and waits for the answers.
    pub(super) async fn ask(&self, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        let (runtime, line) = self.here()?;
        // What is rare is kept out of the state of every call.
        let mut stale = false;
        let mut line = match line {
            None => Box::pin(self.connect(runtime, within)).await?,
            Some(line) => {
                stale = self.silence(&line) >= STALE;
                match stale && effect == Effect::Change {
                    true => Box::pin(self.proven(runtime, line, within)).await?,
                    false => line,
                }
            }
        };
        match self.exchange(runtime, &mut line, commands, within).await? {
            Ok(answers) => Ok(answers),
            Err(error) if is_broken(&error) && (effect == Effect::Read || effect == Effect::Put && stale) => {
                Box::pin(self.repeat(runtime, commands, effect, within)).await
            }
            Err(error) => Err(unanswered(&error, effect)),
        }
    }

    /// A connection that stands: this one, if it still does.
    #[cold]
    async fn proven(&self, runtime: Id, mut line: Line, within: Within) -> Result<Line> {
        let mut ping = Commands::new(1, 0);
        ping.begin(1, 4);
        ping.part(b"PING");
        if self.exchange(runtime, &mut line, &ping, within).await?.is_ok() {
            return Ok(line);
        }
        self.forget(runtime, &line);
        self.connect(runtime, within).await
    }

    #[cold]
    async fn repeat(&self, runtime: Id, commands: &Commands, effect: Effect, within: Within) -> Result<Vec<Value>> {
        let lost = |later: Error| if effect == Effect::Read { later } else { later.with_outcome_unknown() };
        let mut line = self.connect(runtime, within).await.map_err(lost)?;
        let answers = self.exchange(runtime, &mut line, commands, within).await.map_err(lost)?;
        answers.map_err(|error| unanswered(&error, effect))
    }

    /// The outer error: nothing was sent.
    async fn exchange(
        &self,
        runtime: Id,
        line: &mut Line,
        commands: &Commands,
        within: Within,
    ) -> Result<RedisResult<Vec<Value>>> {
        let waiting = within.for_answer(self.response_timeout)?;
        let asking = Asking::new(&line.state.asking);
        let answers = in_time(commands.send(&mut line.connection), waiting).await;
        drop(asking);
        match &answers {
            Ok(_) => line.state.heard.store(self.micros(), Ordering::Relaxed),
            // Nothing at all came for so long: the network may have lost the connection without a word. A connection
            // that answers others, or was given up on early, stays.
            Err(error) if error.is_timeout() && self.silence(line) < self.response_timeout => {}
            Err(_) => self.forget(runtime, line),
        }
        Ok(answers)
    }

    /// Makes the next call connect anew, unless it would already. Calls that wait for answers on this one go on.
    #[cold]
    fn forget(&self, runtime: Id, line: &Line) {
        let mut places = self.places.lock();
        let place = places.iter_mut().find(|place| place.runtime == runtime);
        let dropped = place.and_then(|place| place.line.take_if(|current| Arc::ptr_eq(&current.state, &line.state)));
        drop(places);
        drop(dropped);
    }

    fn silence(&self, line: &Line) -> Duration {
        Duration::from_micros(self.micros().saturating_sub(line.state.heard.load(Ordering::Relaxed)))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A call that waits for an answer.
struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    fn new(asking: &'a AtomicUsize) -> Self {
        asking.fetch_add(1, Ordering::Relaxed);
        Self(asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that gathers what it is to write, if it is little: the tasks that are ready take their turn first, and what
/// they ask is written with it in one system call. The client writes once for every task.
struct Gathering<S> {
    stream: S,
    asking: Arc<AtomicUsize>,
    unsent: Vec<u8>,
    /// How much of that is sent.
    sent: usize,
    /// The others had their turn.
    waited: bool,
}

impl<S> Gathering<S> {
    fn new(stream: S, asking: &Arc<AtomicUsize>) -> Self {
        Self { stream, asking: Arc::clone(asking), unsent: Vec::new(), sent: 0, waited: false }
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    /// What is not sent is no longer added to beyond this.
    const MOST: usize = 256 * 1024;

    /// So much is worth a system call of its own: the server works on it while the others take their turn.
    const ENOUGH: usize = 4 * 1024;

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        if self.unsent.capacity() > Self::MOST {
            self.unsent = Vec::new();
        }
        self.unsent.clear();
        (self.sent, self.waited) = (0, false);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= Self::MOST {
            ready!(self.poll_send(cx))?;
        }
        let taken = bytes.len().min(Self::MOST);
        self.unsent.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_alone = self.asking.load(Ordering::Relaxed) < 2;
        let is_little = (1..Self::ENOUGH).contains(&self.unsent.len());
        if !is_alone && is_little && !std::mem::replace(&mut self.waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes at a time, and nothing at every other call.
    struct Wire {
        writes: Vec<Vec<u8>>,
        at_a_time: usize,
        is_busy: bool,
    }

    impl AsyncWrite for Wire {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.is_busy = !self.is_busy && self.at_a_time < usize::MAX;
            if self.is_busy {
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.at_a_time);
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn gathering(asking: usize, at_a_time: usize) -> Gathering<Wire> {
        Gathering::new(Wire { writes: Vec::new(), at_a_time, is_busy: false }, &Arc::new(AtomicUsize::new(asking)))
    }

    fn write(stream: &mut Gathering<Wire>, bytes: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(stream).poll_write(&mut cx, bytes), Poll::Ready(Ok(len)) if len == bytes.len()));
    }

    fn flush(stream: &mut Gathering<Wire>) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_one_call_asks_is_sent_at_once() {
        let mut stream = gathering(1, usize::MAX);
        write(&mut stream, b"one");
        assert!(flush(&mut stream).is_ready());
        assert_eq!(stream.stream.writes, [b"one"]);
    }

    #[test]
    fn what_several_ask_is_sent_in_one_write_after_their_turn() {
        let mut stream = gathering(2, usize::MAX);
        for _ in 0..2 {
            stream.stream.writes.clear();
            write(&mut stream, b"one");
            assert!(flush(&mut stream).is_pending(), "the others have their turn");
            write(&mut stream, b"two");
            assert!(flush(&mut stream).is_ready(), "once");
            assert_eq!(stream.stream.writes, [b"onetwo"]);
        }
    }

    #[test]
    fn much_does_not_wait_for_the_others() {
        let mut stream = gathering(2, usize::MAX);
        write(&mut stream, &[7; Gathering::<Wire>::ENOUGH]);
        assert!(flush(&mut stream).is_ready());
        assert_eq!(stream.stream.writes.concat(), [7; Gathering::<Wire>::ENOUGH]);
    }

    #[test]
    fn what_the_wire_does_not_take_is_sent_later_and_in_order() {
        let mut stream = gathering(1, 3);
        write(&mut stream, b"one two ");
        assert!(flush(&mut stream).is_pending());
        write(&mut stream, b"three");
        while flush(&mut stream).is_pending() {}
        assert_eq!(stream.stream.writes.concat(), b"one two three");
        assert!(stream.unsent.is_empty());
    }

    #[test]
    fn no_more_is_kept_than_the_most() {
        let most = Gathering::<Wire>::MOST;
        let mut stream = gathering(2, most);
        write(&mut stream, &vec![1; most]);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut stream).poll_write(&mut cx, b"more").is_pending(), "the wire is busy");
        write(&mut stream, b"more");
        assert_eq!(stream.stream.writes.concat().len(), most);
        assert!(stream.unsent.capacity() <= most);
    }

    #[test]
    fn a_wire_that_takes_nothing_has_failed() {
        let mut stream = gathering(1, 0);
        write(&mut stream, b"one");
        assert!(flush(&mut stream).is_pending());
        let failed =
            |sent| matches!(sent, Poll::Ready(Err(ref error)) if io::Error::kind(error) == io::ErrorKind::WriteZero);
        assert!(failed(flush(&mut stream)));
    }
}

//! A TCP proxy between a client and its server: it makes the network fail in a chosen way, and counts what crosses it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::error::{Context, Error, Result};

/// What the proxy does to what crosses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything.
    Pass,
    /// Holds each request back for this long (once a round trip, however many pieces it comes in).
    Delay(Duration),
    /// Accepts, reads, and never answers; nothing is forwarded either way. A connection that lost bytes to the hole is
    /// reset when this mode ends.
    BlackHole,
    /// Nobody listens: a new connection is refused. Those that stand go on; see [`Proxy::reset_connections`].
    Refuse,
    /// Forwards this many bytes of a connection's requests, counted from when the mode was set, and then cuts it: the
    /// client sees a reset, the server the end of a request that may be half of one.
    CutAfter(u64),
    /// Forwards the request and cuts the connection when the first byte of its answer comes: the write happened, and
    /// the client cannot know.
    CutAnswer,
}

/// What crossed the proxy since it started or was last [`reset`](Proxy::reset).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes forwarded to the server.
    pub to_server: u64,
    /// Bytes forwarded to the client.
    pub to_client: u64,
    /// How often a client began to send after the server had last sent on the same connection, or after it connected. A
    /// request that is written in pieces is one; so is a pipeline, unless its first answers overtake its last commands.
    pub round_trips: u64,
    /// Connections cut by [`Mode::CutAfter`] and [`Mode::CutAnswer`]: says that the fault really struck.
    pub cuts: u64,
}

/// A proxy on a free loopback port. Dropping it closes every connection and ends its threads.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addr: SocketAddr,
    acceptor: Mutex<Option<Acceptor>>,
    /// Keeps the port while nobody listens on it, so that it is still ours when we listen again.
    _port: OwnedFd,
}

impl Proxy {
    /// Starts one in front of this server, which need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be resolved, or no port is free.
    pub fn start(upstream: impl ToSocketAddrs) -> Result<Self> {
        let upstream = resolve(upstream)?;
        let (port, addr) = hold_port().context(|| "a port for the proxy".to_owned())?;
        let state = State {
            mode: Mode::Pass,
            once: false,
            epoch: 0,
            upstream,
            counts: Counts::default(),
            links: HashMap::new(),
            next: 0,
            closed: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let acceptor = Acceptor::start(&shared, addr).context(|| format!("listening on {addr}"))?;
        Ok(Self { shared, addr, acceptor: Mutex::new(Some(acceptor)), _port: port })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port where clients connect; the host is `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Sends new connections to another server.
    ///
    /// # Errors
    /// When the address cannot be resolved.
    pub fn set_upstream(&self, upstream: impl ToSocketAddrs) -> Result<()> {
        self.shared.lock().upstream = resolve(upstream)?;
        Ok(())
    }

    /// What it does now.
    pub fn mode(&self) -> Mode {
        self.shared.lock().mode
    }

    /// Changes what it does, for connections that stand and for new ones. In force when this returns.
    ///
    /// # Panics
    /// When its own port cannot be listened on again after [`Mode::Refuse`].
    pub fn set_mode(&self, mode: Mode) {
        self.change(mode, false);
    }

    /// As [`set_mode`](Self::set_mode), but a cut strikes one connection only; then everything passes again.
    ///
    /// # Panics
    /// When its own port cannot be listened on again after [`Mode::Refuse`].
    pub fn set_mode_once(&self, mode: Mode) {
        self.change(mode, true);
    }

    #[allow(clippy::panic, reason = "a test whose proxy does not listen would prove nothing")]
    fn change(&self, mode: Mode, once: bool) {
        // Taken first and held throughout, so that two changes at once are one after the other.
        let mut acceptor = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner);
        let swallowed = {
            let mut state = self.shared.lock();
            state.mode = mode;
            state.once = once;
            state.epoch += 1;
            let lost = |link: &&Link| link.swallowed && mode != Mode::BlackHole;
            state.links.values().filter(lost).map(|link| link.conn.clone()).collect::<Vec<_>>()
        };
        close_all(swallowed);
        if mode == Mode::Refuse {
            *acceptor = None;
        } else if acceptor.is_none() {
            match Acceptor::start(&self.shared, self.addr) {
                Ok(started) => *acceptor = Some(started),
                Err(error) => panic!("the proxy cannot listen on {} again: {error}", self.addr),
            }
        }
    }

    /// Resets every connection that stands. They are gone when this returns; new ones are welcome.
    pub fn reset_connections(&self) {
        let conns = self.shared.lock().links.values().map(|link| link.conn.clone()).collect();
        close_all(conns);
    }

    /// How many connections stand.
    pub fn open_connections(&self) -> usize {
        self.shared.lock().links.len()
    }

    /// What crossed since the start or the last [`reset`](Self::reset).
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// Starts counting from zero, and answers what was counted until now.
    pub fn reset(&self) -> Counts {
        std::mem::take(&mut self.shared.lock().counts)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.reset_connections();
    }
}

fn resolve(addr: impl ToSocketAddrs) -> Result<SocketAddr> {
    let first = addr.to_socket_addrs().context(|| "the proxy's upstream".to_owned())?.next();
    first.ok_or_else(|| Error::new("the proxy's upstream has no address"))
}

/// A socket that is bound and does not listen. Its port is given to nobody else, a connection to it is refused, and we
/// can listen on it beside this socket as long as both allow reuse.
fn hold_port() -> io::Result<(OwnedFd, SocketAddr)> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
    let addr = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((socket, addr))
}

/// Makes the close of this socket a reset instead of an orderly end.
fn reset_on_close(stream: &TcpStream) {
    // It fails only for a socket that is already gone.
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

#[derive(Debug)]
struct Acceptor {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    fn start(shared: &Arc<Shared>, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (shared.clone(), stop.clone());
        let accept = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    stream.iter().for_each(reset_on_close);
                    return;
                }
                match stream {
                    Ok(stream) => admit(&shared, stream),
                    // Out of descriptors, or the client was gone again: neither ends the proxy.
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        };
        let thread = std::thread::Builder::new().name("proxy-accept".into()).spawn(accept)?;
        Ok(Self { addr, stop, thread: Some(thread) })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then closes the listener. If this cannot connect, the thread must not be waited for.
        let woken = TcpStream::connect_timeout(&self.addr, Duration::from_secs(5)).is_ok();
        if let (true, Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// The mode gives way to `Pass` when it has struck.
    once: bool,
    /// Goes up with every change of the mode.
    epoch: u64,
    upstream: SocketAddr,
    counts: Counts,
    links: HashMap<u64, Link>,
    next: u64,
    closed: bool,
}

#[derive(Debug)]
struct Link {
    conn: Arc<Conn>,
    /// The client sent last, so the server's next bytes answer it.
    asking: bool,
    /// Some bytes were thrown away: what follows would make no sense to either side.
    swallowed: bool,
    /// About to end: no answer to the last bytes of a request comes through before it does.
    cut: bool,
    /// Request bytes forwarded in this epoch.
    sent: u64,
    epoch: u64,
}

/// What becomes of bytes that were read.
enum Fate {
    /// Wait, then forward all.
    Forward(Duration),
    /// Forward the first of them and cut the connection.
    Cut(usize),
    /// Throw them away.
    Swallow,
}

impl State {
    fn request(&mut self, id: u64, len: usize) -> Fate {
        let Some(link) = self.links.get_mut(&id) else { return Fate::Cut(0) };
        let first = !std::mem::replace(&mut link.asking, true);
        self.counts.round_trips += u64::from(first);
        if link.epoch != self.epoch {
            (link.epoch, link.sent) = (self.epoch, 0);
        }
        let mut wait = Duration::ZERO;
        match self.mode {
            Mode::BlackHole => {
                link.swallowed = true;
                return Fate::Swallow;
            }
            Mode::CutAfter(limit) => {
                let left = limit.saturating_sub(link.sent);
                if let Some(forward) = usize::try_from(left).ok().filter(|left| *left <= len) {
                    self.counts.to_server += left;
                    link.cut = true;
                    self.cut();
                    return Fate::Cut(forward);
                }
            }
            Mode::Delay(delay) if first => wait = delay,
            Mode::Pass | Mode::Delay(_) | Mode::Refuse | Mode::CutAnswer => {}
        }
        link.sent += len as u64;
        self.counts.to_server += len as u64;
        Fate::Forward(wait)
    }

    fn answer(&mut self, id: u64, len: usize) -> Fate {
        let Some(link) = self.links.get_mut(&id) else { return Fate::Cut(0) };
        if link.cut {
            return Fate::Swallow;
        }
        match self.mode {
            Mode::BlackHole => {
                link.swallowed = true;
                return Fate::Swallow;
            }
            // The rest of an answer that had begun to arrive is not the answer that is to be lost.
            Mode::CutAnswer if link.asking => {
                self.cut();
                return Fate::Cut(0);
            }
            _ => {}
        }
        link.asking = false;
        self.counts.to_client += len as u64;
        Fate::Forward(Duration::ZERO)
    }

    fn cut(&mut self) {
        self.counts.cuts += 1;
        if std::mem::take(&mut self.once) {
            self.mode = Mode::Pass;
            self.epoch += 1;
        }
    }
}

#[derive(Debug)]
struct Conn {
    id: u64,
    client: TcpStream,
    upstream: OnceLock<TcpStream>,
    dead: AtomicBool,
    /// Directions that still run.
    running: AtomicUsize,
}

impl Conn {
    /// Ends both directions. The sockets close when their threads let go of them: the client's with a reset, the server's
    /// in order, so that it still gets all that was forwarded.
    fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        reset_on_close(&self.client);
        // Shutting down the reading side sends nothing; it wakes the thread that reads.
        let _ = self.client.shutdown(Shutdown::Read);
        if let Some(upstream) = self.upstream.get() {
            let _ = upstream.shutdown(Shutdown::Read);
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

/// Resets these and waits until their sockets are closed.
fn close_all(conns: Vec<Arc<Conn>>) {
    let closing: Vec<Weak<Conn>> = conns
        .into_iter()
        .map(|conn| {
            conn.kill();
            Arc::downgrade(&conn)
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(5);
    while closing.iter().any(|conn| conn.strong_count() > 0) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn admit(shared: &Arc<Shared>, client: TcpStream) {
    // A blocked write looks up this often to see whether it was told to end.
    let _ = client.set_write_timeout(Some(Duration::from_millis(50)));
    let _ = client.set_nodelay(true);
    let mut state = shared.lock();
    if state.closed || state.mode == Mode::Refuse {
        return reset_on_close(&client);
    }
    let id = state.next;
    state.next += 1;
    state.counts.connections += 1;
    let (dead, running) = (AtomicBool::new(false), AtomicUsize::new(1));
    let conn = Arc::new(Conn { id, client, upstream: OnceLock::new(), dead, running });
    let link = Link { conn: conn.clone(), asking: false, swallowed: false, cut: false, sent: 0, epoch: state.epoch };
    state.links.insert(id, link);
    drop(state);
    let thread = std::thread::Builder::new().name("proxy-requests".into());
    let (shared_, conn_) = (shared.clone(), conn.clone());
    if thread.spawn(move || serve(&shared_, conn_)).is_err() {
        finish(shared, conn);
    }
}

fn serve(shared: &Arc<Shared>, conn: Arc<Conn>) {
    let (mode, upstream) = {
        let state = shared.lock();
        (state.mode, state.upstream)
    };
    let connected = match mode {
        // Never to be answered, so its server need not even be there.
        Mode::BlackHole => true,
        _ => connect(shared, &conn, upstream).is_ok(),
    };
    if connected {
        pump(shared, &conn, true);
    } else {
        conn.kill();
    }
    finish(shared, conn);
}

fn connect(shared: &Arc<Shared>, conn: &Arc<Conn>, addr: SocketAddr) -> io::Result<()> {
    let upstream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
    upstream.set_write_timeout(Some(Duration::from_millis(50)))?;
    upstream.set_nodelay(true)?;
    let _ = conn.upstream.set(upstream);
    if conn.is_dead() {
        // Killed meanwhile, by somebody who did not see this socket yet.
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    conn.running.fetch_add(1, Ordering::SeqCst);
    let (shared_, conn_) = (shared.clone(), conn.clone());
    let answers = move || {
        pump(&shared_, &conn_, false);
        finish(&shared_, conn_);
    };
    std::thread::Builder::new().name("proxy-answers".into()).spawn(answers).map(drop).inspect_err(|_| {
        conn.running.fetch_sub(1, Ordering::SeqCst);
    })
}

/// The last direction to end forgets the connection.
fn finish(shared: &Shared, conn: Arc<Conn>) {
    if conn.running.fetch_sub(1, Ordering::SeqCst) == 1 {
        let link = shared.lock().links.remove(&conn.id);
        drop(link);
    }
}

fn pump(shared: &Shared, conn: &Conn, requests: bool) {
    let upstream = conn.upstream.get();
    let (from, to) = if requests { (Some(&conn.client), upstream) } else { (upstream, Some(&conn.client)) };
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = match from.read(&mut buffer) {
            _ if conn.is_dead() => return,
            Ok(0) => {
                if let Some(to) = to {
                    let _ = to.shutdown(Shutdown::Write);
                }
                return;
            }
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // One side was reset, so the other is too.
            Err(_) => return conn.kill(),
        };
        let fate = {
            let mut state = shared.lock();
            if requests { state.request(conn.id, len) } else { state.answer(conn.id, len) }
        };
        let (forward, cut) = match fate {
            Fate::Swallow => continue,
            Fate::Cut(forward) => (forward, true),
            Fate::Forward(wait) => {
                if !wait.is_zero() {
                    sleep(conn, wait);
                }
                (len, false)
            }
        };
        let written = to.map_or(Ok(()), |to| write(conn, to, &buffer[..forward]));
        if cut || written.is_err() {
            return conn.kill();
        }
    }
}

/// Sleeps, but not longer than the connection lives.
fn sleep(conn: &Conn, wait: Duration) {
    let deadline = Instant::now() + wait;
    while !conn.is_dead() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}

fn write(conn: &Conn, mut to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    while !bytes.is_empty() {
        if conn.is_dead() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => bytes = &bytes[len..],
            Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Answers each line `x` with `got x`, and tells every byte it ever received.
    fn stub() -> (SocketAddr, Receiver<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, tell) = (stream.unwrap(), tell.clone());
                std::thread::spawn(move || {
                    let mut line = Vec::new();
                    let mut buffer = [0; 4096];
                    while let Ok(len @ 1..) = stream.read(&mut buffer) {
                        let _ = tell.send(buffer[..len].to_vec());
                        for byte in &buffer[..len] {
                            line.push(*byte);
                            if *byte == b'\n' {
                                let answer = [b"got ", &line[..]].concat();
                                line.clear();
                                if stream.write_all(&answer).is_err() {
                                    return;
                                }
                            }
                        }
                    }
                });
            }
        });
        (addr, told)
    }

    fn received(told: &Receiver<Vec<u8>>, len: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < len {
            all.extend(told.recv_timeout(Duration::from_secs(5)).unwrap());
        }
        // Nothing more may follow.
        assert_eq!(told.recv_timeout(Duration::from_millis(50)).ok(), None);
        all
    }

    struct Client(BufReader<TcpStream>);

    impl Client {
        fn new(proxy: &Proxy) -> Self {
            let stream = TcpStream::connect(proxy.addr()).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(5000))).unwrap();
            stream.set_nodelay(true).unwrap();
            Self(BufReader::new(stream))
        }

        fn send(&mut self, bytes: &[u8]) {
            self.0.get_mut().write_all(bytes).unwrap();
        }

        fn line(&mut self) -> io::Result<String> {
            let mut line = String::new();
            self.0.read_line(&mut line).map(|_| line)
        }

        fn ask(&mut self, line: &str) -> String {
            self.send(line.as_bytes());
            self.line().unwrap()
        }

        /// Reset, and without a byte before it.
        fn is_reset(&mut self) -> bool {
            let read = self.0.read(&mut [0]);
            matches!(read, Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
        }
    }

    #[test]
    fn passes_and_counts() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut one = Client::new(&proxy);
        assert_eq!(one.ask("a\n"), "got a\n");
        assert_eq!(one.ask("b\n"), "got b\n");
        let mut two = Client::new(&proxy);
        assert_eq!(two.ask("c\n"), "got c\n");
        let want = Counts { connections: 2, to_server: 6, to_client: 18, round_trips: 3, cuts: 0 };
        assert_eq!(proxy.counts(), want);
        assert_eq!(proxy.open_connections(), 2);
        assert_eq!(proxy.reset(), want);
        assert_eq!(proxy.counts(), Counts::default());
        assert_eq!(one.ask("d\n"), "got d\n");
        assert_eq!(proxy.counts().round_trips, 1);
        assert_eq!(proxy.counts().connections, 0);
    }

    #[test]
    fn a_request_in_pieces_and_a_pipeline_are_one_round_trip() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut client = Client::new(&proxy);
        for piece in [&b"long "[..], b"long ", b"request"] {
            client.send(piece);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(client.ask("\n"), "got long long request\n");
        assert_eq!(proxy.counts().round_trips, 1);
        client.send(b"a\nb\nc\n");
        for line in ["got a\n", "got b\n", "got c\n"] {
            assert_eq!(client.line().unwrap(), line);
        }
        assert_eq!(proxy.counts().round_trips, 2);
    }

    #[test]
    fn carries_much_in_both_directions_at_once() {
        let (addr, told) = stub();
        std::thread::spawn(move || told.into_iter().for_each(drop));
        let proxy = Proxy::start(addr).unwrap();
        let client = TcpStream::connect(proxy.addr()).unwrap();
        let mut writer = client.try_clone().unwrap();
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let sent = line.clone();
        let sender = std::thread::spawn(move || (0..4096).for_each(|_| writer.write_all(&sent).unwrap()));
        let mut reader = BufReader::new(client);
        for _ in 0..4096 {
            let mut answer = Vec::new();
            reader.read_until(b'\n', &mut answer).unwrap();
            assert!(answer.strip_prefix(b"got ") == Some(&line[..]));
        }
        sender.join().unwrap();
        assert_eq!(proxy.counts().to_server, 4096 * 1024);
        assert_eq!(proxy.counts().to_client, 4096 * 1028);
    }

    #[test]
    fn an_orderly_end_passes_in_both_directions() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut client = Client::new(&proxy);
        client.send(b"a\n");
        client.0.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.line().unwrap(), "got a\n");
        assert_eq!(client.line().unwrap(), "", "the server's own end comes through");
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(5);
        while proxy.open_connections() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(proxy.open_connections(), 0);
    }

    #[test]
    fn delays_a_round_trip_once() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut client = Client::new(&proxy);
        proxy.set_mode(Mode::Delay(Duration::from_secs(1)));
        let began = Instant::now();
        client.send(b"a");
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(client.ask("b\n"), "got ab\n");
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(1), "{took:?}");
        assert!(took < Duration::from_millis(1950), "delayed twice: {took:?}");
    }

    #[test]
    fn a_black_hole_swallows_and_does_not_revive() {
        let (addr, told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut old = Client::new(&proxy);
        let mut quiet = Client::new(&proxy);
        assert_eq!(old.ask("a\n") + &quiet.ask("b\n"), "got a\ngot b\n");
        assert_eq!(received(&told, 4).len(), 4);
        proxy.set_mode(Mode::BlackHole);
        let mut new = Client::new(&proxy);
        for client in [&mut old, &mut new] {
            client.send(b"lost\n");
            client.0.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let error = client.line().unwrap_err();
            assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
        }
        assert_eq!(told.try_recv().ok(), None, "nothing reached the server");
        proxy.set_mode(Mode::Pass);
        assert!(old.is_reset() && new.is_reset());
        assert_eq!(quiet.ask("c\n"), "got c\n", "a connection that lost nothing goes on");
        assert_eq!(Client::new(&proxy).ask("d\n"), "got d\n");
    }

    #[test]
    fn a_black_hole_needs_no_server() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = Proxy::start(nobody).unwrap();
        assert!(Client::new(&proxy).is_reset(), "nobody behind the proxy");
        proxy.set_mode(Mode::BlackHole);
        let mut client = Client::new(&proxy);
        client.send(b"a\n");
        client.0.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(!client.is_reset());
        assert_eq!(proxy.counts().round_trips, 1);
        assert_eq!(proxy.counts().to_server, 0);
    }

    #[test]
    fn refuses_new_connections_and_listens_again() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut old = Client::new(&proxy);
        assert_eq!(old.ask("a\n"), "got a\n");
        for _ in 0..20 {
            proxy.set_mode(Mode::Refuse);
            let refused = TcpStream::connect(proxy.addr()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            proxy.set_mode(Mode::Pass);
            assert_eq!(Client::new(&proxy).ask("b\n"), "got b\n");
        }
        assert_eq!(old.ask("c\n"), "got c\n", "refusing is for new connections");
        assert_eq!(proxy.counts().connections, 21, "what was refused or woke us does not count");
    }

    #[test]
    fn cuts_after_exactly_n_bytes() {
        let (addr, told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut client = Client::new(&proxy);
        assert_eq!(client.ask("a\n"), "got a\n");
        assert_eq!(received(&told, 2), b"a\n");
        proxy.set_mode(Mode::CutAfter(5));
        client.send(b"1234567\n");
        assert!(client.is_reset());
        assert_eq!(received(&told, 5), b"12345");
        assert_eq!(proxy.counts().cuts, 1);
        assert_eq!(proxy.counts().to_server, 7);
        // For each connection anew, and in pieces.
        let mut client = Client::new(&proxy);
        client.send(b"abc");
        assert_eq!(received(&told, 3), b"abc");
        client.send(b"def");
        assert!(client.is_reset());
        assert_eq!(received(&told, 2), b"de");
        // A request that ends just there arrives whole, and the connection ends before its answer.
        proxy.set_mode(Mode::CutAfter(4));
        let mut client = Client::new(&proxy);
        client.send(b"abc\n");
        assert!(client.is_reset());
        assert_eq!(received(&told, 4), b"abc\n");
        proxy.set_mode(Mode::CutAfter(0));
        let mut client = Client::new(&proxy);
        client.send(b"x\n");
        assert!(client.is_reset());
        assert_eq!(received(&told, 0), b"");
    }

    #[test]
    fn cuts_between_request_and_answer() {
        let (addr, told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut client = Client::new(&proxy);
        assert_eq!(client.ask("a\n"), "got a\n");
        assert_eq!(received(&told, 2), b"a\n");
        proxy.set_mode_once(Mode::CutAnswer);
        let request = [&[b'x'; 300_000][..], b"\n"].concat();
        client.send(&request);
        assert!(client.is_reset());
        assert_eq!(received(&told, request.len()), request, "the server had it all");
        assert_eq!(proxy.counts().cuts, 1);
        assert_eq!(proxy.counts().to_client, 6, "and no byte of its answer came through");
        assert_eq!(proxy.mode(), Mode::Pass);
        assert_eq!(Client::new(&proxy).ask("b\n"), "got b\n", "struck once");
    }

    #[test]
    fn resets_all_connections_now() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        let mut clients: Vec<Client> = (0..10).map(|_| Client::new(&proxy)).collect();
        for client in &mut clients {
            assert_eq!(client.ask("a\n"), "got a\n");
        }
        let began = Instant::now();
        proxy.reset_connections();
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(proxy.open_connections(), 0);
        assert!(clients.iter_mut().all(Client::is_reset));
        assert_eq!(Client::new(&proxy).ask("b\n"), "got b\n");
    }

    #[test]
    fn drop_ends_everything_even_in_a_delay() {
        let (addr, _told) = stub();
        let proxy = Proxy::start(addr).unwrap();
        proxy.set_mode(Mode::Delay(Duration::from_secs(600)));
        let mut client = Client::new(&proxy);
        client.send(b"a\n");
        let (addr, began) = (proxy.addr(), Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        drop(proxy);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(client.is_reset());
        assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}

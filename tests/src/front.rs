//! An HTTP server before an HTTP server: it speaks TLS and asks for a login where the one behind it cannot, answers in its
//! place what a test wants answered, and writes down who asked for what.
//!
//! It forwards everything else as it is, over a connection of its own for each of the client's. For broken connections
//! put a [`proxy`](crate::proxy) before or behind it.

mod http;

use std::fmt;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub use self::http::Answer;
use self::http::Message;
use crate::error::{Context, Error, Result};
use crate::servers::base64;
use crate::tls::Certs;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// With the query.
    pub path: String,
}

type Rule = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

/// How a [`Front`] is to be.
#[derive(Default)]
pub struct FrontOptions {
    tls: bool,
    logins: Vec<String>,
    user: Option<(String, String)>,
    headers: Vec<(String, String)>,
    elasticsearch: bool,
}

impl fmt::Debug for FrontOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontOptions").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl FrontOptions {
    /// One that lets everybody through, in plain text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Speaks TLS only, with certificates of its own, see [`Front::certs`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Lets this user through, by basic authentication. Whoever shows no login that was named is answered 401.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.logins.push(format!("Basic {}", base64(format!("{name}:{password}").as_bytes())));
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Lets this key through, which stands encoded after `ApiKey` in the header.
    #[must_use]
    pub fn api_key(mut self, encoded: &str) -> Self {
        self.logins.push(format!("ApiKey {encoded}"));
        self
    }

    /// A header that every answer has, such as the one by which a product shows itself.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// What the vendor's own clients of Elasticsearch insist on, before an OpenSearch: the header of the product is in
    /// every answer, and its media types are called JSON to the server behind.
    #[must_use]
    pub fn elasticsearch(mut self) -> Self {
        self.elasticsearch = true;
        self.header("X-Elastic-Product", "Elasticsearch")
    }

    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// When the address cannot be resolved, or no certificates can be made.
    pub fn start(self, upstream: impl ToSocketAddrs) -> Result<Front> {
        let upstream = upstream.to_socket_addrs()?.next().ok_or_else(|| Error::new("an address of nothing"))?;
        let certs = self.tls.then(Certs::generate).transpose()?;
        let tls = certs.as_ref().map(server_config).transpose()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let inner = Arc::new(Inner {
            upstream,
            tls,
            options: self,
            ended: AtomicBool::new(false),
            state: Mutex::new(State::default()),
        });
        let accepting = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("front".into()).spawn(move || accept(&accepting, &listener))?;
        Ok(Front { addr, certs, inner, thread: Some(thread) })
    }
}

fn server_config(certs: &Certs) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certs.cert()).context(|| "the certificate".to_owned())?;
    let chain = chain.collect::<Result<Vec<_>, _>>().context(|| "the certificate".to_owned())?;
    let key = PrivateKeyDer::from_pem_file(certs.key()).context(|| "the key".to_owned())?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// It runs until it is dropped.
pub struct Front {
    addr: SocketAddr,
    certs: Option<Certs>,
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("addr", &self.addr)
            .field("upstream", &self.inner.upstream)
            .finish_non_exhaustive()
    }
}

struct Inner {
    upstream: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    options: FrontOptions,
    ended: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    rule: Option<Rule>,
    connections: u64,
    /// To be shut when it ends.
    streams: Vec<TcpStream>,
}

impl Front {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// `http://127.0.0.1:port`, or with TLS `https://localhost:port`; without any login.
    pub fn url(&self) -> String {
        match self.certs {
            Some(_) => format!("https://localhost:{}", self.port()),
            None => format!("http://127.0.0.1:{}", self.port()),
        }
    }

    /// As [`url`](Self::url), with the last user that was named.
    pub fn login_url(&self) -> String {
        let url = self.url();
        let user = self.inner.options.user.as_ref();
        user.map_or(url.clone(), |(name, word)| {
            url.replacen("://", &format!("://{}", crate::servers::login(Some(name), Some(word))), 1)
        })
    }

    /// Its certificates, when it speaks TLS.
    pub fn certs(&self) -> Option<&Certs> {
        self.certs.as_ref()
    }

    /// The next `times` requests are answered so; the server behind does not see them.
    pub fn answer_next(&self, times: usize, answer: Answer) {
        let mut left = times;
        self.answer_when(move |_| {
            left = left.checked_sub(1)?;
            Some(answer.clone())
        });
    }

    /// From now on, requests that this answers do not reach the server behind. It replaces what was said before.
    pub fn answer_when(&self, rule: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        self.inner.state().rule = Some(Box::new(rule));
    }

    /// From now on, every request reaches the server behind.
    pub fn answer_nothing(&self) {
        self.inner.state().rule = None;
    }

    /// Every request since the start or the last [`reset`](Self::reset), also those it answered itself.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.state().requests.clone()
    }

    /// How many connections it took since the start or the last [`reset`](Self::reset).
    pub fn connections(&self) -> u64 {
        self.inner.state().connections
    }

    /// Forgets what it wrote down, and answers it.
    pub fn reset(&self) -> Vec<Request> {
        let mut state = self.inner.state();
        state.connections = 0;
        std::mem::take(&mut state.requests)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        for stream in &self.inner.state().streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes it up.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered here, if it is not for the server behind.
    fn own_answer(&self, message: &Message) -> Option<Answer> {
        let Some((method, path)) = message.request() else { return Some(Answer::new(400)) };
        let request = Request { method: method.to_owned(), path: path.to_owned() };
        let mut state = self.state();
        state.requests.push(request.clone());
        let logins = &self.options.logins;
        let shown = message.header("authorization").unwrap_or_default();
        if !logins.is_empty() && !logins.iter().any(|login| login == shown) {
            let why = if shown.is_empty() { "missing authentication credentials" } else { "unable to authenticate" };
            let body = serde_json::json!({"error": {"type": "security_exception", "reason": why}, "status": 401});
            let answer = Answer::new(401).header("WWW-Authenticate", "Basic realm=\"front\"");
            return Some(answer.body(&body.to_string()));
        }
        state.rule.as_mut().and_then(|rule| rule(&request))
    }
}

fn accept(inner: &Arc<Inner>, listener: &TcpListener) {
    for stream in listener.incoming() {
        if inner.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if let Ok(stream) = stream.try_clone() {
            let mut state = inner.state();
            state.connections += 1;
            // Those that ended have no peer any more.
            state.streams.retain(|stream| stream.peer_addr().is_ok());
            state.streams.push(stream);
        }
        let inner = Arc::clone(inner);
        // A client that goes away in the middle is no news here.
        let serve = move || drop(serve(&inner, stream));
        let _ = std::thread::Builder::new().name("front-client".into()).spawn(serve);
    }
}

fn serve(inner: &Inner, stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let shut = stream.try_clone()?;
    let done = match &inner.tls {
        Some(config) => {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config))?, stream);
            let done = talk(inner, &mut BufReader::new(&mut stream));
            stream.conn.send_close_notify();
            let _ = stream.flush();
            done
        }
        None => talk(inner, &mut BufReader::new(stream)),
    };
    let _ = shut.shutdown(Shutdown::Both);
    done
}

fn talk<S: Read + Write>(inner: &Inner, client: &mut BufReader<S>) -> Result<()> {
    let mut upstream: Option<BufReader<TcpStream>> = None;
    while let Some(head) = Message::head(client)? {
        if head.header("expect").is_some() {
            client.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut request = head.body_of_request(client)?;
        if inner.options.elasticsearch {
            request.replace_in_headers("application/vnd.elasticsearch+", "application/");
        }
        let closes = request.closes();
        let answer = match inner.own_answer(&request) {
            Some(answer) => answer.into_message(),
            None => {
                let back = match &mut upstream {
                    Some(back) => back,
                    None => upstream.insert(BufReader::new(TcpStream::connect(inner.upstream)?)),
                };
                back.get_mut().set_nodelay(true)?;
                request.send(back.get_mut(), &[])?;
                let head = Message::head(back)?.ok_or_else(|| Error::new("the server closed the connection"))?;
                let answer = head.body_of_answer(back, &request)?;
                if answer.closes() {
                    upstream = None;
                }
                answer
            }
        };
        answer.send(client.get_mut(), &inner.options.headers)?;
        if closes || answer.closes() {
            break;
        }
    }
    Ok(())
}

//! A plain client of the Redis protocol (version 2), to look at a server without any client library.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::{Context, Error, Result};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR ...`
    Error(String),
    /// `:1`
    Int(i64),
    /// A string of bytes.
    Bulk(Vec<u8>),
    /// No value.
    Nil,
    /// A list.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a simple or bulk string.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn text(&self) -> Result<String> {
        match self {
            Self::Simple(text) => Ok(text.clone()),
            Self::Bulk(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            other => Err(Error::new(format!("expected a string, got {other:?}"))),
        }
    }

    /// The integer.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn int(&self) -> Result<i64> {
        match self {
            Self::Int(int) => Ok(*int),
            other => Err(Error::new(format!("expected an integer, got {other:?}"))),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{text}"),
            Self::Error(text) => write!(f, "-{text}"),
            Self::Int(int) => write!(f, ":{int}"),
            Self::Bulk(bytes) => write!(f, "${:?}", String::from_utf8_lossy(bytes)),
            Self::Nil => f.write_str("nil"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
        }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection. Every command waits for its answer, at most 10 seconds.
pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects over TCP.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn tcp(host: &str, port: u16) -> Result<Self> {
        let stream = TcpStream::connect((host, port)).context(|| format!("connecting to {host}:{port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// Connects over a Unix socket.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn unix(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path).context(|| format!("connecting to {}", path.display()))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// Sends one command and reads its answer. An error that the server answers is a [`Reply::Error`].
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not of this protocol.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Reply> {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            let arg = arg.as_ref();
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        self.stream.get_mut().flush()?;
        self.read()
    }

    /// One field of `INFO`, such as `redis_version` of the section `server`.
    ///
    /// # Errors
    /// When the connection breaks or the server refuses.
    pub fn info(&mut self, section: &str, field: &str) -> Result<Option<String>> {
        let text = self.command(&["INFO", section])?.text()?;
        Ok(text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(|value| value.trim().to_owned())))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(Error::new("the server closed the connection"));
        }
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(Error::new(format!("an unfinished line: {line:?}"))),
        }
    }

    fn read(&mut self) -> Result<Reply> {
        let line = self.line()?;
        let mut chars = line.chars();
        let (kind, rest) = (chars.next(), chars.as_str());
        let number = || rest.parse::<i64>().context(|| format!("a number in {line:?}"));
        Ok(match kind {
            Some('+') => Reply::Simple(rest.to_owned()),
            Some('-') => Reply::Error(rest.to_owned()),
            Some(':') => Reply::Int(number()?),
            Some('$') => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(length);
                    Reply::Bulk(bytes)
                }
                Err(_) => Reply::Nil,
            },
            Some('*') => match usize::try_from(number()?) {
                Ok(length) => Reply::Array((0..length).map(|_| self.read()).collect::<Result<_>>()?),
                Err(_) => Reply::Nil,
            },
            _ => return Err(Error::new(format!("not an answer of this protocol: {line:?}"))),
        })
    }
}

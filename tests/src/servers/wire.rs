//! The little that is needed to ask a server for its version: no client library is in between.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::address::Address;
use crate::error::{Context, Error, Result};

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub(super) fn tcp(host: &str, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).context(|| format!("connecting to {host}:{port}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// One GET; answers the status and the body.
pub(super) fn get(address: &Address, path: &str) -> Result<(u16, String)> {
    let mut stream = tcp(&address.host, address.port)?;
    let login = match (&address.user, &address.password) {
        (Some(user), Some(word)) => format!("Authorization: Basic {}\r\n", base64(format!("{user}:{word}").as_bytes())),
        _ => String::new(),
    };
    // In this version of HTTP the end of the body is the end of the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {}:{}\r\n{login}\r\n", address.host, address.port)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| Error::new("not an answer of HTTP"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| Error::new("not an answer of HTTP"))?, body.to_owned()))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_base64() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("a:ü", "YTrDvA==")];
        for (text, want) in cases {
            assert_eq!(base64(text.as_bytes()), want);
        }
    }
}

//! The little of HTTP/1.1 that is needed to stand between a client and a server: whole messages, one after the other.

use std::io::{BufRead, Read, Write};

use crate::error::{Error, Result};

/// Against a peer that never ends its line or its body.
const LIMIT: u64 = 1 << 30;

/// What a client is answered in the place of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// This status, with a body of JSON that says it.
    pub fn new(status: u16) -> Self {
        let body = format!("{{\"error\":{{\"type\":\"injected\",\"reason\":\"injected\"}},\"status\":{status}}}");
        Self { status, headers: Vec::new(), body }
    }

    /// Any header, such as `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body, which is called JSON whatever it is.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn into_message(self) -> Message {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(self.headers);
        Message {
            start: format!("HTTP/1.1 {} Injected", self.status),
            headers,
            length: None,
            body: self.body.into_bytes(),
        }
    }
}

/// A request or an answer.
pub(super) struct Message {
    start: String,
    /// Without those that tell how long the body is.
    headers: Vec<(String, String)>,
    /// What it says of a body that is not there, as the answer to HEAD does.
    length: Option<String>,
    body: Vec<u8>,
}

enum Length {
    Bytes(u64),
    Chunked,
    /// To the end of the connection.
    Open,
}

/// A message of which the body is still to be read.
pub(super) struct Head {
    start: String,
    headers: Vec<(String, String)>,
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

impl Message {
    /// Reads up to the body; `None` at the end of the connection.
    pub(super) fn head(stream: &mut impl BufRead) -> Result<Option<Head>> {
        let Some(start) = line(stream)?.filter(|line| !line.is_empty()) else { return Ok(None) };
        let mut headers = Vec::new();
        loop {
            let line = line(stream)?.ok_or_else(|| Error::new("the connection ended in a head"))?;
            if line.is_empty() {
                return Ok(Some(Head { start, headers }));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| Error::new("a header without a colon"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Method and path.
    pub(super) fn request(&self) -> Option<(&str, &str)> {
        let mut words = self.start.split(' ');
        Some((words.next()?, words.next()?))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(super) fn replace_in_headers(&mut self, old: &str, new: &str) {
        for (_, value) in &mut self.headers {
            *value = value.replace(old, new);
        }
    }

    /// Whether it is the last of its connection.
    pub(super) fn closes(&self) -> bool {
        let said = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        let old = self.start.contains("HTTP/1.0") && said != "keep-alive";
        said == "close" || old
    }

    /// Sends it, with these headers added.
    pub(super) fn send(&self, stream: &mut impl Write, more: &[(String, String)]) -> Result<()> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in self.headers.iter().chain(more) {
            text += &format!("{name}: {value}\r\n");
        }
        let length = self.length.clone().unwrap_or_else(|| self.body.len().to_string());
        let bodiless = ["204", "304"].contains(&self.start.split(' ').nth(1).unwrap_or_default());
        if !bodiless {
            text += &format!("Content-Length: {length}\r\n");
        }
        // One write: no half of a message waits for an acknowledgement.
        stream.write_all(&[format!("{text}\r\n").as_bytes(), &self.body].concat())?;
        stream.flush()?;
        Ok(())
    }
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(super) fn body_of_request(self, stream: &mut impl BufRead) -> Result<Message> {
        let length = match self.length()? {
            Length::Open => Length::Bytes(0),
            other => other,
        };
        self.body(stream, length)
    }

    pub(super) fn body_of_answer(self, stream: &mut impl BufRead, request: &Message) -> Result<Message> {
        let status = self.start.split(' ').nth(1).unwrap_or_default();
        let empty = request.start.starts_with("HEAD ") || ["204", "304"].contains(&status);
        if !empty {
            let length = self.length()?;
            return self.body(stream, length);
        }
        let length = find(&self.headers, "content-length").map(str::to_owned);
        Ok(Message { length, ..self.body(stream, Length::Bytes(0))? })
    }

    fn length(&self) -> Result<Length> {
        if find(&self.headers, "transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
            return Ok(Length::Chunked);
        }
        let Some(length) = find(&self.headers, "content-length") else { return Ok(Length::Open) };
        length.parse().map(Length::Bytes).map_err(|_| Error::new("a length that is no number"))
    }

    fn body(self, stream: &mut impl BufRead, length: Length) -> Result<Message> {
        let mut body = Vec::new();
        match length {
            Length::Bytes(length) => exactly(stream, length, &mut body)?,
            Length::Open => drop(stream.take(LIMIT).read_to_end(&mut body)?),
            Length::Chunked => loop {
                let line = line(stream)?.ok_or_else(|| Error::new("the connection ended in a body"))?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(digits, 16).map_err(|_| Error::new("a chunk without its size"))?;
                if size == 0 {
                    // What may follow it, and the empty line.
                    while self::line(stream)?.is_some_and(|line| !line.is_empty()) {}
                    break;
                }
                exactly(stream, size, &mut body)?;
                self::line(stream)?;
            },
        }
        let mut headers = self.headers;
        let told = ["content-length", "transfer-encoding", "expect"];
        headers.retain(|(name, _)| !told.contains(&name.to_ascii_lowercase().as_str()));
        Ok(Message { start: self.start, headers, length: None, body })
    }
}

fn exactly(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<()> {
    let read = stream.take(length.min(LIMIT)).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(Error::new("the connection ended in a body")) }
}

/// A line without its end; `None` at the end of the connection.
fn line(stream: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    if stream.take(1 << 20).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::new("a line that is not text"))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> (String, Vec<u8>) {
        let mut rest = text.as_bytes();
        let message = Message::head(&mut rest).unwrap().unwrap().body_of_request(&mut rest).unwrap();
        let mut out = Vec::new();
        message.send(&mut out, &[("X".into(), "y".into())]).unwrap();
        (String::from_utf8(out).unwrap(), rest.to_vec())
    }

    #[test]
    fn forwards_whole_messages() {
        let (sent, rest) = again("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\nGET");
        assert_eq!(sent, "GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(rest, b"GET");
        let (sent, rest) = again("PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcd");
        assert_eq!(sent, "PUT / HTTP/1.1\r\nX: y\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(rest, b"d");
        let chunks =
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\nT: t\r\n\r\n!";
        let (sent, rest) = again(chunks);
        assert_eq!(sent, "PUT / HTTP/1.1\r\nX: y\r\nContent-Length: 13\r\n\r\nabc0123456789");
        assert_eq!(rest, b"!");
    }

    #[test]
    fn an_answer_to_head_has_a_length_and_no_body() {
        let head = |text: &str| Message::head(&mut text.as_bytes()).unwrap().unwrap();
        let request = head("HEAD / HTTP/1.1\r\n\r\n").body_of_request(&mut &b""[..]).unwrap();
        let mut rest = &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP"[..];
        let answer = Message::head(&mut rest).unwrap().unwrap().body_of_answer(&mut rest, &request).unwrap();
        let mut out = Vec::new();
        answer.send(&mut out, &[]).unwrap();
        assert_eq!((out, rest), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(), &b"HTTP"[..]));
    }

    #[test]
    fn what_is_cut_is_an_error() {
        for text in
            ["GET", "GET / HTTP/1.1\r\nHost: h\r\n", "no colon\r\nx\r\n\r\n", "A\r\nContent-Length: 9\r\n\r\nabc"]
        {
            let mut rest = text.as_bytes();
            let read = Message::head(&mut rest).and_then(|head| {
                head.map_or_else(|| Err(Error::new("nothing")), |head| head.body_of_request(&mut rest))
            });
            assert!(read.is_err(), "{text}");
        }
    }
}

//! What is sent, by the blocking client.

use redis::{RedisResult, Value};

/// Commands that are sent in one write, as they are written.
#[derive(Debug)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    len: usize,
}

impl Commands {
    /// For so many commands, with about so many bytes in all.
    pub(super) fn new(commands: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(commands * 16 + bytes), len: 0 }
    }

    /// Begins a command of so many parts, with about so many bytes.
    pub(super) fn begin(&mut self, parts: usize, bytes: usize) {
        self.bytes.reserve(bytes + parts * 16 + 16);
        self.len += 1;
        self.line(b'*', parts);
    }

    /// The next part of the command that was begun.
    pub(super) fn part(&mut self, part: &[u8]) {
        self.line(b'$', part.len());
        self.bytes.extend_from_slice(part);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn line(&mut self, kind: u8, number: usize) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            // The remainder is a digit.
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&digits[at..]);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Sends and reads the answers. Errors of the server are values. After an error, answers may be left over.
    pub(super) fn send(&self, connection: &mut redis::Connection) -> RedisResult<Vec<Value>> {
        connection.send_packed_command(&self.bytes)?;
        // The client's own way to read many answers waits for each of them anew after the first time-out.
        (0..self.len).map(|_| connection.recv_response()).collect()
    }
}

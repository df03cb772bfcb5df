//! JSON objects as BSON documents, as far as those say exactly the same.

use super::{ARRAY, BOOLEAN, DOCUMENT, DOUBLE, INT32, INT64, NULL, STRING, begin, decimal, end, length};
use crate::json;

/// The server takes 100 levels, of which the document around takes some.
const MOST_LEVELS: usize = 64;

/// Appends the BSON document of a JSON object. `false` if the text is no object, or one that BSON does not hold exactly;
/// then anything may have been appended.
pub(super) fn append_object(text: &str, out: &mut Vec<u8>) -> bool {
    let mut reader = Reader { text: text.as_bytes(), at: 0, names: Vec::new() };
    reader.skip_space();
    if reader.next() != Some(b'{') || reader.object(out, 1).is_none() {
        return false;
    }
    reader.skip_space();
    reader.at == reader.text.len()
}

/// It need not check what it reads for being JSON, only never take one thing for another.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the names of the objects that are being read stand in the output.
    names: Vec<(usize, usize)>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.at += self.text.get(self.at..)?.starts_with(word).then_some(word.len())?;
        Some(())
    }

    /// The rest of an object whose brace was read.
    fn object(&mut self, out: &mut Vec<u8>, level: usize) -> Option<()> {
        if level > MOST_LEVELS {
            return None;
        }
        let start = begin(out);
        let first_name = self.names.len();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            end(out, start);
            return Some(());
        }
        loop {
            self.skip_space();
            let kind = out.len();
            out.push(0);
            let name = out.len();
            (self.next()? == b'"').then_some(())?;
            self.string(out)?;
            is_name(out.get(name..)?).then_some(())?;
            self.names.push((name, out.len()));
            out.push(0);
            self.skip_space();
            (self.next()? == b':').then_some(())?;
            self.value(out, kind, level)?;
            self.skip_space();
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        let names = self.names.get_mut(first_name..)?;
        if names.len() > 1 {
            let text = |&(start, end): &(usize, usize)| out.get(start..end).unwrap_or_default();
            names.sort_unstable_by(|one, other| text(one).cmp(text(other)));
            if names.windows(2).any(|pair| text(&pair[0]) == text(&pair[1])) {
                return None;
            }
        }
        self.names.truncate(first_name);
        end(out, start);
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, level: usize) -> Option<()> {
        if level > MOST_LEVELS {
            return None;
        }
        let start = begin(out);
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            end(out, start);
            return Some(());
        }
        for index in 0_u32.. {
            let kind = out.len();
            out.push(0);
            decimal(out, index);
            out.push(0);
            self.value(out, kind, level)?;
            self.skip_space();
            match self.next()? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        end(out, start);
        Some(())
    }

    /// Appends a value, and puts its type where it belongs.
    fn value(&mut self, out: &mut Vec<u8>, kind: usize, level: usize) -> Option<()> {
        self.skip_space();
        let found = match self.peek()? {
            b'"' => {
                self.at += 1;
                let start = out.len();
                out.extend_from_slice(&[0; 4]);
                self.string(out)?;
                out.push(0);
                let size = length(out.len() - start - 4);
                out.get_mut(start..start + 4)?.copy_from_slice(&size);
                STRING
            }
            b'{' => {
                self.at += 1;
                self.object(out, level + 1)?;
                DOCUMENT
            }
            b'[' => {
                self.at += 1;
                self.array(out, level + 1)?;
                ARRAY
            }
            b't' => {
                self.word(b"true")?;
                out.push(1);
                BOOLEAN
            }
            b'f' => {
                self.word(b"false")?;
                out.push(0);
                BOOLEAN
            }
            b'n' => {
                self.word(b"null")?;
                NULL
            }
            _ => self.number(out)?,
        };
        *out.get_mut(kind)? = found;
        Some(())
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let text = &rest[..rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())];
        self.at += text.len();
        let text = std::str::from_utf8(text).ok()?;
        if text != "-0"
            && let Ok(number) = text.parse::<i64>()
        {
            return Some(match i32::try_from(number) {
                Ok(number) => {
                    out.extend_from_slice(&number.to_le_bytes());
                    INT32
                }
                Err(_) => {
                    out.extend_from_slice(&number.to_le_bytes());
                    INT64
                }
            });
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        is_exact(text, number).then_some(())?;
        out.extend_from_slice(&number.to_le_bytes());
        Some(DOUBLE)
    }

    /// Appends a string whose opening quote was read.
    fn string(&mut self, out: &mut Vec<u8>) -> Option<()> {
        loop {
            let rest = self.text.get(self.at..)?;
            let run = memchr::memchr2(b'"', b'\\', rest)?;
            out.extend_from_slice(&rest[..run]);
            self.at += run + 1;
            if rest[run] == b'"' {
                return Some(());
            }
            let plain = match self.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                byte @ (b'"' | b'\\' | b'/') => byte,
                b'u' => {
                    let character = self.character()?;
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
                _ => return None,
            };
            out.push(plain);
        }
    }

    /// What an escape means, of which `\u` was read; half a surrogate pair means nothing.
    fn character(&mut self) -> Option<char> {
        let unit = self.unit()?;
        if !(0xd800..0xe000).contains(&unit) {
            return char::from_u32(unit);
        }
        self.word(b"\\u")?;
        let low = self.unit()?;
        let is_pair = unit < 0xdc00 && (0xdc00..0xe000).contains(&low);
        is_pair.then(|| char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)))?
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }
}

/// Whether it is a name that servers of every version take for nothing but a name.
fn is_name(name: &[u8]) -> bool {
    !matches!(name.first(), None | Some(b'$')) && !name.iter().any(|byte| matches!(byte, 0 | b'.'))
}

/// Whether the shortest text of the double says the same number.
fn is_exact(text: &str, number: f64) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // So many digits survive as a double, and back, unless it is one of the smallest.
    if digits <= 15 && (1e-290..1e290).contains(&number.abs()) {
        return true;
    }
    serde_json::to_vec(&number).is_ok_and(|shortest| json::means_the_same(text.as_bytes(), &shortest))
}

//! JSON strings of which most need no escape, and hex digits: what would cost most of the time, done a word at a time.

use std::sync::LazyLock;

use memchr::memmem::Finder;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A bit at the top of the first byte that is `"`, `\` or a control character; above it there may be others.
#[inline]
fn marks(word: u64) -> u64 {
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zero_bytes(word ^ (ONES * u64::from(b'"')));
    let backslashes = zero_bytes(word ^ (ONES * u64::from(b'\\')));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGHS
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes come before the first that a JSON string cannot hold as it is.
#[inline]
pub(in crate::formats) fn plain_len(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len())
}

/// Appends the text as a JSON string has it between its quotes.
#[inline]
pub(in crate::formats) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let plain = plain_len(text.as_bytes());
    out.extend_from_slice(&text.as_bytes()[..plain]);
    if plain < text.len() {
        escape_rest(&text.as_bytes()[plain..], out);
    }
}

#[cold]
fn escape_rest(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex(u64::from(byte))[14..]);
            }
            _ => out.push(byte),
        }
    }
}

/// This very text, and the rest from the quote after it on; `None` if another stands there, or one with an escape in
/// it.
#[inline]
pub(super) fn expected<'a>(text: &'a str, bytes: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = bytes.strip_prefix(text.as_bytes())?;
    (rest.first() == Some(&b'"') && plain_len(text.as_bytes()) == text.len()).then_some((text, rest))
}

/// The text up to a quote, and the rest from that quote on; `None` if there is an escape before it, or none.
#[inline]
pub(in crate::formats) fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at(plain_len(bytes));
    if rest.first() != Some(&b'"') {
        return None;
    }
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// 16 lower-case hex digits.
#[inline]
pub(in crate::formats) fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * at) & 15) as u8;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
    digits
}

/// The number of 16 lower-case hex digits.
#[inline]
pub(in crate::formats) fn from_hex(digits: [u8; 16]) -> Option<u64> {
    let (words, _) = digits.as_chunks::<8>();
    let [high, low] = words else { return None };
    Some(eight_digits(u64::from_le_bytes(*high))? << 32 | eight_digits(u64::from_le_bytes(*low))?)
}

/// The number of eight hex digits, the first of which is the lowest byte.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    // Letters have a bit that decimal digits have not.
    let letters = word >> 6 & ONES;
    let nibbles = (word & (ONES * 0x0f)) + letters * 9;
    let tens = (nibbles + ONES * 6) >> 4 & ONES;
    let as_digits = nibbles + ONES * u64::from(b'0') + letters * u64::from(b'a' - 10 - b'0');
    if as_digits != word || tens != letters || nibbles & (ONES * 0xf0) != 0 {
        return None;
    }
    let bytes = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes << 8 | bytes >> 16) & 0x0000_ffff_0000_ffff;
    Some((pairs << 16 | pairs >> 32) & 0xffff_ffff)
}

/// Whether `": ` is anywhere in it.
#[inline]
pub(super) fn has_spaced_field(value: &[u8]) -> bool {
    // Compact JSON is full of `":` and has few `: `.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(": "));
    FINDER.find_iter(value).any(|at| at.checked_sub(1).is_some_and(|before| value[before] == b'"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_end_is_found_at_every_place() {
        for len in 0..40 {
            for special in ["\"", "\\", "\n", "\0", "\x1f"] {
                let text = "é".repeat(len / 2) + &"x".repeat(len % 2) + special + "\"~";
                assert_eq!(plain_len(text.as_bytes()), len, "{text:?}");
            }
        }
        assert_eq!(plain_len(" !#[]~\x7f\u{80}\u{10ffff}".as_bytes()), 13);
    }

    #[test]
    fn finds_spaced_fields_at_every_place() {
        for before in 0..70 {
            let text = "x".repeat(before) + "\": ";
            assert!(has_spaced_field(text.as_bytes()));
            assert!(has_spaced_field((text.clone() + "\":\": ").as_bytes()));
            assert!(!has_spaced_field(&text.as_bytes()[..before + 2]));
        }
    }

    #[test]
    fn takes_lower_case_hex_digits_and_no_other_byte() {
        for place in 0..16 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0123456789abcdef";
                digits[place] = byte;
                assert_eq!(from_hex(digits).is_some(), matches!(byte, b'0'..=b'9' | b'a'..=b'f'), "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn escapes_as_serde_does(text in any::<String>()) {
            let mut out = vec![b'"'];
            escape_into(&text, &mut out);
            out.push(b'"');
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn hex_there_and_back(number in any::<u64>(), digits in any::<[u8; 16]>()) {
            prop_assert_eq!(hex(number).to_vec(), format!("{number:016x}").into_bytes());
            prop_assert_eq!(from_hex(hex(number)), Some(number));
            prop_assert!(from_hex(digits).is_none_or(|number| hex(number) == digits));
        }
    }
}

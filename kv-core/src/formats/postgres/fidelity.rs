//! What JSONB makes of a JSON text.

/// The most bytes of a JSON text that is given to the server as JSONB: its form can take six times as much there, and
/// no part of it may be larger than 255 MiB.
pub const LARGEST_JSONB: usize = 32 << 20;

/// The most digits of a number. Python's `json` reads no more than 4,300, JSONB 131,072 before the point.
const MOST_DIGITS: usize = 4_000;

/// The largest exponent of a number that is given to the server, which writes it out in full.
const MOST_EXPONENT: u32 = 400;

/// The deepest nesting. The server's parser calls itself, on a stack of 2 MB.
const DEEPEST: usize = 512;

/// How well JSONB keeps a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fidelity {
    /// What it gives back means the same, and its numbers are of the same sort.
    Exact,
    /// It takes it, and makes `-0.0` to `0.0` and `1e300` to an integer of 301 digits. The exact text is kept beside.
    Near,
    /// It does not take it: `\u0000`, half a surrogate pair, a number or a nesting out of its range, too much of it.
    None,
}

impl Fidelity {
    /// What JSONB makes of this text, which must be JSON: of other text the answer says nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use kv_core::formats::postgres::Fidelity;
    ///
    /// assert_eq!(Fidelity::of(br#"{"a":[1.50,"\u00e9",12345678901234567890123]}"#), Fidelity::Exact);
    /// assert_eq!(Fidelity::of(b"[-0.0,1e300]"), Fidelity::Near);
    /// assert_eq!(Fidelity::of(br#""\u0000""#), Fidelity::None);
    /// ```
    pub fn of(json: &[u8]) -> Self {
        if json.len() > LARGEST_JSONB {
            return Self::None;
        }
        let (mut at, mut depth, mut found) = (0, 0_usize, Self::Exact);
        while let Some(&byte) = json.get(at) {
            match byte {
                b'"' => match string(json, at + 1) {
                    Some(end) => at = end,
                    None => return Self::None,
                },
                b'-' | b'0'..=b'9' => {
                    let (end, fidelity) = number(json, at);
                    found = found.max(fidelity);
                    if fidelity == Self::None {
                        return Self::None;
                    }
                    at = end;
                }
                b'[' | b'{' => {
                    depth += 1;
                    if depth > DEEPEST {
                        return Self::None;
                    }
                    at += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                _ => at += 1,
            }
        }
        found
    }
}

/// The end of the string whose content begins here; `None` if JSONB does not take it.
fn string(json: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let step = memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        at += step;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        if json.get(at + 1) != Some(&b'u') {
            at += 2;
            continue;
        }
        let unit = code_unit(json, at)?;
        at += 6;
        match unit {
            0 | 0xDC00..=0xDFFF => return None,
            0xD800..=0xDBFF => {
                let is_escape = json.get(at..at + 2) == Some(b"\\u");
                let low = if is_escape { code_unit(json, at)? } else { 0 };
                if !matches!(low, 0xDC00..=0xDFFF) {
                    return None;
                }
                at += 6;
            }
            _ => {}
        }
    }
}

/// The number in the `\uXXXX` at this place.
fn code_unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(json.get(at + 2..at + 6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// The end of the number that begins here, and what JSONB makes of it.
fn number(json: &[u8], from: usize) -> (usize, Fidelity) {
    let len = json[from..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    let end = from + len.count();
    let text = &json[from..end];
    let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let mantissa = &text[..exponent_at.unwrap_or(text.len())];
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit());
    if digits.clone().count() > MOST_DIGITS {
        return (end, Fidelity::None);
    }
    if let Some(at) = exponent_at {
        let exponent = std::str::from_utf8(&text[at + 1..]).unwrap_or_default();
        let in_range = exponent.parse::<i64>().is_ok_and(|exponent| exponent.unsigned_abs() <= MOST_EXPONENT.into());
        return (end, if in_range { Fidelity::Near } else { Fidelity::None });
    }
    let negative_zero = mantissa.first() == Some(&b'-') && digits.clone().all(|digit| *digit == b'0');
    (end, if negative_zero { Fidelity::Near } else { Fidelity::Exact })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_fidelities() {
        use Fidelity::{Exact, Near, None};
        let digits = |count: usize| "7".repeat(count);
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (json, fidelity) in [
            ("null".to_owned(), Exact),
            ("\"text\"".to_owned(), Exact),
            ("{\"a\":[0,-1,1.0,-1.50,0.1,18446744073709551616]}".to_owned(), Exact),
            ("\"-0.0 1e5 \\\" \\\\u0000\"".to_owned(), Exact),
            ("\"\\ud83d\\ude00\\u00e9\\n\"".to_owned(), Exact),
            ("\"\u{1F600}\"".to_owned(), Exact),
            (digits(4_000), Exact),
            (nested(512), Exact),
            ("-0".to_owned(), Near),
            ("[-0.00]".to_owned(), Near),
            ("1e16".to_owned(), Near),
            ("{\"a\":1E-7}".to_owned(), Near),
            ("5e-324".to_owned(), Near),
            ("1e+400".to_owned(), Near),
            ("1e401".to_owned(), None),
            ("1e99999999999999999999".to_owned(), None),
            (digits(4_001), None),
            (nested(513), None),
            ("\"\\u0000\"".to_owned(), None),
            ("{\"\\u0000\":1}".to_owned(), None),
            ("[1e5,\"\\u0000\"]".to_owned(), None),
            ("\"\\ud83d\"".to_owned(), None),
            ("\"\\ud83dx\"".to_owned(), None),
            ("\"\\ud83d\\u0041\"".to_owned(), None),
            ("\"\\ude00\\ud83d\"".to_owned(), None),
            (format!("\"{}\"", "x".repeat(LARGEST_JSONB)), None),
        ] {
            assert_eq!(Fidelity::of(json.as_bytes()), fidelity, "{:.60}", json);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), json in "[\\[\\]{}\"\\\\u0d8e.,:+-]{0,40}") {
            let _ = (Fidelity::of(&bytes), Fidelity::of(json.as_bytes()));
        }

        #[test]
        fn what_serde_writes_is_exact_or_near(number in any::<f64>(), text in ".{0,9}", integer in any::<i128>()) {
            let json = serde_json::to_string(&(number, &text, integer)).unwrap();
            let hard = text.contains('\0') ;
            let odd = json.contains(['e', 'E']) || number == 0.0;
            let fidelity = Fidelity::of(json.as_bytes());
            prop_assert_eq!(fidelity == Fidelity::None, hard, "{}", json);
            prop_assert!(fidelity != Fidelity::Near || odd || text.contains('e'), "{}", json);
        }
    }
}

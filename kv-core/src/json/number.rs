//! JSON numbers by exact value.

use std::borrow::Cow;

/// Whether two JSON numbers are the same number, whatever their digits and exponents. `-0` is `0`.
pub(super) fn same(one: &str, other: &str) -> bool {
    matches!((Decimal::parse(one), Decimal::parse(other)), (Some(one), Some(other)) if one == other)
}

/// ± 0.DIGITS x 10^exponent, without zeros at either end of the digits; zero has no digits.
#[derive(PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    digits: Cow<'a, str>,
    exponent: i128,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i128>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned(format!("{whole}{fraction}")) };
        let point = i128::try_from(whole.len()).ok()?;
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let trimmed = digits.trim_matches('0');
        if trimmed.is_empty() {
            return Some(Self { negative: false, digits: Cow::Borrowed(""), exponent: 0 });
        }
        let exponent = exponent.checked_add(point)?.checked_sub(i128::try_from(leading).ok()?)?;
        let digits = match &digits {
            Cow::Borrowed(digits) => Cow::Borrowed(digits.trim_matches('0')),
            Cow::Owned(_) => Cow::Owned(trimmed.to_owned()),
        };
        Some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn by_exact_value() {
        for (one, other) in [
            ("1", "1.0"),
            ("10", "1e1"),
            ("0.001", "1E-3"),
            ("0", "-0.0"),
            ("0e5", "0"),
            ("100", "1e+2"),
            ("0.10", "0.1"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("1e400", "1e401"), ("9007199254740993", "9007199254740992")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}

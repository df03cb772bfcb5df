//! Hard inputs.

use std::collections::BTreeSet;

use kv_core::{Capabilities, Value};

/// Names that some encoding, path, query or pattern has stumbled over, all different, none longer than this.
pub(super) fn names(most: usize) -> Vec<String> {
    let mut names: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    // Long ones that differ at one end, or in length alone: truncated and hashed names.
    for len in [63, 64, 65, 127, 128, 200, 255, 256, 300, 1024, 2000, most] {
        let body = "x".repeat(len.saturating_sub(1));
        names.extend([format!("{body}1"), format!("{body}2"), format!("1{body}"), format!("2{body}")]);
    }
    // Of characters that take several bytes, so that a cut may fall inside one, or an escape makes them longer.
    for character in ["\u{e9}", "\u{20ac}", "\u{1F600}", "/", "%", ":", "\0", "\u{7f}", "\u{2028}"] {
        names.extend([character.repeat(most / character.len()), character.repeat(30), format!("x{character}")]);
    }
    names.into_iter().filter(|name| !name.is_empty() && name.len() <= most).collect()
}

const NAMES: &[&str] = &[
    // Prefixes of each other, and cases.
    "a", "ab", "abc", "A", "AB", "aB", "Ab", "ABC",
    // Blanks and control characters.
    " ", "  ", " a", "a ", "a b", "\t", "a\tb", "\n", "a\n", "\na", "a\r\nb", "\r", "\0", "a\0", "\0a", "a\0b", "\u{7f}", "\u{1b}[0m",
    // Paths.
    ".", "..", "...", "./a", "../a", "../../a", "a/..", "/", "//", "/a", "a/", "a/b", "a//b", "\\", "..\\a", "a\\b", "C:\\a",
    "C:", "~", "~/a", ".hidden", "a.json", "a.lock", "a.tmp", "con", "CON", "nul", "aux.txt", "lost+found",
    // Separators of our own and of others.
    ":", "::", ":::", "a:", ":a", "a:b", "a::", "::a", "a::b", "a:::b", "a__b", "__", "a_", "_a", "a-b", "a,b", "a;b", "a|b", "a=b",
    "a&b", "a#b", "a@b", "a+b", "a\u{1f}b",
    // Escapes.
    "%", "%%", "%2F", "%2f", "%00", "%zz", "a%", "%25", "\\u0061", "\\0", "&amp;", "=41", "+",
    // Patterns.
    "*", "**", "?", "a*", "a?", "[a]", "[", "]", "[!a]", "{a,b}", "{", "}", "^a$", ".*", "%a%", "_",
    // Quotes and code.
    "'", "\"", "`", "''", "a'b", "a\"b", "'; DROP TABLE entries; --", "${HOME}", "$(id)", "{{a}}", "<a>", "!", "$", "()",
    // What programs take for something else.
    "null", "true", "false", "0", "-0", "1", "01", "-1", "1.0", "1e3", "NaN", "undefined", "None", "{}", "[]", "\"\"", "id", "_id",
    "__proto__", "constructor", "key", "collection", "value", "default_collection", "S_a-0123456789abcdef", "H_0123456789abcdef",
    // Unicode: composed and decomposed, cases that change length, look-alikes, invisible ones, the ends of the planes.
    "\u{e9}", "e\u{301}", "\u{c9}", "\u{212b}", "\u{c5}", "A\u{30a}", "\u{df}", "ss", "SS", "\u{1e9e}", "i", "I", "\u{130}", "\u{131}", "\u{3c3}",
    "\u{3c2}", "\u{430}", "\u{fb01}", "fi", "\u{ff21}", "\u{200b}", "a\u{200b}", "\u{feff}a", "\u{202e}a", "\u{ad}a", "\u{a0}", "\u{3000}",
    "\u{85}", "\u{2028}", "\u{fffd}", "\u{ffff}", "\u{e000}", "\u{d7ff}", "\u{10000}", "\u{10ffff}", "\u{1F600}", "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "\u{65e5}\u{672c}\u{8a9e}", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
];

/// Pairs of a collection and a key that are one text when they are joined with some separator, or are read from one.
pub(super) const JOINED: &[(&str, &str)] = &[
    ("a", "b::c"),
    ("a::b", "c"),
    ("a:", "b"),
    ("a", ":b"),
    ("a::", "b"),
    ("a", "::b"),
    ("a:", ":b"),
    ("a", "b"),
    ("a::b", "b"),
    ("a", "b::b"),
    ("a__b", "c"),
    ("a", "b__c"),
    ("a_", "_b"),
    ("a/b", "c"),
    ("a", "b/c"),
    ("a/", "b"),
    ("a", "/b"),
    ("a.b", "c"),
    ("a", "b.c"),
    ("a-b", "c"),
    ("a", "b-c"),
    ("a\0b", "c"),
    ("a", "b\0c"),
    ("ab", "c"),
    ("a", "bc"),
    ("b", "a"),
    ("%61", "b"),
    ("a", "%62"),
    ("a%3A%3Ab", "c"),
    ("a%3A", "b"),
    ("A", "b"),
    ("a", "B"),
    ("a\\", "b"),
    ("a", "\\b"),
    ("a ", "b"),
    ("a", " b"),
    ("default_collection", "a::b"),
    ("default_collection::a", "b"),
];

/// JSON documents, as their text.
pub(super) fn documents() -> Vec<String> {
    let mut documents: Vec<String> = [
        "null", "true", "false", "0", "-1", "\"\"", "{}", "[]", "\"text\"", "\" \"", "\"null\"", "\"{}\"", "\"[1]\"", "\"1\"",
        r#"{"a":null,"b":[],"c":{},"d":""}"#,
        r#"[null,true,[],{},"",0,[[[[]]]]]"#,
        r#"{"":1," ":2,"a.b":3,"$set":4,"a\u0000b":5,"\ud83d\ude00":6}"#,
        // Members that a store may use itself.
        r#"{"value":1,"version":9,"expires_at":"2000-01-01T00:00:00+00:00","created_at":null,"key":"x","collection":"y","_id":1}"#,
        r#"{"value":{"value":{"value":null}},"version": 1}"#,
        r#"{"__kv__":1,"metadata":{},"revision":"0"}"#,
        r#""\u0000\u0001\u001f\u007f\u0080\u2028\u2029\ufeff\uffff""#,
        r#""\ud83d\ude00 \ud800\udc00 \udbff\udfff""#,
        "\"\u{1F600}\u{1F468}\u{200D}\u{1F469}\"",
        r#""quotes \" and \\ and \/ and \b\f\n\r\t""#,
        // Numbers at the ends of every width, and beyond.
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "340282366920938463463374607431768211455", "-170141183460469231731687303715884105728", "9007199254740993",
        "123456789012345678901234567890", "-123456789012345678901234567890",
        r#"{"deep":[123456789012345678901234567890]}"#,
        "0.1", "-0.0", "1e22", "1e300", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308", "0.30000000000000004",
        "3.141592653589793238462643383279",
    ]
    .iter()
    .map(|text| (*text).to_owned())
    .collect();
    documents.push(format!("{}1{}", "[".repeat(100), "]".repeat(100)));
    documents.push(format!("[{}]", (0..2000).map(|n| n.to_string()).collect::<Vec<_>>().join(",")));
    documents
}

/// Every kind of finite `f64`.
pub(super) const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.2,
    0.1 + 0.2,
    1.0 / 3.0,
    1e21,
    1e22,
    1e23,
    1e300,
    -1e300,
    1e-300,
    5e-324,
    -5e-324,
    2.225_073_858_507_201e-308,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    f64::EPSILON,
    9_007_199_254_740_992.0,
    9_007_199_254_740_993.0,
    1.797_693_134_862_315_6e308,
    123_456_789.012_345_67,
    std::f64::consts::PI,
];

/// Bytes.
pub(super) fn bytes() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        vec![0],
        (0..=255).collect(),
        b"{}".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe\0\0".to_vec(),
        b"\x1f\x8b\x08\0".to_vec(),
        vec![0; 100_000],
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
    ]
}

/// A document of a megabyte, or as long as the store takes.
pub(super) fn large(can: &Capabilities) -> Value {
    let most = can.max_value_bytes.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let len = most.min(1_000_000).saturating_sub(2);
    let text: String = "ab\u{e9}\u{1F600} ".chars().cycle().take(len / 3).collect();
    Value::encode(&text).unwrap()
}

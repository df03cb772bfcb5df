use proptest::prelude::*;

use super::*;
use crate::{ErrorKind, Name};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

#[test]
fn seconds_are_never_before_the_instant_and_read_back() {
    // Exactly, in units of 2^-52 seconds.
    let exact = |seconds: f64| {
        let whole = seconds.floor();
        (whole as i128) * (1_000_000 << 52) + ((seconds - whole) * 2_f64.powi(52)) as i128 * 1_000_000
    };
    let in_2026 = 1_795_233_445_000_000;
    for micros in (in_2026..in_2026 + 1_000_000).step_by(7).chain([0, 1_000_001, 4_000_000_000_000_001]) {
        let seconds = seconds(at(micros));
        assert!(exact(seconds) >= i128::from(micros) << 52, "{micros}");
        assert_eq!(instant(seconds), at(micros), "{micros}");
    }
    assert!(seconds(Timestamp::MAX) >= 253_370_764_799.999_999);
    assert_eq!(instant(f64::INFINITY), Timestamp::MAX);
    assert_eq!(instant(f64::NEG_INFINITY), Timestamp::MIN);
    assert_eq!(instant(-0.000_001), at(-1));
}

#[test]
fn seconds_keep_the_order_of_instants() {
    for micros in 1_795_233_445_000_000..1_795_233_445_001_000 {
        assert!(seconds(at(micros)) < seconds(at(micros + 1)));
    }
}

#[test]
fn the_row_tells_the_expiry_and_the_document_its_last_digits() {
    let (day, second) = (at(86_400_000_000), 1_000_000);
    assert_eq!(expires(None, Some(day)), None);
    assert_eq!(expires(Some(86_400.0), None), Some(day));
    assert_eq!(expires(Some(86_400.001), Some(day)), Some(day));
    assert_eq!(expires(Some(86_399.999), Some(day)), Some(day));
    assert_eq!(expires(Some(86_401.0), Some(day)), Some(at(day.as_micros() + second)));
    assert_eq!(expires(Some(seconds(Timestamp::MAX)), Some(Timestamp::MAX)), Some(Timestamp::MAX));
}

#[test]
fn files_lie_inside() {
    for good in ["da/84/82b8953c29cb9515dae37a51a60b.val", "x", "a/..b"] {
        assert!(is_inside(good), "{good}");
    }
    for bad in ["", "..", "../x", "a/../../x", "/etc/passwd", "cache.db", "cache.db-wal", "."] {
        assert!(!is_inside(bad), "{bad}");
    }
    assert_eq!(new_file(0).len(), "da/84/82b8953c29cb9515dae37a51a60b.val".len());
}

#[test]
fn text_is_measured_in_characters_and_bytes_in_bytes() {
    let settings = Settings { min_file_size: 10, ..Settings::default() };
    assert!(settings.is_inline("{ééééééé}".as_bytes()));
    assert!(!settings.is_inline("{éééééééé}".as_bytes()));
    assert!(settings.is_inline(b"{23456789"));
    assert!(!settings.is_inline(b"{234567890"));
    assert!(!settings.is_inline("\u{80}\u{80}\u{80}\u{80}\u{80}".as_bytes()));
}

#[test]
fn settings_that_make_no_sense_change_nothing() {
    let mut settings = Settings::default();
    for (key, value) in Settings::fresh() {
        settings.note(key, value);
    }
    settings.note("cull_limit", Cell::Null);
    settings.note("disk_min_file_size", Cell::Text(b"10"));
    settings.note("eviction_policy", Cell::Integer(1));
    assert_eq!(settings, Settings::default());
    settings.note("eviction_policy", Cell::Text(b"least-frequently-used"));
    assert_eq!(settings.eviction, Eviction::ByAccessCount);
}

#[test]
fn rows_of_others_are_refused_and_say_why() {
    let refusal = |mode, file, value| Content::of(mode, file, value).unwrap_err().message().to_owned();
    assert!(refusal(PICKLE, None, Cell::Blob(b"x")).contains("pickle"));
    assert!(refusal(PICKLE, Some("a/b"), Cell::Null).contains("pickle"));
    assert!(refusal(RAW, None, Cell::Integer(1)).contains("number"));
    assert!(refusal(RAW, None, Cell::Null).contains("not a record"));
    assert!(refusal(TEXT, Some("../x"), Cell::Null).contains("not inside"));
    assert!(refusal(BINARY, None, Cell::Null).contains("no file"));
    assert!(refusal(0, None, Cell::Null).contains("mode"));
    assert_eq!(Content::of(TEXT, Some("a/b"), Cell::Null).unwrap(), Content::File("a/b"));
}

const OF_A_B: &[u8] =
    br#"{"collection": "a::b", "created_at": "2026-11-21T06:53:33+00:00", "key": "k", "value": {}, "version": 1}"#;
const NAN: &[u8] = br#"{"collection": "a::b", "created_at": "2026-11-21T06:53:33+00:00", "key": "k", "value": {"x": NaN}, "version": 1}"#;

#[test]
fn a_shared_key_is_of_whom_the_document_says() {
    let (odd, plain) = (Name::new("a::b", "k"), Name::new("a", "b::k"));
    assert_eq!(legacy_key(odd), Some(key(plain)));
    for document in [OF_A_B, NAN] {
        assert!(matches!(read(document, None, plain, Place::Shared), Ok(None)));
        assert!(!matches!(read(document, None, odd, Place::Legacy), Ok(None)));
        assert_eq!(owner("a::b::k", document), Some(("a::b".to_owned(), "k".to_owned())));
        assert_eq!(owner("%a%3A%3Ab::k", document), Some(("a::b".to_owned(), "k".to_owned())));
    }
    assert_eq!(read(NAN, None, odd, Place::Legacy).unwrap_err().kind(), ErrorKind::Corrupted);
    assert!(read(NAN, None, odd, Place::Legacy).unwrap_err().message().contains("NaN"));
    assert_eq!(read(OF_A_B, None, Name::new("x", "y"), Place::Own).unwrap_err().kind(), ErrorKind::Corrupted);
    // One without names is of the plain name.
    let unnamed = br#"{"value": {}}"#;
    assert!(read(unnamed, None, plain, Place::Shared).unwrap().is_some());
    assert!(read(unnamed, None, odd, Place::Legacy).unwrap().is_none());
    assert_eq!(owner("a::b::k", unnamed), Some(("a".to_owned(), "b::k".to_owned())));
}

#[test]
fn what_is_not_a_record_has_no_owner() {
    for foreign in [&b"hello"[..], b"[1]", b"", br#"{"a": 1}"#, br#"{"collection": "x", "key": "y", "value": 1}"#] {
        assert_eq!(owner("a::k", foreign), None, "{foreign:?}");
    }
    assert_eq!(owner("no separator", br#"{"value": 1}"#), None);
    assert_eq!(owner("a::k", br#"{"collection": "a", "key": "k", "value": tru"#), Some(("a".into(), "k".into())));
    assert_eq!(owner("a::k", b"\xF5kv\x09"), Some(("a".into(), "k".into())));
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a:%|]{1,5}", "\\PC{1,8}"]
}

proptest! {
    #[test]
    fn a_legacy_key_that_is_a_key_is_shared(one in (names(), names()), other in (names(), names())) {
        let (one, other) = (Name::new(&one.0, &one.1), Name::new(&other.0, &other.1));
        if one != other {
            prop_assert_ne!(key(one), key(other));
            if legacy_key(one) == Some(key(other)) {
                prop_assert!(is_shared(&key(other)));
            }
        }
        let document = format!(r#"{{"collection": {:?}, "key": {:?}, "value": 1}}"#, one.collection, one.key);
        let owned = Some((one.collection.to_owned(), one.key.to_owned()));
        if crate::formats::decode(document.as_bytes()).is_ok() {
            prop_assert_eq!(owner(&key(one), document.as_bytes()), owned.clone());
            if let Some(legacy) = legacy_key(one) {
                prop_assert_eq!(owner(&legacy, document.as_bytes()), owned);
            }
        }
    }

    #[test]
    fn nothing_makes_a_reader_panic(stored in any::<Vec<u8>>(), key in "[a:%]{0,8}", seconds in any::<f64>()) {
        let _ = owner(&key, &stored);
        let _ = instant(seconds);
        for place in [Place::Own, Place::Shared, Place::Legacy] {
            let _ = read(&stored, Some(seconds), Name::new("a", "k"), place);
        }
    }
}

use proptest::prelude::*;

use super::*;

/// As the released Python package wrote it, with the separators of its stores.
const PYTHON: &str = r#"{"__compressed_data__": "H4sIAAFsAWsE/6tWykvMTVWyUnIviik1MEhLBpEpaakKMaUpFsYpQDLVwEBJRymzJDW3WMkqWikxKRmCgIKjbGAIDKtwiNVRylOyMjTAC2oB7ek5QjUCAAA=", "__compression_algorithm__": "gzip", "__compression_version__": 1}"#;

const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Gzip,
    #[cfg(feature = "compression-zstd")]
    Algorithm::Zstd,
    Algorithm::Lz4,
];

fn compressors() -> impl Iterator<Item = Compressor> {
    ALGORITHMS.iter().map(|algorithm| Compressor::new(*algorithm).with_threshold(16))
}

fn stored(compressor: &Compressor, value: ValueRef<'_>) -> Value {
    compressor.encode(value).unwrap().unwrap_or_else(|| value.to_value())
}

fn read(compressor: &Compressor, stored: ValueRef<'_>) -> Result<Value> {
    Ok(compressor.decode(stored)?.unwrap_or_else(|| stored.to_value()))
}

/// What is none is refused by whatever reads a stored document.
fn is_json(value: ValueRef<'_>) -> bool {
    value.is_json() && serde_json::from_slice::<serde::de::IgnoredAny>(value.as_encoded()).is_ok()
}

fn noise(len: u32) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..len).map(|_| random.u8(..)).collect()
}

fn long_json() -> Value {
    Value::from_json(format!(r#"{{"text": "{}", "n": 1e400}}"#, "abc ".repeat(200))).unwrap()
}

#[test]
fn reads_what_python_wrote() {
    let value = Compressor::new(Algorithm::Lz4).decode(ValueRef::Json(PYTHON.as_bytes())).unwrap().unwrap();
    let plain = value.as_ref().as_json().unwrap();
    assert_eq!(plain.len(), 565);
    assert!(plain.starts_with(r#"{"name":"Gr\u00fc\u00dfe \ud83d\ude00","items":["abcabcabc","#), "{plain}");
    assert!(plain.ends_with(r#"],"n":1000000000000000000000000000000}"#), "{plain}");
}

#[test]
fn an_envelope_is_read_however_it_is_written() {
    let compressor = Compressor::new(Algorithm::Gzip);
    let read = |text: &str| compressor.decode(ValueRef::Json(text.as_bytes()));
    let value = read(PYTHON).unwrap();
    for written in [
        PYTHON.replace(": ", ":").replace(", ", ","),
        PYTHON.replace(": 1}", ":1}\n"),
        PYTHON.replace('/', r"\/"),
        PYTHON.replace("H4sI", r"\u00484sI"),
        PYTHON
            .replace(r#", "__compression_algorithm__": "gzip""#, "")
            .replace("1}", r#"1, "__compression_algorithm__": "gzip"}"#),
    ] {
        assert_ne!(written, PYTHON);
        assert_eq!(read(&written).unwrap(), value, "{written}");
    }
    for damaged in [
        PYTHON.replace("H4sI", "H4s "),
        PYTHON.replace("H4sI", r#"H4sI", "x": ""#),
        PYTHON.replace("AAA=", "AAA"),
        PYTHON.replace("AAA=", "AAB="),
        PYTHON.replace("1}", "1,}"),
    ] {
        assert_ne!(damaged, PYTHON);
        assert_eq!(
            read(&damaged).unwrap_err().message(),
            "it has a name of a compressed value, and is none, or a damaged one"
        );
    }
}

#[test]
fn writes_as_python_does() {
    let value = long_json();
    let stored = Compressor::new(Algorithm::Gzip).with_threshold(1).encode(value.as_ref()).unwrap().unwrap();
    let text = stored.as_ref().as_json().unwrap();
    let fields: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(fields["__compression_algorithm__"], "gzip");
    assert_eq!(fields["__compression_version__"], 1);
    assert_eq!(fields.len(), 3);
    let gzip = BASE64.decode(fields["__compressed_data__"].as_str().unwrap()).unwrap();
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*gzip), &mut plain).unwrap();
    assert_eq!(plain, value.as_ref().as_json().unwrap());
}

#[test]
fn the_golden_envelope() {
    // Released format: these bytes stay as they are, for ever.
    let golden = b"\xF5kz\x01\x00\x01\x03\x00\x00\x00\x9e\x87m\x95abc";
    let compressor = Compressor::new(Algorithm::Lz4);
    assert_eq!(
        stored(&compressor, ValueRef::Bytes(b"abc")).as_ref().as_bytes().unwrap().escape_ascii().to_string(),
        golden.escape_ascii().to_string()
    );
    assert_eq!(read(&compressor, ValueRef::Bytes(golden)).unwrap(), Value::from_bytes(*b"abc"));
}

#[test]
fn short_values_and_those_that_do_not_become_shorter_stay_as_they_are() {
    let random = Value::encode(&BASE64.encode(noise(30))).unwrap();
    for compressor in compressors() {
        for json in ["[1]", "{}", "null", random.as_ref().as_json().unwrap()] {
            assert_eq!(compressor.encode(ValueRef::Json(json.as_bytes())).unwrap(), None, "{json}");
        }
        for bytes in [&b""[..], b"abc", &noise(10_000)] {
            let stored = stored(&compressor, ValueRef::Bytes(bytes));
            assert_eq!(stored.as_ref().as_encoded().len(), bytes.len() + HEADER_LEN);
            assert_eq!(read(&compressor, stored.as_ref()).unwrap(), Value::from_bytes(bytes));
        }
        // The threshold is the length from which on.
        let text = Value::encode(&"a".repeat(98)).unwrap();
        let stored_at = |threshold| {
            let compressor = Compressor::new(compressor.algorithm()).with_threshold(threshold);
            compressor.encode(text.as_ref()).unwrap()
        };
        assert!(compressor.algorithm() == Algorithm::Gzip || stored_at(100).is_some());
        assert!(stored_at(101).is_none());
    }
}

#[test]
fn a_user_s_own_object_of_such_names_comes_back() {
    let objects = [
        PYTHON,
        r#"{"__compressed_data__": 1}"#,
        r#"{"a": 1, "__compression_version__": null}"#,
        r#"{"__compr\u0065ssed_data__": "x"}"#,
        r#" {"\u005f_compressed_data__": "x"}"#,
    ];
    for compressor in compressors() {
        for object in objects {
            let value = ValueRef::Json(object.as_bytes());
            let once = stored(&compressor, value);
            assert_ne!(once, value.to_value(), "{object} would be taken for an envelope");
            assert_eq!(read(&compressor, once.as_ref()).unwrap(), value.to_value());
            let twice = stored(&compressor, once.as_ref());
            assert_eq!(read(&compressor, twice.as_ref()).unwrap(), once, "an envelope in an envelope");
        }
        for object in [r#"{"a": "__compressed_data__"}"#, r#"{"a": {"__compressed_data__": 1}}"#, r#"["__compressed"]"#]
        {
            let value = ValueRef::Json(object.as_bytes());
            assert_eq!(compressor.decode(value).unwrap(), None, "{object} is plain");
        }
    }
}

#[test]
fn damage_at_any_byte_is_an_error_or_does_no_harm() {
    let long = long_json();
    let bytes = Value::from_bytes(b"0123456789".repeat(50));
    for compressor in compressors() {
        for value in [&long, &bytes, &Value::from_bytes(noise(40))] {
            let stored = stored(&compressor, value.as_ref());
            let encoded = stored.as_ref().as_encoded();
            for at in 0..encoded.len() {
                for change in [0x01_u8, 0x20, 0x80, 0xff] {
                    let mut damaged = encoded.to_vec();
                    damaged[at] ^= change;
                    let damaged =
                        if stored.as_ref().is_json() { ValueRef::Json(&damaged) } else { ValueRef::Bytes(&damaged) };
                    match compressor.decode(damaged) {
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "byte {at}"),
                        // A field of gzip's header that says nothing of the value.
                        Ok(Some(read)) => assert_eq!(&read, value, "byte {at} of {stored:?}"),
                        Ok(None) => assert!(!is_json(damaged), "byte {at} of {stored:?}"),
                    }
                }
            }
            for len in 0..encoded.len() {
                let cut = &encoded[..len];
                let cut = if stored.as_ref().is_json() { ValueRef::Json(cut) } else { ValueRef::Bytes(cut) };
                if cut.is_json() && !NAMES.are_in(cut.as_encoded()) {
                    assert!(!is_json(cut), "no value at all");
                    continue;
                }
                assert_eq!(compressor.decode(cut).unwrap_err().kind(), ErrorKind::Corrupted, "cut at {len}");
            }
        }
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    let big = Value::encode(&"a".repeat(1_000_000)).unwrap();
    let zeros = Value::from_bytes(vec![0; 1_000_000]);
    for compressor in compressors() {
        let narrow = Compressor::new(compressor.algorithm()).with_limit(999_999).unwrap();
        for value in [&big, &zeros] {
            let stored = compressor.encode(value.as_ref()).unwrap().unwrap();
            let error = narrow.decode(stored.as_ref()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted);
            assert!(error.message().contains("more than the 999999 bytes"), "{error}");
            assert_eq!(narrow.encode(value.as_ref()).unwrap_err().kind(), ErrorKind::TooLarge);
            // One that lies about its length, with the right checksum.
            let ValueRef::Bytes(bytes) = stored.as_ref() else { continue };
            for lie in [0_u32, 1, 999_999] {
                let mut bytes = bytes.to_vec();
                bytes[6..10].copy_from_slice(&lie.to_le_bytes());
                let checksum = checksum(&bytes[..CHECKSUM_AT], &bytes[HEADER_LEN..]);
                bytes[CHECKSUM_AT..HEADER_LEN].copy_from_slice(&checksum.to_le_bytes());
                assert_eq!(narrow.decode(ValueRef::Bytes(&bytes)).unwrap_err().kind(), ErrorKind::Corrupted, "{lie}");
            }
        }
        let exact = Compressor::new(compressor.algorithm()).with_limit(1_000_000).unwrap();
        assert_eq!(read(&exact, stored(&exact, zeros.as_ref()).as_ref()).unwrap(), zeros);
    }
}

#[test]
fn bytes_from_before_are_read_where_that_was_asked_for() {
    let strict = Compressor::new(Algorithm::Gzip);
    let error = strict.decode(ValueRef::Bytes(b"before")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.message().contains("with_plain_bytes"), "{error}");
    assert_eq!(strict.with_plain_bytes().decode(ValueRef::Bytes(b"before")).unwrap(), None);
}

#[test]
fn newer_versions_and_other_algorithms_are_refused() {
    let compressor = Compressor::new(Algorithm::Gzip);
    let refused = |text: &str| compressor.decode(ValueRef::Json(text.as_bytes())).unwrap_err().message().to_owned();
    assert!(refused(&PYTHON.replace(": 1}", ": 2}")).contains("newer version"));
    assert!(refused(&PYTHON.replace("gzip", "brotli")).contains("algorithm that is not known"));
    let nan = BASE64.encode(compressor.codecs.compress(Algorithm::Gzip, 1, b"{\"a\": NaN}", 0).unwrap());
    let with = |data: &str| {
        format!(r#"{{"__compressed_data__":"{data}","__compression_algorithm__":"gzip","__compression_version__":1}}"#)
    };
    assert!(refused(&with(&nan)).contains("NaN"));
    let two = compressor.codecs.compress(Algorithm::Gzip, 1, b"1", 0).unwrap();
    assert!(refused(&with(&BASE64.encode(two.repeat(2)))).contains("behind"));

    let mut bytes = stored(&compressor, ValueRef::Bytes(b"abc")).as_ref().as_encoded().to_vec();
    bytes[3] = 2;
    assert!(compressor.decode(ValueRef::Bytes(&bytes)).unwrap_err().message().contains("newer version"));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (algorithm, level) in [(Algorithm::Gzip, 0), (Algorithm::Gzip, 10), (Algorithm::Lz4, 0), (Algorithm::Lz4, 1)] {
        let error = Compressor::new(algorithm).with_level(level).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{algorithm} {level}");
    }
    assert_eq!(Compressor::new(Algorithm::Gzip).with_limit(0).unwrap_err().kind(), ErrorKind::Configuration);
    let value = Value::encode(&(0..5000_u32).map(|n| n * n % 1009).collect::<Vec<_>>()).unwrap();
    let len = |level| {
        let compressor = Compressor::new(Algorithm::Gzip).with_level(level).unwrap();
        stored(&compressor, value.as_ref()).as_ref().as_encoded().len()
    };
    assert!(len(9) < len(1));
}

proptest! {
    #[test]
    fn every_value_comes_back(bytes in any::<Vec<u8>>(), text in any::<String>(), repeated in 1_usize..100) {
        for compressor in compressors() {
            let bytes = Value::from_bytes(bytes.repeat(repeated));
            prop_assert_eq!(&read(&compressor, stored(&compressor, bytes.as_ref()).as_ref()).unwrap(), &bytes);
            let json = Value::encode(&std::collections::BTreeMap::from([(&text, text.repeat(repeated))])).unwrap();
            prop_assert_eq!(&read(&compressor, stored(&compressor, json.as_ref()).as_ref()).unwrap(), &json);
        }
    }

    #[test]
    fn nothing_makes_it_panic(rest in any::<Vec<u8>>(), algorithm in 0_u8..5, kind in 0_u8..3, len in 0_u32..100_000) {
        let compressor = Compressor::new(Algorithm::Gzip).with_limit(100_000).unwrap();
        let mut envelope = [&MAGIC[..], &[VERSION, algorithm, kind], &len.to_le_bytes()].concat();
        let checksum = checksum(&envelope, &rest);
        envelope.extend_from_slice(&checksum.to_le_bytes());
        envelope.extend_from_slice(&rest);
        let _ = compressor.decode(ValueRef::Bytes(&envelope));
        let _ = compressor.decode(ValueRef::Bytes(&[&MAGIC[..], &rest].concat()));
        let gzip = [&[0x1f, 0x8b, 8, algorithm][..], &rest].concat();
        let data = BASE64.encode(gzip);
        let text = format!(
            r#"{{"__compressed_data__":"{data}","__compression_algorithm__":"gzip","__compression_version__":1}}"#
        );
        let _ = compressor.decode(ValueRef::Json(text.as_bytes()));
        let _ = compressor.decode(ValueRef::Json(&[&b"{\"__compressed_data__"[..], &rest].concat()));
    }
}

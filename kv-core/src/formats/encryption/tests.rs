use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;

use super::*;

/// The vector of Fernet's specification.
const SPEC_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const SPEC_TOKEN: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
/// The derivation of Python's wrapper, from "secret" and "salt".
const DERIVED_KEY: &str = "OAtjFN3s4z7l7j_4FyptwI4_En-0Mxrqwsdq2tRhyiQ=";
const OTHER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const NAME: Name<'static> = Name { collection: "users", key: "alice" };

fn fernet(key: &str) -> Fernet {
    Fernet::new(key).unwrap()
}

fn ciphers() -> [Cipher; 2] {
    [Aead::new("store", 1, &[7; 32]).into(), fernet(SPEC_KEY).into()]
}

fn values() -> [Value; 4] {
    [
        Value::from_json(r#"{"a": [1.50, "é"]}"#).unwrap(),
        Value::from_json("null").unwrap(),
        Value::from_bytes([]),
        Value::from_bytes(b"[1]".to_vec()),
    ]
}

fn text(token: &str) -> String {
    format!(r#"{{"__encrypted_data__": "{}", "__encryption_version__": 1}}"#, BASE64_STANDARD.encode(token))
}

fn of_kind(json: bool, encoded: &[u8]) -> ValueRef<'_> {
    if json { ValueRef::Json(encoded) } else { ValueRef::Bytes(encoded) }
}

#[track_caller]
fn refused(result: Result<Opened>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    error.message().to_owned()
}

#[test]
fn the_vector_of_the_specification() {
    let iv = std::array::from_fn(|at| at as u8);
    // What is encrypted there is no JSON, so only as bytes of text can the token be made.
    let sealed = fernet(SPEC_KEY).seal(ValueRef::Json(b"hello"), 499_162_800, iv);
    assert_eq!(sealed.as_ref().as_json().unwrap(), text(SPEC_TOKEN).replace(": ", ":").replace(", ", ","));
    let error = refused(Cipher::from(fernet(SPEC_KEY)).open(NAME, ValueRef::Json(text(SPEC_TOKEN).as_bytes())));
    assert!(error.contains("not JSON"), "it was decrypted: {error}");
}

#[test]
fn the_derivation_is_python_s() {
    let derived = Fernet::derived("secret", "salt").unwrap();
    let iv = [9; 16];
    let value = ValueRef::Json(b"{}");
    assert_eq!(derived.seal(value, 1, iv), fernet(DERIVED_KEY).seal(value, 1, iv));
    for (source, salt) in [("", "salt"), (" ", "salt"), ("secret", ""), ("secret", "\t")] {
        assert_eq!(Fernet::derived(source, salt).unwrap_err().kind(), ErrorKind::Configuration);
    }
}

#[test]
fn the_golden_envelope() {
    // Released format: these bytes stay as they are, for ever.
    let golden = GOLDEN_AEAD;
    let cipher = Aead::new("store", 0x0102_0304, &std::array::from_fn(|at| at as u8));
    let nonce = std::array::from_fn(|at| 0x40 + at as u8);
    let sealed = cipher.seal(NAME, ValueRef::Json(b"{\"a\":1}"), nonce).unwrap();
    assert_eq!(BASE64_STANDARD.encode(sealed.as_ref().as_encoded()), golden);
    let opened = Cipher::from(cipher).open(NAME, sealed.as_ref()).unwrap();
    assert_eq!(opened, Opened::Current(Value::from_json("{\"a\":1}").unwrap()));
}

const GOLDEN_AEAD: &str = "9WtlAQEABAMCAUBBQkNERUZHSElKS0xNTk9QUVJTVFVWV68bZFLq0QQ6YVigVPCG3XOoXOZBlkQz";

#[test]
fn every_kind_of_value_comes_back_and_no_two_are_alike() {
    for cipher in ciphers() {
        for value in values() {
            let (one, other) = (cipher.seal(NAME, value.as_ref()).unwrap(), cipher.seal(NAME, value.as_ref()).unwrap());
            assert_ne!(one, other, "a nonce was used twice");
            assert_eq!(cipher.open(NAME, one.as_ref()).unwrap(), Opened::Current(value));
        }
    }
}

#[test]
fn damage_at_any_byte_is_an_error() {
    for cipher in ciphers() {
        for value in values() {
            let sealed = cipher.seal(NAME, value.as_ref()).unwrap();
            let json = sealed.as_ref().is_json();
            let encoded = sealed.as_ref().as_encoded();
            for at in 0..encoded.len() {
                for change in [0x01_u8, 0x20, 0x80, 0xff] {
                    let mut damaged = encoded.to_vec();
                    damaged[at] ^= change;
                    match cipher.open(NAME, of_kind(json, &damaged)) {
                        // Its magic is gone: it is no encrypted value, which the wrapper refuses.
                        Ok(Opened::Plain) => assert!(at < MAGIC.len() || json, "byte {at}"),
                        opened => drop(refused(opened)),
                    }
                }
            }
            for len in 0..encoded.len() {
                let opened = cipher.open(NAME, of_kind(json, &encoded[..len]));
                assert!(matches!(opened, Err(_) | Ok(Opened::Plain)), "cut at {len}");
            }
            let longer = [encoded, b"0"].concat();
            refused(cipher.open(NAME, of_kind(json, &longer)));
        }
    }
}

#[test]
fn a_record_that_was_moved_does_not_decrypt() {
    let cipher = Cipher::from(Aead::new("store", 1, &[7; 32]));
    let sealed = cipher.seal(NAME, ValueRef::Json(b"1")).unwrap();
    for (collection, key) in [("users", "bob"), ("other", "alice"), ("user", "salice"), ("usersa", "lice")] {
        let message = refused(cipher.open(Name::new(collection, key), sealed.as_ref()));
        assert!(message.contains("for another record"), "{message}");
    }
    // Neither in the store of another context, nor with the context's end in the collection.
    for (context, collection) in [("stor", "users"), ("stor", "eusers"), ("storeusers", "")] {
        let elsewhere = Cipher::from(Aead::new(context, 1, &[7; 32]));
        refused(elsewhere.open(Name::new(collection, "alice"), sealed.as_ref()));
    }
    // Bytes are no JSON.
    let mut changed = sealed.as_ref().as_encoded().to_vec();
    changed[5] = 1;
    refused(cipher.open(NAME, ValueRef::Bytes(&changed)));
}

#[test]
fn the_first_key_encrypts_and_all_decrypt() {
    let (old, new) = (|| Aead::new("s", 1, &[1; 32]), || Aead::new("s", 2, &[2; 32]));
    let both = || new().with_older(1, &[1; 32]).unwrap();
    let (old_fernet, new_fernet) = (|| fernet(SPEC_KEY), || fernet(OTHER_KEY));
    let both_fernet = || new_fernet().with_older(fernet(DERIVED_KEY)).with_older(old_fernet());
    let cases: [(Cipher, Cipher, Cipher); 2] =
        [(old().into(), new().into(), both().into()), (old_fernet().into(), new_fernet().into(), both_fernet().into())];
    for (old, new, both) in cases {
        for value in values() {
            let (by_old, by_both) = (old.seal(NAME, value.as_ref()).unwrap(), both.seal(NAME, value.as_ref()).unwrap());
            assert_eq!(both.open(NAME, by_old.as_ref()).unwrap(), Opened::Older(value.clone()));
            assert_eq!(both.open(NAME, by_both.as_ref()).unwrap(), Opened::Current(value.clone()));
            assert_eq!(new.open(NAME, by_both.as_ref()).unwrap(), Opened::Current(value));
            refused(old.open(NAME, by_both.as_ref()));
            refused(new.open(NAME, by_old.as_ref()));
        }
    }
    // The right id, and another key.
    let impostor = Cipher::from(Aead::new("s", 1, &[3; 32]));
    let sealed = Cipher::from(old()).seal(NAME, ValueRef::Json(b"1")).unwrap();
    refused(impostor.open(NAME, sealed.as_ref()));
    let message = refused(Cipher::from(new()).open(NAME, sealed.as_ref()));
    assert!(message.contains("the key 1, which is not among"), "{message}");
}

#[test]
fn an_envelope_is_read_however_it_is_written() {
    let cipher = Cipher::from(fernet(SPEC_KEY));
    let value = Value::from_json(r#"{"a": "???>>>"}"#).unwrap();
    let sealed = cipher.seal(NAME, value.as_ref()).unwrap();
    let ours = sealed.as_ref().as_json().unwrap();
    let data = ours.split('"').nth(3).unwrap();
    let escaped = format!("\\u{:04x}{}", data.as_bytes()[0], &data[1..]);
    for written in [
        ours.replace(':', ": ").replace(',', ", "),
        ours.replace('}', " }"),
        ours.replace(data, &escaped),
        format!(r#"{{"__encryption_version__":1,"__encrypted_data__":"{data}"}}"#),
    ] {
        assert_ne!(written, ours);
        let opened = cipher.open(NAME, ValueRef::Json(written.as_bytes())).unwrap();
        assert_eq!(opened, Opened::Current(value.clone()), "{written}");
    }
    for damaged in [data.replacen(&data[..1], "!", 1), format!(r#"{data}","x":"#), data[1..].to_owned()] {
        let message = refused(cipher.open(NAME, ValueRef::Json(ours.replace(data, &damaged).as_bytes())));
        assert_eq!(message, "it has a name of an encrypted value, and is none, or a damaged one");
    }
}

#[test]
fn one_cipher_refuses_what_another_wrote() {
    let [aead, fernet] = ciphers();
    for value in values() {
        for (one, other) in [(&aead, &fernet), (&fernet, &aead)] {
            let sealed = one.seal(NAME, value.as_ref()).unwrap();
            assert!(refused(other.open(NAME, sealed.as_ref())).contains("not by this cipher"));
        }
    }
}

#[test]
fn a_fernet_token_is_of_one_kind() {
    let fernet = fernet(SPEC_KEY);
    let cipher = Cipher::from(Fernet::new(SPEC_KEY).unwrap());
    let json = fernet.seal(ValueRef::Json(b"[1]"), 0, [0; 16]);
    let sealed = json.as_ref().as_json().unwrap().split('"').nth(3).unwrap().to_owned();
    let token = base64::prelude::BASE64_URL_SAFE.decode(BASE64_STANDARD.decode(sealed).unwrap()).unwrap();
    let moved = [&header(FERNET, ValueRef::Bytes(b""))[..], &token].concat();
    refused(cipher.open(NAME, ValueRef::Bytes(&moved)));

    let bytes = fernet.seal(ValueRef::Bytes(b"[1]"), 0, [0; 16]);
    let token = base64::prelude::BASE64_URL_SAFE.encode(&bytes.as_ref().as_encoded()[HEADER_LEN..]);
    refused(cipher.open(NAME, ValueRef::Json(text(&token).as_bytes())));
}

#[test]
fn what_is_not_encrypted_is_told_as_such() {
    let plain = [r#"{"a": 1}"#, "1", r#"["__encrypted_data__"]"#, r#"{"a": {"__encrypted_data__": "x"}}"#];
    for cipher in ciphers() {
        for json in plain {
            assert_eq!(cipher.open(NAME, ValueRef::Json(json.as_bytes())).unwrap(), Opened::Plain, "{json}");
        }
        assert_eq!(cipher.open(NAME, ValueRef::Bytes(b"")).unwrap(), Opened::Plain);
        for json in [
            r#"{"__encrypted_data__": "x"}"#,
            r#"{"__encryption_version__": 1}"#,
            r#"{"__encrypted_data__": 1, "__encryption_version__": 1}"#,
            r#"{"__encrypted_data__": "eA==", "__encryption_version__": 2}"#,
            r#"{"__encrypted_data__": "eA==", "__encryption_version__": 1, "more": 1}"#,
            r#"{"__\u0065ncrypted_data__": "eA==", "__encryption_version__": 1}"#,
            r#"{"__encrypted_data__": "eA==", "__encryption_version__": 1"#,
        ] {
            refused(cipher.open(NAME, ValueRef::Json(json.as_bytes())));
        }
    }
}

#[test]
fn keys_that_are_none_are_refused_and_keys_are_never_shown() {
    for key in ["", "secret", "cw_0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=", &SPEC_KEY[..40]] {
        let error = Fernet::new(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(key.is_empty() || !format!("{error} {error:?}").contains(key), "{error}");
    }
    let twice = Aead::new("s", 1, &[1; 32]).with_older(1, &[2; 32]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Configuration);
    for (cipher, shown) in
        ciphers().iter().zip([r#"Aead(Aead { context: "store", keys: [1] })"#, "Fernet(Fernet { keys: 1 })"])
    {
        assert_eq!(format!("{cipher:?}"), shown);
    }
    assert_eq!(format!("{:?}", Opened::Current(Value::from_bytes(b"secret".to_vec()))), "Current");
}

#[test]
fn the_room_is_exact_for_json() {
    for cipher in ciphers() {
        for most in 250_u64..700 {
            let room = usize::try_from(cipher.room_in(most)).unwrap();
            let sealed = |len| cipher.seal(NAME, ValueRef::Json(&vec![b'1'; len])).unwrap().as_ref().as_encoded().len();
            assert!(sealed(room) as u64 <= most, "{room} in {most}");
            assert!(sealed(room + 1) as u64 > most, "{room} in {most}");
        }
        assert_eq!(cipher.room_in(10), 0);
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(rest in any::<Vec<u8>>(), algorithm in 0_u8..4, kind in 0_u8..3) {
        for cipher in ciphers() {
            let bytes = [&MAGIC[..], &[VERSION, algorithm, kind, 1, 0, 0, 0], &rest].concat();
            prop_assert!(cipher.open(NAME, ValueRef::Bytes(&bytes)).is_err());
            let _ = cipher.open(NAME, ValueRef::Bytes(&[&MAGIC[..], &rest].concat()));
            let token = base64::prelude::BASE64_URL_SAFE.encode(&rest);
            prop_assert!(cipher.open(NAME, ValueRef::Json(text(&token).as_bytes())).is_err());
            let _ = cipher.open(NAME, ValueRef::Json(&[&b"{\"__encrypted_data__"[..], &rest].concat()));
        }
    }
}

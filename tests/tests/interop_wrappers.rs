//! Wrappers that change what is stored, over Redis, shared with the released Python package in both directions and both
//! flavours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[macro_use]
#[path = "../shared/side.rs"]
mod side;

use std::sync::Arc;

use kv_core::{Entry, ErrorKind, Result, ValueRef};
use kv_tests::need;
use kv_tests::python::{Python, Session};
use kv_tests::servers::{self, Server};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::side::{Side, runtime};

const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const OLD_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Where [`Stack::AllInOne`] stores all collections.
const ONE: &str = "interop:all in one";

/// Values that hurt, as objects, for Python's values are dicts.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        r#"{}"#,
        r#"{"text": "Grüße, 世界 \ud83d\ude00 \u0000 \" \\ / \u007f", "é": null}"#,
        r#"{"big": 1000000000000000000000000000000, "floats": [0.1, 1e22, -0.0, 5e-324, 1.7976931348623157e308]}"#,
        r#"{"version": 99, "value": {"value": 1}, "expires_at": "2001-01-01T00:00:00+00:00", "key": "x"}"#,
        r#"{"nested": {"__compressed_data__": 1, "__encrypted_data__": {"a": [[], {}, ""]}}}"#,
    ]
    .map(str::to_owned)
    .into();
    values.push(json!({"long": "to and fro ".repeat(1000)}).to_string());
    values
        .push(json!({"numbers": (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_761)).collect::<Vec<_>>()}).to_string());
    values
}

#[derive(Debug, Clone, Copy)]
enum Stack {
    Compressed,
    Encrypted,
    EncryptedWithTwoKeys,
    EncryptedWithTheOldKey,
    EncryptedWithADerivedKey,
    /// Compressed, then encrypted.
    Both,
    PrefixedKeys,
    PrefixedCollections,
    AllInOne,
}

impl Stack {
    /// The same in Python.
    fn theirs(self) -> Json {
        let compression = json!({"wrapper": "compression"});
        let fernet = |keys: &[&str]| json!({"wrapper": "fernet", "keys": keys});
        match self {
            Self::Compressed => json!([compression]),
            Self::Encrypted => json!([fernet(&[KEY])]),
            Self::EncryptedWithTwoKeys => json!([fernet(&[KEY, OLD_KEY])]),
            Self::EncryptedWithTheOldKey => json!([fernet(&[OLD_KEY])]),
            Self::EncryptedWithADerivedKey => {
                json!([{"wrapper": "fernet", "source_material": "secret", "salt": "salt"}])
            }
            Self::Both => json!([compression, fernet(&[KEY])]),
            Self::PrefixedKeys => json!([{"wrapper": "prefix_keys", "prefix": "app"}]),
            Self::PrefixedCollections => json!([{"wrapper": "prefix_collections", "prefix": "app"}]),
            Self::AllInOne => json!([{"wrapper": "single_collection", "single_collection": ONE}]),
        }
    }
}

macro_rules! stacks {
    ($flavour:ident) => {
        fn $flavour(stack: Stack, url: &str) -> ::$flavour::Kv {
            use ::$flavour::Kv;
            use ::$flavour::wrappers::{
                Compression, Encryption, Fernet, PrefixCollections, PrefixKeys, SingleCollection,
            };

            let redis = ::$flavour::stores::RedisStore::connect(url).unwrap();
            let fernet = |key| Fernet::new(key).unwrap();
            match stack {
                Stack::Compressed => Kv::new(Compression::gzip(redis)),
                Stack::Encrypted => Kv::new(Encryption::new(redis, fernet(KEY))),
                Stack::EncryptedWithTwoKeys => Kv::new(Encryption::new(redis, fernet(KEY).with_older(fernet(OLD_KEY)))),
                Stack::EncryptedWithTheOldKey => Kv::new(Encryption::new(redis, fernet(OLD_KEY))),
                Stack::EncryptedWithADerivedKey => {
                    Kv::new(Encryption::new(redis, Fernet::derived("secret", "salt").unwrap()))
                }
                Stack::Both => Kv::new(Compression::gzip(Encryption::new(redis, fernet(KEY)))),
                Stack::PrefixedKeys => Kv::new(PrefixKeys::new(redis, "app").unwrap()),
                Stack::PrefixedCollections => Kv::new(PrefixCollections::new(redis, "app").unwrap()),
                Stack::AllInOne => Kv::new(SingleCollection::new(redis, ONE).unwrap()),
            }
        }
    };
}

stacks!(kv_sync);
stacks!(kv_async);

/// A collection through this library.
struct Ours {
    side: Side,
    collection: String,
}

impl Ours {
    fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.side.entry_in(&self.collection, key)
    }

    fn put(&self, key: &str, json: &str) {
        self.side.put_json(&self.collection, key, json).unwrap();
    }

    fn keys(&self) -> Vec<String> {
        let mut keys = self.side.all_keys(&self.collection).unwrap();
        keys.sort();
        keys.dedup();
        keys
    }

    fn clear(&self) {
        self.side.clear(&self.collection).unwrap();
    }

    #[track_caller]
    fn reads(&self, key: &str, json: &str) {
        let entry = self.get(key).unwrap().unwrap_or_else(|| panic!("{key} is missing"));
        assert_same(entry.as_json().unwrap(), json);
    }
}

/// A collection through Python's store, with a stack around it.
struct Theirs<'s> {
    session: &'s mut Session,
    server: &'s Server,
    collection: &'s str,
    wrappers: Json,
}

impl Theirs<'_> {
    fn call(&mut self, op: &str, key: &str, value: Option<&str>) -> Json {
        let command = json!({
            "store": "redis", "host": self.server.host, "port": self.server.port, "wrappers": self.wrappers,
            "op": op, "collection": self.collection, "key": key, "value_text": value,
        });
        self.session.try_call(&command).unwrap()
    }

    fn put(&mut self, key: &str, json: &str) {
        assert_eq!(self.call("put", key, Some(json)), json!({"ok": true}));
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let answer = self.call("get", key, None);
        assert_eq!(answer.get("error"), None, "{answer}");
        answer["value_text"].as_str().map(str::to_owned)
    }

    #[track_caller]
    fn reads(&mut self, key: &str, json: &str) {
        assert_same(&self.get(key).unwrap_or_else(|| panic!("Python misses {key}")), json);
    }
}

#[track_caller]
fn assert_same(one: &str, other: &str) {
    assert!(ValueRef::Json(one.as_bytes()).means(ValueRef::Json(other.as_bytes())), "{one} is not {other}");
}

/// What a check has in hand.
struct World<'w> {
    server: &'w Server,
    session: Session,
    runtime: Arc<Runtime>,
    is_sync: bool,
    /// Nobody else's: the server may be anybody's.
    collection: String,
}

impl World<'_> {
    fn ours(&self, stack: Stack) -> Ours {
        let side = match self.is_sync {
            true => Side::Sync(kv_sync(stack, &self.server.url)),
            false => Side::Async(Arc::clone(&self.runtime), kv_async(stack, &self.server.url)),
        };
        Ours { side, collection: self.collection.clone() }
    }

    fn theirs(&mut self, stack: Stack) -> Theirs<'_> {
        self.theirs_within(stack.theirs())
    }

    /// Python's store without wrappers.
    fn bare(&mut self) -> Theirs<'_> {
        self.theirs_within(json!([]))
    }

    /// With another collection.
    fn within(&mut self, collection: &str, check: impl FnOnce(&mut Self)) {
        let own = std::mem::replace(&mut self.collection, collection.to_owned());
        check(self);
        self.collection = own;
    }

    fn theirs_within(&mut self, wrappers: Json) -> Theirs<'_> {
        Theirs { session: &mut self.session, server: self.server, collection: &self.collection, wrappers }
    }
}

fn with_both(name: &str, check: fn(&mut World<'_>)) {
    let (Some(server), Some(python)) = (need(servers::redis()), need(Python::find())) else { return };
    let runtime = Arc::new(runtime());
    for is_sync in [true, false] {
        let collection = format!("interop:{name}:{is_sync}:{}", std::process::id());
        let session = python.session().unwrap();
        let mut world = World { server: &server, session, runtime: Arc::clone(&runtime), is_sync, collection };
        check(&mut world);
        // By hand: what it holds is of several stacks.
        let kv = kv_sync::Kv::new(kv_sync::stores::RedisStore::connect(&server.url).unwrap());
        kv.collection(world.collection.as_str()).clear().unwrap();
    }
}

/// Writes all values on each side and reads them on the other, and answers what is stored of ours, and of theirs.
fn there_and_back(world: &mut World<'_>, stack: Stack) -> Vec<(String, [String; 2])> {
    let values = values();
    let mut stored = Vec::new();
    for (number, json) in values.iter().enumerate() {
        let (ours, theirs) = (format!("ours {number}"), format!("theirs {number}"));
        world.ours(stack).put(&ours, json);
        world.theirs(stack).reads(&ours, json);
        world.theirs(stack).put(&theirs, json);
        world.ours(stack).reads(&theirs, json);
        let texts = [ours, theirs].map(|key| world.bare().get(&key).unwrap_or_default());
        stored.push((json.clone(), texts));
    }
    assert_eq!(world.ours(stack).keys().len(), 2 * values.len());
    stored
}

fn names(json: &str) -> Vec<String> {
    serde_json::from_str::<serde_json::Map<String, Json>>(json).unwrap().keys().cloned().collect()
}

#[test]
fn compressed_values() {
    with_both("compressed", |world| {
        let envelope = ["__compressed_data__", "__compression_algorithm__", "__compression_version__"];
        let mut compressed = 0;
        for (json, [ours, theirs]) in there_and_back(world, Stack::Compressed) {
            for stored in [&ours, &theirs] {
                if json.len() >= 1024 {
                    assert_eq!(names(stored), envelope);
                    compressed += 1;
                } else {
                    assert_same(stored, &json);
                }
            }
            assert!(
                ours.len() <= theirs.len() + theirs.len() / 4,
                "{} bytes, and Python's {}",
                ours.len(),
                theirs.len()
            );
        }
        assert_eq!(compressed, 4);
    });
}

#[test]
fn a_damaged_compressed_value_is_an_error_where_python_gives_the_envelope() {
    with_both("damaged", |world| {
        let json =
            r#"{"__compressed_data__": "H4sIAAAA", "__compression_algorithm__": "gzip", "__compression_version__": 1}"#;
        world.bare().put("k", json);
        world.theirs(Stack::Compressed).reads("k", json);
        let error = world.ours(Stack::Compressed).get("k").unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some("k")), "{error}");

        // A user's own object of that name comes back here, and to Python.
        world.ours(Stack::Compressed).put("k", json);
        world.ours(Stack::Compressed).reads("k", json);
        world.theirs(Stack::Compressed).reads("k", json);
    });
}

#[test]
fn encrypted_values() {
    with_both("encrypted", |world| {
        for (_, stored) in there_and_back(world, Stack::Encrypted) {
            for stored in stored {
                assert_eq!(names(&stored), ["__encrypted_data__", "__encryption_version__"]);
            }
        }
    });
}

#[test]
fn encrypted_values_of_a_derived_key() {
    with_both("derived", |world| {
        let (stack, json) = (Stack::EncryptedWithADerivedKey, r#"{"a": 1}"#);
        world.ours(stack).put("ours", json);
        world.theirs(stack).reads("ours", json);
        world.theirs(stack).put("theirs", json);
        world.ours(stack).reads("theirs", json);
    });
}

#[test]
fn encrypted_values_of_several_keys() {
    with_both("rotated", |world| {
        let (old, both, new) = (Stack::EncryptedWithTheOldKey, Stack::EncryptedWithTwoKeys, Stack::Encrypted);
        let json = r#"{"a": 1}"#;
        world.ours(old).put("ours", json);
        world.theirs(old).put("theirs", json);
        for key in ["ours", "theirs"] {
            world.ours(both).reads(key, json);
            world.theirs(both).reads(key, json);
            let error = world.ours(new).get(key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted);
            assert_eq!(world.theirs(new).call("get", key, None)["error"], "DecryptionError");
        }
        world.ours(both).put("ours", json);
        world.theirs(both).put("theirs", json);
        world.theirs(new).reads("ours", json);
        world.ours(new).reads("theirs", json);
    });
}

#[test]
fn what_is_not_encrypted_is_an_error_where_python_gives_it() {
    with_both("plaintext", |world| {
        world.bare().put("k", r#"{"a": 1}"#);
        world.theirs(Stack::Encrypted).reads("k", r#"{"a": 1}"#);
        let error = world.ours(Stack::Encrypted).get("k").unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some("k")), "{error}");
    });
}

#[test]
fn compressed_and_encrypted_values() {
    with_both("both", |world| {
        for (json, [ours, theirs]) in there_and_back(world, Stack::Both) {
            for stored in [&ours, &theirs] {
                assert_eq!(names(stored), ["__encrypted_data__", "__encryption_version__"]);
                assert!(!json.contains("to and fro") || stored.len() < 1000, "{} bytes", stored.len());
            }
        }
    });
}

#[test]
fn prefixed_keys() {
    with_both("prefixed", |world| {
        for (_, stored) in there_and_back(world, Stack::PrefixedKeys) {
            assert_eq!(stored, [String::new(), String::new()], "nothing stands under the bare key");
        }
        world.ours(Stack::PrefixedKeys).put("k", r#"{"a": 1}"#);
        world.bare().reads("app__k", r#"{"a": 1}"#);
        world.bare().put("stranger", r#"{"a": 1}"#);
        assert!(!world.ours(Stack::PrefixedKeys).keys().contains(&"stranger".to_owned()));
        world.ours(Stack::PrefixedKeys).clear();
        assert_eq!(world.theirs(Stack::PrefixedKeys).get("k"), None);
        world.bare().reads("stranger", r#"{"a": 1}"#);
    });
}

#[test]
fn prefixed_collections() {
    with_both("prefixed-collections", |world| {
        for (_, stored) in there_and_back(world, Stack::PrefixedCollections) {
            assert_eq!(stored, [String::new(), String::new()], "nothing stands in the bare collection");
        }
        world.ours(Stack::PrefixedCollections).put("k", r#"{"a": 1}"#);
        let prefixed = format!("app__{}", world.collection);
        world.within(&prefixed, |world| world.bare().reads("k", r#"{"a": 1}"#));
        world.ours(Stack::PrefixedCollections).clear();
        assert_eq!(world.theirs(Stack::PrefixedCollections).get("k"), None);
    });
}

#[test]
fn all_collections_in_one() {
    with_both("single", |world| {
        for (_, stored) in there_and_back(world, Stack::AllInOne) {
            assert_eq!(stored, [String::new(), String::new()], "nothing stands in a collection of its own");
        }
        let (own, other) = (world.collection.clone(), format!("{}:other", world.collection));
        world.ours(Stack::AllInOne).put("k", r#"{"a": 1}"#);
        world.within(ONE, |world| world.bare().reads(&format!("{own}__k"), r#"{"a": 1}"#));

        // The same key in another collection is another record, here and in Python.
        world.within(&other, |world| {
            assert_eq!(world.theirs(Stack::AllInOne).get("k"), None);
            world.theirs(Stack::AllInOne).put("k", r#"{"a": 2}"#);
            assert_eq!(world.ours(Stack::AllInOne).keys(), ["k"]);
        });
        world.theirs(Stack::AllInOne).reads("k", r#"{"a": 1}"#);
        world.ours(Stack::AllInOne).clear();
        assert_eq!(world.theirs(Stack::AllInOne).get("k"), None);
        world.within(&other, |world| {
            world.ours(Stack::AllInOne).reads("k", r#"{"a": 2}"#);
            world.ours(Stack::AllInOne).clear();
            assert_eq!(world.theirs(Stack::AllInOne).get("k"), None);
        });
    });
}

#[test]
fn two_names_that_are_one_record_in_python_are_two_here() {
    with_both("single-escaped", |world| {
        let stack = Stack::AllInOne;
        let (own, longer) = (world.collection.clone(), format!("{}__b", world.collection));
        world.within(&longer, |world| world.theirs(stack).put("k", r#"{"a": 1}"#));
        world.theirs(stack).reads("b__k", r#"{"a": 1}"#);
        world.ours(stack).reads("b__k", r#"{"a": 1}"#);
        world.within(&longer, |world| {
            assert!(world.ours(stack).get("k").unwrap().is_none());
            world.ours(stack).put("k", r#"{"a": 2}"#);
            world.theirs(stack).reads("k", r#"{"a": 1}"#);
            world.ours(stack).reads("k", r#"{"a": 2}"#);
        });
        world.within(ONE, |world| world.bare().reads(&format!("__{own}_-_-b__k"), r#"{"a": 2}"#));
        world.ours(stack).clear();
        world.within(&longer, |world| {
            world.ours(stack).reads("k", r#"{"a": 2}"#);
            world.ours(stack).clear();
            assert_eq!(world.theirs(stack).get("k"), None);
        });
    });
}

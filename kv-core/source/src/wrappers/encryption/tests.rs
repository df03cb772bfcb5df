use std::sync::Arc;

use kv_core::formats::encryption::{Aead, Fernet};
use kv_core::{DEFAULT_COLLECTION, Metadata, PutItem, PutOptions, PutOutcome};

use super::super::testing::{Damaged, Interrupted, Meanwhile, secs, stopped};
use super::*;
use crate::kv::Kv;
use crate::stores::{MemoryStore, NullStore, SimpleStore};

type Sealed = Encryption<Arc<SimpleStore>>;

const FERNET_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const OLD_FERNET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The bare store, and ciphers of an old key and of a new one beside it.
fn bare() -> (Arc<SimpleStore>, Kv) {
    let store = Arc::new(stopped().0);
    (Arc::clone(&store), Kv::from_arc(store as Arc<dyn Store>))
}

fn ciphers() -> [(Cipher, Cipher); 2] {
    let fernet = |key| Fernet::new(key).unwrap();
    [
        (Aead::new("s", 1, &[1; 32]).into(), Aead::new("s", 2, &[2; 32]).with_older(1, &[1; 32]).unwrap().into()),
        (fernet(OLD_FERNET_KEY).into(), fernet(FERNET_KEY).with_older(fernet(OLD_FERNET_KEY)).into()),
    ]
}

fn new_only(cipher: &Cipher) -> Cipher {
    match cipher {
        Cipher::Aead(_) => Aead::new("s", 2, &[2; 32]).into(),
        _ => Fernet::new(FERNET_KEY).unwrap().into(),
    }
}

#[maybe_async::maybe_async]
async fn copy(bare: &Kv, from: (&str, &str), to: (&str, &str)) {
    let entry = bare.collection(from.0).get_entry(from.1).await.unwrap().unwrap();
    let outcome = bare.collection(to.0).put_value(to.1, entry.value(), &PutOptions::default()).await.unwrap();
    assert!(outcome.is_written());
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_store_never_sees_a_value() {
    for (_, cipher) in ciphers() {
        let (store, bare) = bare();
        let kv = Kv::new(Sealed::new(store, cipher));
        let secret = "hunter2 hunter2 hunter2";
        kv.put("put", secret).await.unwrap();
        kv.put_bytes("bytes", secret.as_bytes()).await.unwrap();
        kv.put_many(&[("many", secret)], &PutOptions::default()).await.unwrap();
        kv.append("append", secret).await.unwrap();
        kv.update("update", |_: Option<String>| Some(secret.to_owned())).await.unwrap();
        kv.compare_and_swap("swap", None, Some(&secret)).await.unwrap();
        kv.get_and_put("replace", &secret.to_owned()).await.unwrap();
        kv.put_if_absent("absent", secret).await.unwrap();
        kv.increment("number", 1234567).await.unwrap();
        let page = bare.collection(DEFAULT_COLLECTION).entries(&ListOptions::default()).await.unwrap();
        assert_eq!(page.items.len(), 9);
        for (key, entry) in page.items {
            let entry = entry.unwrap();
            let stored = String::from_utf8_lossy(entry.value().as_encoded()).into_owned();
            assert!(!stored.contains("hunter2") && !stored.contains("1234567"), "{key}");
        }
        let read = kv.get::<i64>("number").await.unwrap();
        assert_eq!(read, Some(1_234_567));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_record_that_was_moved_is_refused() {
    let (store, bare) = bare();
    let kv = Kv::new(Sealed::new(Arc::clone(&store), Aead::new("s", 1, &[1; 32])));
    kv.collection("c").put("k", &1).await.unwrap();
    for (collection, key) in [("c", "other"), ("other", "k")] {
        copy(&bare, ("c", "k"), (collection, key)).await;
        let error = kv.collection(collection).get::<u8>(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert_eq!((error.store(), error.collection(), error.key()), (Some("Encryption"), Some(collection), Some(key)));
    }
    let elsewhere = Kv::new(Sealed::new(store, Aead::new("another", 1, &[1; 32])));
    let error = elsewhere.collection("c").get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn damage_anywhere_is_an_error() {
    for (_, cipher) in ciphers() {
        let (store, bare) = bare();
        let kv = Kv::new(Sealed::new(store, cipher));
        kv.put("k", &1).await.unwrap();
        let stored = bare.get_entry("k").await.unwrap().unwrap();
        for at in 0..stored.value().as_encoded().len() {
            let mut bytes = stored.value().as_encoded().to_vec();
            bytes[at] ^= 4;
            let damaged = if stored.value().is_json() { ValueRef::Json(&bytes) } else { ValueRef::Bytes(&bytes) };
            let outcome = bare.put_value("k", damaged, &PutOptions::default()).await.unwrap();
            assert!(outcome.is_written());
            let error = kv.get::<u8>("k").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted, "byte {at}: {error}");
        }
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_not_encrypted_is_refused_unless_that_was_asked_for() {
    for (_, cipher) in ciphers() {
        let (store, bare) = bare();
        bare.put("json", &1).await.unwrap();
        bare.put_bytes("bytes", b"1").await.unwrap();
        let sealed = Sealed::new(store, cipher);
        let kv = Kv::new(sealed.clone());
        for key in ["json", "bytes"] {
            let errors = [
                kv.get_entry(key).await.unwrap_err(),
                kv.append(key, "1").await.unwrap_err(),
                kv.get_many::<u8>(&[key]).await.unwrap().remove(0).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Corrupted);
                assert!(error.message().contains("not encrypted"), "{error}");
            }
        }
        let kv = Kv::new(sealed.with_plaintext_read());
        let read = kv.get::<u8>("json").await.unwrap();
        assert_eq!(read, Some(1));
        let read = kv.get_bytes("bytes").await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"1"[..]));
        let still = bare.get::<u8>("json").await.unwrap();
        assert_eq!(still, Some(1), "reading changes nothing");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn seeds_of_the_store_within_are_refused() {
    let store = stopped().0.with_seed("c", "seed", &1).unwrap();
    let kv = Kv::new(Encryption::new(store, Aead::new("s", 1, &[1; 32])));
    let error = kv.collection("c").get::<u8>("seed").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn reading_encrypts_anew_and_keeps_the_record() {
    for (old, both) in ciphers() {
        let (store, bare) = bare();
        let notes = Metadata::new().with("a", "b");
        let options = PutOptions::ttl(secs(60)).with_metadata(notes.clone());
        let written = Kv::new(Sealed::new(Arc::clone(&store), old)).put_with("k", "secret", &options).await.unwrap();
        bare.put("plain", "secret").await.unwrap();

        let new = Kv::new(Sealed::new(Arc::clone(&store), new_only(&both)));
        let error = new.get::<String>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        let sealed = Sealed::new(store, both).with_plaintext_read();
        let read = Kv::new(sealed.clone()).get::<String>("k").await.unwrap();
        assert_eq!(read.as_deref(), Some("secret"));
        let unchanged = bare.get_entry("k").await.unwrap().unwrap();
        assert_eq!(unchanged.revision(), written.written().unwrap().revision(), "reading alone changes nothing");

        let kv = Kv::new(sealed.with_reencryption_on_read().unwrap());
        let entry = kv.get_entry("k").await.unwrap().unwrap();
        assert_eq!(entry.decode::<String>().unwrap(), "secret");
        let read = kv.get_many::<String>(&["plain"]).await.unwrap().remove(0).unwrap();
        assert_eq!(read.as_deref(), Some("secret"));
        for key in ["k", "plain"] {
            let read = new.get::<String>(key).await.unwrap();
            assert_eq!(read.as_deref(), Some("secret"), "{key} is encrypted with the new key");
        }
        let after = bare.get_entry("k").await.unwrap().unwrap();
        assert_eq!((after.created(), after.expires()), (unchanged.created(), unchanged.expires()));
        assert_eq!(after.metadata(), Some(&notes));
        assert_eq!(entry.revision(), after.revision(), "what was read is what is there");
        let again = kv.get_entry("k").await.unwrap().unwrap();
        assert_eq!(again.revision(), after.revision(), "once is enough");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn reading_encrypts_anew_what_memory_has_at_hand() {
    for (old, both) in ciphers() {
        let memory = Arc::new(MemoryStore::new());
        let new = Kv::new(Encryption::new(Arc::clone(&memory), new_only(&both)));
        Kv::new(Encryption::new(Arc::clone(&memory), old)).put("k", "secret").await.unwrap();
        let kv = Kv::new(Encryption::new(memory, both).with_reencryption_on_read().unwrap());
        let error = new.get::<String>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        let read = kv.get::<String>("k").await.unwrap();
        assert_eq!(read.as_deref(), Some("secret"));
        let read = new.get::<String>("k").await.unwrap();
        assert_eq!(read.as_deref(), Some("secret"));
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn encrypting_anew_never_undoes_another_s_write() {
    let (old, both) = (Aead::new("s", 1, &[1; 32]), Aead::new("s", 2, &[2; 32]).with_older(1, &[1; 32]).unwrap());
    let inner = stopped().0;
    let name = Name::new("c", "k");
    let sealed = Cipher::from(old).seal(name, ValueRef::Json(b"\"old\"")).unwrap();
    let outcome = inner.put(name, sealed.as_ref(), &PutOptions::default()).await.unwrap();
    assert!(outcome.is_written());
    let store = Arc::new(Interrupted::new(inner, Meanwhile::Put(b"\"theirs\"")));
    let wrapper = Encryption::new(Arc::clone(&store), both).with_plaintext_read();
    let kv = Kv::new(wrapper.with_reencryption_on_read().unwrap());
    let read = kv.collection("c").get::<String>("k").await.unwrap();
    assert_eq!(read.as_deref(), Some("old"), "it was there when it was read");
    assert!(store.has_happened());
    let read = kv.collection("c").get::<String>("k").await.unwrap();
    assert_eq!(read.as_deref(), Some("theirs"));
}

/// A store that gives one record and takes none.
#[derive(Debug)]
struct ReadOnly(SimpleStore);

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Wrapper for ReadOnly {
    type Inner = SimpleStore;
    const NAME: &'static str = "ReadOnly";

    fn inner(&self) -> &SimpleStore {
        &self.0
    }

    async fn put(&self, name: Name<'_>, _value: ValueRef<'_>, _options: &PutOptions) -> Result<PutOutcome> {
        Err(Error::new(ErrorKind::ReadOnly, "no writes").at(name))
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_read_does_not_fail_where_the_write_does() {
    let inner = stopped().0;
    let (name, options) = (Name::new("c", "k"), PutOptions::default());
    let outcome = inner.put(name, ValueRef::Json(b"1"), &options).await.unwrap();
    assert!(outcome.is_written());
    let wrapper = Encryption::new(ReadOnly(inner), Aead::new("s", 1, &[1; 32])).with_plaintext_read();
    let kv = Kv::new(wrapper.with_reencryption_on_read().unwrap());
    let read = kv.collection("c").get::<u8>("k").await.unwrap();
    assert_eq!(read, Some(1));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_collection_is_encrypted_anew_in_bulk() {
    for (old, both) in ciphers() {
        let (store, bare) = bare();
        let old = Kv::new(Sealed::new(Arc::clone(&store), old));
        let keys: Vec<String> = (0..2500).map(|number| format!("k{number}")).collect();
        let value = Value::encode("secret").unwrap();
        let items: Vec<_> = keys.iter().map(|key| PutItem::new(key, value.as_ref())).collect();
        let written = old.collection("c").put_items(&items, &PutOptions::default()).await.unwrap();
        assert_eq!(written.len(), keys.len());
        old.collection("other").put("k", "secret").await.unwrap();
        bare.collection("c").put("plain", "secret").await.unwrap();
        let new_only = new_only(&both);
        let sealed = Sealed::new(Arc::clone(&store), both);
        Kv::new(sealed.clone()).collection("c").put("k0", "new").await.unwrap();

        let done = sealed.reencrypt("c").await.unwrap();
        assert_eq!(done.rewritten, 2499);
        assert_eq!(done.unreadable.iter().map(Error::key).collect::<Vec<_>>(), [Some("plain")]);
        let done = sealed.clone().with_plaintext_read().reencrypt("c").await.unwrap();
        assert_eq!((done.rewritten, done.unreadable.len()), (1, 0), "what is done is not done again");

        let new = Kv::new(Sealed::new(store, new_only));
        let read = new.collection("c").get_many::<String>(&["k0", "k1", "k2499", "plain"]).await.unwrap();
        let read: Vec<_> = read.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
        assert_eq!(read, ["new", "secret", "secret", "secret"]);
        let error = new.collection("other").get::<String>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "other collections are left alone");
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn bulk_names_what_cannot_be_read_and_goes_on() {
    let store = Damaged { collection: "c", keys: &["a", "b"] };
    let sealed = Encryption::new(store, Aead::new("s", 1, &[1; 32]));
    let done = sealed.reencrypt("c").await.unwrap();
    // This one's listings repeat themselves.
    let keys: Vec<_> = done.unreadable.iter().map(Error::key).collect();
    assert_eq!(keys, [Some("a"), Some("a"), Some("b"), Some("b")]);
    let error = sealed.reencrypt("missing").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
}

#[test]
fn what_cannot_work_is_refused_and_no_key_is_shown() {
    let null = Encryption::new(NullStore::new(), Aead::new("s", 1, &[1; 32]));
    assert_eq!(null.with_reencryption_on_read().unwrap_err().kind(), ErrorKind::Configuration);
    let shown = format!("{:?}", Encryption::new(NullStore::new(), Aead::new("s", 77, &[201; 32])));
    assert!(shown.contains("77") && !shown.contains("201"), "{shown}");
    let shown = format!("{:?}", Encryption::new(NullStore::new(), Fernet::new(FERNET_KEY).unwrap()));
    assert!(!shown.contains(&FERNET_KEY[..8]), "{shown}");
}

/// A store that takes so many bytes.
#[derive(Debug)]
struct Narrow(SimpleStore);

impl Narrow {
    const MOST: usize = 1000;
}

#[maybe_async::maybe_async(AFIT)]
impl crate::wrappers::Wrapper for Narrow {
    type Inner = SimpleStore;
    const NAME: &'static str = "Narrow";

    fn inner(&self) -> &SimpleStore {
        &self.0
    }

    fn describe(&self) -> kv_core::Description {
        let mut description = self.0.describe();
        description.capabilities.max_value_bytes = Some(Self::MOST as u64);
        description
    }

    async fn put(&self, name: Name<'_>, value: ValueRef<'_>, options: &PutOptions) -> Result<PutOutcome> {
        assert!(value.as_encoded().len() <= Self::MOST, "it was to be refused before");
        self.0.put(name, value, options).await
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn the_longest_value_is_what_the_store_takes_encrypted() {
    for (_, cipher) in ciphers() {
        let kv = Kv::new(Encryption::new(Narrow(stopped().0), cipher));
        let most = usize::try_from(kv.store().describe().capabilities.max_value_bytes.unwrap()).unwrap();
        assert!(most > 400 && most < 951, "{most}");
        kv.put("k", &"x".repeat(most - 2)).await.unwrap();
        kv.put_bytes("k", &vec![0; most]).await.unwrap();
        let errors = [
            kv.put("k", &"x".repeat(most - 1)).await.unwrap_err(),
            kv.put_bytes("k", &vec![0; most + 1]).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.store()), (ErrorKind::TooLarge, Some("Encryption")), "{error}");
        }
    }
}

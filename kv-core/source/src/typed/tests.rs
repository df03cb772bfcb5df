use std::time::Duration;

use kv_core::{
    Codec, Error, ErrorKind, Json, ListOptions, ManualClock, Metadata, PutOptions, Result, SCHEMA_NOTE, TimeLeft,
    Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::TypedCollection;
use crate::Kv;
use crate::stores::SimpleStore;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: u8,
}

fn user(name: &str, age: u8) -> User {
    User { name: name.to_owned(), age }
}

fn kv() -> Kv {
    Kv::new(SimpleStore::new().with_clock(ManualClock::new(Timestamp::UNIX_EPOCH)))
}

/// JSON as bytes, for what only codecs of bytes could get wrong.
#[derive(Debug, Clone)]
struct Bytes;

impl Codec for Bytes {
    const NAME: &'static str = "bytes";

    fn encode<T: Serialize + ?Sized>(&self, value: &T, encoded: &mut Vec<u8>) -> Result<()> {
        Json.encode(value, encoded)
    }

    fn decode<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T> {
        Json.decode(encoded)
    }
}

#[maybe_async::maybe_async]
async fn does_everything<C: Codec>(users: TypedCollection<User, C>) {
    let (ada, bob, eve) = (user("Ada", 36), user("Bob", 7), user("Eve", 9));
    let first = users.put("ada", &ada).await.unwrap();
    let got = users.get("ada").await.unwrap();
    assert_eq!(got, Some(ada.clone()));
    let found = users.get_entry("ada").await.unwrap().unwrap();
    assert_eq!((found.value, found.entry.revision()), (ada.clone(), first.revision()));
    let got = users.put_if_absent("ada", &bob).await.unwrap();
    assert!(got.is_none());
    let got = users.put_if_present("bob", &bob).await.unwrap();
    assert!(got.is_none());
    let second = users.put_if_revision("ada", &eve, &first.revision()).await.unwrap();
    assert!(second.is_some());
    let got = users.put_if_revision("ada", &ada, &first.revision()).await.unwrap();
    assert!(got.is_none());

    let ttl = PutOptions::ttl(Duration::from_secs(60));
    let items = [("bob", bob.clone()), ("ada", ada.clone())];
    for written in users.put_many(&items, &ttl).await.unwrap() {
        written.unwrap();
    }
    let found = users.get_many(&["ada", "nobody", "bob", "ada"]).await.unwrap();
    let found: Vec<Option<User>> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [Some(ada.clone()), None, Some(bob.clone()), Some(ada.clone())]);
    let got = users.ttl("bob").await.unwrap();
    assert_eq!(got, Some(TimeLeft::For(Duration::from_secs(60))));

    let older = |old: Option<User>| old.map(|old| User { age: old.age + 1, ..old });
    let got = users.update("bob", older).await.unwrap();
    assert_eq!(got, Some(user("Bob", 8)));
    let got = users.ttl("bob").await.unwrap();
    assert_eq!(got, Some(TimeLeft::For(Duration::from_secs(60))), "update keeps it");
    let got = users.update("nobody", older).await.unwrap();
    assert_eq!(got, None);
    let got = users.update("eve", |_| Some(eve.clone())).await.unwrap();
    assert_eq!(got, Some(eve.clone()));
    let got = users.update("eve", |_| None).await.unwrap();
    assert_eq!(got, None);
    let got = users.exists("eve").await.unwrap();
    assert!(!got);

    let got = users.get_and_put("bob", &eve).await.unwrap();
    assert_eq!(got, Some(user("Bob", 8)));
    let got = users.ttl("bob").await.unwrap();
    assert_eq!(got, Some(TimeLeft::Forever));
    let got = users.take("bob").await.unwrap();
    assert_eq!(got, Some(eve));
    let got = users.take("bob").await.unwrap();
    assert_eq!(got, None);

    let page = users.entries(&ListOptions::default()).await.unwrap();
    let page: Vec<_> = page.items.into_iter().map(|(key, entry)| (key, entry.unwrap().value)).collect();
    assert_eq!(page, [("ada".to_owned(), ada)]);
    let got = users.clear().await.unwrap();
    assert_eq!(got, 1);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn has_the_operations_of_a_collection() {
    does_everything(kv().collection("users").typed::<User>()).await;
    does_everything(kv().collection("users").typed_with::<User, _>(Bytes)).await;
    let versioned = kv().collection("users").typed_with::<User, _>(Bytes).with_version(3, |old| old.decode());
    does_everything(versioned.unwrap()).await;
}

#[cfg(feature = "msgpack")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn msgpack_is_stored_as_bytes() {
    let users = kv().collection("users").typed_with::<User, _>(kv_core::MsgPack);
    does_everything(users.clone()).await;
    users.put("ada", &user("Ada", 36)).await.unwrap();
    let stored = users.collection().get_bytes("ada").await.unwrap().unwrap();
    assert_eq!(stored, b"\x82\xa4name\xa3Ada\xa3age\x24");
}

#[cfg(feature = "cbor")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn cbor_is_stored_as_bytes() {
    let users = kv().collection("users").typed_with::<User, _>(kv_core::Cbor);
    does_everything(users.clone()).await;
    users.put("ada", &user("Ada", 36)).await.unwrap();
    let stored = users.collection().get_bytes("ada").await.unwrap().unwrap();
    assert_eq!(stored, b"\xa2\x64name\x63Ada\x63age\x18\x24");
}

#[cfg(feature = "postcard")]
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn postcard_is_stored_as_bytes() {
    let users = kv().collection("users").typed_with::<User, _>(kv_core::Postcard);
    does_everything(users.clone()).await;
    users.put("ada", &user("Ada", 36)).await.unwrap();
    let stored = users.collection().get_bytes("ada").await.unwrap().unwrap();
    assert_eq!(stored, b"\x03Ada\x24");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_misfit_is_an_error_that_names_its_place() {
    let users = kv().collection("users").typed::<User>();
    let bare = users.collection();
    users.put("ada", &user("Ada", 36)).await.unwrap();
    bare.put("old", &serde_json::json!({"name": "hunter2", "age": "hunter2"})).await.unwrap();
    let named = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!((error.collection(), error.key()), (Some("users"), Some("old")));
        assert!(error.message().contains("at `age`"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    };
    let error = users.get("old").await.unwrap_err();
    named(error);
    let error = users.get_entry("old").await.unwrap_err();
    named(error);
    let error = users.update("old", |old| old).await.unwrap_err();
    named(error);
    let mut many = users.get_many(&["old", "ada"]).await.unwrap();
    assert!(many.pop().unwrap().unwrap().is_some());
    named(many.pop().unwrap().unwrap_err());
    let mut lines = users.entries(&ListOptions::default()).await.unwrap().items;
    let (key, line) = lines.pop().unwrap();
    assert_eq!((key.as_str(), lines.len()), ("old", 1));
    named(line.unwrap_err());
    let got = bare.exists("old").await.unwrap();
    assert!(got, "it is left in place");
    let error = users.get_and_put("old", &user("Old", 1)).await.unwrap_err();
    named(error);
    let got = users.get("old").await.unwrap();
    assert_eq!(got, Some(user("Old", 1)));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_misfit_is_a_miss_if_asked_for() {
    let users = kv().collection("users").typed::<User>().with_misfits_missing();
    let misfit = || Metadata::new().with("of", "the misfit");
    users.put("ada", &user("Ada", 36)).await.unwrap();
    let options = PutOptions::ttl(60.0).with_metadata(misfit());
    let _ = users.collection().put_with("old", &1, &options).await.unwrap();
    let got = users.get("old").await.unwrap();
    assert_eq!(got, None);
    let got = users.get_entry("old").await.unwrap();
    assert!(got.is_none());
    let many = users.get_many(&["old", "ada"]).await.unwrap();
    let many: Vec<Option<User>> = many.into_iter().map(Result::unwrap).collect();
    assert_eq!(many, [None, Some(user("Ada", 36))]);
    let got = users.entries(&ListOptions::default()).await.unwrap();
    assert_eq!(got.items.len(), 1);
    let mut pages = users.entry_pages(ListOptions::default().with_limit(1));
    let mut seen = 0;
    while let Some(page) = pages.next_page().await.unwrap() {
        seen += page.len();
    }
    assert_eq!(seen, 1);
    // The entry is there all the same.
    let got = users.put_if_absent("old", &user("Old", 1)).await.unwrap();
    assert!(got.is_none());
    let made = users.update("old", |old| old.or(Some(user("New", 1)))).await.unwrap();
    assert_eq!(made, Some(user("New", 1)));
    let got = users.ttl("old").await.unwrap();
    assert_eq!(got, Some(TimeLeft::Forever), "nothing of the misfit is kept");
    let got = users.metadata("old").await.unwrap();
    assert_eq!(got, Some(Metadata::new()));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_way_to_write_notes_the_version_and_keeps_the_user_s_notes() {
    let kv = kv();
    let bare = kv.collection("numbers");
    let numbers = bare.typed::<u32>().with_version(2, |old| Ok(old.decode::<u32>()? + 1000)).unwrap();
    let notes = || Metadata::new().with("a", "b");

    // Before there were versions.
    let _ = bare.put_with("n", &1, &PutOptions::default().with_metadata(notes())).await.unwrap();
    let got = numbers.get("n").await.unwrap();
    assert_eq!(got, Some(1001));
    let got = numbers.get("n").await.unwrap();
    assert_eq!(got, Some(1001), "reading writes nothing");
    let got = numbers.set_metadata("n", &notes().with("c", "d")).await.unwrap();
    assert!(got);
    let got = numbers.get("n").await.unwrap();
    assert_eq!(got, Some(1001), "notes are no upgrade");
    let got = numbers.update("n", |old| old).await.unwrap();
    assert_eq!(got, Some(1001));
    let got = numbers.get("n").await.unwrap();
    assert_eq!(got, Some(1001), "once");
    let got = numbers.metadata("n").await.unwrap();
    assert_eq!(got, Some(notes().with("c", "d")));
    let stored = bare.metadata("n").await.unwrap().unwrap();
    assert_eq!(stored, notes().with("c", "d").with(SCHEMA_NOTE, "2"));

    let got = numbers.set_metadata("n", &notes()).await.unwrap();
    assert!(got);
    let got = bare.metadata("n").await.unwrap();
    assert_eq!(got, Some(notes().with(SCHEMA_NOTE, "2")));
    let got = numbers.set_metadata("none", &notes()).await.unwrap();
    assert!(!got);

    numbers.put("p", &5).await.unwrap();
    numbers.put_many(&[("m", 5)], &PutOptions::default()).await.unwrap();
    numbers.put_if_absent("i", &5).await.unwrap();
    let got = numbers.get_and_put("g", &5).await.unwrap();
    assert_eq!(got, None);
    let got = numbers.update("u", |_| Some(5)).await.unwrap();
    assert_eq!(got, Some(5));
    for key in ["p", "m", "i", "g", "u"] {
        let got = numbers.get(key).await.unwrap();
        assert_eq!(got, Some(5), "{key}");
    }

    // What a later program wrote.
    let later = bare.typed::<u32>().with_version(3, |old| old.decode()).unwrap();
    later.put("n", &7).await.unwrap();
    let error = numbers.get("n").await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Decode, Some("n")));
}

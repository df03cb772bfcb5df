//! Rows that other programs wrote.

use kv_core::{ErrorKind, KeyFilter, ListOptions};
use serde_json::{Value, json};

use super::{Place, document, fails, is};

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_others_keep_there_is_corrupted_and_stays() {
    let place = Place::new();
    let kv = place.kv();
    let c = kv.collection("c");
    c.put("sound", &1).await.unwrap();
    place.row("c::pickle", 4, None, None, &b"\x80\x05K\x01."[..]);
    place.row("c::number", 1, None, None, 7);
    place.row("c::text", 1, None, None, "hello");
    place.row("c::outside", 3, None, Some("../../escape"), None::<i64>);
    place.row("c::lost", 3, None, Some("ab/cd/lost.val"), None::<i64>);
    place.row("c::nan", 1, None, None, document("c", "nan", r#"{"x": NaN}"#));
    place.row("no name", 1, None, None, "hello");
    place
        .sql()
        .execute("INSERT INTO Cache (key, raw, value) VALUES (7, 1, 'number'), (x'00', 0, 'bytes')", ())
        .unwrap();
    std::fs::write(place.parent.path().join("escape"), "stays").unwrap();

    let said = |error: kv_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
        assert_eq!(error.collection(), Some("c"));
        error.message().to_owned()
    };
    for (key, words) in [
        ("pickle", "pickles are not read"),
        ("number", "number"),
        ("text", "not JSON"),
        ("outside", "not inside"),
        ("lost", "ab/cd/lost.val is missing"),
        ("nan", "NaN"),
    ] {
        let error = c.get::<Value>(key).await.unwrap_err();
        let message = said(error);
        assert!(message.contains(words), "{key}: {message}");
        let error = c.increment(key, 1).await.unwrap_err();
        assert_eq!(said(error), message);
    }
    let keys = ["lost", "nan", "number", "outside", "pickle", "sound", "text"];
    is(c.all_keys(&KeyFilter::all()).await, keys);
    let page = c.entries(&ListOptions::default()).await.unwrap();
    let sound: Vec<_> = page.items.iter().filter(|(_, entry)| entry.is_ok()).map(|(key, _)| key.as_str()).collect();
    assert_eq!(sound, ["sound"]);
    let answers = c.get_many::<i32>(&keys).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 6);

    // `sound`, `nan` and `lost`.
    is(c.clear().await, 3);
    is(c.all_keys(&KeyFilter::all()).await, ["number", "outside", "pickle", "text"]);
    is(kv.destroy().await, 0);
    assert_eq!(place.number("SELECT count(*) FROM Cache"), 7);
    // By its own name each can be replaced and removed.
    c.put("pickle", &1).await.unwrap();
    is(c.get::<i32>("pickle").await, Some(1));
    is(c.delete("text").await, true);
    is(c.delete("outside").await, true);
    assert!(place.parent.path().join("escape").exists());
    assert_eq!(place.number("SELECT value FROM Settings WHERE key = 'count'"), 5);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_that_python_confuses_are_told_apart() {
    let place = Place::new();
    let kv = place.kv();
    let (a, odd) = (kv.collection("a"), kv.collection("a::b"));
    kv.setup().await.unwrap();
    // As Python wrote it: collection `a::b`, key `k`.
    place.row("a::b::k", 1, None, None, document("a::b", "k", r#"{"from": "python"}"#));
    is(odd.get::<Value>("k").await, Some(json!({"from": "python"})));
    is(a.get::<Value>("b::k").await, None);
    let written = a.put_if_present("b::k", &1).await.unwrap();
    assert!(written.is_none());
    is(a.delete("b::k").await, false);
    is(odd.count(&KeyFilter::all()).await, 1);
    is(a.count(&KeyFilter::all()).await, 0);
    is(kv.all_collections().await, ["a::b"]);

    // The other record takes the key, and takes nothing away.
    a.put("b::k", &json!({"from": "a"})).await.unwrap();
    is(a.get::<Value>("b::k").await, Some(json!({"from": "a"})));
    is(odd.get::<Value>("k").await, Some(json!({"from": "python"})));
    is(kv.all_collections().await, ["a", "a::b"]);
    is(odd.increment("n", 1).await, 1);

    // Python writes again, and what it writes is the newer state; then we do.
    place.row("a::b::k", 1, None, None, document("a::b", "k", r#"{"from": "python again"}"#));
    place.row("a::b::l", 1, None, None, document("a::b", "l", "{}"));
    is(odd.get::<Value>("k").await, Some(json!({"from": "python again"})));
    is(odd.all_keys(&KeyFilter::all()).await, ["k", "l", "n"]);
    is(odd.count(&KeyFilter::all()).await, 3);
    let mut paged = Vec::new();
    let mut options = ListOptions::default().with_limit(1);
    loop {
        let page = odd.entries(&options).await.unwrap();
        paged.extend(page.items.into_iter().map(|(key, entry)| (key, entry.unwrap().decode::<Value>().unwrap())));
        options.cursor = page.next;
        if options.cursor.is_none() {
            break;
        }
    }
    let expected = [("k", json!({"from": "python again"})), ("l", json!({})), ("n", json!(1))];
    assert_eq!(paged, expected.map(|(key, value)| (key.to_owned(), value)));
    odd.put("k", &2).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM Cache WHERE key = 'a::b::k'"), 0);
    is(odd.get::<i32>("k").await, Some(2));
    is(odd.delete_many(&["k", "k", "l"]).await, 2);

    // A number that holds no record under a shared key is the plain name's.
    place.row("a::b::z", 1, None, None, 7);
    fails(a.get::<i32>("b::z").await, ErrorKind::Corrupted);
    is(odd.get::<i32>("z").await, None);
    is(odd.clear().await, 1);
    assert_eq!(place.number("SELECT count(*) FROM Cache"), 1);
}

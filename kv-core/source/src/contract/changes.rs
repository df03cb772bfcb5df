//! C3, and what the other changes mean: increment, append, take, swap, update, touch.

use kv_core::{Entry, ErrorKind, Metadata, PutOptions, TimeLeft, Timestamp, Value};

use super::case::{Case, Held, MINUTE, is, ok, refused};
use super::samples;
use crate::collection::Collection;

/// Writes this under `k` with a TTL and metadata; answers the entry.
#[maybe_async::maybe_async]
async fn prepare(case: &Case<'_>, value: &Value) -> Entry {
    let options = PutOptions::ttl(10 * MINUTE).with_created(Timestamp::from_micros(1_000_000_000_001));
    let notes = Metadata::new().with("a", "b");
    let options = if case.can.metadata { options.with_metadata(notes) } else { options };
    let outcome = ok(case.collection().put_value("k", value.as_ref(), &options).await, "C3: put");
    assert!(outcome.is_written(), "C3: put");
    ok(case.collection().get_entry("k").await, "C3: get").unwrap()
}

/// What a change does not name is as it was, and the revision is fresh.
#[maybe_async::maybe_async]
async fn assert_kept(c: &Collection, before: &Entry, what: &str) {
    let after = ok(c.get_entry("k").await, what).expect("C3: it is there");
    let kept = |entry: &Entry| (entry.expires(), entry.created(), entry.metadata().cloned());
    assert_eq!(kept(&after), kept(before), "{what}: TTL, created instant and metadata are kept");
    assert_ne!(after.revision(), before.revision(), "C1: {what}: the revision is fresh");
}

/// C3: increment begins at 0, goes to both ends of 64 bits, and no further.
#[maybe_async::maybe_async]
pub async fn c3_increment_is_on_64_bits(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    is(c.increment("k", 0).await, 0, "C3: increment of nothing by 0");
    is(c.increment("k", 5).await, 5, "C3: increment");
    is(c.increment("k", -7).await, -2, "C3: increment");
    is(c.get::<i64>("k").await, Some(-2), "C3: get");
    is(c.increment("max", i64::MAX).await, i64::MAX, "C3: increment of nothing");
    is(c.increment("min", i64::MIN).await, i64::MIN, "C3: increment of nothing");
    for (key, by) in [("max", 1), ("max", i64::MAX), ("min", -1), ("min", i64::MIN)] {
        let before = ok(c.get_entry(key).await, "C3: get").unwrap();
        refused(c.increment(key, by).await, ErrorKind::InvalidValue, "C3: increment beyond 64 bits");
        let after = ok(c.get_entry(key).await, "C3: get").unwrap();
        assert_eq!(after.revision(), before.revision(), "C3: an overflow changes nothing");
    }
    is(c.increment("max", i64::MIN).await, -1, "C3: from one end to the other");
    ok(c.put("near", &(i64::MAX - 1)).await, "C3: put");
    is(c.increment("near", 1).await, i64::MAX, "C3: the last sum there is");
    // 2^53 and beyond: no sum is made in floating point.
    ok(c.put("big", &9_007_199_254_740_993_i64).await, "C3: put");
    is(c.increment("big", 2).await, 9_007_199_254_740_995, "C3: increment beyond 2^53");
    Ok(())
}

/// C3: what is no integer is `InvalidValue`, and stays as it is.
#[maybe_async::maybe_async]
pub async fn c3_increment_refuses_what_is_no_integer(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let json = |text: &str| Value::from_json(text).unwrap();
    let texts = [
        "null",
        "true",
        "1.5",
        "\"1\"",
        "\"x\"",
        "[]",
        "[1]",
        "{}",
        "18446744073709551615",
        "123456789012345678901234567890",
    ];
    let mut values: Vec<Value> = texts.into_iter().map(json).collect();
    values.extend([Value::from_bytes(*b"1"), Value::from_bytes(Vec::new())]);
    for value in values {
        let before = prepare(case, &value).await;
        refused(c.increment("k", 1).await, ErrorKind::InvalidValue, "C3: increment of what is no integer");
        let after = ok(c.get_entry("k").await, "C3: get").unwrap();
        assert_eq!(after.revision(), before.revision(), "C3: it stays as it is");
        assert!(after.value() == value.as_ref() || after.value().means(value.as_ref()), "C3: it stays as it is");
    }
    Ok(())
}

/// C3: changes keep what they do not name.
#[maybe_async::maybe_async]
pub async fn c3_changes_keep_what_they_do_not_name(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let number = Value::encode(&5).unwrap();
    case.advance(MINUTE);
    let before = prepare(case, &number).await;
    case.advance(MINUTE);
    is(c.increment("k", 1).await, 6, "C3: increment");
    assert_kept(&c, &before, "C3: increment").await;
    let before = prepare(case, &number).await;
    is(c.compare_and_swap("k", Some(&5), Some(&8)).await, true, "C3: compare_and_swap");
    assert_kept(&c, &before, "C3: compare_and_swap").await;
    is(c.get::<i64>("k").await, Some(8), "C3: compare_and_swap");
    let before = prepare(case, &number).await;
    is(c.update("k", |old: Option<i64>| old.map(|old| old * 2)).await, Some(10), "C3: update");
    assert_kept(&c, &before, "C3: update").await;
    is(c.get::<i64>("k").await, Some(10), "C3: update");
    let before = prepare(case, &Value::encode("ab").unwrap()).await;
    ok(c.append("k", "cd").await, "C3: append");
    assert_kept(&c, &before, "C3: append").await;
    is(c.get::<String>("k").await, Some("abcd".to_owned()), "C3: append");
    let before = prepare(case, &Value::from_bytes(*b"\0")).await;
    ok(c.append_bytes("k", b"\xff").await, "C3: append_bytes");
    assert_kept(&c, &before, "C3: append_bytes").await;
    is(c.get_bytes("k").await, Some(vec![0, 255]), "C3: append_bytes");
    // Touch names the TTL alone, persist its absence, set_metadata the metadata.
    let before = prepare(case, &number).await;
    is(c.touch("k", MINUTE).await, true, "C3: touch");
    let after = ok(c.get_entry("k").await, "C3: get").unwrap();
    assert_eq!((after.created(), after.metadata()), (before.created(), before.metadata()), "C3: touch");
    assert_eq!(after.value(), before.value(), "C3: touch leaves the value");
    is(c.persist("k").await, true, "C3: persist");
    let after = ok(c.get_entry("k").await, "C3: get").unwrap();
    assert_eq!((after.created(), after.metadata()), (before.created(), before.metadata()), "C3: persist");
    assert_eq!((after.value(), after.expires()), (before.value(), None), "C3: persist leaves the value");
    if case.can.metadata {
        let before = prepare(case, &number).await;
        let notes = Metadata::new().with("x", "y");
        is(c.set_metadata("k", &notes).await, true, "C3: set_metadata");
        let after = ok(c.get_entry("k").await, "C3: get").unwrap();
        assert_eq!((after.created(), after.expires()), (before.created(), before.expires()), "C3: set_metadata");
        assert_eq!((after.value(), after.metadata()), (before.value(), Some(&notes)), "C3: set_metadata");
        is(c.set_metadata("k", &Metadata::new()).await, true, "C3: set_metadata to none");
        is(c.metadata("k").await, Some(Metadata::new()), "C3: set_metadata to none");
    }
    // What is made by a change is permanent, and created then.
    is(c.increment("new", 1).await, 1, "C3: increment");
    let entry = ok(c.get_entry("new").await, "C3: get").unwrap();
    assert_eq!((entry.created(), entry.expires()), (Some(case.now()), None), "C3: what increment made");
    Ok(())
}

/// O1: get_and_put replaces the whole record and answers the old value.
#[maybe_async::maybe_async]
pub async fn o1_get_and_put_replaces_the_whole_record(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    is(c.get_and_put("k", &1).await, None::<i64>, "O1: get_and_put where there is none");
    prepare(case, &Value::encode(&2).unwrap()).await;
    is(c.get_and_put("k", &3).await, Some(2), "O1: get_and_put");
    let entry = ok(c.get_entry("k").await, "O1: get").unwrap();
    assert_eq!((entry.expires(), entry.metadata()), (None, None), "O1: nothing of the old record is left");
    assert_eq!(entry.created(), Some(case.now()), "O1: created then");
    is(entry.decode::<i64>(), 3, "O1: the new value");
    prepare(case, &Value::encode("text").unwrap()).await;
    refused(c.get_and_put("k", &4).await, ErrorKind::Decode, "O1: get_and_put over another type");
    is(c.get::<i64>("k").await, Some(4), "O1: it is replaced all the same");
    Ok(())
}

/// C3: no change re-encodes what is stored: digits, order of members and escapes stay when TTL or metadata change.
#[maybe_async::maybe_async]
pub async fn c3_nothing_re_encodes_a_stored_document(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    for text in samples::documents() {
        let value = Value::from_json(text.as_str()).unwrap();
        let before = prepare(case, &value).await;
        let stored = before.as_json().map(str::to_owned);
        is(c.touch("k", 20 * MINUTE).await, true, "C3: touch");
        is(c.persist("k").await, true, "C3: persist");
        if case.can.metadata {
            is(c.set_metadata("k", &Metadata::new().with("c", "d")).await, true, "C3: set_metadata");
        }
        let after = ok(c.get_entry("k").await, "C3: get").unwrap();
        let short: String = text.chars().take(80).collect();
        assert_eq!(after.as_json().map(str::to_owned), stored, "C3: {short}, after touch, persist and set_metadata");
        assert!(after.value().means(value.as_ref()), "C3: {short}");
    }
    let digits = "[123456789012345678901234567890,0.1,1e400]";
    prepare(case, &Value::from_json(digits).unwrap()).await;
    ok(c.append("k", &[u64::MAX]).await, "C3: append");
    let entry = ok(c.get_entry("k").await, "C3: get").unwrap();
    let expected = "[123456789012345678901234567890,0.1,1e400,18446744073709551615]";
    let means = entry.value().means(Value::from_json(expected).unwrap().as_ref());
    assert!(means, "C3: append keeps the digits of what is there: {:?}", entry.as_json());
    Ok(())
}

/// C3: append puts text after text, elements after elements, bytes after bytes, and refuses all else.
#[maybe_async::maybe_async]
pub async fn c3_append_takes_like_after_like(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    ok(c.append("text", "a").await, "C3: append to nothing");
    ok(c.append("text", "").await, "C3: append of empty text");
    ok(c.append("text", "\u{1F600}\0\"").await, "C3: append");
    is(c.get::<String>("text").await, Some("a\u{1F600}\0\"".to_owned()), "C3: text after text");
    ok(c.append("list", &[1]).await, "C3: append to nothing");
    let none: [i64; 0] = [];
    ok(c.append("list", &none).await, "C3: append of no elements");
    ok(c.append("list", &[2, 3]).await, "C3: append");
    is(c.get("list").await, Some(vec![1, 2, 3]), "C3: elements after elements");
    ok(c.append_bytes("bytes", b"").await, "C3: append_bytes to nothing");
    ok(c.append_bytes("bytes", b"\0\xff").await, "C3: append_bytes");
    is(c.get_bytes("bytes").await, Some(vec![0, 255]), "C3: bytes after bytes");
    let bad = ErrorKind::InvalidValue;
    refused(c.append("text", &[1]).await, bad, "C3: elements after text");
    refused(c.append("list", "x").await, bad, "C3: text after elements");
    refused(c.append("bytes", "x").await, bad, "C3: text after bytes");
    refused(c.append_bytes("text", b"x").await, bad, "C3: bytes after text");
    ok(c.put("number", &1).await, "C3: put");
    refused(c.append("number", &1).await, bad, "C3: a number after a number");
    is(c.get::<i64>("number").await, Some(1), "C3: what is refused changes nothing");
    Ok(())
}

/// C3: take answers the entry and removes it.
#[maybe_async::maybe_async]
pub async fn c3_take_answers_and_removes(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    is(c.take::<i64>("k").await, None::<i64>, "C3: take of nothing");
    let before = prepare(case, &Value::encode(&5).unwrap()).await;
    let taken = ok(c.take_entry("k").await, "C3: take").expect("C3: it was there");
    assert_eq!(taken.revision(), before.revision(), "C3: the entry taken is the one that was there");
    assert_eq!((taken.expires(), taken.metadata()), (before.expires(), before.metadata()), "C3: with its record");
    is(c.exists("k").await, false, "C3: it is removed");
    ok(c.put("k", "text").await, "C3: put");
    refused(c.take::<i64>("k").await, ErrorKind::Decode, "C3: take of another type");
    is(c.exists("k").await, false, "C3: it is removed all the same");
    Ok(())
}

/// C2: compare_and_swap compares by meaning: objects without order, numbers by exact value, absence is `None`.
#[maybe_async::maybe_async]
pub async fn c2_swaps_compare_by_meaning(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let raw = |text: &str| serde_json::from_str::<Box<serde_json::value::RawValue>>(text).unwrap();
    for (stored, expected, same) in [
        (r#"{"a":1,"b":[1.0,"é"]}"#, r#"{ "b" : [ 1 , "\u00e9" ], "a" : 1e0 }"#, true),
        (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, false),
        ("[1,2]", "[2,1]", false),
        ("100", "1e2", true),
        ("123456789012345678901234567890", "123456789012345678901234567891", false),
        ("9007199254740993", "9007199254740992", false),
        ("\"1\"", "1", false),
        ("null", "false", false),
        ("null", "null", true),
        ("\"\"", "\"\"", true),
    ] {
        let value = Value::from_json(stored).unwrap();
        prepare(case, &value).await;
        let swapped = c.compare_and_swap("k", Some(&raw(expected)), Some(&raw("\"new\""))).await;
        is(swapped, same, &format!("C2: compare_and_swap of {expected} where {stored} is"));
        let after = ok(c.get_entry("k").await, "C2: get").unwrap();
        let expected = if same { Value::encode("new").unwrap() } else { value };
        assert!(after.value().means(expected.as_ref()), "C2: after compare_and_swap where {stored} is");
    }
    // Absence is `None`, on either side.
    is(c.compare_and_swap("k", None, Some(&1)).await, false, "C2: nothing was expected, and something is there");
    is(c.compare_and_swap("none", None, Some(&1)).await, true, "C2: nothing was expected, and nothing is there");
    is(c.compare_and_swap("none", Some(&1), None).await, true, "C2: to nothing");
    is(c.exists("none").await, false, "C2: a swap to nothing removes");
    is(c.compare_and_swap::<i64>("none", None, None).await, true, "C2: from nothing to nothing");
    is(c.compare_and_swap::<i64>("k", None, None).await, false, "C2: from nothing, where something is");
    ok(c.put_bytes("bytes", b"1").await, "C2: put_bytes");
    is(c.compare_and_swap("bytes", Some(&1), Some(&2)).await, false, "C2: bytes are no JSON");
    Ok(())
}

/// C2: update is told what is there, and what it answers is there after.
#[maybe_async::maybe_async]
pub async fn c2_update_goes_from_what_is_there(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    is(c.update("k", |old: Option<i64>| old).await, None::<i64>, "C2: nothing to nothing");
    is(c.exists("k").await, false, "C2: nothing to nothing");
    is(c.update("k", |old: Option<i64>| Some(old.unwrap_or(10) + 1)).await, Some(11), "C2: nothing to something");
    is(c.update("k", |old: Option<i64>| old.map(|old| old + 1)).await, Some(12), "C2: something to something");
    is(c.get::<i64>("k").await, Some(12), "C2: get");
    is(c.ttl("k").await, Some(TimeLeft::Forever), "C2: ttl");
    is(c.update("k", |_: Option<i64>| None).await, None::<i64>, "C2: something to nothing");
    is(c.exists("k").await, false, "C2: something to nothing");
    ok(c.put("k", "text").await, "C2: put");
    refused(c.update("k", |old: Option<i64>| old).await, ErrorKind::Decode, "C2: update of another type");
    is(c.get::<String>("k").await, Some("text".to_owned()), "C2: it stays as it is");
    Ok(())
}

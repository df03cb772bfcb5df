//! V1 to V3: values.

use std::collections::BTreeMap;

use kv_core::{Atomicity, ErrorKind, ListOptions, Listing, PutItem, PutOptions, Value, ValueRef};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::case::{Case, Held, is, ok, refused};
use super::samples;
use crate::collection::Collection;

/// V1, V2: JSON of every shape comes back with the same meaning, numbers by exact value, from every operation that
/// reads.
#[maybe_async::maybe_async]
pub async fn v2_json_comes_back_as_it_was(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let documents = samples::documents();
    let values: Vec<Value> = documents.iter().map(|text| Value::from_json(text.as_str()).unwrap()).collect();
    let keys: Vec<String> = (0..values.len()).map(|number| format!("{number:03}")).collect();
    let (single, batch): (Vec<_>, Vec<_>) =
        keys.iter().zip(&values).enumerate().partition(|(number, _)| number % 2 == 0);
    for (_, (key, value)) in single {
        let outcome = ok(c.put_value(key, value.as_ref(), &PutOptions::default()).await, "V1: put");
        assert!(outcome.is_written(), "V1: put");
    }
    let batch: Vec<_> = batch.iter().map(|(_, (key, value))| PutItem::new(key, value.as_ref())).collect();
    super::case::each(c.put_items(&batch, &PutOptions::default()).await, "V1: put_many");
    for (key, value) in keys.iter().zip(&values) {
        let entry = ok(c.get_entry(key).await, "V2: get").expect("V2: what was put is there");
        assert_means(entry.value(), value, "V2: get");
    }
    let entries = super::case::each(c.get_entries(&keys).await, "V2: get_many");
    for (entry, value) in entries.iter().zip(&values) {
        assert_means(entry.as_ref().expect("V2: what was put is there").value(), value, "V2: get_many");
    }
    if case.can.listing != Listing::Unsupported {
        let mut pages = c.entry_pages(ListOptions::default());
        while let Some(page) = ok(pages.next_page().await, "V2: entries") {
            for (key, entry) in page {
                let number: usize = key.parse().unwrap();
                assert_means(ok(entry, "V2: entries").value(), &values[number], "V2: entries");
            }
        }
    }
    Ok(())
}

#[track_caller]
fn assert_means(read: ValueRef<'_>, written: &Value, what: &str) {
    let short = |value: ValueRef<'_>| value.as_json().map(|text| text.chars().take(200).collect::<String>());
    let (is, was) = (short(read), short(written.as_ref()));
    assert!(read.means(written.as_ref()), "{what}: read {is:?} where {was:?} was written");
}

/// V2: every kind of finite `f64` comes back bit by bit.
#[maybe_async::maybe_async]
pub async fn v2_floats_come_back_bit_by_bit(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    ok(c.put("all", samples::FLOATS).await, "V2: put");
    let all: Vec<f64> = ok(c.get("all").await, "V2: get").unwrap();
    for (number, float) in samples::FLOATS.iter().enumerate() {
        ok(c.put("one", float).await, "V2: put");
        let read: f64 = ok(c.get("one").await, "V2: get").unwrap();
        assert_eq!((read.to_bits(), all[number].to_bits()), (float.to_bits(), float.to_bits()), "V2: {float:e}");
    }
    for number in 0..200_u64 {
        // Any bits at all, as long as they are a number.
        let float = f64::from_bits(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if float.is_finite() {
            ok(c.put("one", &float).await, "V2: put");
            let read: f64 = ok(c.get("one").await, "V2: get").unwrap();
            assert_eq!(read.to_bits(), float.to_bits(), "V2: {float:e}");
        }
    }
    Ok(())
}

/// V2: integers of 64 and 128 bits come back exactly.
#[maybe_async::maybe_async]
pub async fn v2_integers_come_back_exactly(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    ok(c.put("k", &(i64::MIN, i64::MAX, u64::MAX, i128::MIN, i128::MAX, u128::MAX)).await, "V2: put");
    let read: Option<(i64, i64, u64, i128, i128, u128)> = ok(c.get("k").await, "V2: get");
    assert_eq!(read, Some((i64::MIN, i64::MAX, u64::MAX, i128::MIN, i128::MAX, u128::MAX)), "V2: get");
    Ok(())
}

/// V2: `null`, `{}`, `""`, `[]` and empty bytes are values, and not absence.
#[maybe_async::maybe_async]
pub async fn v2_empty_values_are_values(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    for text in ["null", "{}", "\"\"", "[]", "0", "false"] {
        let value = Value::from_json(text).unwrap();
        let outcome = ok(c.put_value("k", value.as_ref(), &PutOptions::default()).await, "V2: put");
        assert!(outcome.is_written(), "V2: put of {text}");
        is_there(&c, text).await;
        if case.can.conditional != Atomicity::Unsupported {
            is(c.put_if_absent("k", &1).await.map(|written| written.is_some()), false, "V2: it is not absent");
            let taken = ok(c.take_entry("k").await, "V2: take");
            assert!(taken.is_some_and(|entry| entry.value().means(value.as_ref())), "V2: take of {text}");
        } else {
            is(c.delete("k").await, true, "V2: delete");
        }
    }
    is(c.get::<Option<u8>>("k").await, None::<Option<u8>>, "V2: absence");
    ok(c.put("k", &None::<u8>).await, "V2: put of null");
    is(c.get::<Option<u8>>("k").await, Some(None::<u8>), "V2: null is not absence");
    ok(c.put_bytes("k", b"").await, "V2: put of empty bytes");
    is(c.get_bytes("k").await, Some(Vec::<u8>::new()), "V2: empty bytes are not absence");
    is_there(&c, "empty bytes").await;
    Ok(())
}

#[maybe_async::maybe_async]
async fn is_there(c: &Collection, what: &str) {
    let there = ok(c.exists("k").await, "V2: exists");
    let left = ok(c.ttl("k").await, "V2: ttl");
    let deleted = ok(c.delete_many(&["missing"]).await, "V2: delete_many");
    assert!(there && left.is_some() && deleted == 0, "V2: {what} is a value");
}

/// V1, V2: bytes of all values come back as they were, and are not JSON.
#[maybe_async::maybe_async]
pub async fn v2_bytes_come_back_as_they_were(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    for (number, bytes) in samples::bytes().iter().enumerate() {
        let most = case.can.max_value_bytes.unwrap_or(u64::MAX);
        if bytes.len() as u64 > most {
            continue;
        }
        let key = number.to_string();
        ok(c.put_bytes(&key, bytes).await, "V1: put_bytes");
        let read = ok(c.get_bytes(&key).await, "V2: get_bytes");
        assert!(read.as_ref() == Some(bytes), "V2: {} bytes", bytes.len());
        let entry = ok(c.get_entry(&key).await, "V2: get_entry").unwrap();
        assert!(entry.as_bytes() == Some(bytes.as_slice()) && !entry.value().is_json(), "V2: bytes stay bytes");
        refused(c.get::<Vec<u8>>(&key).await, ErrorKind::Decode, "V2: get of bytes");
    }
    // A value may change from one kind to the other.
    ok(c.put("0", &"text").await, "V1: put over bytes");
    refused(c.get_bytes("0").await, ErrorKind::Decode, "V2: get_bytes of JSON");
    ok(c.put_bytes("0", b"bytes").await, "V1: put_bytes over JSON");
    is(c.get_bytes("0").await, Some(b"bytes".to_vec()), "V2: get_bytes");
    Ok(())
}

/// V2: a value of a megabyte, or as large as the store takes, comes back; a larger one is refused as `TooLarge`, and
/// then nothing is written.
#[maybe_async::maybe_async]
pub async fn v2_large_values(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let large = samples::large(&case.can);
    let outcome = ok(c.put_value("k", large.as_ref(), &PutOptions::default()).await, "V2: put of a large value");
    assert!(outcome.is_written(), "V2: put of a large value");
    let entry = ok(c.get_entry("k").await, "V2: get of a large value").unwrap();
    assert!(entry.value() == large.as_ref(), "V2: a large value comes back as it was");
    if let Some(most) = case.can.max_value_bytes.filter(|most| *most < 100_000_000) {
        let over = vec![b'x'; usize::try_from(most).unwrap() + 1];
        refused(c.put_bytes("k", &over).await, ErrorKind::TooLarge, "V2: put of a value over the store's limit");
        let items = [PutItem::new("new", ValueRef::Json(b"1")), PutItem::new("k", ValueRef::Bytes(&over))];
        refused(
            c.put_items(&items, &PutOptions::default()).await,
            ErrorKind::TooLarge,
            "V2: put_many with such a value",
        );
        let entry = ok(c.get_entry("k").await, "V2: get").unwrap();
        assert!(entry.value() == large.as_ref(), "V2: nothing was written");
        is(c.exists("new").await, false, "V2: nothing of the batch was written");
    }
    Ok(())
}

/// V2: what JSON cannot say is refused with `InvalidValue` by every operation that writes, and nothing is written.
#[maybe_async::maybe_async]
pub async fn v2_what_json_cannot_say_is_refused(case: &Case<'_>) -> Held {
    let c = case.collection();
    ok(c.put("k", &1.5).await, "V2: put");
    let before = ok(c.get_entry("k").await, "V2: get").map(|entry| entry.revision());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refuses(&c, &bad).await;
        refuses(&c, &vec![Some(1.0), None, Some(bad)]).await;
        refuses(&c, &BTreeMap::from([("a", BTreeMap::from([("b", bad)]))])).await;
        let answer = c.put_many(&[("new", 1.0), ("k", bad)], &PutOptions::default()).await;
        refused(answer, ErrorKind::InvalidValue, "V2: put_many with a NaN or an infinity");
        refused(c.get_and_put("k", &bad).await, ErrorKind::InvalidValue, "V2: get_and_put of a NaN or an infinity");
        if case.can.stores && case.can.conditional != Atomicity::Unsupported {
            let update = c.update("k", |_| Some(f64::NAN)).await;
            refused(update, ErrorKind::InvalidValue, "V2: update to a NaN");
        }
    }
    refuses(&c, &BTreeMap::from([((1, 2), 3)])).await;
    refuses(&c, &Unwilling).await;
    is(c.exists("new").await, false, "V2: nothing of a refused batch is written");
    let after = ok(c.get_entry("k").await, "V2: get").map(|entry| entry.revision());
    assert_eq!(before, after, "V2: nothing is written");
    Ok(())
}

#[maybe_async::maybe_async]
async fn refuses<T: Serialize + Sync>(c: &Collection, bad: &T) {
    let options = PutOptions::default();
    for error in [
        refused(c.put("k", bad).await, ErrorKind::InvalidValue, "V2: put of what JSON cannot say"),
        refused(c.put_with("k", bad, &options).await, ErrorKind::InvalidValue, "V2: put_with"),
        refused(c.put_if_absent("new", bad).await, ErrorKind::InvalidValue, "V2: put_if_absent"),
        refused(c.append("k", bad).await, ErrorKind::InvalidValue, "V2: append"),
        refused(c.compare_and_swap("k", None, Some(bad)).await, ErrorKind::InvalidValue, "V2: compare_and_swap"),
        refused(c.compare_and_swap("k", Some(bad), None).await, ErrorKind::InvalidValue, "V2: compare_and_swap"),
    ] {
        assert!(!error.to_string().contains("hunter2"), "E1: a type's own message is not passed on: {error}");
        assert_eq!(error.collection(), Some("c"), "E1: {error}");
    }
}

/// A type that will not be serialised, and says why with its value.
struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("hunter2 is a secret"))
    }
}

/// V3: what was read does not change when the record does, nor the record with what was read or given.
#[maybe_async::maybe_async]
pub async fn v3_a_value_read_is_a_copy(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let mut given = vec![1, 2, 3];
    ok(c.put("k", &given).await, "V3: put");
    given.push(4);
    let entry = ok(c.get_entry("k").await, "V3: get").unwrap();
    let mut read: Vec<i32> = ok(entry.decode(), "V3: decode");
    read.clear();
    is(c.get("k").await, Some(vec![1, 2, 3]), "V3: the record is as it was put");
    ok(c.put("k", &[9]).await, "V3: put");
    is(entry.decode::<Vec<i32>>(), vec![1, 2, 3], "V3: an entry that was read before");
    is(c.delete("k").await, true, "V3: delete");
    is(entry.decode::<Vec<i32>>(), vec![1, 2, 3], "V3: an entry that was read before");
    Ok(())
}

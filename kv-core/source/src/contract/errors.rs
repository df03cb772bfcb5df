//! E1, E2: errors.

use kv_core::{
    Atomicity, Change, Condition, DeleteOptions, Error, ErrorKind, Expiry, KeyFilter, ListOptions, Listing, Metadata,
    PutItem, PutOptions, Revision, Value,
};

use super::case::{Case, Held, MINUTE, is, needs, ok, refused};
use super::subject::Setting;
use crate::collection::Collection;

/// Every operation on one key, some on the condition of this revision, and how each was refused.
#[maybe_async::maybe_async]
pub(super) async fn every_operation(
    c: &Collection,
    key: &str,
    revision: &Revision,
) -> Vec<(&'static str, Option<Error>)> {
    let value = Value::encode(&1).unwrap();
    let items = [PutItem::new(key, value.as_ref())];
    let options = PutOptions::ttl(MINUTE);
    let instant = c.store().now().saturating_add(MINUTE);
    let replace = Change::Replace { value: value.as_ref(), expiry: Expiry::Never, metadata: None };
    let name = kv_core::Name::new(c.name(), key);
    let if_present = DeleteOptions::default().with_condition(Condition::IfPresent);
    Vec::from([
        ("get", c.get::<i64>(key).await.err()),
        ("get_entry", c.get_entry(key).await.err()),
        ("get_bytes", c.get_bytes(key).await.err()),
        ("get_many", first(c.get_many::<i64>(&[key]).await)),
        ("get_entries", first(c.get_entries(&[key]).await)),
        ("exists", c.exists(key).await.err()),
        ("ttl", c.ttl(key).await.err()),
        ("ttl_many", first(c.ttl_many(&[key]).await)),
        ("metadata", c.metadata(key).await.err()),
        ("put", c.put(key, &1).await.err()),
        ("put_with", c.put_with(key, &1, &options).await.err()),
        ("put_bytes", c.put_bytes(key, b"1").await.err()),
        ("put_value", c.put_value(key, value.as_ref(), &options).await.err()),
        ("put_many", first(c.put_many(&[(key, 1)], &options).await)),
        ("put_items", first(c.put_items(&items, &options).await)),
        ("put_if_absent", c.put_if_absent(key, &1).await.err()),
        ("put_if_present", c.put_if_present(key, &1).await.err()),
        ("put_if_revision", c.put_if_revision(key, &1, revision).await.err()),
        ("delete", c.delete(key).await.err()),
        ("delete_if_revision", c.delete_if_revision(key, revision).await.err()),
        ("delete if present", c.store().delete(name, &if_present).await.err()),
        ("delete_many", c.delete_many(&[key]).await.err()),
        ("increment", c.increment(key, 1).await.err()),
        ("take_entry", c.take_entry(key).await.err()),
        ("append", c.append(key, "x").await.err()),
        ("append_bytes", c.append_bytes(key, b"x").await.err()),
        ("take", c.take::<i64>(key).await.err()),
        ("get_and_put", c.get_and_put(key, &1).await.err()),
        ("replace", c.store().modify(name, &replace, &c.call_options()).await.err()),
        ("compare_and_swap", c.compare_and_swap(key, Some(&1), Some(&2)).await.err()),
        ("update", c.update(key, keep_or_one).await.err()),
        ("touch", c.touch(key, MINUTE).await.err()),
        ("expire_at", c.expire_at(key, instant).await.err()),
        ("persist", c.persist(key).await.err()),
        ("set_metadata", c.set_metadata(key, &Metadata::new().with("a", "b")).await.err()),
    ])
}

fn keep_or_one(old: Option<i64>) -> Option<i64> {
    old.or(Some(1))
}

/// How a batch of one was refused.
fn first<T>(answer: kv_core::Result<Vec<kv_core::Result<T>>>) -> Option<Error> {
    match answer {
        Err(error) => Some(error),
        Ok(answers) => answers.into_iter().find_map(kv_core::Result::err),
    }
}

/// E1: an error names the store, the operation and the record, as the caller named it.
#[maybe_async::maybe_async]
pub async fn e1_errors_have_their_context(case: &Case<'_>) -> Held {
    let bad = "x".repeat(case.can.max_key_bytes + 1);
    for (operation, error) in every_operation(&case.collection(), &bad, &Revision::from_number(1)).await {
        let error = error.unwrap();
        assert_eq!(error.collection(), Some("c"), "E1: the collection in the error of {operation}: {error}");
        assert_eq!(error.key(), Some(bad.as_str()), "E1: the key in the error of {operation}");
        assert!(error.operation().is_some(), "E1: the operation in the error of {operation}: {error}");
        assert!(
            error.store().is_some_and(|store| !store.is_empty()),
            "E1: the store in the error of {operation}: {error}"
        );
        assert!(!error.is_retryable() && !error.outcome_unknown(), "E1: no retry can help {operation}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("operation: ") && text.contains("store: "),
            "E1: the text of the error of {operation}: {text}"
        );
    }
    let c = case.collection();
    let error = refused(c.get_entries(&["a", bad.as_str()]).await, ErrorKind::InvalidKey, "E1: get_many");
    assert_eq!(error.key(), Some(bad.as_str()), "E1: a batch names the key that is refused");
    case.keeps()?;
    ok(c.put("k", "text").await, "E1: put");
    let error = refused(c.get::<i64>("k").await, ErrorKind::Decode, "E1: get of another type");
    assert_eq!(
        (error.collection(), error.key(), error.operation()),
        (Some("c"), Some("k"), Some("get")),
        "E1: {error}"
    );
    Ok(())
}

/// E1: no error, and no debug form of what the library gives, shows a value.
#[maybe_async::maybe_async]
pub async fn e1_no_value_is_shown(case: &Case<'_>) -> Held {
    case.keeps()?;
    const SECRET: &str = "hunter2";
    let c = case.collection();
    let notes = Metadata::new().with("note", SECRET);
    let options = if case.can.metadata { PutOptions::default().with_metadata(notes) } else { PutOptions::default() };
    let mut shown = Vec::new();
    let outcome = ok(c.put_with("text", SECRET, &options).await, "E1: put");
    shown.push(format!("{outcome:?}"));
    ok(c.put_bytes("bytes", SECRET.as_bytes()).await, "E1: put_bytes");
    let error = refused(c.get::<i64>("text").await, ErrorKind::Decode, "E1: get of another type");
    shown.extend([error.to_string(), format!("{error:?}")]);
    let error = refused(c.get_bytes("text").await, ErrorKind::Decode, "E1: get_bytes of JSON");
    shown.extend([error.to_string(), format!("{error:?}")]);
    let error = refused(c.get::<String>("bytes").await, ErrorKind::Decode, "E1: get of bytes");
    shown.extend([error.to_string(), format!("{error:?}")]);
    let many = ok(c.get_many::<Vec<u8>>(&["text", "bytes"]).await, "E1: get_many");
    shown.extend(many.into_iter().map(|answer| format!("{:?}", answer.unwrap_err())));
    for key in ["text", "bytes"] {
        let entry = ok(c.get_entry(key).await, "E1: get_entry").unwrap();
        shown.extend([format!("{entry:?}"), format!("{:?}", entry.value())]);
    }
    if case.can.conditional != Atomicity::Unsupported {
        let error = refused(c.increment("text", 1).await, ErrorKind::InvalidValue, "E1: increment of text");
        shown.extend([error.to_string(), format!("{error:?}")]);
        let error = refused(c.append("bytes", SECRET).await, ErrorKind::InvalidValue, "E1: append to bytes");
        shown.extend([error.to_string(), format!("{error:?}")]);
        let error = refused(c.append("text", &[SECRET]).await, ErrorKind::InvalidValue, "E1: append to text");
        shown.extend([error.to_string(), format!("{error:?}")]);
    }
    shown.extend([format!("{:?}", case.kv.describe()), format!("{:?}", case.can)]);
    for text in shown {
        assert!(!text.contains(SECRET), "E1: a value is shown: {text}");
    }
    Ok(())
}

/// E2: cut off from its backend, every operation answers `Connection` or `Timeout` and none a miss; let through again,
/// the store works on with what it had.
#[maybe_async::maybe_async]
pub async fn e2_an_outage_is_never_a_miss(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    // A revision that the store may have given: another's can be refused without asking the backend.
    let revision = ok(c.put("k", &7).await, "E2: put").revision();
    needs(case.subject.cut_off(&case.setting, true).await, "the subject cannot cut the store off")?;
    let mut answers = every_operation(&c, "k", &revision).await;
    answers.extend(every_operation(&c, "missing", &revision).await);
    answers.push(("ping", case.kv.ping().await.err()));
    if case.can.listing != Listing::Unsupported {
        answers.push(("keys", c.keys(&ListOptions::default()).await.err()));
        answers.push(("count", c.count(&KeyFilter::all()).await.err()));
    }
    if case.can.collections {
        answers.push(("collections", case.kv.all_collections().await.err()));
    }
    if case.can.clear {
        answers.push(("clear", c.clear().await.err()));
        answers.push(("destroy", case.kv.destroy().await.err()));
    }
    let unsupported = case.can.conditional == Atomicity::Unsupported;
    for (operation, error) in answers {
        let kind = error.as_ref().map(Error::kind);
        let outage = matches!(kind, Some(ErrorKind::Connection | ErrorKind::Timeout));
        let known = unsupported && kind == Some(ErrorKind::Unsupported);
        assert!(outage || known, "E2: {operation} during an outage answered {error:?}");
        if let Some(error) = error.filter(|_| outage) {
            assert!(error.is_retryable(), "E2: a retry can help after an outage: {error}");
        }
    }
    let through = case.subject.cut_off(&case.setting, false).await;
    assert!(through, "the subject lets the store through again");
    is(c.get::<i64>("k").await, Some(7), "E2: after the outage");
    Ok(())
}

/// L1, E2: a store can be made while its backend is away, fails at its first use, and works at a later one.
#[maybe_async::maybe_async]
pub async fn l1_a_failed_first_use_is_tried_again(case: &Case<'_>) -> Held {
    case.keeps()?;
    let setting = Setting::fresh();
    needs(case.subject.cut_off(&setting, true).await, "the subject cannot cut the store off")?;
    let kv = case.subject.open(&setting);
    for attempt in 0..2 {
        let error = kv.get::<i64>("k").await.err();
        let kind = error.as_ref().map(Error::kind);
        let outage = matches!(kind, Some(ErrorKind::Connection | ErrorKind::Timeout));
        assert!(outage, "L1: first use {attempt} during an outage answered {error:?}");
    }
    let through = case.subject.cut_off(&setting, false).await;
    assert!(through, "the subject lets the store through again");
    is(kv.get::<i64>("k").await, None::<i64>, "L1: the next use sets up");
    ok(kv.put("k", &1).await, "L1: put");
    is(kv.get::<i64>("k").await, Some(1), "L1: get");
    let case = Case::open_in(case.subject, setting).await;
    case.finish().await;
    Ok(())
}

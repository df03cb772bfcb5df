//! O1, O2, O4: records, one and many.

use kv_core::{DeleteOutcome, ErrorKind, Metadata, PutItem, PutOptions, TimeLeft, Value};

use super::case::{Case, Held, MINUTE, are, each, is, ok, refused};

/// O1: put replaces the whole record: value, TTL, metadata, created instant.
#[maybe_async::maybe_async]
pub async fn o1_put_replaces_the_whole_record(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let notes = Metadata::new().with("a", "b");
    let options = PutOptions::ttl(MINUTE);
    let options = if case.can.metadata { options.with_metadata(notes.clone()) } else { options };
    ok(c.put_with("k", &["old"], &options).await, "O1: put").written().unwrap();
    let entry = ok(c.get_entry("k").await, "O1: get").unwrap();
    let noted = case.can.metadata.then_some(&notes);
    assert_eq!(entry.metadata(), noted, "O1: the metadata of the first");
    case.advance(MINUTE / 2);
    let written = ok(c.put("k", "new").await, "O1: put");
    let entry = ok(c.get_entry("k").await, "O1: get").unwrap();
    is(entry.decode::<String>(), "new".to_owned(), "O1: the value");
    assert_eq!((entry.expires(), written.expires()), (None, None), "O1: the TTL is not the old one's");
    assert_eq!(entry.metadata(), None, "O1: the metadata is not the old one's");
    assert_eq!(entry.created(), Some(case.now()), "O1: the created instant is not the old one's");
    is(c.metadata("k").await, Some(Metadata::new()), "O1: no metadata is empty metadata");
    Ok(())
}

/// O1: metadata of every kind comes back with each read, and with a listing; too much is refused, and nothing written.
#[maybe_async::maybe_async]
pub async fn o1_metadata_is_kept_beside_the_value(case: &Case<'_>) -> Held {
    case.keeps_notes()?;
    let c = case.collection();
    let odd = Metadata::new()
        .with("", "")
        .with("quotes \" ' \\", "\u{0}\u{1f}\u{1F600}\n")
        .with("expires_at", "2000-01-01T00:00:00+00:00")
        .with("value", "null")
        .with("$a.b", "::");
    let full = Metadata::new().with("n", "x".repeat(Metadata::MAX_BYTES - 1));
    for notes in [odd.clone(), full, Metadata::new().with("a", "b")] {
        let options = PutOptions::default().with_metadata(notes.clone());
        ok(c.put_with("k", &1, &options).await, "O1: put").written().unwrap();
        each(c.put_many(&[("many", 1)], &options).await, "O1: put_many");
        for key in ["k", "many"] {
            is(c.metadata(key).await, Some(notes.clone()), "O1: metadata");
            let entry = ok(c.get_entry(key).await, "O1: get_entry").unwrap();
            assert_eq!(entry.metadata(), Some(&notes), "O1: the metadata of {key}");
        }
        let entries = each(c.get_entries(&["many", "k"]).await, "O1: get_many");
        for entry in entries {
            assert_eq!(entry.unwrap().metadata(), Some(&notes), "O1: metadata in get_many");
        }
        ok(c.put_with("bytes", &1, &PutOptions::default()).await, "O1: put").written().unwrap();
        let bytes = Value::from_bytes(*b"\0\xff");
        ok(c.put_value("bytes", bytes.as_ref(), &options).await, "O1: put").written().unwrap();
        is(c.metadata("bytes").await, Some(notes.clone()), "O1: metadata beside bytes");
    }
    let much = Metadata::new().with("n", "x".repeat(Metadata::MAX_BYTES));
    let options = PutOptions::default().with_metadata(much.clone());
    refused(c.put_with("k", &2, &options).await, ErrorKind::InvalidValue, "O1: put with too much metadata");
    refused(c.put_many(&[("k", 2)], &options).await, ErrorKind::InvalidValue, "O1: put_many with too much metadata");
    refused(c.set_metadata("k", &much).await, ErrorKind::InvalidValue, "O1: set_metadata with too much");
    is(c.get::<i64>("k").await, Some(1), "O1: nothing was written");
    Ok(())
}

/// O2: get_many and ttl_many answer in the order asked, a position for each key, double and missing ones included.
#[maybe_async::maybe_async]
pub async fn o2_batches_are_read_in_order(case: &Case<'_>) -> Held {
    let c = case.collection();
    let none: [&str; 0] = [];
    are(c.get_many::<i64>(&none).await, &[], "O2: get_many of none");
    are(c.ttl_many(&none).await, &[], "O2: ttl_many of none");
    are(c.get_many::<i64>(&["z", "a", "z"]).await, &[None, None, None], "O2: get_many of what is missing");
    case.keeps()?;
    ok(c.put("b", &2).await, "O2: put");
    ok(c.put_with("a", &1, &PutOptions::ttl(MINUTE)).await, "O2: put").written().unwrap();
    ok(case.kv.collection("other").put("z", &9).await, "O2: put");
    let keys = ["b", "z", "a", "b", "a", "A", "b"];
    let values = [Some(2), None, Some(1), Some(2), Some(1), None, Some(2)];
    are(c.get_many::<i64>(&keys).await, &values, "O2: get_many");
    let (never, minute) = (Some(TimeLeft::Forever), Some(TimeLeft::For(MINUTE)));
    are(c.ttl_many(&keys).await, &[never, None, minute, never, minute, None, never], "O2: ttl_many");
    let entries = each(c.get_entries(&keys).await, "O2: get_entries");
    let single = ok(c.get_entry("b").await, "O2: get_entry").unwrap();
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry.is_some(), values[number].is_some(), "O2: get_entries at {number}");
    }
    assert_eq!(entries[6].as_ref().map(kv_core::Entry::revision), Some(single.revision()), "O2: a batch's record");
    // What does not fit the type is told at its own position.
    ok(c.put("text", "x").await, "O2: put");
    let answers = ok(c.get_many::<i64>(&["a", "text", "b"]).await, "O2: get_many");
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
    assert_eq!(kinds, [Ok(Some(1)), Err(ErrorKind::Decode), Ok(Some(2))], "O2: get_many");
    let many: Vec<String> = (0..1500).map(|number| format!("many:{number}")).collect();
    let items: Vec<_> = many.iter().zip(0..).map(|(key, number)| (key.as_str(), number)).collect();
    each(c.put_many(&items, &PutOptions::default()).await, "O2: put_many of 1,500");
    let expected: Vec<_> = (0..1500).map(Some).collect();
    are(c.get_many::<i32>(&many).await, &expected, "O2: get_many of 1,500");
    is(c.delete_many(&many).await, 1500, "O4: delete_many of 1,500");
    Ok(())
}

/// O4: delete tells whether there was a live entry.
#[maybe_async::maybe_async]
pub async fn o4_delete_tells_what_it_removed(case: &Case<'_>) -> Held {
    let c = case.collection();
    is(c.delete("k").await, false, "O4: delete of what is missing");
    case.keeps()?;
    ok(c.put("k", &1).await, "O4: put");
    ok(case.kv.collection("other").put("k", &1).await, "O4: put");
    is(c.delete("k").await, true, "O4: delete");
    is(c.delete("k").await, false, "O4: delete again");
    is(c.get::<i64>("k").await, None::<i64>, "O4: get after delete");
    is(case.kv.collection("other").exists("k").await, true, "O4: its neighbour in another collection");
    ok(c.put("k", &2).await, "O4: put again");
    is(c.get::<i64>("k").await, Some(2), "O4: it can be written again");
    if case.has_conditions().is_err() {
        return Ok(());
    }
    let revision = ok(c.get_entry("k").await, "O4: get").unwrap().revision();
    is(c.delete_if_revision("missing", &revision).await, DeleteOutcome::Missing, "O4: delete_if_revision");
    Ok(())
}

/// O4: delete_many counts the live entries it removed, double keys once.
#[maybe_async::maybe_async]
pub async fn o4_delete_many_counts_live_entries_once(case: &Case<'_>) -> Held {
    let c = case.collection();
    let none: [&str; 0] = [];
    is(c.delete_many(&none).await, 0, "O4: delete_many of none");
    is(c.delete_many(&["a", "b", "a"]).await, 0, "O4: delete_many of what is missing");
    case.keeps()?;
    let value = Value::encode(&1).unwrap();
    let expiring = PutItem::new("expired", value.as_ref()).with_expiry(kv_core::Expiry::after(MINUTE));
    let items = [PutItem::new("a", value.as_ref()), PutItem::new("b", value.as_ref()), expiring];
    each(c.put_items(&items, &PutOptions::default()).await, "O4: put_many");
    ok(c.put("kept", &1).await, "O4: put");
    case.reach(case.now().saturating_add(MINUTE));
    let keys = ["a", "missing", "a", "expired", "b", "a", "expired"];
    let answers = ok(c.store().delete_many("c", &keys, &c.call_options()).await, "O4: delete_many");
    let answers: Vec<_> = answers.into_iter().map(|answer| ok(answer, "O4: delete_many")).collect();
    assert_eq!(answers, [true, false, false, false, true, false, false], "O4: delete_many, position by position");
    is(c.get_many::<i64>(&["a", "b", "kept"]).await.map(|answers| answers.len()), 3, "O4: get_many");
    is(c.exists("kept").await, true, "O4: another entry");
    is(c.delete_many(&["kept", "kept", "kept"]).await, 1, "O4: double keys count once");
    Ok(())
}

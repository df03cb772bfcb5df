//! O7, E3: records that cannot be read.

use kv_core::{Atomicity, ErrorKind, KeyFilter, ListOptions, Metadata, Name, PutOptions};

use super::case::{Case, Held, MINUTE, each, is, needs, ok, refused, set_of};

/// Writes two sound records and one between them that cannot be read.
#[maybe_async::maybe_async]
async fn prepare(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    each(c.put_many(&[("a", 1), ("broken", 2), ("z", 3)], &PutOptions::default()).await, "O7: put_many");
    let damaged = case.subject.damage(&case.setting, Name::new("c", "broken")).await;
    needs(damaged, "the subject cannot damage a record")
}

/// E3: reading such a record is `Corrupted`, says where it is, and leaves it in place.
#[maybe_async::maybe_async]
pub async fn e3_what_cannot_be_read_is_corrupted(case: &Case<'_>) -> Held {
    prepare(case).await?;
    let c = case.collection();
    for _ in 0..2 {
        for error in [
            refused(c.get::<i64>("broken").await, ErrorKind::Corrupted, "E3: get"),
            refused(c.get_entry("broken").await, ErrorKind::Corrupted, "E3: get_entry"),
        ] {
            assert_eq!(
                (error.collection(), error.key()),
                (Some("c"), Some("broken")),
                "E3: it names where it is: {error}"
            );
            assert!(!error.is_retryable(), "E3: no retry can help: {error}");
        }
    }
    // What is wanted of it may be sound; it is not absent.
    match c.exists("broken").await {
        Ok(there) => assert!(there, "E3: it is not absent"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "E3: exists: {error}"),
    }
    match c.ttl("broken").await {
        Ok(left) => assert!(left.is_some(), "E3: it is not absent"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "E3: ttl: {error}"),
    }
    if case.has_conditions().is_err() {
        return Ok(());
    }
    for error in [
        refused(c.take::<i64>("broken").await, ErrorKind::Corrupted, "E3: take"),
        refused(c.increment("broken", 1).await, ErrorKind::Corrupted, "E3: increment"),
        refused(c.append("broken", "x").await, ErrorKind::Corrupted, "E3: append"),
        refused(c.touch("broken", MINUTE).await, ErrorKind::Corrupted, "E3: touch"),
        refused(c.persist("broken").await, ErrorKind::Corrupted, "E3: persist"),
        refused(
            c.set_metadata("broken", &Metadata::new().with("a", "b")).await,
            ErrorKind::Corrupted,
            "E3: set_metadata",
        ),
        refused(c.update("broken", |old: Option<i64>| old).await, ErrorKind::Corrupted, "E3: update"),
        refused(c.compare_and_swap("broken", Some(&2), Some(&3)).await, ErrorKind::Corrupted, "E3: compare_and_swap"),
    ] {
        assert_eq!((error.collection(), error.key()), (Some("c"), Some("broken")), "E3: it names where it is: {error}");
    }
    refused(c.get::<i64>("broken").await, ErrorKind::Corrupted, "E3: it is left in place");
    Ok(())
}

/// O7: in a batch such a record is told at its position, and hides no other.
#[maybe_async::maybe_async]
pub async fn o7_a_batch_reports_it_at_its_position(case: &Case<'_>) -> Held {
    prepare(case).await?;
    let c = case.collection();
    let keys = ["a", "broken", "z", "missing", "broken"];
    let answers = ok(c.get_many::<i64>(&keys).await, "O7: get_many");
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_err(kv_core::Error::kind).copied()).collect();
    let corrupted = Err(ErrorKind::Corrupted);
    assert_eq!(kinds, [Ok(Some(1)), corrupted, Ok(Some(3)), Ok(None), corrupted], "O7: get_many");
    let error = answers.into_iter().nth(1).unwrap().unwrap_err();
    assert_eq!((error.collection(), error.key()), (Some("c"), Some("broken")), "E1: {error}");
    let answers = ok(c.ttl_many(&keys).await, "O7: ttl_many");
    let there: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_or(true, Option::is_some)).collect();
    assert_eq!(there, [true, true, true, false, true], "O7: ttl_many");
    Ok(())
}

/// O7: a listing shows such a record's key, and a listing of entries why it cannot be read.
#[maybe_async::maybe_async]
pub async fn o7_a_listing_shows_its_key(case: &Case<'_>) -> Held {
    prepare(case).await?;
    case.lists()?;
    let c = case.collection();
    let keys = ok(c.all_keys(&KeyFilter::all()).await, "O7: keys");
    assert_eq!(set_of(keys), ["a", "broken", "z"], "O7: keys");
    is(c.count(&KeyFilter::all()).await, 3, "O7: count");
    let page = ok(c.entries(&ListOptions::default()).await, "O7: entries");
    assert_eq!(page.items.len(), 3, "O7: entries");
    for (key, entry) in page.items {
        match (key.as_str(), entry) {
            ("broken", entry) => {
                let error = refused(entry, ErrorKind::Corrupted, "O7: the entry of a listing");
                assert_eq!((error.collection(), error.key()), (Some("c"), Some("broken")), "E1: {error}");
            }
            (_, entry) => drop(ok(entry, "O7: a sound entry of the listing")),
        }
    }
    if case.can.collections {
        is(case.kv.all_collections().await, ["c"], "O7: collections");
    }
    Ok(())
}

/// O7: put replaces such a record, alone or in a batch; delete removes it.
#[maybe_async::maybe_async]
pub async fn o7_it_can_be_replaced_and_removed(case: &Case<'_>) -> Held {
    prepare(case).await?;
    let c = case.collection();
    let name = Name::new("c", "broken");
    ok(c.put("broken", &7).await, "O7: put");
    is(c.get::<i64>("broken").await, Some(7), "O7: put replaces it");
    again(case, name).await;
    each(c.put_many(&[("broken", 8), ("a", 8)], &PutOptions::default()).await, "O7: put_many");
    is(c.get::<i64>("broken").await, Some(8), "O7: put_many replaces it");
    again(case, name).await;
    is(c.delete("broken").await, true, "O7: delete removes it, and counts it");
    is(c.exists("broken").await, false, "O7: after delete");
    ok(c.put("broken", &1).await, "O7: put");
    again(case, name).await;
    is(c.delete_many(&["a", "broken", "z"]).await, 3, "O7: delete_many removes it, and counts it");
    is(c.exists("broken").await, false, "O7: after delete_many");
    if case.can.conditional != Atomicity::Unsupported {
        ok(c.put("broken", &1).await, "O7: put");
        again(case, name).await;
        match c.put_if_absent("broken", &1).await {
            Ok(written) => assert!(written.is_none(), "O7: it is not absent"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "O7: put_if_absent: {error}"),
        }
        refused(c.get::<i64>("broken").await, ErrorKind::Corrupted, "O7: it was not replaced");
    }
    Ok(())
}

/// O7, O6: clear removes such a record, and counts it.
#[maybe_async::maybe_async]
pub async fn o7_clear_removes_it(case: &Case<'_>) -> Held {
    prepare(case).await?;
    case.clears()?;
    is(case.collection().clear().await, 3, "O7: clear removes it, and counts it");
    is(case.collection().exists("broken").await, false, "O7: after clear");
    Ok(())
}

#[maybe_async::maybe_async]
async fn again(case: &Case<'_>, name: Name<'_>) {
    let damaged = case.subject.damage(&case.setting, name).await;
    assert!(damaged, "the subject damages a record again");
}

//! C1, C2, C4: revisions and conditions, one client at a time.

use kv_core::{
    Change, Condition, DeleteOptions, DeleteOutcome, ErrorKind, Expiry, ListOptions, Listing, Metadata, Name,
    PutOptions, Revision, Value, Written,
};

use super::case::{Case, Held, MINUTE, each, is, ok, refused};
use crate::collection::Collection;

#[maybe_async::maybe_async]
async fn revision(c: &Collection, key: &str) -> Revision {
    ok(c.get_entry(key).await, "C1: get_entry").expect("C1: it is there").revision()
}

/// C1: every write answers a revision, which is the one that reads give.
#[maybe_async::maybe_async]
pub async fn c1_a_write_answers_the_revision_that_reads_give(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let mut answered = Vec::new();
    answered.push(("put", ok(c.put("put", &1).await, "C1: put").revision()));
    let options = PutOptions::ttl(MINUTE);
    let options = if case.can.metadata { options.with_metadata(Metadata::new().with("a", "b")) } else { options };
    let outcome = ok(c.put_with("with", &1, &options).await, "C1: put_with");
    answered.push(("with", outcome.written().unwrap().revision()));
    answered.push(("bytes", ok(c.put_bytes("bytes", b"\0").await, "C1: put_bytes").revision()));
    let many = each(c.put_many(&[("m", 1), ("n", 2)], &options).await, "C1: put_many");
    answered.extend(["m", "n"].into_iter().zip(many.iter().map(Written::revision)));
    for (key, expected) in &answered {
        for _ in 0..2 {
            let read = revision(&c, key).await;
            assert_eq!(read, *expected, "C1: the revision of {key}; a read changes none");
        }
        let text = expected.to_string();
        assert_eq!(text.parse::<Revision>().ok().as_ref(), Some(expected), "C1: a revision survives as text");
    }
    let keys: Vec<_> = answered.iter().map(|(key, _)| *key).collect();
    let entries = each(c.get_entries(&keys).await, "C1: get_many");
    for (entry, (key, expected)) in entries.iter().zip(&answered) {
        assert_eq!(entry.as_ref().unwrap().revision(), *expected, "C1: the revision of {key} in get_many");
    }
    if case.can.listing != Listing::Unsupported {
        let page = ok(c.entries(&ListOptions::default()).await, "C1: entries");
        for (key, entry) in page.items {
            let expected = answered.iter().find(|(name, _)| *name == key).map(|(_, revision)| revision);
            assert_eq!(Some(&ok(entry, "C1: entries").revision()), expected, "C1: the revision of {key} in a listing");
        }
    }
    Ok(())
}

/// C1: every write, touch and metadata change gives a fresh revision, also where it changes nothing else; no read does.
#[maybe_async::maybe_async]
pub async fn c1_every_change_gives_a_fresh_revision(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let mut seen = Vec::new();
    for _ in 0..3 {
        ok(c.put("k", &1).await, "C1: put");
        seen.push(revision(&c, "k").await);
        each(c.put_many(&[("k", 1)], &PutOptions::default()).await, "C1: put_many");
        seen.push(revision(&c, "k").await);
    }
    is(c.delete("k").await, true, "C1: delete");
    ok(c.put("k", &1).await, "C1: put");
    seen.push(revision(&c, "k").await);
    if case.has_conditions().is_ok() {
        let expires = case.now().saturating_add(MINUTE);
        for _ in 0..2 {
            is(c.touch("k", MINUTE).await, true, "C1: touch");
            seen.push(revision(&c, "k").await);
            is(c.expire_at("k", expires).await, true, "C1: expire_at");
            seen.push(revision(&c, "k").await);
            is(c.persist("k").await, true, "C1: persist");
            seen.push(revision(&c, "k").await);
            if case.can.metadata {
                is(c.set_metadata("k", &Metadata::new().with("a", "b")).await, true, "C1: set_metadata");
                seen.push(revision(&c, "k").await);
            }
            is(c.increment("k", 0).await, 1, "C1: increment by 0");
            seen.push(revision(&c, "k").await);
            is(c.compare_and_swap("k", Some(&1), Some(&1)).await, true, "C1: compare_and_swap");
            seen.push(revision(&c, "k").await);
            is(c.update("k", |old: Option<i64>| old).await, Some(1), "C1: update");
            seen.push(revision(&c, "k").await);
            is(c.get_and_put("k", &1).await, Some(1), "C1: get_and_put");
            seen.push(revision(&c, "k").await);
        }
    }
    let last = seen.last().cloned().unwrap();
    let count = seen.len();
    for (number, one) in seen.iter().enumerate() {
        assert!(!seen[..number].contains(one), "C1: the revision of change {number} of {count} is not fresh");
    }
    ok(c.get::<i64>("k").await, "C1: get");
    ok(c.exists("k").await, "C1: exists");
    ok(c.ttl("k").await, "C1: ttl");
    ok(c.metadata("k").await, "C1: metadata");
    let after = revision(&c, "k").await;
    assert_eq!(after, last, "C1: no read gives a fresh revision");
    Ok(())
}

/// C1, C2: a write on a stale revision conflicts, on the present one it happens; in every store of the record's life.
#[maybe_async::maybe_async]
pub async fn c2_conditions_are_what_they_say(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let stale = ok(c.put("k", &0).await, "C2: put").revision();
    let present = ok(c.put("k", &1).await, "C2: put").revision();
    let on = |condition: &Condition| PutOptions::default().with_condition(condition.clone());
    // Condition, whether it holds on a live record, whether on none.
    let conditions = [
        (Condition::Always, true, true),
        (Condition::IfAbsent, false, true),
        (Condition::IfPresent, true, false),
        (Condition::IfRevision(present), true, false),
        (Condition::IfRevision(stale.clone()), false, false),
        (Condition::IfRevision(Revision::from_number(0)), false, false),
        (Condition::IfRevision(Revision::from_text("another store's")), false, false),
        (Condition::IfRevision(Revision::of_document(b"{}", None)), false, false),
    ];
    for (condition, on_live, on_none) in &conditions {
        let before = revision(&c, "k").await;
        // The state of the record is made anew for each, so the revision of the table stands for the present one.
        let condition = match condition {
            Condition::IfRevision(_) if *on_live => Condition::IfRevision(before.clone()),
            other => other.clone(),
        };
        let outcome = ok(c.put_with("k", &2, &on(&condition)).await, "C2: put");
        assert_eq!(outcome.is_written(), *on_live, "C2: put over a live record, {condition:?}");
        let after = revision(&c, "k").await;
        assert_eq!(after != before, *on_live, "C2: the record after put, {condition:?}");
        let outcome = ok(c.put_with("missing", &2, &on(&condition)).await, "C2: put");
        assert_eq!(outcome.is_written(), *on_none, "C2: put where there is none, {condition:?}");
        is(c.delete("missing").await, *on_none, "C2: what was put where there was none");
    }
    let value: Option<i64> = ok(c.get("k").await, "C2: get");
    assert_eq!(value, Some(2), "C2: get");
    Ok(())
}

/// C2, C4: delete takes conditions too; a conflict leaves the record as it is.
#[maybe_async::maybe_async]
pub async fn c2_deletes_take_conditions(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let stale = ok(c.put("k", &0).await, "C2: put").revision();
    let present = ok(c.put("k", &1).await, "C2: put").revision();
    let name = Name::new("c", "k");
    let on = |condition| DeleteOptions::default().with_condition(condition);
    let foreign = Revision::from_text("another store's");
    for (condition, outcome) in [
        (Condition::IfRevision(stale.clone()), DeleteOutcome::Conflict),
        (Condition::IfRevision(foreign), DeleteOutcome::Conflict),
        (Condition::IfRevision(present), DeleteOutcome::Deleted),
        (Condition::IfRevision(stale), DeleteOutcome::Missing),
        (Condition::IfPresent, DeleteOutcome::Missing),
        (Condition::Always, DeleteOutcome::Missing),
    ] {
        let what = format!("C2: delete, {condition:?}");
        is(c.store().delete(name, &on(condition)).await, outcome, &what);
        let there = ok(c.exists("k").await, "C2: exists");
        assert_eq!(there, outcome == DeleteOutcome::Conflict, "{what}: whether it is there after");
    }
    ok(c.put("k", &1).await, "C2: put");
    is(c.store().delete(name, &on(Condition::IfPresent)).await, DeleteOutcome::Deleted, "C2: delete if present");
    let answer = c.store().delete(name, &on(Condition::IfAbsent)).await;
    refused(answer, ErrorKind::InvalidArgument, "C2: delete if absent");
    Ok(())
}

/// C4: a conflict is an answer of every operation that can meet one, and changes nothing.
#[maybe_async::maybe_async]
pub async fn c4_a_conflict_is_an_answer_and_changes_nothing(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let stale = ok(c.put("k", &0).await, "C4: put").revision();
    let notes = Metadata::new().with("a", "b");
    let options = PutOptions::ttl(MINUTE);
    let options = if case.can.metadata { options.with_metadata(notes.clone()) } else { options };
    ok(c.put_with("k", &1, &options).await, "C4: put").written().unwrap();
    let before = ok(c.get_entry("k").await, "C4: get").unwrap();
    case.advance(MINUTE / 2);
    let wrote = |answer: kv_core::Result<Option<Written>>| answer.map(|written| written.is_some());
    is(wrote(c.put_if_absent("k", &2).await), false, "C4: put_if_absent");
    is(wrote(c.put_if_revision("k", &2, &stale).await), false, "C4: put_if_revision");
    is(wrote(c.put_if_present("missing", &2).await), false, "C4: put_if_present");
    is(wrote(c.put_if_revision("missing", &2, &stale).await), false, "C4: put_if_revision");
    is(c.delete_if_revision("k", &stale).await, DeleteOutcome::Conflict, "C4: delete_if_revision");
    is(c.compare_and_swap("k", Some(&2), Some(&3)).await, false, "C4: compare_and_swap");
    is(c.compare_and_swap("k", None, Some(&3)).await, false, "C4: compare_and_swap");
    is(c.compare_and_swap("k", Some(&2), None).await, false, "C4: compare_and_swap");
    is(c.compare_and_swap("missing", Some(&2), Some(&3)).await, false, "C4: compare_and_swap");
    is(c.touch("missing", MINUTE).await, false, "C4: touch");
    is(c.persist("missing").await, false, "C4: persist");
    if case.can.metadata {
        is(c.set_metadata("missing", &notes).await, false, "C4: set_metadata");
    }
    is(c.take::<i64>("missing").await, None::<i64>, "C4: take");
    is(c.exists("missing").await, false, "C4: nothing was written");
    let after = ok(c.get_entry("k").await, "C4: get").unwrap();
    assert_eq!(after.revision(), before.revision(), "C4: the revision is as it was");
    assert_eq!(
        (after.expires(), after.metadata()),
        (before.expires(), before.metadata()),
        "C4: the record is as it was"
    );
    is(after.decode::<i64>(), 1, "C4: the value is as it was");
    Ok(())
}

/// C2, T5: a conditional write is a put: it replaces the whole record, and has a TTL of its own.
#[maybe_async::maybe_async]
pub async fn c2_a_conditional_write_replaces_the_whole_record(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    ok(c.put_with("k", &1, &PutOptions::ttl(MINUTE)).await, "C2: put").written().unwrap();
    let before = revision(&c, "k").await;
    let options = PutOptions::ttl(5 * MINUTE).with_condition(Condition::IfRevision(before));
    let outcome = ok(c.put_with("k", &2, &options).await, "C2: put");
    let expires = Some(case.now().saturating_add(5 * MINUTE));
    assert_eq!(outcome.written().unwrap().expires(), expires, "C2: its own TTL");
    let entry = ok(c.get_entry("k").await, "C2: get").unwrap();
    assert_eq!(entry.expires(), expires, "C2: its own TTL");
    ok(c.put_if_present("k", &3).await, "C2: put_if_present").expect("C2: it is present");
    let entry = ok(c.get_entry("k").await, "C2: get").unwrap();
    assert_eq!(entry.expires(), None, "C2: put_if_present without a TTL makes permanent");
    Ok(())
}

/// C1: replacing a record answers the old one and leaves nothing of it.
#[maybe_async::maybe_async]
pub async fn c1_modify_answers_before_and_after(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let call = c.call_options();
    let name = Name::new("c", "k");
    let first = ok(c.put("k", &1).await, "C1: put").revision();
    let value = Value::encode(&2).unwrap();
    let change = Change::Replace { value: value.as_ref(), expiry: Expiry::after(MINUTE), metadata: None };
    let modified = ok(c.store().modify(name, &change, &call).await, "C1: replace");
    assert!(modified.applied, "C1: replace");
    assert_eq!(modified.before.map(|entry| entry.revision()), Some(first), "C1: the entry that it met");
    let after = modified.after.expect("C1: the entry that it left");
    let read = ok(c.get_entry("k").await, "C1: get").unwrap();
    assert_eq!((after.revision(), after.expires()), (read.revision(), read.expires()), "C1: the entry that it left");
    is(after.decode::<i64>(), 2, "C1: its value");
    for change in [Change::Increment(5), Change::Touch(Expiry::Never)] {
        let modified = ok(c.store().modify(name, &change, &call).await, "C1: modify");
        let read = ok(c.get_entry("k").await, "C1: get").unwrap();
        let after = modified.after.expect("C1: the entry that it left");
        assert_eq!(
            (after.revision(), after.expires()),
            (read.revision(), read.expires()),
            "C1: {}",
            change.operation()
        );
        assert_eq!(after.value(), read.value(), "C1: {}", change.operation());
    }
    let modified = ok(c.store().modify(name, &Change::Take, &call).await, "C1: take");
    assert!(modified.applied && modified.after.is_none() && modified.before.is_some(), "C1: take");
    let modified = ok(c.store().modify(name, &Change::Take, &call).await, "C1: take of nothing");
    assert!(!modified.applied && modified.before.is_none(), "C1: take of nothing");
    Ok(())
}

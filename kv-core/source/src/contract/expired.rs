//! T2: an entry is there until its instant, and from it for no operation.

use kv_core::{
    Change, Condition, DeleteOptions, DeleteOutcome, Expiry, KeyFilter, ListOptions, Metadata, Name, PutOptions,
    TimeLeft, Value,
};

use super::case::{Case, Held, MINUTE, are, is, ok, set_of};

/// Writes entries that end in a minute, and one beside each that does not.
#[maybe_async::maybe_async]
async fn prepare(case: &Case<'_>, keys: &[&str]) {
    let c = case.collection();
    for key in keys {
        ok(c.put_with(key, &7, &PutOptions::ttl(MINUTE)).await, "T2: put").written().unwrap();
    }
    ok(c.put("steady", &1).await, "T2: put");
}

/// T2: a microsecond before its instant an entry is there for every operation that reads.
#[maybe_async::maybe_async]
pub async fn t2_before_its_instant_an_entry_is_there(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let expires = case.now().saturating_add(MINUTE);
    prepare(case, &["k", "gone"]).await;
    case.almost_reach(expires);
    is(c.get::<i64>("k").await, Some(7), "T2: get");
    is(c.exists("k").await, true, "T2: exists");
    are(c.get_many::<i64>(&["k", "steady"]).await, &[Some(7), Some(1)], "T2: get_many");
    let left = TimeLeft::For(expires.duration_since(case.now()));
    is(c.ttl("k").await, Some(left), "T2: ttl");
    are(c.ttl_many(&["k", "steady"]).await, &[Some(left), Some(TimeLeft::Forever)], "T2: ttl_many");
    is(c.metadata("k").await.map(|notes| notes.is_some()), true, "T2: metadata");
    is(c.delete("gone").await, true, "T2: delete");
    if case.lists().is_ok() {
        is(c.count(&KeyFilter::all()).await, 2, "T2: count");
        let keys = ok(c.all_keys(&KeyFilter::all()).await, "T2: keys");
        assert_eq!(set_of(keys), ["k", "steady"], "T2: keys");
    }
    Ok(())
}

/// T2: from its instant on an entry is there for no operation that reads, lists or deletes.
#[maybe_async::maybe_async]
pub async fn t2_from_its_instant_an_entry_is_gone(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let expires = case.now().saturating_add(MINUTE);
    prepare(case, &["k", "a", "b", "d"]).await;
    let passing = case.kv.collection("passing");
    ok(passing.put_with("k", &7, &PutOptions::ttl(MINUTE)).await, "T2: put").written().unwrap();
    case.reach(expires);
    is(c.get::<i64>("k").await, None::<i64>, "T2: get");
    is(c.get_entry("k").await.map(|entry| entry.is_some()), false, "T2: get_entry");
    is(c.exists("k").await, false, "T2: exists");
    are(c.get_many::<i64>(&["k", "steady", "a"]).await, &[None, Some(1), None], "T2: get_many");
    is(c.ttl("k").await, None::<TimeLeft>, "T2: ttl");
    are(c.ttl_many(&["k", "steady"]).await, &[None, Some(TimeLeft::Forever)], "T2: ttl_many");
    is(c.metadata("k").await, None::<Metadata>, "T2: metadata");
    if case.lists().is_ok() {
        is(c.all_keys(&KeyFilter::all()).await, ["steady"], "T2: keys");
        is(c.count(&KeyFilter::all()).await, 1, "T2: count");
        is(passing.count(&KeyFilter::all()).await, 0, "T2: count");
        let entries = ok(c.entries(&ListOptions::default()).await, "T2: entries");
        let keys: Vec<_> = entries.items.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["steady"], "T2: entries");
    }
    if case.lists_collections().is_ok() {
        is(case.kv.all_collections().await, ["c"], "T2: collections");
    }
    is(c.delete("k").await, false, "T2: delete");
    is(c.delete_many(&["a", "steady", "b"]).await, 1, "T2: delete_many");
    if case.clears().is_ok() {
        is(c.clear().await, 0, "T2: clear");
        is(case.kv.destroy().await, 0, "T2: destroy");
    }
    Ok(())
}

/// T2: from its instant on an entry is there for no condition.
#[maybe_async::maybe_async]
pub async fn t2_from_its_instant_no_condition_meets_an_entry(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let expires = case.now().saturating_add(MINUTE);
    prepare(case, &["present", "revision", "delete", "swap", "absent", "many"]).await;
    let revision = ok(c.get_entry("revision").await, "T2: get").unwrap().revision();
    let doomed = ok(c.get_entry("delete").await, "T2: get").unwrap().revision();
    case.reach(expires);
    let written = |answer: kv_core::Result<Option<kv_core::Written>>| answer.map(|written| written.is_some());
    is(written(c.put_if_present("present", &1).await), false, "T2: put_if_present");
    is(written(c.put_if_revision("revision", &1, &revision).await), false, "T2: put_if_revision");
    is(c.delete_if_revision("delete", &doomed).await, DeleteOutcome::Missing, "T2: delete_if_revision");
    let if_present = DeleteOptions::default().with_condition(Condition::IfPresent);
    let outcome = c.store().delete(Name::new("c", "delete"), &if_present).await;
    is(outcome, DeleteOutcome::Missing, "T2: delete if present");
    is(c.compare_and_swap("swap", Some(&7), Some(&8)).await, false, "T2: compare_and_swap of what was there");
    is(c.compare_and_swap("swap", None, Some(&9)).await, true, "T2: compare_and_swap of nothing");
    is(c.get::<i64>("swap").await, Some(9), "T2: compare_and_swap");
    is(written(c.put_if_absent("absent", &1).await), true, "T2: put_if_absent");
    is(c.ttl("absent").await, Some(TimeLeft::Forever), "T2: put_if_absent has no TTL of the old entry");
    for key in ["present", "revision", "delete", "many"] {
        let there = ok(c.exists(key).await, "T2: exists");
        assert!(!there, "T2: {key} is not brought back");
    }
    Ok(())
}

/// T2: from its instant on no change meets an entry, and what is written anew keeps nothing of it.
#[maybe_async::maybe_async]
pub async fn t2_from_its_instant_no_change_meets_an_entry(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    let expires = case.now().saturating_add(MINUTE);
    let keys = ["touch", "expire_at", "persist", "notes", "increment", "append", "take", "replace", "update", "remove"];
    prepare(case, &keys).await;
    case.reach(expires);
    let now = case.now();
    is(c.touch("touch", MINUTE).await, false, "T2: touch");
    is(c.expire_at("expire_at", now.saturating_add(MINUTE)).await, false, "T2: expire_at");
    is(c.persist("persist").await, false, "T2: persist");
    if case.can.metadata {
        is(c.set_metadata("notes", &Metadata::new().with("a", "b")).await, false, "T2: set_metadata");
    }
    is(c.take::<i64>("take").await, None::<i64>, "T2: take");
    is(c.update("remove", |old: Option<i64>| old).await, None::<i64>, "T2: update meets nothing");
    for key in ["touch", "expire_at", "persist", "notes", "take", "remove"] {
        let there = ok(c.exists(key).await, "T2: exists");
        assert!(!there, "T2: {key} is not brought back");
    }
    is(c.increment("increment", 5).await, 5, "T2: increment begins at 0");
    ok(c.append("append", "new").await, "T2: append");
    is(c.get::<String>("append").await, Some("new".to_owned()), "T2: append begins anew");
    is(c.get_and_put("replace", &1).await, None::<i64>, "T2: get_and_put");
    is(c.update("update", |old: Option<i64>| Some(old.map_or(1, |_| 2))).await, Some(1), "T2: update begins anew");
    for key in ["increment", "append", "replace", "update"] {
        let entry = ok(c.get_entry(key).await, "T2: get").expect("T2: what was written is there");
        assert_eq!(
            (entry.expires(), entry.created()),
            (None, Some(now)),
            "T2: {key} keeps nothing of what had expired"
        );
    }
    let value = Value::encode(&1).unwrap();
    let replace = Change::Replace { value: value.as_ref(), expiry: Expiry::after(MINUTE), metadata: None };
    let modified = ok(c.store().modify(Name::new("c", "replace"), &replace, &c.call_options()).await, "T2: replace");
    assert!(modified.applied && modified.before.is_some(), "T2: what is there again is met");
    Ok(())
}

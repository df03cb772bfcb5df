//! The capabilities are true: what they leave out answers `Unsupported`, and never does nothing silently.

use kv_core::{
    Atomicity, Condition, DeleteOptions, ErrorKind, KeyFilter, ListOptions, Listing, Metadata, Name, PutOptions,
    Revision, TimeLeft,
};

use super::case::{Case, Held, MINUTE, is, ok, refused};
use crate::collection::Collection;

const UNSUPPORTED: ErrorKind = ErrorKind::Unsupported;

/// What the capabilities leave out answers `Unsupported`.
#[maybe_async::maybe_async]
pub async fn what_is_left_out_answers_unsupported(case: &Case<'_>) -> Held {
    let c = case.collection();
    ok(c.put("k", &1).await, "put");
    if case.can.conditional == Atomicity::Unsupported {
        no_conditions(&c).await;
    }
    if case.can.listing == Listing::Unsupported {
        refused(c.keys(&ListOptions::default()).await, UNSUPPORTED, "keys of a store that does not list");
        refused(c.entries(&ListOptions::default()).await, UNSUPPORTED, "entries of a store that does not list");
        refused(c.count(&KeyFilter::all()).await, UNSUPPORTED, "count of a store that does not list");
        assert!(!case.can.ordered, "a store that does not list has no order");
    }
    if !case.can.collections {
        refused(case.kv.all_collections().await, UNSUPPORTED, "collections of a store that does not list them");
    }
    if !case.can.clear {
        refused(c.clear().await, UNSUPPORTED, "clear of a store that does not clear");
        let some = KeyFilter::starting_with("k");
        refused(c.delete_matching(&some).await, UNSUPPORTED, "delete_matching of a store that does not clear");
        refused(case.kv.destroy().await, UNSUPPORTED, "destroy of a store that does not clear");
    }
    if !case.can.cull {
        refused(case.kv.cull().await, UNSUPPORTED, "cull of a store that does not cull");
    }
    if case.can.stores && !case.can.metadata {
        let notes = Metadata::new().with("a", "b");
        let options = PutOptions::default().with_metadata(notes.clone());
        refused(c.put_with("k", &2, &options).await, UNSUPPORTED, "put with metadata that the store does not keep");
        refused(
            c.put_many(&[("k", 2)], &options).await,
            UNSUPPORTED,
            "put_many with metadata that the store does not keep",
        );
        refused(c.set_metadata("k", &notes).await, UNSUPPORTED, "set_metadata of a store that keeps none");
    }
    if case.can.stores {
        is(c.get::<i64>("k").await, Some(1), "what is unsupported changes nothing");
    }
    Ok(())
}

#[maybe_async::maybe_async]
async fn no_conditions(c: &Collection) {
    let stale = Revision::from_number(1);
    let name = Name::new("c", "k");
    let if_present = DeleteOptions::default().with_condition(Condition::IfPresent);
    let notes = Metadata::new().with("a", "b");
    for (operation, error) in [
        ("put_if_absent", c.put_if_absent("k", &2).await.err()),
        ("put_if_absent", c.put_if_absent("new", &2).await.err()),
        ("put_if_present", c.put_if_present("k", &2).await.err()),
        ("put_if_revision", c.put_if_revision("k", &2, &stale).await.err()),
        ("delete if present", c.store().delete(name, &if_present).await.err()),
        ("delete_if_revision", c.delete_if_revision("k", &stale).await.err()),
        ("increment", c.increment("k", 1).await.err()),
        ("append", c.append("new", "x").await.err()),
        ("take", c.take::<i64>("k").await.err()),
        ("get_and_put", c.get_and_put("k", &2).await.err()),
        ("compare_and_swap", c.compare_and_swap("k", Some(&1), Some(&2)).await.err()),
        ("update", c.update("k", |_: Option<i64>| Some(2)).await.err()),
        ("touch", c.touch("k", MINUTE).await.err()),
        ("persist", c.persist("k").await.err()),
        ("set_metadata", c.set_metadata("k", &notes).await.err()),
    ] {
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(UNSUPPORTED), "{operation} of a store without conditional writes");
    }
    is(c.exists("new").await, false, "what is unsupported writes nothing");
}

/// The capabilities asked of the backend are those that the store describes, or fewer; a store that keeps nothing says
/// so.
#[maybe_async::maybe_async]
pub async fn capabilities_are_consistent(case: &Case<'_>) -> Held {
    let described = case.kv.describe().capabilities;
    let can = &case.can;
    assert!(
        can.conditional <= described.conditional && can.listing <= described.listing,
        "capabilities beyond the described"
    );
    assert!(!can.shared || can.persistent || can.stores, "a store that is shared keeps something");
    assert!(!can.ordered || can.listing != Listing::Unsupported, "order without listing");
    assert!(can.expiry_resolution.as_secs() < 2, "T2: a resolution of {:?}", can.expiry_resolution);
    if can.stores {
        return Ok(());
    }
    let c = case.collection();
    ok(c.put("k", &1).await, "put");
    ok(c.put_bytes("bytes", b"1").await, "put_bytes");
    ok(c.put_many(&[("k", 1)], &PutOptions::ttl(MINUTE)).await, "put_many");
    is(c.get::<i64>("k").await, None::<i64>, "get of a store that keeps nothing");
    is(c.get_many::<i64>(&["k", "k"]).await.map(|answers| answers.len()), 2, "get_many of a store that keeps nothing");
    is(c.exists("k").await, false, "exists of a store that keeps nothing");
    is(c.ttl("k").await, None::<TimeLeft>, "ttl of a store that keeps nothing");
    is(c.delete("k").await, false, "delete of a store that keeps nothing");
    is(c.delete_many(&["k"]).await, 0, "delete_many of a store that keeps nothing");
    if can.listing != Listing::Unsupported {
        is(c.count(&KeyFilter::all()).await, 0, "count of a store that keeps nothing");
        is(c.all_keys(&KeyFilter::all()).await, Vec::<String>::new(), "keys of a store that keeps nothing");
    }
    if can.clear {
        is(c.clear().await, 0, "clear of a store that keeps nothing");
        is(case.kv.destroy().await, 0, "destroy of a store that keeps nothing");
    }
    if can.cull {
        is(case.kv.cull().await, 0, "cull of a store that keeps nothing");
    }
    Ok(())
}

/// O5: a store that says it lists in order lists keys and collections in the order of their bytes.
#[maybe_async::maybe_async]
pub async fn order_is_of_bytes(case: &Case<'_>) -> Held {
    case.lists()?;
    super::case::needs(case.can.ordered, "it does not list in order")?;
    let c = case.collection();
    let mut keys = super::samples::names(case.can.max_key_bytes.min(300));
    for key in keys.iter().rev() {
        ok(c.put(key, &1).await, "O5: put");
    }
    keys.sort();
    for limit in [7, 1000] {
        let mut pages = c.key_pages(ListOptions::default().with_limit(limit));
        let mut listed = Vec::new();
        while let Some(page) = ok(pages.next_page().await, "O5: keys") {
            listed.extend(page);
        }
        assert!(listed == keys, "O5: keys are not in the order of their bytes");
    }
    Ok(())
}

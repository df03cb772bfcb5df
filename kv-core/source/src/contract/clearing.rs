//! O6: clear, delete by pattern, destroy.

use kv_core::{KeyFilter, Listing, Pattern, PutOptions};

use super::case::{Case, Held, MINUTE, is, ok};

const NEIGHBOURS: &[&str] =
    &["cc", "c:", "c::", "c::c", "C", "c ", "c*", "c/", "*", "?", "[c]", "c\0", "default_collection"];

/// O6: clear removes a collection's entries, tells how many live ones, and leaves every neighbour.
#[maybe_async::maybe_async]
pub async fn o6_clear_leaves_the_neighbours(case: &Case<'_>) -> Held {
    case.clears()?;
    let c = case.collection();
    is(c.clear().await, 0, "O6: clear of an empty collection");
    for name in NEIGHBOURS {
        ok(case.kv.collection(*name).put("k", name).await, "O6: put");
    }
    for number in 0..10 {
        ok(c.put(&number.to_string(), &number).await, "O6: put");
        let options = PutOptions::ttl(MINUTE);
        ok(c.put_with(&format!("expired {number}"), &number, &options).await, "O6: put").written().unwrap();
    }
    case.reach(case.now().saturating_add(MINUTE));
    is(c.clear().await, 10, "O6: clear tells how many live entries there were");
    is(c.exists("0").await, false, "O6: after clear");
    is(c.clear().await, 0, "O6: clear again");
    for name in NEIGHBOURS {
        let kept = ok(case.kv.collection(*name).get::<String>("k").await, "O6: get");
        assert_eq!(kept.as_deref(), Some(*name), "O6: the neighbour {name:?} after clear");
    }
    // A collection may be named like a pattern.
    is(case.kv.collection("*").clear().await, 1, "O6: clear of a collection named *");
    is(case.kv.collection("cc").exists("k").await, true, "O6: and of no other");
    ok(c.put("k", &1).await, "O6: put after clear");
    is(c.get::<i64>("k").await, Some(1), "O6: the store works on");
    Ok(())
}

/// O6: delete_matching removes the keys asked for, and no others.
#[maybe_async::maybe_async]
pub async fn o6_delete_matching_removes_what_matches(case: &Case<'_>) -> Held {
    case.clears()?;
    let keys = [
        "a",
        "ab",
        "a*",
        "a*b",
        "b",
        "user:1:mail",
        "user:2:mail",
        "user:2:name",
        "USER:1:mail",
        "%",
        "_",
        "a_b",
        "a%b",
    ];
    let pattern = |glob: &str| KeyFilter::pattern(Pattern::new(glob).unwrap());
    for filter in [
        KeyFilter::starting_with("a"),
        KeyFilter::starting_with("a*"),
        KeyFilter::starting_with("a_"),
        KeyFilter::starting_with("a%"),
        pattern("user:*:mail"),
        pattern("a\\*"),
        pattern("?"),
        pattern("nothing*"),
        KeyFilter::all(),
    ] {
        let c = case.collection();
        let other = case.kv.collection("other");
        for key in keys {
            ok(c.put(key, &1).await, "O6: put");
            ok(other.put(key, &1).await, "O6: put");
        }
        let gone = keys.iter().filter(|key| filter.matches(key)).count() as u64;
        is(c.delete_matching(&filter).await, gone, &format!("O6: delete_matching of {filter:?}"));
        for key in keys {
            let (there, beside) = (ok(c.exists(key).await, "O6: exists"), ok(other.exists(key).await, "O6: exists"));
            assert_eq!(there, !filter.matches(key), "O6: {key:?} after delete_matching of {filter:?}");
            assert!(beside, "O6: {key:?} of another collection");
        }
    }
    Ok(())
}

/// O6: destroy removes all that is the store's, tells how many live entries, leaves other spaces, and the store works
/// on.
#[maybe_async::maybe_async]
pub async fn o6_destroy_leaves_other_spaces(case: &Case<'_>) -> Held {
    case.clears()?;
    is(case.kv.destroy().await, 0, "O6: destroy of an empty store");
    let space = &case.setting.space;
    let longer = Case::open_in(case.subject, case.setting.in_space(format!("{space}0"))).await;
    let shorter = Case::open_in(case.subject, case.setting.in_space(&space[..space.len() - 1])).await;
    let others = [longer, shorter];
    let names = || NEIGHBOURS.iter().copied().chain(["c"]);
    for kv in [&case.kv, &others[0].kv, &others[1].kv] {
        for name in names() {
            ok(kv.collection(name).put("k", &1).await, "O6: put");
        }
    }
    let options = PutOptions::ttl(MINUTE);
    ok(case.collection().put_with("expired", &1, &options).await, "O6: put").written().unwrap();
    case.reach(case.now().saturating_add(MINUTE));
    is(case.kv.destroy().await, names().count() as u64, "O6: destroy tells how many live entries there were");
    for name in names() {
        let there = ok(case.kv.collection(name).exists("k").await, "O6: exists");
        assert!(!there, "O6: {name:?} after destroy");
        for other in &others {
            let kept = ok(other.kv.collection(name).exists("k").await, "O6: exists");
            assert!(kept, "O6: {name:?} of the space {:?} after {space:?} was destroyed", other.setting.space);
        }
    }
    if case.can.collections {
        is(case.kv.all_collections().await, Vec::<String>::new(), "O6: collections after destroy");
    }
    ok(case.collection().put("k", &2).await, "O6: put after destroy");
    is(case.collection().get::<i64>("k").await, Some(2), "O6: the store works on");
    if case.can.listing != Listing::Unsupported {
        is(case.collection().all_keys(&KeyFilter::all()).await, ["k"], "O6: keys after destroy");
    }
    for other in others {
        other.finish().await;
    }
    Ok(())
}

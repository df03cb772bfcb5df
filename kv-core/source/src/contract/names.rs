//! N1 to N6: names.

use kv_core::{ErrorKind, KeyFilter, ListOptions, Listing, Revision};

use super::case::{Case, Held, is, needs, ok, refused, set_of, sorted};
use super::errors::every_operation;
use super::samples;
use super::subject::Setting;

/// N1: a name that is empty, or longer than the limit in bytes, is refused by every operation before anything else.
#[maybe_async::maybe_async]
pub async fn n1_bad_names_are_refused_by_every_operation(case: &Case<'_>) -> Held {
    let (keys, collections) = (case.can.max_key_bytes, case.can.max_collection_bytes);
    for key in [String::new(), "x".repeat(keys + 1), "\u{e9}".repeat(keys / 2 + 1), "x".repeat(1_000_000)] {
        for (operation, error) in every_operation(&case.collection(), &key, &Revision::from_number(1)).await {
            let kind = error.map(|error| error.kind());
            let len = key.len();
            assert_eq!(kind, Some(ErrorKind::InvalidKey), "N1: {operation} with a key of {len} bytes");
        }
    }
    for name in [String::new(), "x".repeat(collections + 1), "\u{20ac}".repeat(collections / 3 + 1)] {
        let collection = case.kv.collection(name.as_str());
        let mut answers = every_operation(&collection, "k", &Revision::from_number(1)).await;
        let all = ListOptions::default();
        if case.can.listing != Listing::Unsupported {
            answers.push(("keys", collection.keys(&all).await.err()));
            answers.push(("entries", collection.entries(&all).await.err()));
            answers.push(("count", collection.count(&KeyFilter::all()).await.err()));
        }
        if case.can.clear {
            answers.push(("clear", collection.clear().await.err()));
        }
        let none: [&str; 0] = [];
        answers.push(("get_many of none", collection.get_entries(&none).await.err()));
        answers.push(("delete_many of none", collection.delete_many(&none).await.err()));
        for (operation, error) in answers {
            let kind = error.map(|error| error.kind());
            let len = name.len();
            assert_eq!(kind, Some(ErrorKind::InvalidCollection), "N1: {operation} in a collection of {len} bytes");
        }
    }
    // One bad name refuses a whole batch.
    let c = case.collection();
    refused(c.get_entries(&["a", ""]).await, ErrorKind::InvalidKey, "N1: get_many with an empty key");
    refused(c.delete_many(&["a", ""]).await, ErrorKind::InvalidKey, "N1: delete_many with an empty key");
    Ok(())
}

/// N1: names of exactly the limit are taken, and the limit is 2,048 bytes unless the capabilities say otherwise.
#[maybe_async::maybe_async]
pub async fn n1_names_of_the_limit_are_taken(case: &Case<'_>) -> Held {
    case.keeps()?;
    assert!(
        case.can.max_key_bytes <= 2048 && case.can.max_collection_bytes <= 2048,
        "N1: the limits are 2,048 at most"
    );
    assert!(case.can.max_key_bytes > 0 && case.can.max_collection_bytes > 0, "N1: some name must be taken");
    let (keys, collections) = (case.can.max_key_bytes, case.can.max_collection_bytes);
    for unit in ["x", "\u{e9}", "/", "\0", "\u{1F600}"] {
        let c = case.kv.collection(unit.repeat(collections / unit.len()));
        let key = unit.repeat(keys / unit.len());
        ok(c.put(&key, unit).await, "N1: put under names of the limit");
        is(c.get::<String>(&key).await, Some(unit.to_owned()), "N1: get under names of the limit");
        is(c.delete(&key).await, true, "N1: delete under names of the limit");
    }
    Ok(())
}

/// N2, N3: every valid key works with every kind of operation, and no two are one record.
#[maybe_async::maybe_async]
pub async fn n2_every_key_works_and_is_its_own(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let keys = samples::names(case.can.max_key_bytes);
    for (number, key) in keys.iter().enumerate() {
        ok(c.put(key, &number).await, "N2: put");
    }
    for (number, key) in keys.iter().enumerate() {
        let value = ok(c.get::<usize>(key).await, "N2: get");
        assert_eq!(value, Some(number), "N2, N3: under the key {key:?}");
    }
    let values = ok(c.get_many::<usize>(&keys).await, "N2: get_many");
    let values: Vec<_> = values.into_iter().map(|value| ok(value, "N2: get_many")).collect();
    let expected: Vec<_> = (0..keys.len()).map(Some).collect();
    assert_eq!(values, expected, "N2, N3: get_many");
    // Every second one goes, and takes no other along.
    let (gone, kept): (Vec<_>, Vec<_>) = keys.iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let gone: Vec<&String> = gone.into_iter().map(|(_, key)| key).collect();
    is(c.delete_many(&gone).await, gone.len() as u64, "N2: delete_many");
    for (number, key) in kept {
        let value = ok(c.get::<usize>(key).await, "N2: get");
        assert_eq!(value, Some(number), "N3: {key:?}, after others were deleted");
    }
    for key in gone {
        let there = ok(c.exists(key).await, "N2: exists");
        assert!(!there, "N2: {key:?} was deleted");
    }
    Ok(())
}

/// N2, N3: every valid collection name works, and no two are one collection.
#[maybe_async::maybe_async]
pub async fn n2_every_collection_works_and_is_its_own(case: &Case<'_>) -> Held {
    case.keeps()?;
    let names = samples::names(case.can.max_collection_bytes);
    for (number, name) in names.iter().enumerate() {
        ok(case.kv.collection(name.as_str()).put("k", &number).await, "N2: put");
    }
    for (number, name) in names.iter().enumerate() {
        let value = ok(case.kv.collection(name.as_str()).get::<usize>("k").await, "N2: get");
        assert_eq!(value, Some(number), "N2, N3: in the collection {name:?}");
    }
    if case.can.collections {
        let listed = ok(case.kv.all_collections().await, "N5: collections");
        assert_eq!(set_of(listed), sorted(names.clone()), "N5: the names of the collections");
    }
    if case.can.clear {
        for (number, name) in names.iter().enumerate() {
            if number % 2 == 0 {
                let cleared = ok(case.kv.collection(name.as_str()).clear().await, "N2: clear");
                assert_eq!(cleared, 1, "N3: entries cleared in {name:?}");
            }
        }
        for (number, name) in names.iter().enumerate() {
            let value = ok(case.kv.collection(name.as_str()).get::<usize>("k").await, "N2: get");
            assert_eq!(value, (number % 2 == 1).then_some(number), "N3: {name:?}, after others were cleared");
        }
    }
    Ok(())
}

/// N3: pairs of collection and key that are one text when joined are not one record.
#[maybe_async::maybe_async]
pub async fn n3_joined_names_do_not_collide(case: &Case<'_>) -> Held {
    case.keeps()?;
    for (number, (collection, key)) in samples::JOINED.iter().enumerate() {
        ok(case.kv.collection(*collection).put(key, &number).await, "N3: put");
    }
    for (number, (collection, key)) in samples::JOINED.iter().enumerate() {
        let value = ok(case.kv.collection(*collection).get::<usize>(key).await, "N3: get");
        assert_eq!(value, Some(number), "N3: ({collection:?}, {key:?})");
    }
    if case.can.listing == Listing::Unsupported {
        return Ok(());
    }
    for (collection, _) in samples::JOINED {
        let listed = ok(case.kv.collection(*collection).all_keys(&KeyFilter::all()).await, "N3: keys");
        let own: Vec<_> =
            samples::JOINED.iter().filter(|(of, _)| of == collection).map(|(_, key)| (*key).to_owned()).collect();
        assert_eq!(set_of(listed), sorted(own), "N3: the keys of {collection:?}");
    }
    Ok(())
}

/// N4: what is written under any name in one space is not seen in another, nor changed from there.
#[maybe_async::maybe_async]
pub async fn n4_no_name_leaves_its_space(case: &Case<'_>) -> Held {
    case.keeps()?;
    let space = &case.setting.space;
    let other = Case::open_in(case.subject, case.setting.in_space(format!("{space}0"))).await;
    let most = [&case.can, &other.can].map(|can| can.max_key_bytes.min(can.max_collection_bytes));
    let mut names = samples::names(most[0].min(most[1]));
    // Where the other space may lie, seen from this one.
    for around in ["../{}", "..\\{}", "../../{}", "{}", "{}::c", "{}:c", "{}/c", "0", "0::c", "0/c", ":0", "../{}/c"] {
        names.push(around.replace("{}", &other.setting.space));
    }
    let names = set_of(names);
    for name in &names {
        ok(other.kv.collection("c").put(name, "theirs").await, "N4: put");
        ok(case.kv.collection(name.as_str()).put("c", "ours").await, "N4: put");
        ok(case.kv.collection("c").put(name, "ours").await, "N4: put");
    }
    for name in &names {
        let theirs = ok(other.kv.collection("c").get::<String>(name).await, "N4: get");
        assert_eq!(theirs.as_deref(), Some("theirs"), "N4: {name:?}");
        if name != "c" {
            let leaked = ok(other.kv.collection(name.as_str()).exists("c").await, "N4: exists");
            assert!(!leaked, "N4: {name:?} is seen in another space");
        }
        is(case.kv.collection("c").delete(name).await, true, "N4: delete");
    }
    for name in &names {
        let theirs = ok(other.kv.collection("c").exists(name).await, "N4: exists");
        assert!(theirs, "N4: {name:?} was deleted from another space");
    }
    other.finish().await;
    Ok(())
}

/// N5: listings give keys as they were written, whatever the store makes of them.
#[maybe_async::maybe_async]
pub async fn n5_listings_give_the_true_names(case: &Case<'_>) -> Held {
    case.lists()?;
    let keys = samples::names(case.can.max_key_bytes);
    for collection in ["c", "a::b", "*", "../c"] {
        let c = case.kv.collection(collection);
        for key in &keys {
            ok(c.put(key, key).await, "N5: put");
        }
    }
    for collection in ["c", "a::b", "*", "../c"] {
        let c = case.kv.collection(collection);
        let listed = ok(c.all_keys(&KeyFilter::all()).await, "N5: keys");
        assert_eq!(set_of(listed), sorted(keys.clone()), "N5: the keys of {collection:?}");
        is(c.count(&KeyFilter::all()).await, keys.len() as u64, "N5: count");
        let mut pages = c.entry_pages(ListOptions::default().with_limit(50));
        while let Some(page) = ok(pages.next_page().await, "N5: entries") {
            for (key, entry) in page {
                let value: String = ok(ok(entry, "N5: an entry").decode(), "N5: an entry's value");
                assert_eq!(value, key, "N5: the entry listed under a key is that key's");
            }
        }
    }
    Ok(())
}

/// N6: the operations that name no collection are on `default_collection`, or on what the store was told.
#[maybe_async::maybe_async]
pub async fn n6_the_default_collection(case: &Case<'_>) -> Held {
    case.keeps()?;
    assert_eq!(case.kv.name(), "default_collection", "N6");
    ok(case.kv.put("k", &1).await, "N6: put");
    is(case.kv.collection("default_collection").get::<i64>("k").await, Some(1), "N6: get");
    let mut setting = Setting::fresh();
    setting.default_collection = Some("other".to_owned());
    let other = Case::open_in(case.subject, setting).await;
    needs(other.kv.name() == "other", "the subject does not apply a setting's default collection")?;
    ok(other.kv.put("k", &2).await, "N6: put");
    is(other.kv.collection("other").get::<i64>("k").await, Some(2), "N6: get where the store was told");
    is(other.kv.collection("default_collection").exists("k").await, false, "N6: and not in the usual one");
    other.finish().await;
    Ok(())
}

//! O5: listings.

use std::collections::BTreeSet;

use kv_core::{Cursor, ErrorKind, KeyFilter, ListOptions, Listing, Pattern, PutItem, PutOptions, Value};

use super::case::{Case, Held, MINUTE, each, is, ok, refused, set_of, sorted};
use super::side;
use super::tasks::Task;
use crate::collection::Collection;
use crate::kv::Kv;

const KEYS: &[&str] = &[
    "a",
    "ab",
    "abc",
    "b",
    "user:1",
    "user:1:mail",
    "user:10",
    "user:2:mail",
    "user:2:phone",
    "user",
    "USER:1",
    "user*",
    "user?1",
    "user[1]",
    "\u{e9}t\u{e9}",
    "e\u{301}",
    "\u{65e5}\u{672c}",
    "z",
];

#[maybe_async::maybe_async]
async fn fill(c: &Collection) {
    let items: Vec<_> = KEYS.iter().enumerate().map(|(number, key)| (*key, number)).collect();
    each(c.put_many(&items, &PutOptions::default()).await, "O5: put_many");
}

/// All keys of a listing, page by page; checks each page's size.
#[maybe_async::maybe_async]
async fn listed(c: &Collection, options: &ListOptions) -> Vec<String> {
    let mut options = options.clone();
    let mut keys = Vec::new();
    for _ in 0..100_000 {
        let page = ok(c.keys(&options).await, "O5: keys");
        assert!(page.items.len() <= options.limit, "O5: {} keys on a page of {}", page.items.len(), options.limit);
        keys.extend(page.items);
        match page.next {
            Some(next) => options.cursor = Some(next),
            None => return keys,
        }
    }
    panic!("O5: the listing does not end");
}

fn assert_lists(case: &Case<'_>, keys: Vec<String>, expected: &[&str], what: &str) {
    if case.can.listing == Listing::ExactlyOnce {
        let count = keys.len();
        assert_eq!(set_of(keys.clone()).len(), count, "O5: {what}: a key comes twice in {keys:?}");
    }
    if case.can.ordered {
        assert!(keys.is_sorted(), "O5: {what}: not in order of their bytes: {keys:?}");
    }
    assert_eq!(set_of(keys), sorted(expected.to_vec()), "O5: {what}");
}

/// O5: whatever the limit, the pages together have every key, and no page exceeds its limit.
#[maybe_async::maybe_async]
pub async fn o5_pages_together_have_every_key(case: &Case<'_>) -> Held {
    case.lists()?;
    let c = case.collection();
    is(c.keys(&ListOptions::default()).await.map(|page| page.items.len()), 0, "O5: keys of an empty collection");
    is(c.count(&KeyFilter::all()).await, 0, "O5: count of an empty collection");
    fill(&c).await;
    fill(&case.kv.collection("cc")).await;
    ok(case.kv.collection("c:").put("other", &1).await, "O5: put");
    for limit in [1, 2, 7, KEYS.len(), KEYS.len() + 1, 1000, usize::MAX] {
        let keys = listed(&c, &ListOptions::default().with_limit(limit)).await;
        assert_lists(case, keys, KEYS, &format!("pages of {limit}"));
        let keys = listed(&c, &ListOptions::starting_with("user:").with_limit(limit)).await;
        let expected = ["user:1", "user:1:mail", "user:10", "user:2:mail", "user:2:phone"];
        assert_lists(case, keys, &expected, &format!("pages of {limit}, by prefix"));
    }
    for limit in [1, 3, 1000] {
        let mut pages = c.entry_pages(ListOptions::default().with_limit(limit));
        let mut keys = Vec::new();
        while let Some(page) = ok(pages.next_page().await, "O5: entries") {
            assert!(!page.is_empty() && page.len() <= limit, "O5: {} entries on a page of {limit}", page.len());
            for (key, entry) in page {
                let value: usize = ok(ok(entry, "O5: an entry").decode(), "O5: an entry's value");
                assert_eq!(KEYS[value], key, "O5: the entry listed under a key is that key's");
                keys.push(key);
            }
        }
        assert_lists(case, keys, KEYS, &format!("entries, in pages of {limit}"));
    }
    Ok(())
}

/// O5: by prefix and by pattern a listing has the keys asked for, all and alone; count counts the same.
#[maybe_async::maybe_async]
pub async fn o5_filters_ask_for_keys(case: &Case<'_>) -> Held {
    case.lists()?;
    let c = case.collection();
    fill(&c).await;
    let pattern = |glob: &str| Pattern::new(glob).unwrap();
    let filters = [
        KeyFilter::all(),
        KeyFilter::starting_with(""),
        KeyFilter::starting_with("a"),
        KeyFilter::starting_with("user:1"),
        KeyFilter::starting_with("user*"),
        KeyFilter::starting_with("user["),
        KeyFilter::starting_with("\u{e9}"),
        KeyFilter::starting_with("e"),
        KeyFilter::starting_with("\u{65e5}"),
        KeyFilter::starting_with("nothing"),
        KeyFilter::starting_with("\u{10ffff}"),
        KeyFilter::pattern(pattern("*")),
        KeyFilter::pattern(pattern("user:*")),
        KeyFilter::pattern(pattern("user:*:{mail,phone}")),
        KeyFilter::pattern(pattern("user:?")),
        KeyFilter::pattern(pattern("*:mail")),
        KeyFilter::pattern(pattern("user\\*")),
        KeyFilter::pattern(pattern("user[*?]*")),
        KeyFilter::pattern(pattern("[a-b]*")),
        KeyFilter::pattern(pattern("?")),
        KeyFilter::pattern(pattern("abc")),
        KeyFilter::starting_with("user:2").and_pattern(pattern("*:mail")),
        KeyFilter::starting_with("a").and_pattern(pattern("b*")),
    ];
    for filter in filters {
        let expected: Vec<_> = KEYS.iter().copied().filter(|key| filter.matches(key)).collect();
        for limit in [2, 1000] {
            let keys = listed(&c, &ListOptions::default().with_filter(filter.clone()).with_limit(limit)).await;
            assert_lists(case, keys, &expected, &format!("{filter:?}"));
        }
        is(c.count(&filter).await, expected.len() as u64, &format!("O5: count of {filter:?}"));
    }
    Ok(())
}

/// O5: collections are listed page by page, by prefix and by pattern; an empty one is not there.
#[maybe_async::maybe_async]
pub async fn o5_collections_are_listed(case: &Case<'_>) -> Held {
    case.lists_collections()?;
    is(case.kv.all_collections().await, Vec::<String>::new(), "O5: collections of an empty store");
    for name in KEYS {
        ok(case.kv.collection(*name).put("k", &1).await, "O5: put");
        ok(case.kv.collection(*name).put("l", &1).await, "O5: put");
    }
    ok(case.kv.collection("emptied").put("k", &1).await, "O5: put");
    is(case.kv.collection("emptied").delete("k").await, true, "O5: delete");
    for limit in [1, 2, 7, 1000] {
        for filter in
            [KeyFilter::all(), KeyFilter::starting_with("user"), KeyFilter::pattern(Pattern::new("*:mail").unwrap())]
        {
            let mut options = ListOptions::default().with_filter(filter.clone()).with_limit(limit);
            let mut names = Vec::new();
            loop {
                let page = ok(case.kv.collections(&options).await, "O5: collections");
                assert!(page.items.len() <= limit, "O5: {} collections on a page of {limit}", page.items.len());
                names.extend(page.items);
                let Some(next) = page.next else { break };
                options.cursor = Some(next);
            }
            let expected: Vec<_> = KEYS.iter().copied().filter(|name| filter.matches(name)).collect();
            if case.can.ordered {
                assert!(names.is_sorted(), "O5: collections are not in order: {names:?}");
            }
            assert_eq!(set_of(names), sorted(expected), "O5: collections of {filter:?} in pages of {limit}");
        }
    }
    Ok(())
}

/// O5: a page of nothing is refused, and a cursor of something else is refused or harmless.
#[maybe_async::maybe_async]
pub async fn o5_bad_limits_and_cursors_are_refused(case: &Case<'_>) -> Held {
    case.lists()?;
    let c = case.collection();
    fill(&c).await;
    let none = ListOptions::default().with_limit(0);
    refused(c.keys(&none).await, ErrorKind::InvalidArgument, "O5: keys with a limit of 0");
    refused(c.entries(&none).await, ErrorKind::InvalidArgument, "O5: entries with a limit of 0");
    if case.can.collections {
        refused(case.kv.collections(&none).await, ErrorKind::InvalidArgument, "O5: collections with a limit of 0");
    }
    for text in [
        "",
        "x",
        "0",
        "-1",
        "99999999999999999999999999",
        "\0",
        "\u{1F600}",
        "a:b",
        "{}",
        "user:1",
        "n0000000000000000",
    ] {
        let options = ListOptions::default().with_cursor(Some(Cursor::new(text)));
        match c.keys(&options).await {
            Ok(page) => {
                let known = page.items.iter().all(|key| KEYS.contains(&key.as_str()));
                assert!(known, "O5: after the cursor {text:?} there are keys from nowhere: {:?}", page.items);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument, "O5: the cursor {text:?}: {error}"),
        }
    }
    Ok(())
}

/// O5: a cursor survives as text, and goes on after the key that it stands at was deleted.
#[maybe_async::maybe_async]
pub async fn o5_cursors_survive(case: &Case<'_>) -> Held {
    case.lists()?;
    let c = case.collection();
    fill(&c).await;
    let mut options = ListOptions::default().with_limit(3);
    let mut steady: BTreeSet<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    let mut seen = BTreeSet::new();
    loop {
        let page = ok(c.keys(&options).await, "O5: keys");
        for key in &page.items {
            ok(c.delete(key).await, "O5: delete");
        }
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        let text = next.to_string();
        options.cursor = Some(text.parse().unwrap());
    }
    steady.retain(|key| !seen.contains(key));
    assert!(steady.is_empty(), "O5: keys lost while those of earlier pages were deleted: {steady:?}");
    Ok(())
}

/// Writes, rewrites and deletes keys around the steady ones.
struct Churn;

#[maybe_async::maybe_async]
impl Task for Churn {
    type Output = usize;

    async fn run(&self, kv: Kv, number: usize) -> usize {
        let c = kv.collection("c");
        if number == 0 {
            return list_meanwhile(&c).await;
        }
        for round in 0..150 {
            let key = format!("{}churn:{number}:{round}", ["", "k", "z"][round % 3]);
            ok(c.put(&key, &round).await, "O5: put");
            let steady = format!("k:{:03}", (round * 7 + number * 31) % 200);
            ok(c.put(&steady, &round).await, "O5: put of a steady key");
            if round % 2 == 0 {
                ok(c.delete(&key).await, "O5: delete");
            }
        }
        0
    }
}

/// Lists again and again; answers how often a key came twice in one listing.
#[maybe_async::maybe_async]
async fn list_meanwhile(c: &Collection) -> usize {
    let mut twice = 0;
    for round in 0..10 {
        let keys = listed(c, &ListOptions::starting_with("k:").with_limit([5, 17, 1000][round % 3])).await;
        let count = keys.len();
        let seen = set_of(keys);
        assert_eq!(seen.len(), 200, "O5: keys that were there throughout, while others wrote");
        twice += count - seen.len();
    }
    twice
}

/// O5: while others write and delete, a listing has every key that was there throughout, and once if it says so.
#[maybe_async::maybe_async]
pub async fn o5_no_steady_key_is_lost_while_others_write(case: &Case<'_>) -> Held {
    case.lists()?;
    let value = Value::encode(&0).unwrap();
    let keys: Vec<String> = (0..200).map(|number| format!("k:{number:03}")).collect();
    let items: Vec<_> = keys.iter().map(|key| PutItem::new(key, value.as_ref())).collect();
    each(case.collection().put_items(&items, &PutOptions::default()).await, "O5: put_many");
    let twice: usize = side::together(std::slice::from_ref(&case.kv), 4, Churn).await.into_iter().sum();
    if case.can.listing == Listing::ExactlyOnce {
        assert_eq!(twice, 0, "O5: keys came twice in a listing that says exactly once");
    }
    Ok(())
}

/// O5: thousands of keys are listed to the end, expired ones left out however many they are.
#[maybe_async::maybe_async]
pub async fn o5_long_listings_are_not_cut_short(case: &Case<'_>) -> Held {
    case.lists()?;
    let c = case.collection();
    let value = Value::encode(&0).unwrap();
    let keys: Vec<String> = (0..3000).map(|number| format!("{number:04}")).collect();
    for chunk in keys.chunks(500) {
        let item = |key| PutItem::new(key, value.as_ref());
        let items: Vec<_> = chunk
            .iter()
            .enumerate()
            .map(|(number, key)| match number % 10 {
                0 => item(key),
                _ => item(key).with_expiry(kv_core::Expiry::after(MINUTE)),
            })
            .collect();
        each(c.put_items(&items, &PutOptions::default()).await, "O5: put_many");
    }
    let all = ok(c.all_keys(&KeyFilter::all()).await, "O5: keys");
    assert_eq!(set_of(all).len(), 3000, "O5: a long listing");
    case.reach(case.now().saturating_add(MINUTE));
    let live = listed(&c, &ListOptions::default().with_limit(100)).await;
    let expected: Vec<_> = keys.iter().step_by(10).cloned().collect();
    assert_eq!(set_of(live), expected, "O5: a long listing in which nine of ten have expired");
    is(c.count(&KeyFilter::all()).await, 300, "O5: count where nine of ten have expired");
    Ok(())
}

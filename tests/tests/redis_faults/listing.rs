//! Listings in a database that is full of other things.

use std::collections::BTreeSet;

use kv_core::{Cursor, ErrorKind, KeyFilter, ListOptions, Pattern, PutOptions};
use kv_tests::need;
use kv_tests::resp::Reply;
use kv_tests::servers::{Options, private_redis};

use crate::setup::Setup;
use crate::side::{each, names};

#[test]
fn a_small_collection_among_many_foreign_keys_is_found_whole() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    let fill = "for i = 1, 30000 do redis.call('SET', 'other:' .. i, 'x') end";
    server.command(&["EVAL", fill, "0"]).unwrap();
    each(&Setup::url(server.url()), |side| {
        side.put_many(&names(50), &PutOptions::default()).unwrap();
        let whole: BTreeSet<String> = names(50).into_iter().collect();
        let found: BTreeSet<String> = side.all_keys("default_collection").unwrap().into_iter().collect();
        assert_eq!(found, whole, "{}", side.name());
        assert_eq!(side.count("default_collection").unwrap(), 50);
        for limit in [1, 7, 49, 50, 1000] {
            let listed = side.keys_in_pages("default_collection", limit).unwrap();
            assert_eq!(BTreeSet::from_iter(listed), whole, "{} by {limit}", side.name());
        }
        assert_eq!(side.clear("default_collection").unwrap(), 50);
        assert_eq!(side.destroy().unwrap(), 0);
    });
    assert_eq!(server.command(&["DBSIZE"]).unwrap(), Reply::Int(30_000));
}

#[test]
fn what_was_there_throughout_is_listed_while_the_table_grows() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        side.put_many(&names(500), &PutOptions::default()).unwrap();
        let mut options = ListOptions::default().with_limit(10);
        let mut listed = BTreeSet::new();
        for page in 0.. {
            let found = side.keys("default_collection", &options).unwrap();
            listed.extend(found.items);
            options.cursor = found.next;
            if options.cursor.is_none() {
                break;
            }
            if page < 30 {
                let batch: Vec<_> = (0..100).map(|number| format!("new{page}:{number}")).collect();
                side.put_many(&batch, &PutOptions::default()).unwrap();
            }
        }
        let missing = names(500).into_iter().filter(|key| !listed.contains(key)).count();
        assert_eq!(missing, 0, "{}", side.name());
        server.command(&["FLUSHALL"]).unwrap();
    });
}

#[test]
fn filters_and_foreign_cursors() {
    let Some(server) = need(private_redis(Options::redis())) else { return };
    each(&Setup::url(server.url()), |side| {
        for key in ["user:1:mail", "user:2:mail", "user:2:name", "user*", "other"] {
            side.put(key, 1).unwrap();
        }
        let listed = |options: ListOptions| {
            let mut keys = side.keys("default_collection", &options).unwrap().items;
            keys.sort();
            keys
        };
        assert_eq!(listed(ListOptions::starting_with("user:2")), ["user:2:mail", "user:2:name"]);
        assert_eq!(listed(ListOptions::starting_with("user*")), ["user*"]);
        assert_eq!(listed(ListOptions::pattern(Pattern::new("user:*:mail").unwrap())), ["user:1:mail", "user:2:mail"]);
        let both = KeyFilter::starting_with("user:1").and_pattern(Pattern::new("*mail").unwrap());
        assert_eq!(listed(ListOptions::default().with_filter(both)), ["user:1:mail"]);
        let foreign = ListOptions::default().with_cursor(Some(Cursor::new("user:1")));
        assert_eq!(side.keys("default_collection", &foreign).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(side.clear("default_collection").unwrap(), 5);
    });
}

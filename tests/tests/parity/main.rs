//! Both flavours in one program: what one writes the other reads, byte for byte alike, with the same errors, the same
//! capabilities and the same public items.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod crates;
mod runtimes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use kv_core::{
    Condition, Cursor, DeleteOptions, Entry, Error, ErrorKind, KeyFilter, ListOptions, ManualClock, Metadata, Name,
    PutItem, PutOptions, Revision, Revisions, Timestamp, Value,
};
use kv_tests::servers::{Options, private_redis};
use kv_tests::{need, resp};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A clock that both flavours are given, at an instant with microseconds.
fn clock() -> ManualClock {
    let tomorrow = kv_core::Clock::now(&kv_core::SystemClock).as_micros() / 1_000_000 + 86_400;
    ManualClock::new(Timestamp::from_micros(tomorrow * 1_000_000 + 123_456).unwrap())
}

/// One program of every kind of write, in either flavour.
macro_rules! play {
    ($kv:expr, $clock:expr, [$($wait:tt)*]) => {{
        let (kv, clock): (_, &ManualClock) = (&$kv, $clock);
        let c = kv.collection("c");
        let minute = Duration::from_secs(60);
        let notes = Metadata::new().with("a", "b").with("\u{e9}", "\"");
        c.put("plain", &1.5) $($wait)* .unwrap();
        c.put("object", &serde_json::json!({"b": [1, null, "\u{1F600}"], "a": {}})) $($wait)* .unwrap();
        c.put_with("ttl", "text", &PutOptions::ttl(minute + Duration::from_nanos(1))) $($wait)* .unwrap().written().unwrap();
        c.put_with("notes", &(), &PutOptions::default().with_metadata(notes.clone())) $($wait)* .unwrap().written().unwrap();
        c.put_bytes("bytes", b"\0\xff{}") $($wait)* .unwrap();
        c.put_many(&[("m", 1), ("n", 2), ("m", 3)], &PutOptions::ttl(2 * minute)) $($wait)* .unwrap();
        let value = Value::from_json(" [123456789012345678901234567890, 1e400] ").unwrap();
        let items = [PutItem::new("digits", value.as_ref()).with_expiry(kv_core::Expiry::Never)];
        c.put_items(&items, &PutOptions::default()) $($wait)* .unwrap();
        clock.advance(Duration::from_micros(7));
        for key in ["a::b", "..", "\0", "*", "\u{e9}"] {
            kv.collection(key).put(key, key) $($wait)* .unwrap();
        }
        c.put_if_absent("plain", &2) $($wait)* .unwrap();
        c.put_if_present("plain", &3) $($wait)* .unwrap();
        c.increment("sum", 5) $($wait)* .unwrap();
        c.increment("sum", -7) $($wait)* .unwrap();
        c.append("list", &[1]) $($wait)* .unwrap();
        c.append("list", &[2]) $($wait)* .unwrap();
        c.append_bytes("bytes", b"more") $($wait)* .unwrap();
        c.touch("ttl", 5 * minute) $($wait)* .unwrap();
        c.persist("m") $($wait)* .unwrap();
        c.set_metadata("n", &notes) $($wait)* .unwrap();
        c.compare_and_swap("sum", Some(&-2), Some(&9)) $($wait)* .unwrap();
        c.update("sum", |old: Option<i64>| old.map(|old| old + 1)) $($wait)* .unwrap();
        c.get_and_put("object", &serde_json::json!([])) $($wait)* .unwrap();
        c.put("gone", &1) $($wait)* .unwrap();
        c.take::<i64>("gone") $($wait)* .unwrap();
    }};
}

/// All that a program can read of what `play` wrote, as text.
macro_rules! read {
    ($kv:expr, [$($wait:tt)*]) => {{
        let kv = &$kv;
        let mut lines = BTreeSet::new();
        for collection in kv.all_collections() $($wait)* .unwrap() {
            let c = kv.collection(collection.as_str());
            for key in c.all_keys(&KeyFilter::all()) $($wait)* .unwrap() {
                let entry: Entry = c.get_entry(&key) $($wait)* .unwrap().unwrap();
                lines.insert(format!(
                    "{collection:?} {key:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
                    entry.value().is_json(), entry.value().as_encoded(), entry.created(), entry.expires(),
                    entry.metadata(), c.ttl(&key) $($wait)* .unwrap(), entry.revision(),
                ));
            }
        }
        lines
    }};
}

fn sync_disk(path: &Path, clock: &ManualClock, first: u64) -> kv_sync::Kv {
    let store = kv_sync::stores::DiskStore::open(path).with_clock(clock.clone());
    kv_sync::Kv::new(store.with_revisions(Revisions::counting_from(first)))
}

fn async_disk(path: &Path, clock: &ManualClock, first: u64) -> kv_async::Kv {
    let store = kv_async::stores::DiskStore::open(path).with_clock(clock.clone());
    kv_async::Kv::new(store.with_revisions(Revisions::counting_from(first)))
}

/// The rows of a file, whatever order they were written in.
fn rows(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let columns = "hex(collection), hex(key), quote(created), quote(expires), quote(revision), quote(metadata), hex(value), typeof(value)";
    let mut all = connection.prepare(&format!("SELECT {columns} FROM entries ORDER BY 1, 2")).unwrap();
    let row = |row: &rusqlite::Row<'_>| (0..8).map(|column| row.get(column)).collect::<Result<Vec<String>, _>>();
    all.query_map((), row).unwrap().map(|row| row.unwrap().join(" | ")).collect()
}

#[test]
fn on_disk_both_flavours_write_the_same_and_read_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("sync.db"), dir.path().join("async.db"));
    let (start, runtime) = (clock(), runtime());
    let begin = kv_core::Clock::now(&start);
    let (first, second) = (ManualClock::new(begin), ManualClock::new(begin));
    let blocking = sync_disk(&one, &first, 1);
    play!(blocking, &first, []);
    let awaiting = async_disk(&other, &second, 1);
    runtime.block_on(async { play!(awaiting, &second, [.await]) });
    assert_eq!(rows(&one), rows(&other));
    assert_eq!(rows(&one).len(), 15);
    // Each file by the other flavour, while its writer has it open.
    let by_sync = read!(sync_disk(&other, &first, 1000), []);
    let by_async = runtime.block_on(async { read!(async_disk(&one, &second, 1000), [.await]) });
    assert_eq!(by_sync, by_async);
    assert_eq!(by_sync, read!(blocking, []));
}

#[test]
fn in_redis_both_flavours_write_the_same_and_read_each_other() {
    let options = Options::redis();
    let Some(server) = need(private_redis(options)) else { return };
    let (start, runtime) = (clock(), runtime());
    let begin = kv_core::Clock::now(&start);
    let (first, second) = (ManualClock::new(begin), ManualClock::new(begin));
    for namespace in [None, Some("name::space")] {
        server.command(&["FLUSHALL"]).unwrap();
        let blocking = |database, clock: &ManualClock, number| {
            let mut options = kv_sync::stores::RedisOptions::from_url(server.url()).unwrap().with_database(database);
            if let Some(namespace) = namespace {
                options = options.with_namespace(namespace);
            }
            let store = kv_sync::stores::RedisStore::with_options(options).unwrap().with_clock(clock.clone());
            kv_sync::Kv::new(store.with_revisions(Revisions::counting_from(number)))
        };
        let awaiting = |database, clock: &ManualClock, number| {
            let mut options = kv_async::stores::RedisOptions::from_url(server.url()).unwrap().with_database(database);
            if let Some(namespace) = namespace {
                options = options.with_namespace(namespace);
            }
            let store = kv_async::stores::RedisStore::with_options(options).unwrap().with_clock(clock.clone());
            kv_async::Kv::new(store.with_revisions(Revisions::counting_from(number)))
        };
        first.set(begin);
        second.set(begin);
        play!(blocking(0, &first, 1), &first, []);
        runtime.block_on(async { play!(awaiting(1, &second, 1), &second, [.await]) });
        let (by_sync, by_async) = (stored(&mut server.admin().unwrap(), 0), stored(&mut server.admin().unwrap(), 1));
        assert_eq!(by_sync.len(), 15);
        assert_eq!(by_sync, by_async);
        let by_sync = read!(blocking(1, &first, 1000), []);
        let by_async = runtime.block_on(async { read!(awaiting(0, &second, 1000), [.await]) });
        assert_eq!(by_sync, by_async);
    }
}

/// What stands in a database: each key, its bytes, and whether the server has an end for it (when, differs by how long the
/// test took).
fn stored(client: &mut resp::Client, database: u32) -> BTreeMap<String, String> {
    client.command(&["SELECT", &database.to_string()]).unwrap();
    let script = "local all = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            all[#all + 1] = key
            all[#all + 1] = redis.call('GET', key) .. '|' .. (redis.call('PTTL', key) < 0 and 'never' or 'ends')
        end
        return all";
    let resp::Reply::Array(parts) = client.command(&["EVAL", script, "0"]).unwrap() else { panic!("no list") };
    let texts: Vec<_> = parts.into_iter().map(|part| format!("{part:?}")).collect();
    texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Calls that must fail, and how each did.
macro_rules! failures {
    ($kv:expr, [$($wait:tt)*]) => {{
        let kv = &$kv;
        let c = kv.collection("c");
        let long = "x".repeat(2049);
        let foreign = DeleteOptions::default().with_condition(Condition::IfAbsent);
        c.put("text", "x") $($wait)* .unwrap();
        c.put_bytes("bytes", b"x") $($wait)* .unwrap();
        c.put("max", &i64::MAX) $($wait)* .unwrap();
        let much = Metadata::new().with("n", long.as_str());
        let conditional = PutOptions::default().with_condition(Condition::IfAbsent);
        let cursor = ListOptions::default().with_cursor(Some(Cursor::new("\u{1}\u{2}")));
        let all: Vec<(&str, Option<Error>)> = vec![
            ("empty key", c.put("", &1) $($wait)* .err()),
            ("long key", c.get::<i64>(&long) $($wait)* .err()),
            ("empty collection", kv.collection("").get::<i64>("k") $($wait)* .err()),
            ("long collection", kv.collection(long.as_str()).delete("k") $($wait)* .err()),
            ("NaN", c.put("k", &f64::NAN) $($wait)* .err()),
            ("NaN in a batch", c.put_many(&[("k", f64::NAN)], &PutOptions::default()) $($wait)* .err()),
            ("zero TTL", c.put_with("k", &1, &PutOptions::ttl(0.0)) $($wait)* .err()),
            ("long TTL", c.touch("k", 1e15) $($wait)* .err()),
            ("passed", c.expire_at("k", Timestamp::UNIX_EPOCH) $($wait)* .err()),
            ("metadata", c.set_metadata("k", &much) $($wait)* .err()),
            ("condition of a batch", c.put_many(&[("k", 1)], &conditional) $($wait)* .err()),
            ("delete if absent", c.store().delete(Name::new("c", "k"), &foreign) $($wait)* .err()),
            ("another type", c.get::<i64>("text") $($wait)* .err()),
            ("bytes as JSON", c.get::<i64>("bytes") $($wait)* .err()),
            ("JSON as bytes", c.get_bytes("text") $($wait)* .err()),
            ("increment of text", c.increment("text", 1) $($wait)* .err()),
            ("overflow", c.increment("max", 1) $($wait)* .err()),
            ("append to bytes", c.append("bytes", "x") $($wait)* .err()),
            ("limit", c.keys(&ListOptions::default().with_limit(0)) $($wait)* .err()),
            ("cursor", c.keys(&cursor) $($wait)* .err()),
        ];
        let told = |error: Error| {
            (error.kind(), error.to_string(), error.is_retryable(), error.outcome_unknown(), format!("{error:?}"))
        };
        all.into_iter().map(|(name, error)| (name, error.map(told))).collect::<Vec<_>>()
    }};
}

#[test]
fn both_flavours_fail_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, runtime) = (clock(), runtime());
    let blocking = failures!(sync_disk(&dir.path().join("sync.db"), &clock, 1), []);
    let awaiting = async_disk(&dir.path().join("async.db"), &clock, 1);
    let awaiting = runtime.block_on(async { failures!(awaiting, [.await]) });
    assert_eq!(blocking, awaiting);
    let missing: Vec<_> = blocking.iter().filter(|(name, error)| error.is_none() && *name != "cursor").collect();
    assert!(missing.is_empty(), "these must fail: {missing:?}");
    let kinds: BTreeSet<_> =
        blocking.iter().filter_map(|(_, error)| Some(format!("{:?}", error.as_ref()?.0))).collect();
    assert!(kinds.len() >= 6, "{kinds:?}");

    let memory = kv_sync::stores::MemoryStore::new().with_clock(clock.clone());
    let blocking = failures!(kv_sync::Kv::new(memory), []);
    let memory = kv_async::stores::MemoryStore::new().with_clock(clock.clone());
    let awaiting = runtime.block_on(async { failures!(kv_async::Kv::new(memory), [.await]) });
    assert_eq!(blocking, awaiting);

    if let Some(server) = need(private_redis(Options::redis())) {
        let store = kv_sync::stores::RedisStore::connect(server.url()).unwrap().with_clock(clock.clone());
        let blocking = failures!(kv_sync::Kv::new(store), []);
        server.command(&["FLUSHALL"]).unwrap();
        let store = kv_async::stores::RedisStore::connect(server.url()).unwrap().with_clock(clock.clone());
        let awaiting = runtime.block_on(async { failures!(kv_async::Kv::new(store), [.await]) });
        assert_eq!(blocking, awaiting);
    }
}

#[test]
fn a_lost_server_is_the_same_error_in_both() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port())
    };
    let blocking = kv_sync::Kv::new(kv_sync::stores::RedisStore::connect(&gone).unwrap());
    let awaiting = kv_async::Kv::new(kv_async::stores::RedisStore::connect(&gone).unwrap());
    let blocking = blocking.get::<i64>("k").unwrap_err();
    let awaiting = runtime().block_on(awaiting.get::<i64>("k")).unwrap_err();
    assert_eq!((blocking.kind(), blocking.is_retryable()), (ErrorKind::Connection, true), "{blocking}");
    assert_eq!((awaiting.kind(), awaiting.is_retryable()), (ErrorKind::Connection, true), "{awaiting}");
    assert_eq!(blocking.outcome_unknown(), awaiting.outcome_unknown());
}

/// What every store says of itself, in one flavour.
macro_rules! descriptions {
    ($library:ident, $dir:expr) => {{
        use $library::stores::*;
        use $library::wrappers::*;
        let url = "redis://localhost:1";
        let options = MemoryOptions::default().with_max_bytes(1 << 20);
        let kvs = [
            $library::Kv::new(MemoryStore::new()),
            $library::Kv::new(MemoryStore::bounded(options).unwrap()),
            $library::Kv::new(SimpleStore::new()),
            $library::Kv::new(NullStore::new()),
            $library::Kv::new(DiskStore::open($dir.join("a.db"))),
            $library::Kv::new(DiskStore::diskcache($dir.join("cache"))),
            $library::Kv::new(MultiDiskStore::open($dir.join("many"))),
            $library::Kv::new(RedisStore::connect(url).unwrap()),
            $library::Kv::new(ValkeyStore::connect(url).unwrap()),
            $library::Kv::new(Statistics::new(MemoryStore::new())),
            $library::Kv::new(PrefixKeys::new(MemoryStore::new(), "p").unwrap()),
            $library::Kv::new(PrefixCollections::new(NullStore::new(), "p").unwrap()),
            $library::Kv::new(TtlClamp::new(SimpleStore::new(), None, Some(Duration::from_secs(60))).unwrap()),
        ];
        kvs.map(|kv| kv.describe())
    }};
}

#[test]
fn both_flavours_can_do_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (blocking, awaiting) = (descriptions!(kv_sync, dir.path()), descriptions!(kv_async, dir.path()));
    assert_eq!(blocking, awaiting);
}

#[test]
fn one_program_uses_both_on_one_store_with_the_same_types() {
    fn value_of(entry: &Entry) -> i64 {
        entry.decode().unwrap()
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.db");
    let blocking = kv_sync::Kv::new(kv_sync::stores::DiskStore::open(&path));
    let awaiting = kv_async::Kv::new(kv_async::stores::DiskStore::open(&path));
    let runtime = runtime();
    let revision: Revision = blocking.put("k", &1).unwrap().revision();
    let written = runtime.block_on(awaiting.put_if_revision("k", &2, &revision)).unwrap().unwrap();
    assert_eq!(value_of(&blocking.get_entry("k").unwrap().unwrap()), 2);
    assert_eq!(value_of(&runtime.block_on(awaiting.get_entry("k")).unwrap().unwrap()), 2);
    let stale = blocking.put_if_revision("k", &3, &revision).unwrap();
    assert!(stale.is_none(), "the other flavour's write is seen");
    assert!(blocking.delete_if_revision("k", &written.revision()).is_ok());
    // A page begun by one goes on in the other.
    let items: Vec<_> = (0..10).map(|number| (format!("{number}"), number)).collect();
    blocking.put_many(&items, &PutOptions::default()).unwrap();
    let page = blocking.keys(&ListOptions::default().with_limit(4)).unwrap();
    let rest = ListOptions::default().with_cursor(page.next);
    let rest = runtime.block_on(awaiting.keys(&rest)).unwrap();
    let all: BTreeSet<_> = page.items.into_iter().chain(rest.items).collect();
    assert_eq!(all.len(), 10);
    // Both count up one number, from threads and tasks at the same time.
    runtime.block_on(async {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let awaiting = awaiting.clone();
                tokio::spawn(async move {
                    for _ in 0..25 {
                        awaiting.increment("sum", 1).await.unwrap();
                    }
                })
            })
            .collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        blocking.increment("sum", 1).unwrap();
                    }
                });
            }
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(blocking.get::<i64>("sum").unwrap(), Some(200));
}

//! A hundred thousand keys of one collection among a million entries of others: listed whole, page by page, in bounded
//! memory, also while others write to the collection.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kv_core::{KeyFilter, ListOptions, Listing, PutOptions};
use kv_tests::need;
use kv_tests::servers::{self, private_redis};

/// What must be listed.
const STEADY: usize = 100_000;
/// What must not.
const FOREIGN: usize = 1_000_000;
const FOREIGN_COLLECTIONS: usize = 10;
const BATCH: usize = 1000;
/// A batch may take a slow server longer than an operation usually may.
const PATIENCE: Duration = Duration::from_secs(60);
const PAGE: usize = 1000;
const WRITERS: usize = 4;

/// The most by which the process may grow while a listing goes on, in KiB. All the steady keys, of 200 bytes each, take 22
/// MiB as strings in a list. A page of 1,000 takes a quarter of one, and a store may hold some pages of its backend, their
/// buffers, and what the allocator keeps of them: this is room for it in both flavours, and not for a list of all.
const GROWTH: u64 = 16 * 1024;

/// One at a time: they measure this process.
static ALONE: Mutex<()> = Mutex::new(());

fn key(number: usize) -> String {
    format!("steady{number:07}{:-<187}", "")
}

/// The resident memory of this process, in KiB.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64 / 1024
}

/// What a listing has met: a mark for each steady key and a counter, so that the test's own memory does not grow.
struct Met {
    steady: Vec<u8>,
    others: u64,
    pages: u64,
    most: u64,
}

impl Met {
    fn new() -> Self {
        // Touched now, not while it is measured.
        Self { steady: vec![1; STEADY], others: 0, pages: 0, most: 0 }.cleared()
    }

    fn cleared(mut self) -> Self {
        self.steady.fill(0);
        self
    }

    fn page(&mut self, keys: &[String]) {
        assert!(keys.len() <= PAGE, "{}", keys.len());
        for key in keys {
            match key.strip_prefix("steady") {
                Some(number) => {
                    let times = &mut self.steady[number[..7].parse::<usize>().unwrap()];
                    *times = times.saturating_add(1);
                }
                None => {
                    assert!(key.starts_with("passing"), "a foreign key: {key}");
                    self.others += 1;
                }
            }
        }
        self.pages += 1;
        if self.pages.is_multiple_of(10) {
            self.most = self.most.max(resident());
        }
    }

    fn judge(&self, what: &str, listing: Listing, before: u64, start: Instant) {
        let grown = self.most.saturating_sub(before);
        println!("{what}: {} pages, {} others, {:.1?}, grown by {grown} KiB", self.pages, self.others, start.elapsed());
        let missing = self.steady.iter().filter(|times| **times == 0).count();
        let twice = self.steady.iter().filter(|times| **times > 1).count();
        assert_eq!(missing, 0, "{what}: keys that were not listed");
        if listing == Listing::ExactlyOnce {
            assert_eq!(twice, 0, "{what}: keys that were listed more than once");
        }
        assert!(grown <= GROWTH, "{what}: the process has grown by {grown} KiB, more than {GROWTH}");
    }
}

/// Lists all keys in one flavour.
macro_rules! list {
    ($kv:expr, [$($wait:tt)*]) => {{
        let mut met = Met::new();
        let collection = $kv.collection("it");
        // What the first listing sets up is not what a listing takes.
        let mut options = ListOptions::default().with_limit(PAGE);
        drop(collection.keys(&options) $($wait)* .unwrap());
        let (before, start) = (resident(), Instant::now());
        loop {
            let page = collection.keys(&options) $($wait)* .unwrap();
            met.page(&page.items);
            options.cursor = page.next;
            if options.cursor.is_none() {
                break;
            }
        }
        (met, before, start)
    }};
}

/// Adds and removes other keys of the collection until told to stop.
fn pass_through(kv: &kv_sync::Kv, writer: usize, stop: &AtomicBool, written: &AtomicU64) {
    let collection = kv.collection("it");
    for round in 0.. {
        // In front of the steady keys, between them and behind them, as order goes.
        let name = |number| format!("passing{writer}:{round}:{number}");
        let items: Vec<_> = (0..20).map(|number| (name(number), number)).collect();
        collection.put_many(&items, &PutOptions::default()).unwrap().into_iter().for_each(|one| drop(one.unwrap()));
        let keys: Vec<_> = items.iter().map(|(key, _)| key).collect();
        assert_eq!(collection.delete_many(&keys).unwrap(), 20);
        written.fetch_add(20, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn fill(kv: &kv_sync::Kv, what: &str, foreign: usize) {
    let kv = kv.with_timeout(PATIENCE);
    let start = Instant::now();
    let put = |collection: &str, items: &[(String, &str)]| {
        let written = kv.collection(collection).put_many(items, &PutOptions::default()).unwrap();
        written.into_iter().for_each(|one| drop(one.unwrap()));
    };
    for from in (0..foreign).step_by(BATCH) {
        let items: Vec<_> = (from..from + BATCH).map(|number| (format!("foreign{number:07}"), "x")).collect();
        put(&format!("other{}", from / BATCH % FOREIGN_COLLECTIONS), &items);
    }
    for from in (0..STEADY).step_by(BATCH) {
        let items: Vec<_> = (from..from + BATCH).map(|number| (key(number), "x")).collect();
        put("it", &items);
    }
    println!("{what}: filled in {:.1?}", start.elapsed());
}

fn check(what: &str, foreign: usize, blocking: &kv_sync::Kv, awaiting: &kv_async::Kv) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    fill(blocking, what, foreign);
    let listing = blocking.capabilities().unwrap().listing;
    for disturbed in [false, true] {
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for writer in 0..if disturbed { WRITERS } else { 0 } {
                let (stop, written) = (&stop, &written);
                scope.spawn(move || pass_through(blocking, writer, stop, written));
            }
            // The writers end also where the check fails.
            let stopped = Stop(&stop);
            let how = if disturbed { "while others write" } else { "in peace" };
            let (met, before, start) = list!(blocking, []);
            met.judge(&format!("{what}, blocking, {how}"), listing, before, start);
            let (met, before, start) = runtime.block_on(async { list!(awaiting, [.await]) });
            met.judge(&format!("{what}, async, {how}"), listing, before, start);
            drop(stopped);
        });
        assert_eq!(written.into_inner() > 0, disturbed);
    }
    let start = Instant::now();
    assert_eq!(blocking.collection("it").count(&KeyFilter::all()).unwrap(), STEADY as u64);
    println!("{what}: counted in {:.1?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(runtime.block_on(awaiting.with_timeout(PATIENCE).collection("it").clear()).unwrap(), STEADY as u64);
    println!("{what}: cleared in {:.1?}", start.elapsed());
    assert_eq!(blocking.collection("other0").count(&KeyFilter::all()).unwrap(), (foreign / FOREIGN_COLLECTIONS) as u64);
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One store: its name, how many foreign entries, a server or a file for it, and the store of either library there.
macro_rules! stores {
    ($($name:ident among $foreign:expr, $server:expr, |$library:ident, $at:ident| $store:expr;)+) => {
        $(
            #[test]
            #[ignore = "takes minutes: just test-slow"]
            fn $name() {
                let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(server) = $server else { return };
                let $at = &server;
                let blocking = {
                    use kv_sync as $library;
                    kv_sync::Kv::new($store)
                };
                let awaiting = {
                    use kv_async as $library;
                    kv_async::Kv::new($store)
                };
                check(stringify!($name), $foreign, &blocking, &awaiting);
            }
        )+
    };
}

/// A Redis with a million keys more that are no store's.
fn crowded_redis() -> Option<servers::Private> {
    let server = need(private_redis(servers::Options::redis()))?;
    let fill = "for i = 1, 1000000 do redis.call('SET', 'foreign:' .. i, 'x') end";
    server.command(&["EVAL", fill, "0"]).unwrap();
    Some(server)
}

stores! {
    disk among FOREIGN, Some(tempfile::tempdir().unwrap()), |library, at| library::stores::DiskStore::open(at.path().join("kv.db"));
    postgres among FOREIGN, need(servers::private_postgres(servers::PostgresOptions::new())),
        |library, at| library::stores::PostgresStore::connect(at.url()).unwrap();
    mongodb among FOREIGN, need(servers::private_mongodb(servers::MongodbOptions::new())),
        |library, at| library::stores::MongoStore::connect(at.url()).unwrap();
    opensearch among FOREIGN, need(servers::private_opensearch(servers::OpensearchOptions::new())),
        |library, at| library::stores::OpenSearchStore::connect(at.url()).unwrap();
    redis among FOREIGN, crowded_redis(), |library, at| library::stores::RedisStore::connect(at.url()).unwrap();
}

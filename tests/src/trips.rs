//! How many round trips an operation takes, counted by a [`Proxy`].
//!
//! [`count_round_trips!`](crate::count_round_trips) does so for all core and bulk operations of a store, in either flavour:
//!
//! ```ignore
//! let trips = Trips::new(&proxy, "PostgreSQL, blocking");
//! count_round_trips!(trips, kv, Expected::default().batch(1000), []);
//! let trips = Trips::new(&proxy, "PostgreSQL, async");
//! runtime.block_on(async { count_round_trips!(trips, kv, Expected::default().batch(1000), [.await]) });
//! ```

use crate::proxy::Proxy;

/// Counts what crosses a proxy, operation by operation.
#[derive(Debug)]
pub struct Trips<'a> {
    proxy: &'a Proxy,
    who: String,
}

impl<'a> Trips<'a> {
    /// For a store that is reached by this proxy alone, and by this name in what a test says.
    pub fn new(proxy: &'a Proxy, who: impl Into<String>) -> Self {
        Self { proxy, who: who.into() }
    }

    /// Counts from here.
    pub fn begin(&self) {
        self.proxy.reset();
    }

    /// Counts until here.
    ///
    /// # Panics
    /// When there were more or fewer round trips, or a new connection was made.
    #[track_caller]
    pub fn end(&self, what: &str, trips: u64) {
        let counts = self.proxy.counts();
        assert_eq!(
            (counts.round_trips, counts.connections),
            (trips, 0),
            "{}: round trips, connections of {what}",
            self.who
        );
    }

    /// What the call answers, which must take so many round trips and no new connection.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn count<T>(&self, what: &str, trips: u64, call: impl FnOnce() -> T) -> T {
        self.begin();
        let answer = call();
        self.end(what, trips);
        answer
    }
}

/// What a store's operations take. Without another word: all of them one round trip, but two for what reads, decides and
/// writes.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The most entries of one request.
    pub batch: Option<usize>,
    /// increment, take, get_and_put, compare_and_swap, touch.
    pub modify: u64,
    /// Of a put on condition that there is nothing.
    pub put_if_absent: u64,
    /// Of a put on condition that there is something.
    pub put_if_present: u64,
}

impl Default for Expected {
    fn default() -> Self {
        Self { batch: None, modify: 2, put_if_absent: 1, put_if_present: 1 }
    }
}

impl Expected {
    /// No request is for more entries than this.
    #[must_use]
    pub fn batch(self, most: usize) -> Self {
        Self { batch: Some(most), ..self }
    }

    /// A change takes so many.
    #[must_use]
    pub fn modify(self, trips: u64) -> Self {
        Self { modify: trips, ..self }
    }

    /// A put on condition that there is nothing takes so many.
    #[must_use]
    pub fn put_if_absent(self, trips: u64) -> Self {
        Self { put_if_absent: trips, ..self }
    }

    /// A put on condition that there is something takes so many.
    #[must_use]
    pub fn put_if_present(self, trips: u64) -> Self {
        Self { put_if_present: trips, ..self }
    }

    /// What a bulk operation on so many entries takes.
    pub fn bulk(self, entries: usize) -> u64 {
        entries.div_ceil(self.batch.unwrap_or(usize::MAX)) as u64
    }
}

/// Counts the round trips of every core and bulk operation of a `Kv` that is reached by the proxy of these
/// [`Trips`]: `count_round_trips!(trips, kv, expected, [])`, or with `[.await]`.
///
/// Everything is done once before it is counted, so that connections stand and statements are known. What is there under
/// keys like `trip17` in the default collection is overwritten and removed. The caller's crate has `kv_core`.
#[macro_export]
macro_rules! count_round_trips {
    ($trips:expr, $kv:expr, $expected:expr, [$($wait:tt)*]) => {{
        let (trips, kv, expected): (&$crate::trips::Trips<'_>, _, $crate::trips::Expected) = (&$trips, &$kv, $expected);
        let ttl = kv_core::PutOptions::ttl(std::time::Duration::from_secs(600));
        let always = kv_core::PutOptions::default();
        // Beyond a limit, where there is one that is not too far.
        let many = expected.batch.filter(|most| *most <= 2000).map_or(100, |most| 2 * most + 1).max(100);
        let items: Vec<(String, usize)> = (0..many).map(|number| (format!("trip{number}"), number)).collect();
        let keys: Vec<&str> = items.iter().map(|(key, _)| key.as_str()).collect();
        for counted in [false, true] {
            macro_rules! trip {
                ($what:literal, $count:expr, $call:expr) => {{
                    trips.begin();
                    let answer = $call $($wait)*;
                    if counted {
                        trips.end($what, $count);
                    }
                    answer.unwrap()
                }};
            }
            assert_eq!(trip!("put_many(100)", expected.bulk(100), kv.put_many(&items[..100], &always)).len(), 100);
            trip!("put_many(100) with a TTL", expected.bulk(100), kv.put_many(&items[..100], &ttl));
            trip!("put_many(2 limits + 1)", expected.bulk(many), kv.put_many(&items, &always));
            trip!("put_many of nothing", 0, kv.put_many(&items[..0], &always));
            assert_eq!(trip!("get", 1, kv.get::<usize>("trip7")), Some(7));
            assert_eq!(trip!("get of a missing key", 1, kv.get::<usize>("no trip")), None);
            assert!(trip!("exists", 1, kv.exists("trip7")));
            assert!(trip!("ttl", 1, kv.ttl("trip7")).is_some());
            let found = trip!("get_many(100)", expected.bulk(100), kv.get_many::<usize>(&keys[..100]));
            assert!(found.iter().all(|one| matches!(one, Ok(Some(_)))));
            let found = trip!("get_many(2 limits + 1)", expected.bulk(many), kv.get_many::<usize>(&keys));
            assert!(found.iter().all(|one| matches!(one, Ok(Some(_)))));
            trip!("ttl_many(100)", expected.bulk(100), kv.ttl_many(&keys[..100]));
            assert!(trip!("get_many of nothing", 0, kv.get_many::<usize>(&keys[..0])).is_empty());
            trip!("put", 1, kv.put("trip7", &8));
            drop(trip!("put with a TTL", 1, kv.put_with("trip7", &8, &ttl)));
            assert!(trip!("put_if_absent", expected.put_if_absent, kv.put_if_absent("trip7", &9)).is_none());
            assert!(trip!("put_if_present", expected.put_if_present, kv.put_if_present("trip7", &9)).is_some());
            assert_eq!(trip!("increment", expected.modify, kv.increment("trip7", 1)), 10);
            assert_eq!(trip!("take", expected.modify, kv.take::<usize>("trip7")), Some(10));
            assert!(trip!("put_if_absent again", expected.put_if_absent, kv.put_if_absent("trip7", &9)).is_some());
            assert!(trip!("delete", 1, kv.delete("trip7")));
            assert!(!trip!("delete of a missing key", 1, kv.delete("trip7")));
            assert_eq!(trip!("delete_many(100)", expected.bulk(100), kv.delete_many(&keys[..100])), 99);
            assert_eq!(trip!("delete_many(2 limits + 1)", expected.bulk(many), kv.delete_many(&keys)), many as u64 - 100);
            assert_eq!(trip!("delete_many of nothing", 0, kv.delete_many(&keys[..0])), 0);
        }
    }};
}

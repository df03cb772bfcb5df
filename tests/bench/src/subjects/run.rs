//! Runs a store, in lanes: threads, or tasks.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::{Awaiting, Blocking, Op, Subject};
use crate::data::BATCH;

/// So many keys are hot: what they are of fits into a processor's own cache.
const HOT: usize = 1000;

/// The keys that are there, and as many that are not.
#[derive(Debug)]
pub struct Keys {
    pub there: Vec<String>,
    pub missing: Vec<String>,
}

impl Keys {
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { there: crate::data::keys(count), missing: crate::data::missing_keys(count) })
    }

    fn of(&self, op: Op) -> &[String] {
        match op {
            Op::Miss => &self.missing,
            Op::HotGet | Op::HotPut => &self.there[..HOT],
            _ => &self.there,
        }
    }

    /// The keys of one lane of a deletion: no other lane's.
    fn share(&self, lane: usize, lanes: usize, start: usize, count: usize) -> &[String] {
        let size = self.there.len() / lanes;
        let count = count.min(size);
        let from = start % (size - count + 1);
        &self.there[lane * size + from..lane * size + from + count]
    }
}

/// Goes round the keys.
struct Round<'a> {
    keys: &'a [String],
    at: usize,
}

impl<'a> Round<'a> {
    fn new(keys: &'a [String], at: usize) -> Self {
        Self { keys, at: at % keys.len() }
    }

    #[inline]
    fn one(&mut self) -> &'a str {
        let key = &self.keys[self.at];
        self.at += 1;
        if self.at == self.keys.len() {
            self.at = 0;
        }
        key
    }

    #[inline]
    fn many(&mut self) -> &'a [String] {
        if self.at + BATCH > self.keys.len() {
            self.at = 0;
        }
        let keys = &self.keys[self.at..self.at + BATCH];
        self.at += BATCH;
        keys
    }
}

/// What the operations that read should have found.
fn found(op: Op, count: usize) -> usize {
    match op {
        Op::Get | Op::HotGet | Op::GetTyped => count,
        Op::GetMany => count * BATCH,
        _ => 0,
    }
}

/// A blocking store in so many threads, filled.
pub fn blocking<S: Blocking>(name: &str, store: Arc<S>, keys: &Arc<Keys>, threads: usize) -> Box<dyn Subject> {
    let keys = Arc::clone(keys);
    // In another order than that in which they are read.
    let mut sorted = keys.there.clone();
    sorted.sort_unstable();
    sorted.chunks(BATCH).for_each(|keys| store.put_many(keys));
    Box::new(Threads { name: name.to_owned(), store, keys, threads })
}

struct Threads<S> {
    name: String,
    store: Arc<S>,
    keys: Arc<Keys>,
    threads: usize,
}

impl<S: Blocking> Threads<S> {
    fn lane(&self, op: Op, lane: usize, start: usize, count: usize) -> (Duration, usize) {
        let store = &*self.store;
        if op == Op::Delete {
            let share = self.keys.share(lane, self.threads, start, count);
            let begin = Instant::now();
            for key in share {
                black_box(store.delete(black_box(key)));
            }
            return (begin.elapsed(), share.len());
        }
        let offset = start + lane * (self.keys.there.len() / self.threads);
        let mut round = Round::new(self.keys.of(op), offset);
        let mut hits = 0;
        let begin = Instant::now();
        match op {
            Op::Get | Op::HotGet | Op::Miss => {
                (0..count).for_each(|_| hits += usize::from(store.get(black_box(round.one()))))
            }
            Op::GetTyped => (0..count).for_each(|_| hits += usize::from(store.get_typed(black_box(round.one())))),
            Op::Put | Op::HotPut => (0..count).for_each(|_| store.put(black_box(round.one()))),
            Op::PutTyped => (0..count).for_each(|_| store.put_typed(black_box(round.one()))),
            Op::GetMany => (0..count).for_each(|_| hits += store.get_many(black_box(round.many()))),
            Op::PutMany => (0..count).for_each(|_| store.put_many(black_box(round.many()))),
            Op::Delete | Op::Thousand => unreachable!("not by lanes"),
        }
        let took = begin.elapsed();
        assert_eq!(hits, found(op, count), "{}: {}", self.name, op.name());
        (took, count)
    }
}

impl<S: Blocking> Subject for Threads<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn has(&self, op: Op) -> bool {
        op != Op::Thousand && (S::TYPED || !matches!(op, Op::GetTyped | Op::PutTyped))
    }

    fn run(&self, op: Op, start: usize, count: usize) -> f64 {
        let lanes: Vec<(Duration, usize)> = if self.threads == 1 {
            vec![self.lane(op, 0, start, count)]
        } else {
            let barrier = Barrier::new(self.threads);
            std::thread::scope(|scope| {
                let run = |lane| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        self.lane(op, lane, start, count)
                    })
                };
                let threads: Vec<_> = (0..self.threads).map(run).collect();
                threads.into_iter().map(|thread| thread.join().expect("a lane ends")).collect()
            })
        };
        if op == Op::Delete {
            for lane in 0..self.threads {
                let share = self.keys.share(lane, self.threads, start, count);
                share.chunks(BATCH).for_each(|keys| self.store.put_many(keys));
            }
        }
        let each: f64 = lanes.iter().map(|(took, count)| took.as_nanos() as f64 / *count as f64).sum();
        each / (self.threads * self.threads) as f64
    }
}

/// The runtimes that async subjects run in.
#[derive(Debug)]
pub struct Runtimes {
    one: Arc<Runtime>,
    many: Arc<Runtime>,
}

impl Runtimes {
    pub fn new() -> Self {
        let one = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let many = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Self { one: Arc::new(one), many: Arc::new(many) }
    }

    /// A current-thread runtime for one task, two workers for more.
    pub fn of(&self, tasks: usize) -> &Arc<Runtime> {
        if tasks == 1 { &self.one } else { &self.many }
    }
}

/// An async store in so many tasks, filled.
pub fn awaiting<S: Awaiting>(
    name: &str,
    store: Arc<S>,
    keys: &Arc<Keys>,
    runtimes: &Runtimes,
    tasks: usize,
) -> Box<dyn Subject> {
    let runtime = Arc::clone(runtimes.of(tasks));
    let keys = Arc::clone(keys);
    let mut sorted = keys.there.clone();
    sorted.sort_unstable();
    runtime.block_on(async {
        for keys in sorted.chunks(BATCH) {
            store.put_many(keys).await;
        }
    });
    Box::new(Tasks { name: name.to_owned(), store, keys, runtime, tasks })
}

struct Tasks<S> {
    name: String,
    store: Arc<S>,
    keys: Arc<Keys>,
    runtime: Arc<Runtime>,
    tasks: usize,
}

/// One lane; how many it read and how many operations it did.
async fn lane<S: Awaiting>(
    store: &S,
    keys: &Keys,
    op: Op,
    (lane, lanes): (usize, usize),
    start: usize,
    count: usize,
) -> (usize, usize) {
    if op == Op::Delete {
        let share = keys.share(lane, lanes, start, count);
        for key in share {
            black_box(store.delete(black_box(key)).await);
        }
        return (0, share.len());
    }
    let mut round = Round::new(keys.of(op), start + lane * (keys.there.len() / lanes));
    let mut hits = 0;
    for _ in 0..count {
        match op {
            Op::Get | Op::HotGet | Op::Miss => hits += usize::from(store.get(black_box(round.one())).await),
            Op::GetTyped => hits += usize::from(store.get_typed(black_box(round.one())).await),
            Op::Put | Op::HotPut => store.put(black_box(round.one())).await,
            Op::PutTyped => store.put_typed(black_box(round.one())).await,
            Op::GetMany => hits += store.get_many(black_box(round.many())).await,
            Op::PutMany => store.put_many(black_box(round.many())).await,
            Op::Delete | Op::Thousand => unreachable!("not by lanes"),
        }
    }
    (hits, count)
}

impl<S: Awaiting> Subject for Tasks<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn has(&self, op: Op) -> bool {
        let alone = S::DELETES_ALONE && self.tasks > 1 && op == Op::Delete;
        !alone && op != Op::Thousand && (S::TYPED || !matches!(op, Op::GetTyped | Op::PutTyped))
    }

    fn run(&self, op: Op, start: usize, count: usize) -> f64 {
        let (tasks, each) = (self.tasks, count.div_ceil(self.tasks));
        let begin = Instant::now();
        let (hits, done) = if tasks == 1 {
            self.runtime.block_on(lane(&*self.store, &self.keys, op, (0, 1), start, each))
        } else {
            let spawn = |at| {
                let (store, keys) = (Arc::clone(&self.store), Arc::clone(&self.keys));
                self.runtime.spawn(async move { lane(&*store, &keys, op, (at, tasks), start, each).await })
            };
            let all: Vec<_> = (0..tasks).map(spawn).collect();
            self.runtime.block_on(async {
                let mut sum = (0, 0);
                for task in all {
                    let (hits, done) = task.await.expect("a lane ends");
                    sum = (sum.0 + hits, sum.1 + done);
                }
                sum
            })
        };
        let took = begin.elapsed();
        assert_eq!(hits, found(op, each * tasks), "{}: {}", self.name, op.name());
        if op == Op::Delete {
            self.runtime.block_on(async {
                for lane in 0..tasks {
                    for keys in self.keys.share(lane, tasks, start, each).chunks(BATCH) {
                        self.store.put_many(keys).await;
                    }
                }
            });
        }
        took.as_nanos() as f64 / done as f64
    }
}

/// A blocking store that never waits, called in tasks as it is: what programs do with a map or a cache.
pub fn in_place<S: Blocking>(store: Arc<S>) -> Arc<InPlace<S>> {
    Arc::new(InPlace(store))
}

pub struct InPlace<S>(Arc<S>);

impl<S: Blocking> Awaiting for InPlace<S> {
    const TYPED: bool = S::TYPED;

    async fn get(&self, key: &str) -> bool {
        self.0.get(key)
    }

    async fn put(&self, key: &str) {
        self.0.put(key);
    }

    async fn delete(&self, key: &str) -> bool {
        self.0.delete(key)
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        self.0.get_many(keys)
    }

    async fn put_many(&self, keys: &[String]) {
        self.0.put_many(keys);
    }

    async fn get_typed(&self, key: &str) -> bool {
        self.0.get_typed(key)
    }

    async fn put_typed(&self, key: &str) {
        self.0.put_typed(key);
    }
}

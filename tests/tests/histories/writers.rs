//! The writers, and what they write down.

use std::time::{Duration, Instant};

use kv_core::{DeleteOutcome, Entry, Error, ErrorKind, Revision, Written};
use kv_tests::histories::{Answer, Call, Mark, Operation, now, unique};

pub(crate) const KEYS: [&str; 4] = ["counter", "one", "two", "three"];
/// The key that is only ever counted up, by increments and by swaps: each update that was done is one in its value.
pub(crate) const COUNTER: usize = 0;
const WRITERS: usize = 8;
/// The least that one writer does.
const LEAST_CALLS: u32 = 40;
/// The most that one writer does in a second, so that a quick store's history stays short enough to be checked.
const RATE: u32 = 1500;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavours {
    Blocking,
    Async,
    Both,
}

impl Flavours {
    /// So many of each flavour that takes part.
    pub(crate) fn of(self, each: usize) -> (usize, usize) {
        match self {
            Self::Blocking => (each, 0),
            Self::Async => (0, each),
            Self::Both => (each, each),
        }
    }
}

/// The stores that they write to.
pub(crate) struct Handles {
    pub(crate) blocking: Vec<kv_sync::Kv>,
    pub(crate) awaiting: Vec<kv_async::Kv>,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) flavours: Flavours,
    pub(crate) lasting: Duration,
    pub(crate) writers: usize,
    /// The number of the first writer.
    pub(crate) first: usize,
    /// Of this run alone.
    pub(crate) collection: String,
    /// Whether the server may be out of reach.
    pub(crate) faults: bool,
}

impl Plan {
    pub(crate) fn new(flavours: Flavours, lasting: Duration) -> Self {
        let collection = format!("histories-{}", now());
        Self { flavours, lasting, writers: WRITERS, first: 0, collection, faults: false }
    }

    pub(crate) fn with_faults(mut self) -> Self {
        self.faults = true;
        self
    }
}

/// Whether the call counts the counter up.
pub(crate) fn counts(call: &Call) -> bool {
    matches!(call, Call::Increment(1) | Call::Swap(..))
}

/// Numbers by chance, the same in each run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A number for a revision.
fn mark(revision: &Revision) -> Mark {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    revision.to_string().hash(&mut hasher);
    hasher.finish()
}

/// What one writer has done, and what it does next.
struct Writer {
    client: usize,
    plan: Plan,
    random: Random,
    start: Instant,
    calls: u32,
    /// What it was shown last of each key.
    seen: [Option<(i64, Revision)>; KEYS.len()],
    history: Vec<Operation>,
}

impl Writer {
    fn new(client: usize, plan: &Plan) -> Self {
        let random = Random::new(client as u64 + 1);
        let seen = [const { None }; KEYS.len()];
        Self { client, plan: plan.clone(), random, start: Instant::now(), calls: 0, seen, history: Vec::new() }
    }

    /// The next call, until the time is over and something was done in it, be the server ever so slow.
    fn next(&mut self) -> Option<(usize, Call)> {
        if self.start.elapsed() >= self.plan.lasting && self.calls >= LEAST_CALLS {
            return None;
        }
        self.calls += 1;
        let key = self.random.below(KEYS.len() as u64) as usize;
        let seen = self.seen[key].as_ref().map(|(value, revision)| (*value, mark(revision)));
        let value = seen.map(|(value, _)| value);
        if key == COUNTER {
            let next = value.unwrap_or(0) + 1;
            return Some((
                key,
                match self.random.below(4) {
                    0 => Call::Get,
                    1 => Call::Swap(value, Some(next)),
                    _ => Call::Increment(1),
                },
            ));
        }
        let new = unique(((self.client as i64 + 1) << 24) + i64::from(self.calls));
        let call = match (self.random.below(14), seen) {
            (0..3, _) => Call::Get,
            (3, _) => Call::Put(new),
            (4, _) | (5..7, None) => Call::PutIfAbsent(new),
            (5..7, Some((_, mark))) => Call::PutIfMark(mark, new),
            (7, _) | (8, None) => Call::Delete,
            (8, Some((_, mark))) => Call::DeleteIfMark(mark),
            (9, _) => Call::Swap(value, None),
            (10..12, _) => Call::Swap(value, Some(new)),
            _ => Call::Increment(1),
        };
        // There is nothing to swap.
        let call = if call == Call::Swap(None, None) { Call::Swap(None, Some(new)) } else { call };
        Some((key, call))
    }

    fn revision(&self, key: usize) -> Revision {
        self.seen[key].as_ref().map(|(_, revision)| revision.clone()).unwrap()
    }

    /// Writes down what came of a call; answers how long to wait before the next.
    fn record(&mut self, key: usize, call: Call, called: u64, answer: Result<Answer, Error>) -> Duration {
        let answered = now();
        let mut pause = Duration::ZERO;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let lost = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
                assert!(self.plan.faults && lost, "{call:?}: {error} {error:?}");
                pause = Duration::from_millis(5);
                if !error.outcome_unknown() {
                    return pause;
                }
                assert_ne!(call, Call::Get, "it only reads: {error}");
                Answer::Unknown
            }
        };
        let client = self.client;
        self.history.push(Operation { key, client, call, answer, called, answered });
        let due = Duration::from_secs(1) * self.calls / RATE;
        pause.max(due.saturating_sub(self.start.elapsed()))
    }

    fn saw(&mut self, key: usize, entry: Option<&Entry>) -> Answer {
        let found = entry.map(|entry| (entry.decode::<i64>().unwrap(), entry.revision()));
        self.seen[key] = found.clone();
        Answer::Found(found.map(|(value, revision)| (value, mark(&revision))))
    }

    fn wrote(&mut self, key: usize, value: i64, written: Option<&Written>) -> Answer {
        let Some(written) = written else { return Answer::Conflict };
        self.seen[key] = Some((value, written.revision()));
        Answer::Written(mark(&written.revision()))
    }
}

fn deleted(so: bool) -> Answer {
    if so { Answer::Deleted } else { Answer::Missing }
}

fn deleted_if(outcome: DeleteOutcome) -> Answer {
    match outcome {
        DeleteOutcome::Deleted => Answer::Deleted,
        DeleteOutcome::Missing => Answer::Missing,
        DeleteOutcome::Conflict => Answer::Conflict,
    }
}

/// What one writer does, in one flavour.
macro_rules! work {
    ($kv:expr, $writer:expr, $sleep:path, [$($wait:tt)*]) => {{
        let mut writer = $writer;
        let collection = $kv.collection(writer.plan.collection.as_str());
        while let Some((key, call)) = writer.next() {
            let name = KEYS[key];
            let called = now();
            let answer = match call {
                Call::Get => collection.get_entry(name) $($wait)* .map(|entry| writer.saw(key, entry.as_ref())),
                Call::Put(value) => {
                    let written = collection.put(name, &value) $($wait)*;
                    written.map(|written| writer.wrote(key, value, Some(&written)))
                }
                Call::PutIfAbsent(value) => {
                    let written = collection.put_if_absent(name, &value) $($wait)*;
                    written.map(|written| writer.wrote(key, value, written.as_ref()))
                }
                Call::PutIfMark(_, value) => {
                    let written = collection.put_if_revision(name, &value, &writer.revision(key)) $($wait)*;
                    written.map(|written| writer.wrote(key, value, written.as_ref()))
                }
                Call::Delete => collection.delete(name) $($wait)* .map(deleted),
                Call::DeleteIfMark(_) => {
                    collection.delete_if_revision(name, &writer.revision(key)) $($wait)* .map(deleted_if)
                }
                Call::Increment(by) => collection.increment(name, by) $($wait)* .map(Answer::Sum),
                Call::Swap(expected, new) => {
                    let swapped = collection.compare_and_swap(name, expected.as_ref(), new.as_ref()) $($wait)*;
                    swapped.map(|swapped| if swapped { Answer::Swapped } else { Answer::Conflict })
                }
            };
            let pause = writer.record(key, call, called, answer);
            if !pause.is_zero() {
                $sleep(pause) $($wait)*;
            }
        }
        writer.history
    }};
}

/// What is there in the end, as one more client. After faults it may take a while until the store is itself again.
macro_rules! look {
    ($kv:expr, $plan:expr, $sleep:path, [$($wait:tt)*]) => {{
        let mut writer = Writer::new($plan.first + $plan.writers, $plan);
        let collection = $kv.collection($plan.collection.as_str());
        let start = Instant::now();
        for key in 0..KEYS.len() {
            loop {
                let called = now();
                match collection.get_entry(KEYS[key]) $($wait)* {
                    Ok(entry) => {
                        let answer = writer.saw(key, entry.as_ref());
                        writer.record(key, Call::Get, called, Ok(answer));
                        break;
                    }
                    Err(error) => {
                        let patience = Duration::from_secs(if $plan.faults { 20 } else { 0 });
                        assert!(start.elapsed() < patience, "{error}");
                        $sleep(Duration::from_millis(20)) $($wait)*;
                    }
                }
            }
        }
        writer.history
    }};
}

/// Lets the writers work, and something else meanwhile, until the time is over; answers all that was done, with a look at
/// every key at the end.
pub(crate) fn run(handles: &Handles, plan: &Plan, meanwhile: impl FnOnce(Instant)) -> Vec<Operation> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stores = handles.blocking.len() + handles.awaiting.len();
    // What a store sets up, and makes for a collection, may take longer than a short run.
    let patience = Duration::from_secs(60);
    for kv in &handles.blocking {
        kv.with_timeout(patience).collection(plan.collection.as_str()).put("first", &0).unwrap();
    }
    for kv in &handles.awaiting {
        let collection = kv.with_timeout(patience).collection(plan.collection.as_str());
        runtime.block_on(collection.put("first", &0)).unwrap();
    }
    let end = Instant::now() + plan.lasting;
    let mut history = Vec::new();
    std::thread::scope(|scope| {
        let (mut threads, mut tasks) = (Vec::new(), Vec::new());
        for number in 0..plan.writers {
            let writer = Writer::new(plan.first + number, plan);
            match handles.blocking.get(number % stores) {
                Some(kv) => threads.push(scope.spawn(move || work!(kv, writer, std::thread::sleep, []))),
                None => {
                    let kv = handles.awaiting[number % stores - handles.blocking.len()].clone();
                    tasks.push(runtime.spawn(async move { work!(kv, writer, tokio::time::sleep, [.await]) }));
                }
            }
        }
        meanwhile(end);
        history.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        history.extend(tasks.into_iter().flat_map(|task| runtime.block_on(task).unwrap()));
    });
    history.extend(match (handles.blocking.first(), handles.awaiting.first()) {
        (Some(kv), _) => look!(kv, plan, std::thread::sleep, []),
        (None, Some(kv)) => runtime.block_on(async { look!(kv, plan, tokio::time::sleep, [.await]) }),
        (None, None) => panic!("nobody writes"),
    });
    history
}

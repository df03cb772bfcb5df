//! Who leads, who follows, and who takes over.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::flavour;
use crate::testing::{CAN_DROP, Task, dropped_midway, start, together};

const TICK: Duration = Duration::from_millis(5);

/// Computes once for all who come while it lasts, which is until so many are there.
struct Crowd {
    flights: SingleFlight<&'static str, usize>,
    expected: usize,
    arrived: AtomicUsize,
    computed: AtomicUsize,
    panics_left: AtomicUsize,
    failures_left: AtomicUsize,
}

impl Crowd {
    fn of(expected: usize) -> Self {
        let zero = AtomicUsize::default;
        let (arrived, computed, panics_left, failures_left) = (zero(), zero(), zero(), zero());
        Self { flights: SingleFlight::new(), expected, arrived, computed, panics_left, failures_left }
    }
}

/// Takes one off, if there is one.
fn took_one(of: &AtomicUsize) -> bool {
    of.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[maybe_async::maybe_async]
impl Task for Crowd {
    type Output = Result<usize>;

    async fn run(&self, number: usize) -> Result<usize> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let leader = match self.flights.join("k", None).await? {
            Role::Follower(value) => return Ok(value),
            Role::Leader(leader) => leader,
        };
        while self.arrived.load(Ordering::SeqCst) < self.expected {
            flavour::sleep(TICK).await;
        }
        assert!(!took_one(&self.panics_left), "a leader panics on purpose");
        if took_one(&self.failures_left) {
            return Err(Error::new(ErrorKind::Backend, "a leader fails on purpose"));
        }
        // Those who have arrived have all but joined.
        flavour::sleep(10 * TICK).await;
        self.computed.fetch_add(1, Ordering::SeqCst);
        Ok(leader.finish(number))
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn a_thousand_compute_once() {
    let crowd = Arc::new(Crowd::of(1000));
    let running: Vec<_> = (0..1000).map(|number| start(&crowd, number)).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.output().await.unwrap().unwrap());
    }
    assert_eq!(crowd.computed.load(Ordering::SeqCst), 1);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(crowd.flights.len(), 0, "no memory for a key that nobody asks for");
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn leaders_that_panic_or_fail_hand_over() {
    let crowd = Arc::new(Crowd::of(20));
    crowd.panics_left.store(3, Ordering::SeqCst);
    crowd.failures_left.store(4, Ordering::SeqCst);
    let running: Vec<_> = (0..20).map(|number| start(&crowd, number)).collect();
    let (mut panicked, mut failed) = (0, 0);
    for one in running {
        match one.output().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => failed += 1,
            None => panicked += 1,
        }
    }
    assert_eq!((panicked, failed, crowd.computed.load(Ordering::SeqCst)), (3, 4, 1));
    assert_eq!(crowd.flights.len(), 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn nothing_is_kept_for_the_next() {
    let flights = SingleFlight::new();
    for expected in 0..3 {
        let Role::Leader(leader) = flights.join("k", None).await.unwrap() else { panic!("nobody else is there") };
        let Role::Leader(other) = flights.join("other", None).await.unwrap() else { panic!("another key") };
        assert_eq!(flights.len(), 2);
        drop(other);
        assert_eq!(leader.finish(expected), expected);
    }
    assert_eq!(flights.len(), 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn patience_ends() {
    let flights = SingleFlight::new();
    let Role::Leader(leader) = flights.join("k", Some(TICK)).await.unwrap() else { panic!("nobody else is there") };
    let late = flights.join("k", Some(TICK)).await.err().unwrap();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    assert_eq!(leader.finish(1), 1);
    assert_eq!(flights.len(), 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn calls_that_are_dropped_leave_nothing_and_hold_nobody_up() {
    // Neither sees all arrive before it is dropped: the first leads, the second follows.
    let crowd = Arc::new(Crowd::of(3));
    let dropped = dropped_midway(&crowd, 0).await;
    assert_eq!(dropped, CAN_DROP);
    crowd.arrived.store(0, Ordering::SeqCst);
    assert_eq!(crowd.flights.len(), 0);
    let leader = crowd.flights.join("k", None).await.unwrap();
    let dropped = dropped_midway(&crowd, 1).await;
    assert_eq!(dropped, CAN_DROP);
    drop(leader);
    assert_eq!(crowd.flights.len(), 0);
    let answers = together(1, Crowd::of(1)).await;
    assert_eq!(answers.into_iter().collect::<Result<Vec<_>>>().unwrap(), [0]);
}

/// Notes in which order it led.
struct InOrder {
    flights: SingleFlight<(), ()>,
    led: Mutex<Vec<usize>>,
}

#[maybe_async::maybe_async]
impl Task for InOrder {
    type Output = ();

    async fn run(&self, number: usize) {
        let Ok(Role::Leader(_leader)) = self.flights.join((), None).await else { return };
        self.led.lock().push(number);
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn those_who_wait_longest_take_over_first() {
    let task = Arc::new(InOrder { flights: SingleFlight::new(), led: Mutex::default() });
    let first = task.flights.join((), None).await.unwrap();
    let mut running = Vec::new();
    for number in 0..8 {
        running.push(start(&task, number));
        // So that they come one after the other.
        flavour::sleep(4 * TICK).await;
    }
    drop(first);
    for one in running {
        one.output().await.unwrap();
    }
    assert_eq!(*task.led.lock(), (0..8).collect::<Vec<_>>());
}

//! Eight writers on four keys, in each flavour and in both at once, with and without faults: what they were answered is
//! checked for linearizability, and counted so that no update is lost.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod faults;
mod places;
mod processes;
mod writers;

use std::time::{Duration, Instant};

use kv_tests::histories::{Answer, Operation, check};
use kv_tests::proxy::Proxy;

use crate::places::{Place, Server};
use crate::writers::{COUNTER, Flavours, KEYS, Plan};

/// How long each part takes.
#[derive(Clone, Copy)]
struct Length {
    alone: Duration,
    together: Duration,
}

const SHORT: Length = Length { alone: Duration::from_secs(1), together: Duration::from_secs(2) };
const LONG: Length = Length { alone: Duration::from_secs(20), together: Duration::from_secs(20) };

/// Whether it can have been so, and whether the counter has counted all.
fn judge(what: &str, history: &[Operation]) {
    let start = Instant::now();
    let checked = check(history).unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
    let took = start.elapsed();
    println!("{what}: {checked:?}, checked in {took:.1?}");
    assert_eq!(checked.operations, history.len());

    let counted = |wanted: fn(&Answer) -> bool| {
        let of_counter = history.iter().filter(|one| one.key == COUNTER && writers::counts(&one.call));
        of_counter.filter(|one| wanted(&one.answer)).count() as i64
    };
    let acknowledged = counted(|answer| matches!(answer, Answer::Sum(_) | Answer::Swapped));
    let unknown = counted(|answer| *answer == Answer::Unknown);
    let last = history.iter().rev().find(|one| one.key == COUNTER).map(|one| one.answer);
    let Some(Answer::Found(last)) = last else { panic!("{what}: nobody looked at the end: {last:?}") };
    let sum = last.map_or(0, |(value, _)| value);
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&sum),
        "{what}: {acknowledged} updates were acknowledged and {unknown} are unknown, but the sum is {sum}"
    );
    assert!(acknowledged > 10, "{what}: only {acknowledged} updates were acknowledged");
    for (key, name) in KEYS.iter().enumerate() {
        assert!(history.iter().any(|one| one.key == key), "{what}: nothing happened to {name}");
    }
}

fn run(place: &Place, at: &str, what: &str, plan: &Plan, meanwhile: impl FnOnce(Instant)) {
    let history = writers::run(&place.handles(at, plan.flavours), plan, meanwhile);
    judge(&format!("{}, {what}", place.name), &history);
}

/// Waits for the end of a run.
fn undisturbed(end: Instant) {
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
}

/// Each flavour by itself, and both at once.
fn in_peace(place: &Place, server: &Server, length: Length) {
    for flavours in [Flavours::Blocking, Flavours::Async, Flavours::Both] {
        if flavours == Flavours::Both && place.is_of_one_process(&server.url) {
            continue;
        }
        let lasting = if flavours == Flavours::Both { length.together } else { length.alone };
        let plan = Plan::new(flavours, lasting);
        run(place, &server.url, &format!("{flavours:?}"), &plan, undisturbed);
    }
}

/// While connections are cut, refused and held back.
fn on_a_bad_line(place: &Place, server: &Server, length: Length) {
    let proxy = Proxy::start(("127.0.0.1", server.port)).unwrap();
    let plan = Plan::new(Flavours::Both, length.together).with_faults();
    let at = server.url_by_port(proxy.port());
    run(place, &at, "Both, on a bad line", &plan, |end| faults::disturb(&proxy, end));
    // A few of those that were ready to strike may not have met anybody.
    assert!(proxy.counts().cuts > 0, "{}: no connection was cut", place.name);
}

/// While the server is stopped, killed where what was read stands, and started again.
fn over_restarts(place: &Place, server: &mut Server, length: Length) {
    let plan = Plan::new(Flavours::Both, length.together).with_faults();
    let at = server.url.clone();
    let restarts = |end| faults::restart(server, !place.reads_early, end);
    run(place, &at, "Both, over restarts", &plan, restarts);
}

fn everything(place: &Place, length: Length) {
    let Some(mut server) = place.start() else { return };
    in_peace(place, &server, length);
    if server.port != 0 {
        on_a_bad_line(place, &server, length);
        over_restarts(place, &mut server, length);
    }
}

/// No test of its own: what is run in another process.
#[test]
fn child() {
    if let Some((role, file)) = kv_tests::child::role() {
        processes::child(&role, &file);
    }
}

/// One store: its name, and where it is.
macro_rules! places {
    ($($name:ident = $place:expr;)+) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn short() {
                    everything(&$place, SHORT);
                }

                #[test]
                #[ignore = "takes minutes: just test-slow"]
                fn long() {
                    everything(&$place, LONG);
                }
            }
        )+
    };
}

places! {
    memory = places::MEMORY;
    disk = places::DISK;
    redis = places::REDIS;
    postgres = places::POSTGRES;
    mongodb = places::MONGODB;
    opensearch = places::OPENSEARCH;
}

//! Two processes, one of each flavour, on one file.

use std::path::Path;
use std::time::Duration;

use kv_tests::histories::Operation;

use crate::places;
use crate::writers::{self, Flavours, Plan};

/// In one collection, each process with writers of its own numbers.
fn plan(role: &str) -> Plan {
    let (flavour, seconds) = role.split_once(' ').unwrap();
    let (flavours, first) = match flavour {
        "blocking" => (Flavours::Blocking, 0),
        "async" => (Flavours::Async, 10),
        other => panic!("no such role: {other}"),
    };
    let plan = Plan::new(flavours, Duration::from_secs(seconds.parse().unwrap()));
    Plan { writers: 4, first, collection: "histories".into(), ..plan }
}

fn notes(file: &Path, role: &str) -> std::path::PathBuf {
    file.with_extension(role.split(' ').next().unwrap())
}

/// What is run in another process.
pub(crate) fn child(role: &str, file: &Path) {
    let plan = plan(role);
    let handles = places::DISK.handles(&file.to_string_lossy(), plan.flavours);
    let history = writers::run(&handles, &plan, super::undisturbed);
    std::fs::write(notes(file, role), serde_json::to_vec(&history).unwrap()).unwrap();
}

fn two_processes(seconds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.db");
    let roles = [format!("blocking {seconds}"), format!("async {seconds}")];
    let children = roles.each_ref().map(|role| kv_tests::child::start(role, &file).unwrap());
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let mut history = Vec::new();
    for role in &roles {
        let part = std::fs::read(notes(&file, role)).unwrap();
        history.extend(serde_json::from_slice::<Vec<Operation>>(&part).unwrap());
    }
    // One of them was done first, and looked while the other still wrote.
    let look = Plan { writers: 0, first: 20, ..plan(&roles[0]) };
    let handles = places::DISK.handles(&file.to_string_lossy(), look.flavours);
    history.extend(writers::run(&handles, &look, drop));
    super::judge("Disk, two processes", &history);
}

#[test]
fn short() {
    two_processes(2);
}

#[test]
#[ignore = "takes a while: just test-slow"]
fn long() {
    two_processes(20);
}

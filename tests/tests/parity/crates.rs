//! The two crates beside each other: their public items, and what they depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The public items of a crate's sources, by file: what begins with `pub`, without what differs by flavour.
fn public_items(source: &Path) -> BTreeMap<PathBuf, Vec<String>> {
    let mut items = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(str::trim).filter(|line| line.starts_with("pub "));
            let names = lines.filter_map(|line| {
                let line = line.replace("pub async fn", "pub fn");
                let mut words = line.split_whitespace().skip(1);
                let kind = words.next()?.to_owned();
                let rest = words.next()?;
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // What a field or a re-export names is compared by the type checker, in `descriptions!` and elsewhere.
                ["fn", "struct", "enum", "trait", "type", "const", "mod", "static", "macro"]
                    .contains(&kind.as_str())
                    .then(|| format!("{kind} {name}"))
            });
            let names: Vec<_> = names.collect();
            let relative = path.strip_prefix(source).unwrap().to_owned();
            if !names.is_empty() {
                items.insert(relative, names);
            }
        }
    }
    items
}

fn root() -> PathBuf {
    kv_tests::servers::package().parent().unwrap().to_owned()
}

#[test]
fn both_crates_have_the_same_public_items() {
    let blocking = public_items(&root().join("kv-sync/src"));
    let awaiting = public_items(&root().join("kv-async/src"));
    let files = |items: &BTreeMap<PathBuf, Vec<String>>| items.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(files(&blocking), files(&awaiting));
    for (file, items) in &blocking {
        assert_eq!(items, &awaiting[file], "{}", file.display());
    }
    let count: usize = blocking.values().map(Vec::len).sum();
    assert!(count > 200, "only {count} public items were found");
}

/// Every crate below this one, whatever its features.
fn dependencies(package: &str, features: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--no-default-features"]);
    cargo.args(["--package", package, "--features", features]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// The features of which the client crate hides a runtime, also from programs that block.
const HIDE_A_RUNTIME: [&str; 4] = ["mongodb", "mongodb-srv", "postgres", "postgres-tls"];

/// What the feature `full` of the blocking crate stands for.
fn full() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("kv-sync/Cargo.toml")).unwrap();
    let (_, list) = manifest.split_once("\nfull = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_blocking_crate_has_no_runtime_and_neither_has_maybe_async() {
    let all = full();
    assert!(HIDE_A_RUNTIME.iter().all(|name| all.iter().any(|known| known == name)), "{all:?}");
    let native: Vec<_> = all.into_iter().filter(|name| !HIDE_A_RUNTIME.contains(&name.as_str())).collect();
    for features in ["disk,redis", &native.join(",")] {
        let blocking = dependencies("kv-sync", features);
        assert!(blocking.contains("redis") && blocking.contains("rusqlite"));
        for name in ["tokio", "async-std", "smol", "futures-executor", "async-trait", "hyper", "reqwest"] {
            assert!(!blocking.contains(name), "kv-sync with {features} depends on {name}");
        }
    }
    for (package, twin) in [("kv-sync", "kv-async"), ("kv-async", "kv-sync")] {
        let known = dependencies(package, "full");
        for name in ["maybe-async", "kv-source", twin] {
            assert!(!known.contains(name), "{package} depends on {name}");
        }
    }
    assert!(dependencies("kv-async", "full").contains("tokio"));
}

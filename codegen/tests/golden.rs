//! Golden files: what is emitted for an input, and what is said of an input that is refused.
//!
//! A case is a folder. One of `golden` holds `input.rs`, `sync.rs` and `async.rs`, or three folders `source`, `sync` and
//! `async` when it takes several files. One of `golden-refused` holds the files of a source crate's `src`, at least one,
//! and `expected.txt`. `KV_CODEGEN_BLESS=1` writes what comes out; read the difference before you commit it.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, and these are their helpers")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use kv_codegen::{Flavour, Hits, Outcome, RULES, Reason, Source, format_all, transform};
use walkdir::WalkDir;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn cases(name: &str) -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// The Rust files under a folder, by path.
fn rust_files(folder: &Path) -> BTreeMap<String, String> {
    WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

fn is_blessing() -> bool {
    std::env::var_os("KV_CODEGEN_BLESS").is_some()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The emitted files of a case, formatted, by the path they are expected at.
fn emitted(case: &Path, outcome: Outcome) -> BTreeMap<PathBuf, String> {
    let refusals: Vec<_> = outcome.refusals.iter().map(ToString::to_string).collect();
    assert!(refusals.is_empty(), "{}: {}", case.display(), refusals.join("\n"));
    let path = |flavour: Flavour, path: &str| match path {
        "src/input.rs" => case.join(format!("{flavour}.rs")),
        _ => case.join(flavour.to_string()).join(path),
    };
    let (paths, texts): (Vec<_>, Vec<_>) = outcome
        .files
        .into_iter()
        .map(|file| (path(file.flavour, &file.path), (format!("{} of {}", file.flavour, case.display()), file.text)))
        .unzip();
    let root = folder("..").join("..");
    paths.into_iter().zip(format_all(&root, &texts).unwrap()).collect()
}

#[test]
fn inputs_are_emitted_as_expected() {
    let mut hits = Hits::default();
    let mut differences = Vec::new();
    let cases = cases("golden");
    assert!(cases.len() >= 11, "found only {}", cases.len());
    for case in &cases {
        let sources: Vec<_> = if case.join("source").is_dir() {
            let files = rust_files(&case.join("source"));
            files.into_iter().map(|(path, text)| Source { path, text }).collect()
        } else {
            let text = fs::read_to_string(case.join("input.rs")).unwrap();
            vec![Source { path: "src/input.rs".to_owned(), text }]
        };
        let outcome = transform(&sources);
        hits.add(&outcome.hits);
        let emitted = emitted(case, outcome);
        for (path, text) in &emitted {
            if is_blessing() {
                write(path, text);
            } else if fs::read_to_string(path).ok().as_ref() != Some(text) {
                differences.push(format!("{}:\n{text}", path.display()));
            }
        }
        let expected: BTreeSet<_> = rust_files(case)
            .into_keys()
            .filter(|path| path != "input.rs" && !path.starts_with("source/"))
            .map(|path| case.join(path))
            .collect();
        assert_eq!(expected, emitted.into_keys().collect(), "the files of {}", case.display());
    }
    assert!(differences.is_empty(), "these are not as expected; they are:\n\n{}", differences.join("\n\n"));
    for rule in &RULES {
        for flavour in rule.flavours {
            assert!(hits.of(rule.id, *flavour) > 0, "no golden case makes {} fire for {flavour}", rule.name);
        }
    }
}

#[test]
fn inputs_that_cannot_be_carried_over_are_refused() {
    let mut reasons = BTreeSet::new();
    let mut differences = Vec::new();
    let cases = cases("golden-refused");
    assert!(cases.len() >= Reason::ALL.len(), "found only {}", cases.len());
    for case in &cases {
        let sources: Vec<_> =
            rust_files(case).into_iter().map(|(path, text)| Source { path: format!("src/{path}"), text }).collect();
        let outcome = transform(&sources);
        assert!(outcome.files.is_empty(), "{} is emitted", case.display());
        reasons.extend(outcome.refusals.iter().map(|refusal| refusal.reason));
        let said: String = outcome.refusals.iter().map(|refusal| format!("{refusal}\n")).collect();
        let path = case.join("expected.txt");
        if is_blessing() {
            write(&path, &said);
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&said) {
            differences.push(format!("{}:\n{said}", path.display()));
        }
        assert!(!said.is_empty(), "{} is not refused", case.display());
    }
    assert!(differences.is_empty(), "these are not as expected; they are:\n\n{}", differences.join("\n\n"));
    for reason in Reason::ALL {
        assert!(reasons.contains(&reason), "no golden case is refused for {reason:?}");
    }
}

//! Whole runs of the program, on a small tree in a temporary folder.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, and these are their helpers")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use walkdir::WalkDir;

/// A source on which every rule fires that has to.
const LIB: &str = r#"//! A crate.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() {
//! kv_source::answer().await;
//! # }
//! ```

#[cfg_attr(feature = "is_sync", path = "flavour_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "flavour_async.rs")]
pub mod flavour;
pub mod nested;

/// Boxed.
#[maybe_async::maybe_async]
pub trait Store {
    /// Gets.
    async fn get(&self) -> u32;
}

/// Not boxed.
#[maybe_async::maybe_async(AFIT)]
pub trait Raw {
    /// Gets.
    fn get(&self) -> impl Future<Output = u32> + Send;
}

/// Answers.
#[maybe_async::maybe_async]
#[cfg_attr(feature = "is_sync", inline)]
#[cfg_attr(not(feature = "is_sync"), must_use)]
pub async fn answer() -> u32 {
    flavour::answer().await
}
"#;

const TEST: &str = r#"//! Tests.

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn answers() {
    let answer = kv_source::answer().await;
    assert_eq!(answer, 1);
}
"#;

const MANIFEST: &str = "[features]\ndefault = []\nredis = []\n\n[dependencies]\nserde = \"1\"\n";

struct Tree(TempDir);

impl Tree {
    /// A tree that has been written once.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write("rustfmt.toml", "max_width = 120\n");
        tree.write("kv-core/source/Cargo.toml", &MANIFEST.replace("default", "is_sync = []\ndefault"));
        tree.write("kv-sync/Cargo.toml", MANIFEST);
        tree.write("kv-async/Cargo.toml", MANIFEST);
        tree.write("kv-core/source/src/lib.rs", LIB);
        tree.write("kv-core/source/src/flavour_sync.rs", "//! Blocks.\n");
        tree.write("kv-core/source/src/flavour_async.rs", "//! Awaits.\n");
        tree.write("kv-core/source/src/nested.rs", "//! Nested.\n\nmod deep;\n");
        tree.write("kv-core/source/src/nested/deep.rs", "//! Deep.\n");
        tree.write("kv-core/source/tests/answers.rs", TEST);
        tree.write("kv-core/source/tests/data.json", "{}");
        tree.write("kv-core/source/examples/first/main.rs", "//! First.\n\nfn main() {}\n");
        let output = tree.run(&[]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "12 files: 12 written, 0 deleted\n");
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    fn delete(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn has(&self, path: &str) -> bool {
        self.0.path().join(path).exists()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kv-codegen"));
        command.args(arguments).arg("--root").arg(self.0.path()).output().unwrap()
    }

    /// What `--check` says, which must fail and change nothing.
    fn check_fails(&self) -> String {
        let before = self.files();
        let output = self.run(&["--check"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(self.files(), before, "--check changed something");
        said(&output)
    }

    /// What writing says, which must fail and change nothing.
    fn write_fails(&self) -> String {
        let before = self.files();
        let output = self.run(&[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(self.files(), before, "a run that failed changed something");
        said(&output)
    }

    fn writes(&self) -> String {
        let output = self.run(&[]);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// All files with what they hold and when they were written.
    fn files(&self) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let files = WalkDir::new(self.0.path()).into_iter().map(Result::unwrap);
        files
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let written = entry.metadata().unwrap().modified().unwrap();
                (relative(self.0.path(), entry.path()), (fs::read(entry.path()).unwrap(), written))
            })
            .collect()
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn both_crates_are_written_whole() {
    let tree = Tree::new();
    let emitted: Vec<_> = tree.files().into_keys().filter(|path| path.starts_with("kv-sync/")).collect();
    assert_eq!(
        emitted,
        [
            "kv-sync/Cargo.toml",
            "kv-sync/examples/first/main.rs",
            "kv-sync/src/flavour.rs",
            "kv-sync/src/lib.rs",
            "kv-sync/src/nested.rs",
            "kv-sync/src/nested/deep.rs",
            "kv-sync/tests/answers.rs",
        ]
    );
    assert_eq!(
        tree.read("kv-sync/src/flavour.rs"),
        "// @generated by \"just codegen\" from kv-core/source/src/flavour_sync.rs; edit that file.\n\n//! Blocks.\n"
    );
    assert!(tree.read("kv-async/src/flavour.rs").ends_with("//! Awaits.\n"));
    assert!(tree.read("kv-sync/src/lib.rs").contains("//! kv_sync::answer();\n"));
    assert!(tree.read("kv-async/src/lib.rs").contains("//! kv_async::answer().await;\n"));
    assert!(tree.read("kv-sync/tests/answers.rs").contains("#[test]\nfn answers() {\n"));
}

#[test]
fn a_second_run_changes_nothing() {
    let tree = Tree::new();
    let before = tree.files();
    assert_eq!(tree.writes(), "12 files: 0 written, 0 deleted\n");
    assert_eq!(tree.files(), before);
    let output = tree.run(&["--check"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), "12 files are up to date\n".to_owned()));
}

#[test]
fn what_differs_is_stale_to_the_byte() {
    let tree = Tree::new();
    let deep = tree.read("kv-sync/src/nested/deep.rs");
    tree.write("kv-sync/src/nested/deep.rs", &format!("{deep}\n"));
    let lib = tree.read("kv-async/src/lib.rs");
    tree.write("kv-async/src/lib.rs", &lib[..lib.len() - 1]);
    assert_eq!(
        tree.check_fails(),
        "stale: kv-async/src/lib.rs\nstale: kv-sync/src/nested/deep.rs\nrun: just codegen\n"
    );
    assert_eq!(tree.writes(), "12 files: 2 written, 0 deleted\n");
    assert_eq!(tree.read("kv-sync/src/nested/deep.rs"), deep);
}

#[test]
fn a_changed_comment_makes_both_flavours_stale() {
    let tree = Tree::new();
    tree.write("kv-core/source/src/lib.rs", &LIB.replace("Answers.", "Gives an answer."));
    assert_eq!(tree.check_fails(), "stale: kv-async/src/lib.rs\nstale: kv-sync/src/lib.rs\nrun: just codegen\n");
}

#[test]
fn what_is_not_there_is_missing() {
    let tree = Tree::new();
    tree.delete("kv-sync/src/flavour.rs");
    tree.write("kv-core/source/tests/more.rs", "//! More.\n");
    assert_eq!(
        tree.check_fails(),
        "missing: kv-async/tests/more.rs\nmissing: kv-sync/src/flavour.rs\nmissing: kv-sync/tests/more.rs\n\
         run: just codegen\n"
    );
    assert_eq!(tree.writes(), "14 files: 3 written, 0 deleted\n");
}

#[test]
fn what_lost_its_source_is_orphaned_and_goes_with_its_folder() {
    let tree = Tree::new();
    tree.delete("kv-core/source/src/nested/deep.rs");
    tree.delete("kv-core/source/examples/first/main.rs");
    tree.write("kv-sync/tests/by_hand.rs", "//! Written by hand, and not in the way.\n");
    assert_eq!(
        tree.check_fails(),
        "orphaned: kv-async/examples/first/main.rs\norphaned: kv-async/src/nested/deep.rs\n\
         orphaned: kv-sync/examples/first/main.rs\norphaned: kv-sync/src/nested/deep.rs\nrun: just codegen\n"
    );
    assert_eq!(tree.writes(), "8 files: 0 written, 4 deleted\n");
    assert!(!tree.has("kv-sync/src/nested"));
    assert!(!tree.has("kv-sync/examples/first"));
    assert!(tree.has("kv-sync/src/nested.rs"));
    assert!(tree.has("kv-sync/tests/by_hand.rs"));
}

#[test]
fn a_file_written_by_hand_is_never_overwritten() {
    let tree = Tree::new();
    tree.write("kv-sync/src/lib.rs", "//! By hand.\n");
    let message = "kv-sync/src/lib.rs: written by hand, and a generated file belongs here; move it, or delete it\n";
    assert_eq!(tree.write_fails(), message);
    assert_eq!(tree.check_fails(), message);
}

#[test]
fn a_rule_that_fires_nowhere_is_an_error() {
    let tree = Tree::new();
    tree.write("kv-core/source/tests/answers.rs", "//! None.\n");
    let message = tree.write_fails();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(lines[0].starts_with("rule test fired nowhere for kv-sync: "), "{message}");
    assert!(lines[1].starts_with("rule test fired nowhere for kv-async: "), "{message}");
    assert_eq!(tree.check_fails(), message);
}

#[test]
fn all_refusals_are_reported_with_their_places_and_nothing_is_written() {
    let tree = Tree::new();
    tree.write("kv-core/source/src/nested/deep.rs", "fn f() {\n    tokio::spawn(async {});\n}\n");
    tree.write("kv-core/source/tests/answers.rs", "use std::thread;\n");
    let message = tree.write_fails();
    let places: Vec<_> = message.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "kv-core/source/src/nested/deep.rs:2:5",
            "kv-core/source/src/nested/deep.rs:2:18",
            "kv-core/source/tests/answers.rs:1:10",
        ]
    );
    assert_eq!(tree.check_fails(), message);
}

#[test]
fn features_must_be_the_same_in_all_three_manifests() {
    let tree = Tree::new();
    tree.write("kv-sync/Cargo.toml", &MANIFEST.replace("redis = []\n", ""));
    let message =
        "kv-sync/Cargo.toml: has no feature `redis`, which kv-async/Cargo.toml, kv-core/source/Cargo.toml has\n";
    assert_eq!(tree.check_fails(), message);
    assert_eq!(tree.write_fails(), message);
}

#[test]
fn a_dependency_of_several_crates_has_one_version() {
    let tree = Tree::new();
    tree.write("kv-sync/Cargo.toml", &format!("{MANIFEST}r2d2 = \"0.8\"\n[dev-dependencies]\nserde = \"2\"\n"));
    assert!(tree.run(&["--check"]).status.success(), "one flavour alone, or for tests, may have what it likes");

    tree.write("kv-sync/Cargo.toml", &MANIFEST.replace("\"1\"", "{ workspace = true, features = [\"rc\"] }"));
    assert_eq!(
        tree.check_fails(),
        "dependency `serde` differs: 1 in kv-core/source/Cargo.toml, kv-async/Cargo.toml; the workspace's in \
         kv-sync/Cargo.toml\n"
    );

    tree.write("kv-sync/Cargo.toml", &format!("{MANIFEST}[target.'cfg(unix)'.dependencies]\nserde = \"1.2\"\n"));
    assert!(tree.check_fails().starts_with("dependency `serde` differs: "));
}

#[test]
fn the_root_may_be_relative() {
    let tree = Tree::new();
    let root = tree.0.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kv-codegen"));
    command.current_dir(root.parent().unwrap()).args(["--check", "--root"]).arg(root.file_name().unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn an_argument_that_is_not_known_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_kv-codegen")).arg("--chekc").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("unknown argument --chekc"));
}

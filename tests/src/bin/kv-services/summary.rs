//! The closing words of a whole test run.

use std::collections::BTreeSet;

use kv_tests::servers::{self, Kind};
use kv_tests::{Context as _, Result};

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Prints the servers, the skips, the steps that failed and, last and alone on its line, the count. Answers whether all
/// is well: something ran and nothing failed.
pub(crate) fn print(log: &str, failed_steps: &[&str]) -> Result<bool> {
    let text = std::fs::read(log).context(|| log.to_owned())?;
    let tally = tally(&String::from_utf8_lossy(&text));
    println!();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_in_use()) {
        match servers::shared(kind) {
            Ok(server) => println!("with {} {} on port {}", server.name, server.version, server.port),
            Err(error) => println!("without {}: {error}", kind.name()),
        }
    }
    let skipped = std::fs::read_to_string(servers::state_dir().join("skipped")).unwrap_or_default();
    let skips: BTreeSet<&str> = skipped.lines().collect();
    for skip in &skips {
        println!("SKIPPED {} (KV_SKIP)", skip.replace('\t', ": "));
    }
    for step in failed_steps {
        println!("FAILED: just {step}");
    }
    let (line, well) = close(&tally, &skips, failed_steps.len() as u64);
    println!("{line}");
    Ok(well)
}

/// Adds up every line like `test result: ok. 5 passed; 0 failed; 1 ignored; ...`.
fn tally(log: &str) -> Tally {
    let mut sum = Tally::default();
    for line in log.lines() {
        let Some((_, result)) = line.split_once("test result: ") else { continue };
        // What stands before the counts may be coloured.
        let counts = result.split_once(". ").map_or("", |(_, counts)| counts);
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => sum.passed += number,
                "failed" => sum.failed += number,
                "ignored" => sum.ignored += number,
                _ => {}
            }
        }
    }
    sum
}

fn close(tally: &Tally, skips: &BTreeSet<&str>, failed_steps: u64) -> (String, bool) {
    // A test that skipped returned early, and its runner took that for a pass.
    let tests: BTreeSet<&str> = skips.iter().filter_map(|line| line.split_once('\t').map(|(_, test)| test)).collect();
    let skipped = (tests.len() as u64).min(tally.passed);
    let passed = tally.passed - skipped;
    // A step can fail without a test that does, as when something does not compile.
    let failed = if tally.failed == 0 { failed_steps } else { tally.failed };
    let line = format!("{passed} passed, {failed} failed, {} skipped", tally.ignored + skipped);
    (line, failed == 0 && passed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
running 3 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: \u{1b}[31mFAILED\u{1b}[0m. 40 passed; 3 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s
error: test failed, to rerun pass `--lib`
all doctests ran in 1.41s; merged doctests compilation took 0.87s
";

    fn closing(log: &str, skips: &[&str], steps: u64) -> (String, bool) {
        close(&tally(log), &skips.iter().copied().collect(), steps)
    }

    #[test]
    fn adds_up() {
        assert_eq!(tally(LOG), Tally { passed: 42, failed: 3, ignored: 1 });
        assert_eq!(closing(LOG, &[], 1), ("42 passed, 3 failed, 1 skipped".into(), false));
    }

    #[test]
    fn a_skip_is_not_a_pass() {
        let log = "test result: ok. 5 passed; 0 failed; 0 ignored\n";
        assert_eq!(closing(log, &[], 0), ("5 passed, 0 failed, 0 skipped".into(), true));
        let skips = ["redis\tb::one", "valkey\tb::one", "redis\tb::two"];
        assert_eq!(closing(log, &skips, 0), ("3 passed, 0 failed, 2 skipped".into(), true));
    }

    #[test]
    fn a_broken_step_fails_and_so_does_nothing_at_all() {
        let log = "test result: ok. 5 passed; 0 failed; 0 ignored\n";
        assert_eq!(closing(log, &[], 2), ("5 passed, 2 failed, 0 skipped".into(), false));
        assert_eq!(closing("", &[], 0), ("0 passed, 0 failed, 0 skipped".into(), false));
        let none = "test result: ok. 0 passed; 0 failed; 9 ignored\n";
        assert_eq!(closing(none, &[], 0), ("0 passed, 0 failed, 9 skipped".into(), false));
    }
}

//! Random operation sequences against a reference model: what no single check thought of.

mod compare;
mod operation;
mod reference;
mod step;

use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::case::{Case, Held};
use super::subject::{Setting, Subject};
use operation::Operation;

/// How many sequences are tried, and how long the longest is.
const SEQUENCES: u32 = 48;
const LONGEST: usize = 100;

/// How long a sequence that fails is made shorter, at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// All clauses at once: whatever is done in whatever order, the store answers as the reference does.
///
/// A sequence that the store answers otherwise is made as short as it goes and printed, with the seed. The seed is a
/// fixed one, unless the environment variable `KV_CONTRACT_SEED` gives a number; `KV_CONTRACT_SEQUENCES` changes how
/// many sequences are tried.
#[maybe_async::maybe_async]
pub async fn random_operations_agree_with_the_reference(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let seed = number("KV_CONTRACT_SEED").unwrap_or(0x006b_6579_7661_6c75);
    let sequences = number("KV_CONTRACT_SEQUENCES").map_or(SEQUENCES, |count| u32::try_from(count).unwrap_or(u32::MAX));
    if let Err(failure) = agree(case.subject, seed, sequences).await {
        panic!("{failure}");
    }
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Tries so many random sequences; an error tells the shortest that fails.
#[maybe_async::maybe_async]
async fn agree(subject: &dyn Subject, seed: u64, sequences: u32) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let strategy = proptest::collection::vec(operation::operation(), 1..LONGEST);
    for number in 0..sequences {
        let mut tree = strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let mut operations = tree.current();
        let Err(mut why) = run(subject, &operations).await else { continue };
        // Simplified for as long as it still fails; a step that goes too far is taken back.
        let mut goes_on = tree.simplify();
        let started = Instant::now();
        while goes_on && started.elapsed() < PATIENCE {
            let simpler = tree.current();
            goes_on = match run(subject, &simpler).await {
                Err(still) => {
                    (operations, why) = (simpler, still);
                    tree.simplify()
                }
                Ok(()) => tree.complicate(),
            };
        }
        let steps: Vec<_> = operations.iter().map(|operation| format!("  {operation:?}")).collect();
        return Err(format!("sequence {number} of seed {seed}: {why}\nafter\n{}", steps.join("\n")));
    }
    Ok(())
}

/// Does the operations one after the other, on a fresh store and on the reference.
#[maybe_async::maybe_async]
async fn run(subject: &dyn Subject, operations: &[Operation]) -> Result<(), String> {
    let case = Case::open_in(subject, Setting::fresh()).await;
    let mut reference = reference::Reference::default();
    let mut outcome = Ok(());
    for operation in operations {
        outcome = step::step(&case, &mut reference, operation).await;
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() {
        outcome = compare::compare_all(&case, &reference).await;
    }
    case.finish().await;
    outcome
}

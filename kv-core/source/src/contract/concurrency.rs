//! C2: conditional writes are one step, however many write at the same time.

use std::collections::BTreeSet;

use kv_core::{Atomicity, Condition, PutOptions, TimeLeft};

use super::case::{Case, Held, MINUTE, is, needs, ok};
use super::side;
use super::tasks::Task;
use crate::kv::Kv;

/// How many write at the same time, and how often each.
const WRITERS: usize = 8;
const ROUNDS: usize = 20;

/// The handles to write through: the one, or two where others may see the same entries.
fn handles(case: &Case<'_>) -> Vec<Kv> {
    let mut handles = vec![case.kv.clone()];
    if case.can.shared && case.can.conditional == Atomicity::Linearizable {
        handles.push(case.subject.open(&case.setting));
    }
    handles
}

#[maybe_async::maybe_async]
async fn together<T: Task>(case: &Case<'_>, task: T) -> Vec<T::Output> {
    let handles = handles(case);
    let answers = side::together(&handles, WRITERS, task).await;
    for kv in &handles[1..] {
        ok(kv.close().await, "close of a second handle");
    }
    answers
}

struct Increments;

#[maybe_async::maybe_async]
impl Task for Increments {
    type Output = Vec<i64>;

    async fn run(&self, kv: Kv, _number: usize) -> Vec<i64> {
        let c = kv.collection("c");
        let mut sums = Vec::new();
        for _ in 0..ROUNDS {
            sums.push(ok(c.increment("k", 1).await, "C2: increment"));
        }
        sums
    }
}

/// C2: every one of many increments counts, and each is answered a sum of its own.
#[maybe_async::maybe_async]
pub async fn c2_concurrent_increments_all_count(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let sums = together(case, Increments).await;
    let sums: BTreeSet<i64> = sums.into_iter().flatten().collect();
    let all = (WRITERS * ROUNDS) as i64;
    assert!(sums.iter().copied().eq(1..=all), "C2: sums answered to concurrent increments: {sums:?}");
    is(case.collection().get::<i64>("k").await, Some(all), "C2: after concurrent increments");
    Ok(())
}

struct Claims;

#[maybe_async::maybe_async]
impl Task for Claims {
    type Output = Vec<usize>;

    async fn run(&self, kv: Kv, number: usize) -> Vec<usize> {
        let c = kv.collection("c");
        let mut won = Vec::new();
        for round in 0..ROUNDS {
            let key = round.to_string();
            if ok(c.put_if_absent(&key, &number).await, "C2: put_if_absent").is_some() {
                won.push(round);
            }
        }
        won
    }
}

/// C2: of many put_if_absent of one key one writes, and what it wrote is there.
#[maybe_async::maybe_async]
pub async fn c2_of_concurrent_claims_one_wins(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let won = together(case, Claims).await;
    for round in 0..ROUNDS {
        let winners: Vec<_> = (0..WRITERS).filter(|number| won[*number].contains(&round)).collect();
        assert_eq!(winners.len(), 1, "C2: put_if_absent of one key wrote for {winners:?}");
        let value = ok(case.collection().get::<usize>(&round.to_string()).await, "C2: get");
        assert_eq!(value, Some(winners[0]), "C2: what the winner wrote");
    }
    Ok(())
}

struct Swaps;

#[maybe_async::maybe_async]
impl Task for Swaps {
    type Output = usize;

    async fn run(&self, kv: Kv, _number: usize) -> usize {
        let c = kv.collection("c");
        let mut swapped = 0;
        for _ in 0..ROUNDS {
            let old: i64 = ok(c.get("k").await, "C2: get").unwrap_or_default();
            swapped +=
                usize::from(ok(c.compare_and_swap("k", Some(&old), Some(&(old + 1))).await, "C2: compare_and_swap"));
            let entry = ok(c.get_entry("k").await, "C2: get").expect("C2: it is there");
            let next = ok(entry.decode::<i64>(), "C2: decode") + 1;
            let written = ok(c.put_if_revision("k", &next, &entry.revision()).await, "C2: put_if_revision");
            swapped += usize::from(written.is_some());
        }
        swapped
    }
}

/// C2: as often as a swap or a write on a revision was answered to have happened, it has.
#[maybe_async::maybe_async]
pub async fn c2_concurrent_swaps_happen_as_often_as_answered(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    ok(case.collection().put("k", &0).await, "C2: put");
    let swapped: usize = together(case, Swaps).await.into_iter().sum();
    is(case.collection().get::<usize>("k").await, Some(swapped), "C2: after concurrent swaps");
    assert!(swapped >= ROUNDS, "C2: concurrent swaps go on: {swapped} of them");
    Ok(())
}

struct Updates;

#[maybe_async::maybe_async]
impl Task for Updates {
    type Output = ();

    async fn run(&self, kv: Kv, number: usize) {
        let c = kv.collection("c");
        for _ in 0..ROUNDS / 2 {
            ok(c.update("k", move |old: Option<i64>| Some(old.unwrap_or_default() + 1)).await, "C2: update");
            ok(c.append("text", &number.to_string()).await, "C2: append");
            ok(c.append("list", &[number]).await, "C2: append");
            // Changes of what is beside the value lose none of the others.
            ok(c.touch("k", MINUTE).await, "C2: touch");
        }
    }
}

/// C2: every one of many updates and appends counts, touched meanwhile or not.
#[maybe_async::maybe_async]
pub async fn c2_concurrent_updates_all_count(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    together(case, Updates).await;
    is(c.get::<usize>("k").await, Some(WRITERS * ROUNDS / 2), "C2: after concurrent updates");
    is(c.ttl("k").await, Some(TimeLeft::For(MINUTE)), "C2: after concurrent touches");
    let text: String = ok(c.get("text").await, "C2: get").unwrap_or_default();
    let list: Vec<usize> = ok(c.get("list").await, "C2: get").unwrap_or_default();
    for number in 0..WRITERS {
        let in_text = text.matches(&number.to_string()).count();
        let in_list = list.iter().filter(|element| **element == number).count();
        assert_eq!((in_text, in_list), (ROUNDS / 2, ROUNDS / 2), "C2: appends of writer {number}");
    }
    Ok(())
}

struct Takes;

#[maybe_async::maybe_async]
impl Task for Takes {
    type Output = (Vec<usize>, usize, usize);

    async fn run(&self, kv: Kv, _number: usize) -> Self::Output {
        let c = kv.collection("c");
        let (mut taken, mut deleted, mut conditional) = (Vec::new(), 0, 0);
        for round in 0..ROUNDS {
            taken.extend(ok(c.take::<usize>(&format!("take:{round}")).await, "C2: take"));
            deleted += usize::from(ok(c.delete(&format!("delete:{round}")).await, "C2: delete"));
            let key = format!("if:{round}");
            if let Some(entry) = ok(c.get_entry(&key).await, "C2: get") {
                let outcome = ok(c.delete_if_revision(&key, &entry.revision()).await, "C2: delete_if_revision");
                conditional += usize::from(outcome == kv_core::DeleteOutcome::Deleted);
            }
        }
        (taken, deleted, conditional)
    }
}

/// C2: of many that take or delete one entry, one gets it.
#[maybe_async::maybe_async]
pub async fn c2_of_concurrent_takers_one_gets_it(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let c = case.collection();
    for round in 0..ROUNDS {
        for kind in ["take", "delete", "if"] {
            ok(c.put(&format!("{kind}:{round}"), &round).await, "C2: put");
        }
    }
    let mut taken = Vec::new();
    let (mut deleted, mut conditional) = (0, 0);
    for (some, one, other) in together(case, Takes).await {
        taken.extend(some);
        deleted += one;
        conditional += other;
    }
    taken.sort_unstable();
    assert!(taken.iter().copied().eq(0..ROUNDS), "C2: entries taken: {taken:?}");
    assert_eq!(deleted, ROUNDS, "C2: deletes that were answered to have removed an entry");
    assert_eq!(conditional, ROUNDS, "C2: deletes on a revision that were answered to have removed an entry");
    Ok(())
}

struct Passes;

#[maybe_async::maybe_async]
impl Task for Passes {
    type Output = Vec<usize>;

    async fn run(&self, kv: Kv, number: usize) -> Vec<usize> {
        let c = kv.collection("c");
        let mut received = Vec::new();
        for round in 0..ROUNDS {
            received.extend(ok(c.get_and_put("k", &(number * ROUNDS + round)).await, "C2: get_and_put"));
        }
        received
    }
}

/// C2: of many get_and_put each value is answered once, and the last is there.
#[maybe_async::maybe_async]
pub async fn c2_concurrent_get_and_put_lose_and_double_nothing(case: &Case<'_>) -> Held {
    case.has_conditions()?;
    let mut seen: Vec<usize> = together(case, Passes).await.into_iter().flatten().collect();
    seen.extend(ok(case.collection().get::<usize>("k").await, "C2: get"));
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..WRITERS * ROUNDS), "C2: values passed through get_and_put: {seen:?}");
    Ok(())
}

struct Mixed;

#[maybe_async::maybe_async]
impl Task for Mixed {
    type Output = ();

    async fn run(&self, kv: Kv, number: usize) {
        let c = kv.collection("c");
        // Long enough that a torn record would show.
        let text = number.to_string().repeat(10_000);
        for round in 0..ROUNDS {
            let key = format!("k{}", round % 3);
            match (number + round) % 4 {
                0 => drop(ok(c.put(&key, &text).await, "C2: put")),
                1 => drop(ok(c.put_with(&key, &text, &PutOptions::ttl(MINUTE)).await, "C2: put")),
                2 => drop(ok(c.delete(&key).await, "C2: delete")),
                _ => {
                    let options = PutOptions::default().with_condition(Condition::IfPresent);
                    drop(ok(c.put_with(&key, &text, &options).await, "C2: put_if_present"));
                }
            }
            if let Some(read) = ok(c.get::<String>(&key).await, "C2: get") {
                let whole = read.len() == 10_000 && read.bytes().all(|byte| byte == read.as_bytes()[0]);
                assert!(whole, "C2: a record of two writers");
            }
        }
    }
}

/// C2, L3: what many read and write through clones of one handle is never a mixture.
#[maybe_async::maybe_async]
pub async fn c2_no_record_is_a_mixture(case: &Case<'_>) -> Held {
    case.keeps()?;
    needs(case.can.conditional != Atomicity::Unsupported, "it has no conditional writes")?;
    together(case, Mixed).await;
    Ok(())
}

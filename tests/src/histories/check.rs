use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::{Answer, Call, Mark, Operation, family};

/// What the register holds: a value, and its mark once somebody has seen it.
type State = Option<(i64, Option<Mark>)>;

/// Stands for every value that was never seen.
const UNSEEN: i64 = i64::MIN;

/// The most that may be counted up, by calls without an answer, between two answers.
const CHAIN: i64 = 4096;

/// More possibilities than this at one instant, and the history is not worth checking.
const WIDEST: usize = 200_000;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Operations.
    pub operations: usize,
    /// Those of them without an answer.
    pub unknown: usize,
    /// The most states that were possible at one instant.
    pub widest: usize,
}

/// Why a history is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words, with the operations around the one that cannot be.
    pub message: String,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Checks a history of several keys, each of them absent at the beginning.
///
/// # Errors
/// When no order explains the answers.
pub fn check(history: &[Operation]) -> Result<Checked, Refusal> {
    let mut keys = BTreeMap::<usize, Vec<Operation>>::new();
    for operation in history {
        keys.entry(operation.key).or_default().push(*operation);
    }
    let mut all = Checked::default();
    for one in keys.values() {
        let checked = check_key(one)?;
        all.operations += checked.operations;
        all.unknown += checked.unknown;
        all.widest = all.widest.max(checked.widest);
    }
    Ok(all)
}

/// Checks the history of one key, which is absent at the beginning.
///
/// # Errors
/// When no order explains the answers.
pub fn check_key(history: &[Operation]) -> Result<Checked, Refusal> {
    let mut checked = Checked { operations: history.len(), ..Checked::default() };
    checked.unknown = history.iter().filter(|operation| operation.answer == Answer::Unknown).count();
    let history = told_by_others(history);
    // Calls before answers where the instants are equal: they may have overlapped.
    let calls = (0..history.len()).map(|at| (history[at].called, false, at));
    let answers = (0..history.len()).filter(|at| history[*at].answer != Answer::Unknown);
    let mut events: Vec<_> = calls.chain(answers.map(|at| (history[at].answered, true, at))).collect();
    events.sort_unstable();

    let mut search = Search::default();
    let mut frontier = HashSet::from([Possible { state: None, done: 0, used: Vec::new() }]);
    for (_, is_answer, at) in events {
        let operation = &history[at];
        if !is_answer {
            search.begin(at, operation).map_err(|message| refusal(&history, at, &frontier, message))?;
            continue;
        }
        let next = search.end(at, &frontier);
        if next.is_empty() {
            return Err(refusal(&history, at, &frontier, "no order explains this answer"));
        }
        if next.len() > WIDEST {
            return Err(refusal(&history, at, &next, "too many orders explain the answers until here"));
        }
        checked.widest = checked.widest.max(next.len());
        frontier = next;
    }
    Ok(checked)
}

/// The history with what is known of calls without an answer because others saw their values, or never did. What was seen
/// happened before the first answer that shows it. What was never seen is one value like another.
fn told_by_others(history: &[Operation]) -> Vec<Operation> {
    let mut seen = HashMap::<i64, u64>::new();
    for operation in history {
        if let Some(value) = wants(&operation.call, operation.answer) {
            let first = seen.entry(family(value)).or_insert(operation.answered);
            *first = operation.answered.min(*first);
        }
    }
    let tell = |operation: &Operation| {
        let mut operation = *operation;
        let written = match &mut operation.call {
            Call::Put(value) | Call::PutIfAbsent(value) | Call::PutIfMark(_, value) | Call::Swap(_, Some(value)) => {
                value
            }
            _ => return operation,
        };
        if operation.answer == Answer::Unknown && family(*written) != 0 {
            match seen.get(&family(*written)) {
                Some(first) => {
                    (operation.answer, operation.answered) = (Answer::Seen, operation.called.max(*first));
                }
                None => *written = UNSEEN,
            }
        }
        operation
    };
    history.iter().map(tell).collect()
}

/// The value that must have been there for this answer, if it must have been a certain one.
fn wants(call: &Call, answer: Answer) -> Option<i64> {
    match (call, answer) {
        (Call::Get, Answer::Found(Some((value, _)))) => Some(value),
        (Call::Increment(by), Answer::Sum(sum)) => Some(sum - by),
        (Call::Swap(expected, _), Answer::Swapped | Answer::Seen) => *expected,
        _ => None,
    }
}

/// What is there after the call was answered so; `None` where it cannot be answered so.
fn step(state: State, call: &Call, answer: Answer) -> Option<State> {
    let mark = state.and_then(|(_, mark)| mark);
    let then = |so: bool, state: State| so.then_some(state);
    match (*call, answer) {
        (Call::Get, Answer::Found(None)) => then(state.is_none(), None),
        (Call::Get, Answer::Found(Some((value, shown)))) => {
            let (there, mark) = state?;
            then(there == value && mark.is_none_or(|mark| mark == shown), Some((value, Some(shown))))
        }
        (Call::Put(value), Answer::Written(mark)) => Some(Some((value, Some(mark)))),
        (Call::PutIfAbsent(value), Answer::Written(mark)) => then(state.is_none(), Some((value, Some(mark)))),
        (Call::PutIfAbsent(_), Answer::Conflict) => then(state.is_some(), state),
        // A mark that nobody has seen is nobody's condition.
        (Call::PutIfMark(old, value), Answer::Written(new)) => then(mark == Some(old), Some((value, Some(new)))),
        (Call::PutIfMark(old, _), Answer::Conflict) => then(mark != Some(old), state),
        (Call::Delete, Answer::Deleted) => then(state.is_some(), None),
        (Call::Delete | Call::DeleteIfMark(_), Answer::Missing) => then(state.is_none(), None),
        (Call::DeleteIfMark(old), Answer::Deleted) => then(mark == Some(old), None),
        (Call::DeleteIfMark(old), Answer::Conflict) => then(state.is_some() && mark != Some(old), state),
        (Call::Increment(by), Answer::Sum(sum)) => {
            then(state.map_or(0, |(value, _)| value).checked_add(by) == Some(sum), Some((sum, None)))
        }
        (Call::Swap(expected, _), Answer::Conflict) => then(state.map(|(value, _)| value) != expected, state),
        (_, Answer::Swapped | Answer::Seen) => effect(state, call),
        _ => None,
    }
}

/// What is there after the call was carried out; `None` where its condition does not hold.
fn effect(state: State, call: &Call) -> Option<State> {
    let mark = state.and_then(|(_, mark)| mark);
    match *call {
        Call::Get => Some(state),
        Call::Put(value) => Some(Some((value, None))),
        Call::PutIfAbsent(value) => state.is_none().then_some(Some((value, None))),
        Call::PutIfMark(old, value) => (mark == Some(old)).then_some(Some((value, None))),
        Call::Delete => state.is_some().then_some(None),
        Call::DeleteIfMark(old) => (mark == Some(old)).then_some(None),
        Call::Increment(by) => match state {
            Some((UNSEEN, _)) => Some(state),
            _ => Some(Some((state.map_or(0, |(value, _)| value).checked_add(by)?, None))),
        },
        Call::Swap(expected, new) => {
            (state.map(|(value, _)| value) == expected).then_some(new.map(|value| (value, None)))
        }
    }
}

/// A way to explain all answers until now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Possible {
    state: State,
    /// Which of the calls under way have happened already, by slot.
    done: u64,
    /// How many calls of each kind have happened that have no answer, by kind.
    used: Vec<(usize, u32)>,
}

impl Possible {
    fn used(&self, kind: usize) -> u32 {
        self.used.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
    }

    fn using(&self, kind: usize, state: State) -> Self {
        let mut used = self.used.clone();
        match used.binary_search_by_key(&kind, |(known, _)| *known) {
            Ok(at) => used[at].1 += 1,
            Err(at) => used.insert(at, (kind, 1)),
        }
        Self { state, used, ..*self }
    }

    /// Whether this needed no call that the other did not need as well.
    fn is_no_dearer(&self, other: &Self) -> bool {
        self.used.iter().all(|(kind, count)| *count <= other.used(*kind))
    }
}

#[derive(Default)]
struct Search {
    /// Calls under way whose answer is known, each in a slot.
    slots: Vec<Option<(usize, Call, Answer)>>,
    /// Calls without an answer: equal ones are one kind, and how many there are.
    kinds: Vec<(Call, u32)>,
}

impl Search {
    fn begin(&mut self, at: usize, operation: &Operation) -> Result<(), &'static str> {
        if operation.answer == Answer::Unknown {
            match self.kinds.iter_mut().find(|(call, _)| *call == operation.call) {
                Some((_, count)) => *count += 1,
                None => self.kinds.push((operation.call, 1)),
            }
            return Ok(());
        }
        let slot = Some((at, operation.call, operation.answer));
        match self.slots.iter().position(Option::is_none) {
            Some(free) => self.slots[free] = slot,
            None if self.slots.len() < 64 => self.slots.push(slot),
            None => return Err("more than 64 calls at the same time"),
        }
        Ok(())
    }

    /// The ways in which this call has happened by now.
    fn end(&mut self, at: usize, frontier: &HashSet<Possible>) -> HashSet<Possible> {
        let target = self.slots.iter().position(|slot| slot.is_some_and(|(operation, ..)| operation == at));
        let Some(target) = target else { return HashSet::new() };
        let bit = 1 << target;
        let mut ended = HashSet::new();
        let mut met = HashSet::new();
        let mut left: Vec<Possible> = frontier.iter().cloned().collect();
        let mut reached = Vec::new();
        while let Some(mut possible) = left.pop() {
            self.answer_in_passing(&mut possible);
            if possible.done & bit != 0 {
                ended.insert(Possible { done: possible.done & !bit, ..possible });
                continue;
            }
            for (slot, pending) in self.slots.iter().enumerate() {
                let Some((_, call, answer)) = pending else { continue };
                if possible.done & (1 << slot) != 0 {
                    continue;
                }
                self.reach(&possible, call, *answer, &mut reached);
                for mut next in reached.drain(..) {
                    next.done |= 1 << slot;
                    if slot == target {
                        // Others have no need to happen before the next answer comes.
                        ended.insert(Possible { done: next.done & !bit, ..next });
                    } else if met.insert(next.clone()) {
                        left.push(next);
                    }
                }
            }
        }
        self.slots[target] = None;
        cheapest(ended)
    }

    /// Lets all calls happen that change nothing here: it may as well be now.
    fn answer_in_passing(&self, possible: &mut Possible) {
        for (slot, pending) in self.slots.iter().enumerate() {
            let Some((_, call, answer)) = pending else { continue };
            if possible.done & (1 << slot) == 0 && step(possible.state, call, *answer) == Some(possible.state) {
                possible.done |= 1 << slot;
            }
        }
    }

    /// What may be there after the call was answered so, by way of as many calls without an answer as that needs.
    fn reach(&self, from: &Possible, call: &Call, answer: Answer, reached: &mut Vec<Possible>) {
        if let Some(state) = step(from.state, call, answer) {
            reached.push(Possible { state, ..from.clone() });
            return;
        }
        let wanted = wants(call, answer);
        let mut left = vec![from.clone()];
        let mut met = HashSet::new();
        while let Some(possible) = left.pop() {
            for (kind, (unanswered, count)) in self.kinds.iter().enumerate() {
                if possible.used(kind) == *count {
                    continue;
                }
                let Some(state) = effect(possible.state, unanswered).filter(|state| *state != possible.state) else {
                    continue;
                };
                let next = possible.using(kind, state);
                if let Some(state) = step(next.state, call, answer) {
                    reached.push(Possible { state, ..next });
                } else if wanted.is_some_and(|wanted| leads_to(next.state, wanted)) && met.insert(next.clone()) {
                    left.push(next);
                }
            }
        }
    }
}

/// Whether counting up from here may come to this value. (All else comes to a certain value in one step.)
fn leads_to(state: State, wanted: i64) -> bool {
    let value = state.map_or(0, |(value, _)| value);
    value <= wanted && family(value) == family(wanted) && wanted - value <= CHAIN
}

/// Without those that need more than others that are as far.
fn cheapest(all: HashSet<Possible>) -> HashSet<Possible> {
    if all.len() < 2 || all.iter().all(|possible| possible.used.is_empty()) {
        return all;
    }
    let mut groups = HashMap::<(State, u64), Vec<Possible>>::new();
    let mut sorted: Vec<Possible> = all.into_iter().collect();
    sorted.sort_unstable_by_key(|possible| possible.used.iter().map(|(_, count)| count).sum::<u32>());
    for possible in sorted {
        let group = groups.entry((possible.state, possible.done)).or_default();
        if !group.iter().any(|cheaper| cheaper.is_no_dearer(&possible)) {
            group.push(possible);
        }
    }
    groups.into_values().flatten().collect()
}

fn refusal(history: &[Operation], at: usize, frontier: &HashSet<Possible>, why: &str) -> Refusal {
    let culprit = &history[at];
    let start = history.iter().map(|operation| operation.called).min().unwrap_or(0);
    let micros = |instant: u64| (instant - start) as f64 / 1000.0;
    let line = |operation: &Operation| {
        let end = if operation.answer == Answer::Unknown { f64::INFINITY } else { micros(operation.answered) };
        let Operation { call, answer, client, .. } = operation;
        format!("  {:12.1} - {end:12.1} µs  client {client:2}: {call:x?} -> {answer:x?}\n", micros(operation.called))
    };
    let mut around: Vec<&Operation> = history.iter().filter(|other| other.called <= culprit.answered).collect();
    around.sort_unstable_by_key(|operation| (operation.answered.min(culprit.answered), operation.called));
    let before: String = around.iter().rev().take(40).rev().map(|operation| line(operation)).collect();
    let states: String =
        frontier.iter().take(8).map(|possible| format!("  {:x?} used {:?}\n", possible.state, possible.used)).collect();
    let message = format!(
        "key {}: {why}:\n{}until then, in order of answers:\n{before}what may have been there before ({}):\n{states}",
        culprit.key,
        line(culprit),
        frontier.len()
    );
    Refusal { message }
}

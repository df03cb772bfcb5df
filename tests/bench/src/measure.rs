//! Subjects in turn, many short rounds: the machine's moods fall on all of them alike.

use std::time::{Duration, Instant};

use crate::subjects::{Op, Subject};

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub slice: Duration,
    /// Only what has this in `group, config, operation`.
    pub only: &'static str,
}

impl Plan {
    pub fn new(quick: bool, only: &'static str) -> Self {
        let (rounds, slice) = if quick { (7, 6) } else { (31, 14) };
        Self { rounds, slice: Duration::from_millis(slice), only }
    }

    /// Whether any of these operations is to be measured.
    pub fn wants(self, group: &str, config: &str, ops: &[Op]) -> bool {
        ops.iter().any(|op| format!("{group}, {config}, {}", op.name()).contains(self.only))
    }

    /// Fewer rounds, longer ones: for what is slow now and then by itself, as a log that is taken up into its file.
    pub fn longer(self) -> Self {
        Self { rounds: self.rounds.div_ceil(2), slice: self.slice * 4, ..self }
    }
}

/// How a configuration is called.
pub fn config(flavour: &str, lanes: usize) -> String {
    let lane = if flavour == "async" { "task" } else { "thread" };
    format!("{flavour}, {lanes} {lane}{}", if lanes == 1 { "" } else { "s" })
}

/// What one subject took for one operation.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Row {
    pub group: String,
    /// The flavour and how many at once, as `blocking, 2 threads`.
    pub config: String,
    pub op: String,
    pub subject: String,
    /// The median; of a time, that of one operation (of a batch, for those of 100): the inverse of all lanes' throughput.
    pub median: f64,
    /// Of what: `ns`, `bytes`, `allocations`.
    pub unit: String,
    /// The median of the subject by the median of the floor.
    pub ratio: f64,
    /// The quartiles of the ratios of single rounds.
    pub spread: (f64, f64),
}

/// Measures an operation of all subjects that have it; the first is the floor.
pub fn compare(group: &str, config: &str, op: Op, subjects: &[Box<dyn Subject>], plan: Plan) -> Vec<Row> {
    if !plan.wants(group, config, &[op]) {
        return Vec::new();
    }
    let subjects: Vec<&dyn Subject> = subjects.iter().map(AsRef::as_ref).filter(|subject| subject.has(op)).collect();
    let counts: Vec<usize> = subjects.iter().map(|subject| calibrate(*subject, op, plan.slice)).collect();
    let mut times = vec![Vec::with_capacity(plan.rounds); subjects.len()];
    for round in 0..plan.rounds {
        for turn in 0..subjects.len() {
            let which = (round + turn) % subjects.len();
            times[which].push(subjects[which].run(op, round * 7919, counts[which]));
        }
    }
    let floor = median(times[0].clone());
    let row = |(subject, own): (&&dyn Subject, &Vec<f64>)| {
        let mut ratios: Vec<f64> = own.iter().zip(&times[0]).map(|(own, floor)| own / floor).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part).round() as usize];
        let own_median = median(own.clone());
        Row {
            group: group.to_owned(),
            config: config.to_owned(),
            op: op.name().to_owned(),
            subject: subject.name().to_owned(),
            median: own_median,
            unit: "ns".to_owned(),
            ratio: own_median / floor,
            spread: (at(0.25), at(0.75)),
        }
    };
    let rows: Vec<Row> = subjects.iter().zip(&times).map(row).collect();
    for row in &rows {
        eprintln!("{group:8} {config:22} {:14} {:28} {:12.1} ns  x {:.2}", row.op, row.subject, row.median, row.ratio);
    }
    rows
}

/// How many operations fill a slice; warms up meanwhile.
fn calibrate(subject: &dyn Subject, op: Op, slice: Duration) -> usize {
    let mut count = 1;
    loop {
        let start = Instant::now();
        subject.run(op, count, count);
        let took = start.elapsed().max(Duration::from_nanos(1));
        let wanted = (count as f64 * slice.as_secs_f64() / took.as_secs_f64()).ceil() as usize;
        if took >= slice / 3 || count >= 1 << 24 {
            return wanted.clamp(1, 1 << 24);
        }
        count = wanted.clamp(count + 1, count * 8);
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

//! Counters that many threads add to, and a histogram of fixed size.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{CollectionStatistics, Latency, Operation, OperationStatistics, Tally};

/// The counters of one collection. Those of an operation are made when it is first used.
#[derive(Debug, Default)]
pub(super) struct Counters([OnceLock<Box<OperationCounters>>; Operation::ALL.len()]);

#[derive(Debug, Default)]
struct OperationCounters {
    calls: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
    deletes: AtomicU64,
    errors: AtomicU64,
    histogram: Histogram,
}

impl Counters {
    #[inline]
    pub(super) fn add(&self, operation: Operation, tally: Tally, took: Duration) {
        self.0[operation as usize].get_or_init(Box::default).add(tally, took);
    }

    pub(super) fn snapshot(&self) -> CollectionStatistics {
        let known = |operation: &Operation| Some((*operation, self.0[*operation as usize].get()?.snapshot()));
        CollectionStatistics { operations: Operation::ALL.iter().filter_map(known).collect() }
    }
}

impl OperationCounters {
    fn add(&self, tally: Tally, took: Duration) {
        let counts = [
            (&self.calls, tally.calls),
            (&self.hits, tally.hits),
            (&self.misses, tally.misses),
            (&self.writes, tally.writes),
            (&self.deletes, tally.deletes),
            (&self.errors, tally.errors),
        ];
        for (counter, more) in counts {
            // Most are zero, and an atomic addition is the dearest thing here.
            if more != 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
        self.histogram.add(took);
    }

    fn snapshot(&self) -> OperationStatistics {
        let tally = Tally {
            calls: self.calls.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            deletes: self.deletes.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        };
        OperationStatistics { tally, latency: self.histogram.snapshot() }
    }
}

/// Each doubling of the time has so many buckets.
const STEPS: usize = 4;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Times of 2^37 ns (137 s) and more share the last bucket.
const DOUBLINGS: usize = 37;
const BUCKETS: usize = STEPS * (DOUBLINGS + 1 - STEP_BITS as usize);

/// How long calls took: nanoseconds in buckets whose widths are a quarter of the power of two that they begin at.
#[derive(Debug)]
pub(super) struct Histogram {
    total_nanos: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { total_nanos: AtomicU64::new(0), buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl Histogram {
    #[inline]
    pub(super) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.total_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.buckets[bucket_of(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Latency {
        let buckets: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let count: u64 = buckets.iter().sum();
        let total = self.total_nanos.load(Ordering::Relaxed);
        Latency {
            count,
            total: Duration::from_nanos(total),
            mean: Duration::from_nanos(total.checked_div(count).unwrap_or(0)),
            p50: percentile(&buckets, count, 50),
            p99: percentile(&buckets, count, 99),
        }
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let doubling = nanos.ilog2();
    let step = (nanos >> (doubling - STEP_BITS)) as usize - STEPS;
    (STEPS * (doubling + 1 - STEP_BITS) as usize + step).min(BUCKETS - 1)
}

/// The longest time that is counted in this bucket.
fn end_of(bucket: usize) -> Duration {
    let nanos = if bucket < STEPS {
        bucket as u64
    } else {
        let (doubling, step) = (bucket / STEPS - 1, bucket % STEPS);
        (((STEPS + step + 1) as u64) << doubling) - 1
    };
    Duration::from_nanos(nanos)
}

/// The end of the bucket in which the call stands that `percent` of all calls, rounded up, do not exceed.
fn percentile(buckets: &[u64], count: u64, percent: u128) -> Duration {
    let rank = (u128::from(count) * percent).div_ceil(100);
    let mut seen = 0;
    let reached = |&bucket: &u64| {
        seen += u128::from(bucket);
        seen >= rank
    };
    if rank == 0 { Duration::ZERO } else { buckets.iter().position(reached).map_or(Duration::ZERO, end_of) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_one_bucket_that_is_at_most_a_quarter_wide() {
        let mut last = 0;
        for nanos in (0..100_000).chain((17..37).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let bucket = bucket_of(nanos);
            assert!(bucket >= last, "{nanos}");
            last = bucket;
            let end = end_of(bucket).as_nanos();
            assert!(end >= u128::from(nanos) && end * 4 <= u128::from(nanos) * 5, "{nanos} told as {end}");
            assert_eq!(bucket_of(end as u64), bucket);
            assert_eq!(bucket_of(end as u64 + 1), (bucket + 1).min(BUCKETS - 1));
        }
        assert_eq!(bucket_of((1 << 37) - 1), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(end_of(BUCKETS - 1).as_secs(), 137);
    }

    #[test]
    fn percentiles_are_those_of_the_calls() {
        let histogram = Histogram::default();
        assert_eq!(histogram.snapshot(), Latency::default());
        for micros in 1..=1000 {
            histogram.add(Duration::from_micros(micros));
        }
        let latency = histogram.snapshot();
        assert_eq!(
            (latency.count, latency.total, latency.mean.as_nanos()),
            (1000, Duration::from_micros(500_500), 500_500)
        );
        let near = |told: Duration, truth: u64| (truth * 1000..=truth * 1250).contains(&(told.as_nanos() as u64));
        assert!(near(latency.p50, 500) && near(latency.p99, 990), "{latency:?}");

        let one = Histogram::default();
        one.add(Duration::ZERO);
        assert_eq!((one.snapshot().count, one.snapshot().p99), (1, Duration::ZERO));
        one.add(Duration::MAX);
        assert_eq!(one.snapshot().p99.as_secs(), 137);
    }
}

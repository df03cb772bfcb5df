use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString};
use parking_lot::Mutex;

use super::*;
use crate::kv::Kv;
use crate::stores::MemoryStore;
use crate::wrappers::Statistics;

/// Keeps what it is told, by name and labels.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Kept {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::clone(self.0.lock().entry(format!("{} {}", key.name(), labels.join(" "))).or_default())
    }

    fn read(&self, text: &str) -> u64 {
        self.0.lock().get(text).map_or(0, |number| number.load(Ordering::Relaxed))
    }
}

/// Counts recordings.
struct Recordings(Arc<AtomicU64>);

impl HistogramFn for Recordings {
    fn record(&self, _value: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Recordings(self.of(key))))
    }
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_is_counted_is_exported_and_labels_are_bounded() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let kv = Kv::new(Statistics::new(MemoryStore::new()).with_max_collections(1).with_metrics());
    let users = kv.collection("users");
    users.put("a", &1).await.unwrap();
    users.get_many::<u8>(&["a", "b"]).await.unwrap();
    users.delete("a").await.unwrap();
    let error = users.put("", &1).await.unwrap_err();
    assert_eq!(error.kind(), kv_core::ErrorKind::InvalidKey);
    for number in 0..3 {
        kv.collection(format!("other {number}")).put("k", &1).await.unwrap();
    }
    kv.ping().await.unwrap();
    assert_eq!(kept.read("kv_calls_total operation=put collection=users"), 2);
    assert_eq!(kept.read("kv_writes_total operation=put collection=users"), 1);
    assert_eq!(kept.read("kv_errors_total operation=put collection=users"), 1);
    assert_eq!(kept.read("kv_hits_total operation=get_many collection=users"), 1);
    assert_eq!(kept.read("kv_misses_total operation=get_many collection=users"), 1);
    assert_eq!(kept.read("kv_call_duration_seconds operation=get_many collection=users"), 1);
    assert_eq!(kept.read("kv_deletes_total operation=delete collection=users"), 1);
    assert_eq!(kept.read("kv_writes_total operation=put collection="), 3);
    assert_eq!(kept.read("kv_calls_total operation=ping collection="), 1);
    let names = kept.0.lock().keys().filter(|name| name.contains("other")).count();
    assert_eq!(names, 0);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn nothing_is_exported_unless_asked_for() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let kv = Kv::new(Statistics::new(MemoryStore::new()));
    kv.put("a", &1).await.unwrap();
    assert!(kept.0.lock().is_empty());
}

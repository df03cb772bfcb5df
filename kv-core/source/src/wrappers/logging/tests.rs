use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kv_core::{GetOptions, ListOptions, Name};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::super::testing::{Damaged, stopped};
use super::*;
use crate::kv::Kv;

type Fields = BTreeMap<&'static str, String>;

/// Keeps what it is told.
#[derive(Clone)]
struct Told {
    most: Level,
    events: Arc<Mutex<Vec<(Level, Fields)>>>,
    spans: Arc<Mutex<Vec<Fields>>>,
}

impl Told {
    fn at(most: Level) -> Self {
        Self { most, events: Arc::default(), spans: Arc::default() }
    }

    fn take(&self) -> Vec<(Level, Fields)> {
        std::mem::take(&mut *self.events.lock())
    }
}

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Reader(&mut fields));
        let mut spans = self.spans.lock();
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        self.events.lock().push((*event.metadata().level(), fields));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn every_operation_is_told_of_without_names_and_values() {
    let told = Told::at(Level::TRACE);
    let _guard = tracing::subscriber::set_default(told.clone());
    let kv = Kv::new(Logging::new(stopped().0)).collection("users");
    kv.put("secret-key", "secret-value").await.unwrap();
    kv.get_many::<String>(&["secret-key", "no"]).await.unwrap();
    kv.delete("secret-key").await.unwrap();
    let events = told.take();
    let read = |at: usize, field: &str| events[at].1.get(field).map(String::as_str);
    assert_eq!(read(0, "operation"), Some("\"put\""));
    assert_eq!((read(0, "collection"), read(0, "keys"), read(0, "writes")), (Some("\"users\""), Some("1"), Some("1")));
    assert_eq!(read(1, "operation"), Some("\"get_many\""));
    assert_eq!((read(1, "keys"), read(1, "hits"), read(1, "misses")), (Some("2"), Some("1"), Some("1")));
    assert_eq!((read(2, "deletes"), read(2, "errors"), read(2, "error_kind")), (Some("1"), Some("0"), None));
    assert!(read(0, "elapsed_us").is_some_and(|micros| micros.parse::<u64>().is_ok()));
    assert!(events.iter().all(|(level, _)| *level == Level::DEBUG));
    assert!(!format!("{events:?}").contains("secret"));
    let spans = told.spans.lock();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0].get("operation").map(String::as_str), Some("\"put\""));
    assert!(!format!("{spans:?}").contains("secret"));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn names_and_values_are_told_only_when_asked_for() {
    let told = Told::at(Level::TRACE);
    let _guard = tracing::subscriber::set_default(told.clone());
    let store = Arc::new(stopped().0);
    let kv = Kv::new(Logging::new(Arc::clone(&store)).with_keys());
    kv.put("a-key", "a-value").await.unwrap();
    let shown = format!("{:?}", told.take());
    assert!(shown.contains("a-key") && !shown.contains("a-value"), "{shown}");

    let kv = Kv::new(Logging::new(store).with_values_logged());
    kv.put("a-key", "sent-1").await.unwrap();
    kv.get::<String>("a-key").await.unwrap();
    kv.get_and_put("a-key", &"sent-2".to_owned()).await.unwrap();
    kv.get_many::<String>(&["a-key"]).await.unwrap();
    kv.entries(&ListOptions::default()).await.unwrap();
    let events = told.take();
    let read = |at: usize, field: &str| events[at].1.get(field).map_or("", String::as_str);
    assert!(read(0, "values").contains("sent-1"));
    assert!(read(1, "answered").contains("sent-1") && read(1, "values").is_empty());
    assert!(read(2, "values").contains("sent-2") && read(2, "answered").contains("sent-1"));
    assert!(read(3, "answered").contains("sent-2") && read(4, "answered").contains("sent-2"));
    assert!(!format!("{events:?}").contains("a-key"));
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn errors_have_their_kind_and_their_level() {
    let told = Told::at(Level::TRACE);
    let _guard = tracing::subscriber::set_default(told.clone());
    let store = Logging::new(Damaged { collection: "c", keys: &[] }).with_levels(Level::INFO, Level::ERROR);
    let error = store.get(Name::new("c", "k"), &GetOptions::default()).await.unwrap_err();
    assert_eq!(error.store(), Some("Damaged"), "passed on as it is");
    let answers = store.get_many("c", &["k"], &GetOptions::default()).await.unwrap();
    assert!(answers[0].is_err());
    store.setup().await.unwrap();
    let events = told.take();
    let levels: Vec<Level> = events.iter().map(|event| event.0).collect();
    assert_eq!(levels, [Level::ERROR, Level::ERROR, Level::INFO]);
    assert_eq!(events[0].1.get("error_kind").map(String::as_str), Some("\"Corrupted\""));
    assert_eq!(events[0].1.get("outcome_unknown").map(String::as_str), Some("false"));
    assert_eq!(events[1].1.get("errors").map(String::as_str), Some("1"));
    assert_eq!(events[2].1.get("collection"), None);
}

#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
async fn what_nobody_wants_is_not_told() {
    let told = Told::at(Level::WARN);
    let _guard = tracing::subscriber::set_default(told.clone());
    let kv = Kv::new(Logging::new(stopped().0));
    kv.put("k", &1).await.unwrap();
    assert!(told.take().is_empty());
    let error = kv.put("", &1).await.unwrap_err();
    assert_eq!(error.kind(), kv_core::ErrorKind::InvalidKey);
    assert_eq!(told.take().len(), 1);
}

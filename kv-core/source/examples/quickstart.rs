//! The main job, on nothing but a Rust toolchain: a JSON-lines file goes into a store on disk and comes back in every way
//! there is.
//!
//! ```text
//! cargo run --example quickstart [FILE.jsonl [STORE.db]]
//! ```
//!
//! Without arguments it takes a week of earthquakes, shipped with the sources. Of another file every line must be a JSON
//! object; its `id` field, or else its line number, becomes the key.
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use kv_source::stores::DiskStore;
use kv_source::{Clock, KeyFilter, Kv, ListOptions, ManualClock, PutOptions, SystemClock, TimeLeft};

/// One line of the file. What is typed is checked on the way out; the rest is carried along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    magnitude: Option<f64>,
    #[serde(default)]
    place: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

#[cfg_attr(not(feature = "is_sync"), tokio::main(flavor = "current_thread"))]
#[maybe_async::maybe_async]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/earthquakes.jsonl");
    let input = arguments.next().unwrap_or(shipped);
    let path = arguments.next().unwrap_or_else(|| std::env::temp_dir().join("kv-quickstart.db"));
    let events = read(&input)?;

    // The clock can be set, so that the example need not wait for an hour to pass.
    let clock = ManualClock::new(SystemClock.now());
    let open = || Kv::new(DiskStore::open(&path).with_clock(clock.clone()));

    let kv = open();
    let run = kv.increment("runs", 1).await?;
    heading(&format!("Run {run} on {}", path.display()));
    kv.collection("events").clear().await?;
    kv.collection("alerts").clear().await?;

    store(&kv, &events, &input).await?;
    read_back(&kv, &events).await?;
    list(&kv).await?;
    change(&kv, &events).await?;
    expire(&kv, &clock).await?;

    let before = kv.collection("events").count(&KeyFilter::all()).await?;
    kv.close().await?;
    let kv = open();
    let after = kv.collection("events").count(&KeyFilter::all()).await?;
    heading("After closing the file and opening it again");
    say("events", &format!("{after}, and there were {before}"));
    let runs: u64 = kv.get("runs").await?.unwrap_or_default();
    say("runs", &format!("{runs}; run this again and it goes up"));
    Ok(())
}

fn read(input: &Path) -> Result<Vec<(String, Event)>, Box<dyn Error>> {
    let text = fs::read_to_string(input).map_err(|error| format!("cannot read {}: {error}", input.display()))?;
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let event: Event = serde_json::from_str(line).map_err(|error| {
            format!("{}:{number}: not an object with the fields expected: {error}", input.display())
        })?;
        events.push((event.id.clone().unwrap_or_else(|| format!("line:{number:06}")), event));
    }
    Ok(events)
}

#[maybe_async::maybe_async]
async fn store(kv: &Kv, events: &[(String, Event)], input: &Path) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    for batch in events.chunks(100) {
        for written in kv.collection("events").put_many(batch, &PutOptions::ttl(WEEK)).await? {
            written?;
        }
    }
    let took = started.elapsed();

    // What is strong is an alert too, for an hour.
    let strong: Vec<_> = events.iter().filter(|(_, event)| event.magnitude.is_some_and(|size| size >= 5.5)).collect();
    for (key, event) in &strong {
        kv.collection("alerts").put_with(key, event, &PutOptions::ttl(HOUR)).await?;
    }

    let name = input.file_name().unwrap_or_default().to_string_lossy();
    heading(&format!("Stored {name}"));
    say("events", &format!("{} for a week, in batches of 100, in {took:.1?}", events.len()));
    say("alerts", &format!("{} for an hour (magnitude 5.5 and more)", strong.len()));
    Ok(())
}

#[maybe_async::maybe_async]
async fn read_back(kv: &Kv, events: &[(String, Event)]) -> Result<(), Box<dyn Error>> {
    heading("Read back, typed");
    let keys: Vec<&String> = events.iter().map(|(key, _)| key).collect();
    let found = kv.collection("events").get_many::<Event>(&keys).await?;
    // Of lines with one key the last was stored.
    let last: BTreeMap<_, _> = events.iter().map(|(key, event)| (key, event)).collect();
    let mut same = 0;
    for (key, event) in keys.iter().zip(found) {
        same += usize::from(event?.as_ref() == last.get(key).copied());
    }
    say("get_many", &format!("{same} of {} equal what was written", events.len()));
    if let Some(entry) = kv.collection("events").get_entry(keys.first().map_or("", |key| key)).await? {
        let event: Event = entry.decode()?;
        let place = event.place.unwrap_or_else(|| "(no place)".to_owned());
        say("get", &format!("{place}, revision {}", entry.revision()));
    }
    Ok(())
}

#[maybe_async::maybe_async]
async fn list(kv: &Kv) -> Result<(), Box<dyn Error>> {
    let events = kv.collection("events");
    heading("Listed page by page, 20 to a page");
    for prefix in ["ak", "ci", "us", "line:"] {
        let (mut count, mut sizes) = (0, Vec::new());
        let mut pages = events.key_pages(ListOptions::starting_with(prefix).with_limit(20));
        while let Some(page) = pages.next_page().await? {
            count += page.len();
            sizes.push(page.len().to_string());
        }
        if count > 0 {
            say(&format!("{prefix}..."), &format!("{count} keys on pages of {}", sizes.join(" + ")));
        }
    }
    let count = events.count(&KeyFilter::all()).await?;
    say("count", &format!("{count} events"));
    let collections = kv.all_collections().await?;
    say("collections", &collections.join(", "));
    Ok(())
}

#[maybe_async::maybe_async]
async fn change(kv: &Kv, events: &[(String, Event)]) -> Result<(), Box<dyn Error>> {
    heading("Changed in one step each");
    let Some((key, _)) = events.last() else { return Ok(()) };
    kv.collection("views").delete(key).await?;
    kv.collection("views").increment(key, 1).await?;
    let views = kv.collection("views").increment(key, 2).await?;
    say("increment", &format!("{key} was viewed {views} times"));
    let taken: Option<Event> = kv.collection("events").take(key).await?;
    let again: Option<Event> = kv.collection("events").take(key).await?;
    say("take", &format!("the first taker gets {key}: {}, the second: {}", taken.is_some(), again.is_some()));
    Ok(())
}

#[maybe_async::maybe_async]
async fn expire(kv: &Kv, clock: &ManualClock) -> Result<(), Box<dyn Error>> {
    heading("Expired");
    let alerts = kv.collection("alerts");
    alerts.put_with("test", "a test alert", &PutOptions::ttl(HOUR)).await?;
    for (when, passes) in [("now", 0), ("in 59 minutes", 59), ("in 60 minutes", 1)] {
        clock.advance(Duration::from_secs(passes * 60));
        let count = alerts.count(&KeyFilter::all()).await?;
        let test = left(alerts.ttl("test").await?);
        say(when, &format!("{count} alerts; {test}"));
    }
    let freed = kv.cull().await?;
    say("cull", &format!("{freed} expired entries freed"));
    Ok(())
}

fn left(time: Option<TimeLeft>) -> String {
    match time {
        None => "the test alert is gone".to_owned(),
        Some(TimeLeft::Forever) => "the test alert stays".to_owned(),
        Some(TimeLeft::For(time)) => format!("the test alert has {} s left", time.as_secs()),
    }
}

fn heading(text: &str) {
    println!("\n{text}");
}

fn say(what: &str, text: &str) {
    println!("  {what:<14} {text}");
}

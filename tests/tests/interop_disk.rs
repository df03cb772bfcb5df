//! `DiskStore::diskcache` against the released Python package, in one directory.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::{ErrorKind, KeyFilter, Name, PutOptions, Value, ValueRef};
use kv_sync::Kv;
use kv_sync::stores::DiskStore;
use kv_tests::need;
use kv_tests::python::{Python, Session};
use serde_json::json;

struct Both {
    parent: tempfile::TempDir,
    python: Python,
    session: Session,
}

impl Both {
    fn new() -> Option<Self> {
        let python = need(Python::find())?;
        let session = python.session().unwrap();
        Some(Self { parent: tempfile::tempdir().unwrap(), python, session })
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("cache")
    }

    fn kv(&self) -> Kv {
        Kv::new(DiskStore::diskcache(self.dir()))
    }

    fn command(&self, op: &str, mut more: serde_json::Value) -> serde_json::Value {
        more["store"] = json!("disk");
        more["directory"] = json!(self.dir().to_str().unwrap());
        more["op"] = json!(op);
        more
    }

    /// What Python's store answers.
    fn call(&mut self, op: &str, more: serde_json::Value) -> serde_json::Value {
        let command = self.command(op, more);
        self.session.call(&command).unwrap()
    }

    fn put(&mut self, name: Name<'_>, value: &str) {
        self.call("put", json!({"collection": name.collection, "key": name.key, "value_text": value}));
    }

    /// The value that Python finds, as it writes it.
    fn get(&mut self, name: Name<'_>) -> Option<String> {
        let answer = self.call("get", json!({"collection": name.collection, "key": name.key}));
        answer["value_text"].as_str().map(str::to_owned)
    }

    /// Runs a little Python, in which `dir` is the directory, and answers what it printed.
    fn run(&self, code: &str) -> String {
        run(&self.python, &self.dir(), code)
    }

    /// diskcache's own opinion of its directory.
    fn check(&self) {
        let said = self.run("from diskcache import Cache\nprint([str(w.message) for w in Cache(dir).check()])");
        assert_eq!(said.trim(), "[]");
    }

    /// A number that SQL gives.
    fn number(&self, query: &str) -> i64 {
        let code = "import sqlite3\nprint(sqlite3.connect(dir + '/cache.db').execute(QUERY).fetchone()[0])";
        self.run(&code.replace("QUERY", &format!("{query:?}"))).trim().parse().unwrap()
    }

    /// The files of long values.
    fn files(&self) -> usize {
        let code = "import glob\nprint(len(glob.glob(dir + '/*/*/*.val')))";
        self.run(code).trim().parse().unwrap()
    }
}

fn run(python: &Python, dir: &Path, code: &str) -> String {
    let code = format!("import sys, warnings\nwarnings.simplefilter('ignore')\ndir = sys.argv[1]\n{code}");
    let output = Command::new(python.program()).args(["-c", &code]).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Values as we write them, and as Python does.
fn values() -> Vec<(String, String)> {
    let same = [
        "{}",
        r#"{"": {"": null}}"#,
        r#"{"a": [1, 1.0, -0.0, 0.1, 1e+22, 5e-324, 1.7976931348623157e+308, true, false, null]}"#,
        r#"{"big": 1000000000000000000000000000000, "less": -1000000000000000000000000000001}"#,
        r#"{"nested": [[], [null], {"x": [{"y": {}}]}]}"#,
        r#"{"quotes": "\"\\/\b\f\n\r\t\u0000\u001f"}"#,
        r#"{"value": {"value": 1}, "version": 2, "key": "x"}"#,
    ];
    let mut values: Vec<_> = same.iter().map(|text| ((*text).to_owned(), sorted(text))).collect();
    values.push((
        "{\"é\":\"\u{1f600}\u{7f}\u{2028}\"}".to_owned(),
        r#"{"\u00e9": "\ud83d\ude00\u007f\u2028"}"#.to_owned(),
    ));
    values
}

/// Only the last of them has keys out of order.
fn sorted(text: &str) -> String {
    text.replace(
        r#"{"value": {"value": 1}, "version": 2, "key": "x"}"#,
        r#"{"key": "x", "value": {"value": 1}, "version": 2}"#,
    )
}

#[test]
fn python_reads_what_we_wrote() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    for (at, (ours, python)) in values().iter().enumerate() {
        let key = format!("k{at} é::x");
        let value = Value::from_json(ours.clone()).unwrap();
        let outcome = kv.collection("c").put_value(&key, value.as_ref(), &PutOptions::default()).unwrap();
        assert!(outcome.is_written());
        assert_eq!(both.get(Name::new("c", &key)).as_deref(), Some(&**python));
        assert_eq!(both.call("delete", json!({"collection": "c", "key": key}))["deleted"], true);
        assert!(!kv.collection("c").exists(&key).unwrap());
    }
    // In the default collection, which is the same.
    kv.put("plain", &json!({"a": 1})).unwrap();
    assert_eq!(both.call("get", json!({"key": "plain"}))["value_text"], r#"{"a": 1}"#);
    both.check();
}

#[test]
fn we_read_what_python_wrote() {
    let Some(mut both) = Both::new() else { return };
    for (at, (ours, python)) in values().iter().enumerate() {
        let key = format!("k{at}");
        both.put(Name::new("c::", &key), python);
        let entry = both.kv().collection("c::").get_entry(&key).unwrap().unwrap();
        assert!(entry.value().means(ValueRef::Json(ours.as_bytes())), "{ours} {:?}", entry.as_json());
        assert!(entry.created().is_some());
        assert_eq!(entry.expires(), None);
    }
    let floats = [0.1, -0.0, 1e22, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1e16, 123_456_789.123_456_79];
    let text = serde_json::to_string(&json!({"floats": floats})).unwrap();
    both.put(Name::new("c", "floats"), &text);
    let found: serde_json::Value = both.kv().collection("c").get("floats").unwrap().unwrap();
    let bits = |value: &serde_json::Value| value.as_f64().unwrap().to_bits();
    let found: Vec<_> = found["floats"].as_array().unwrap().iter().map(bits).collect();
    assert_eq!(found, floats.map(f64::to_bits));
}

/// Python writes what is no JSON; that is neither a miss nor a panic.
#[test]
fn a_nan_of_python_s_is_an_error_with_a_name() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    let c = kv.collection("c");
    for key in ["nan", "infinity"] {
        let value = if key == "nan" { "NaN" } else { "[-Infinity]" };
        both.put(Name::new("c", key), &format!(r#"{{"x": {value}}}"#));
        let error = c.get::<serde_json::Value>(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert_eq!((error.collection(), error.key()), (Some("c"), Some(key)));
        assert!(error.message().contains(if key == "nan" { "NaN" } else { "Infinity" }), "{error}");
    }
    assert_eq!(c.all_keys(&KeyFilter::all()).unwrap(), ["infinity", "nan"]);
    c.put("nan", &json!({"x": 1})).unwrap();
    assert_eq!(both.get(Name::new("c", "nan")).as_deref(), Some(r#"{"x": 1}"#));
    assert!(c.delete("infinity").unwrap());
    assert_eq!(both.get(Name::new("c", "infinity")), None);
    both.check();
}

#[test]
fn entries_end_at_the_same_instant_for_both() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    let written = kv.put_with("ours", &json!({}), &PutOptions::ttl(100.0)).unwrap().written().unwrap();
    let expires = written.expires().unwrap();
    // Python's instant, in microseconds, is what it makes of the row.
    let code = "import asyncio\nfrom key_value.aio.stores.disk import DiskStore\n\
        async def main():\n  store = DiskStore(directory=dir)\n  await store.setup()\n  \
        entry = await store._get_managed_entry(key='ours', collection='default_collection')\n  \
        print(entry.expires_at.isoformat())\nasyncio.run(main())";
    assert_eq!(both.run(code).trim(), expires.to_string());
    let (end, before) = (expires.as_micros() as f64 / 1e6, now());
    let left = both.call("ttl", json!({"key": "ours"}))["ttl"].as_f64().unwrap();
    assert!((end - now() - 1e-3..=end - before + 1e-3).contains(&left), "{left}");

    let before = now();
    both.call("put", json!({"key": "theirs", "value_text": "{}", "ttl": 50.5}));
    let after = now();
    let entry = kv.get_entry("theirs").unwrap().unwrap();
    let end = entry.expires().unwrap().as_micros() as f64 / 1e6;
    assert!((before + 50.5 - 1e-5..=after + 50.5 + 1e-5).contains(&end));
    // The document's instant, and not that of the row, which Python reckons a little later; unless that was long.
    let lag = entry.expires().unwrap().as_micros() - entry.created().unwrap().as_micros() - 50_500_000;
    assert!(lag == 0 || lag > 1000, "{lag}");

    // Short ones are there to their end, and no longer, whoever asks.
    both.call("put", json!({"key": "short", "value_text": "{}", "ttl": 0.4}));
    let outcome = kv.put_with("ours", &json!({}), &PutOptions::ttl(0.4)).unwrap();
    let ends = outcome.written().unwrap().expires().unwrap().as_micros() as f64 / 1e6;
    let there = both.get(Name::new("default_collection", "ours"));
    assert!(there.is_some() || now() >= ends);
    std::thread::sleep(Duration::from_secs_f64((ends - now()).max(0.0) + 0.002));
    for key in ["ours", "short"] {
        assert_eq!(both.get(Name::new("default_collection", key)), None);
        assert!(!kv.exists(key).unwrap());
    }
    assert_eq!(kv.all_keys(&KeyFilter::all()).unwrap(), ["theirs"]);
}

#[test]
fn each_side_frees_what_the_other_let_expire() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    let long = json!({"text": "x".repeat(40_000)});
    let items: Vec<_> = (0..15).map(|number| (format!("k{number}"), long.clone())).collect();
    kv.put_many(&items, &PutOptions::ttl(0.05)).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(both.run("from diskcache import Cache\nprint(Cache(dir).expire())").trim(), "15");
    assert_eq!((both.number("SELECT count(*) FROM Cache"), both.files()), (0, 0));
    both.check();

    let keys: Vec<_> = (0..15).map(|number| format!("k{number}")).collect();
    both.call("put_many", json!({"keys": keys, "values_text": vec![long.to_string(); 15], "ttl": 1.5}));
    assert_eq!(kv.count(&KeyFilter::all()).unwrap(), 15);
    std::thread::sleep(Duration::from_millis(1600));
    kv.put("one", &json!({})).unwrap();
    assert_eq!(both.number("SELECT count(*) FROM Cache"), 15 + 1 - 10);
    assert_eq!(kv.cull().unwrap(), 5);
    assert_eq!(both.files(), 0);
    both.check();
}

#[test]
fn names_are_shared_as_far_as_python_can_tell_them() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    // Both mean the same row to Python.
    let (odd, plain) = (Name::new("a::b", "k"), Name::new("a", "b::k"));
    both.put(odd, r#"{"of": "a::b"}"#);
    assert_eq!(kv.collection(odd.collection).get(odd.key).unwrap(), Some(json!({"of": "a::b"})));
    assert_eq!(kv.collection(plain.collection).get::<serde_json::Value>(plain.key).unwrap(), None);
    kv.collection(plain.collection).put(plain.key, &json!({"of": "a"})).unwrap();
    assert_eq!(both.get(plain).as_deref(), Some(r#"{"of": "a"}"#));
    assert_eq!(kv.collection(odd.collection).get(odd.key).unwrap(), Some(json!({"of": "a::b"})), "it is not lost");
    assert_eq!(kv.all_collections().unwrap(), ["a", "a::b"]);

    for (at, name) in [Name::new("a:", ":k"), Name::new("%a", "k"), Name::new("é", "\u{1f600}"), Name::new("..", "/")]
        .into_iter()
        .enumerate()
    {
        let value = json!({ "n": at });
        both.put(name, &value.to_string());
        let collection = kv.collection(name.collection);
        assert_eq!(collection.get(name.key).unwrap(), Some(value));
        assert_eq!(collection.all_keys(&KeyFilter::all()).unwrap(), [name.key]);
        assert_eq!(collection.increment("other", 1).unwrap(), 1);
        assert_eq!(collection.clear().unwrap(), 2);
        assert_eq!(both.get(name), None);
    }
    both.check();
}

#[test]
fn long_values_are_in_files_for_both() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    let name = Name::new("default_collection", "a");
    let long = json!({"text": "é\u{1f600}".repeat(20_000)});
    let written = format!(r#"{{"text": "{}"}}"#, r"\u00e9\ud83d\ude00".repeat(20_000));
    kv.put("a", &long).unwrap();
    assert_eq!(both.get(name).as_deref(), Some(&*written));
    assert_eq!(both.files(), 1);
    both.check();
    both.put(name, &written);
    assert_eq!(kv.get("a").unwrap(), Some(long.clone()));
    both.check();
    kv.put("a", &json!({})).unwrap();
    assert_eq!((both.files(), both.number("SELECT value FROM Settings WHERE key = 'size'")), (0, 0));
    kv.put("a", &long).unwrap();
    both.put(name, "{}");
    assert_eq!(both.files(), 0);
    assert_eq!(kv.get("a").unwrap(), Some(json!({})));
    // 32,767 characters and one more: on the one side in the row, on the other in a file.
    let document = |length: usize| {
        kv.put("a", &json!({"text": "é".repeat(length)})).unwrap();
        both.number("SELECT mode FROM Cache")
    };
    let overhead = usize::try_from({
        document(0);
        both.number("SELECT length(value) FROM Cache")
    });
    let overhead = overhead.unwrap();
    assert_eq!((document(32_767 - overhead), document(32_768 - overhead)), (1, 3));
    both.check();
    kv.put_bytes("bytes", &[0; 50_000]).unwrap();
    kv.put_bytes("short", b"\xff").unwrap();
    assert_eq!(both.get(Name::new("default_collection", "bytes")), None, "Python has no word for it");
    assert_eq!(both.get(Name::new("default_collection", "short")), None);
    both.check();
    assert_eq!(kv.destroy().unwrap(), 3);
    assert_eq!(both.files(), 0);
    both.check();
}

/// Only the text of statements may differ, in spaces and quotes.
#[test]
fn a_fresh_directory_is_python_s_to_the_last_setting() {
    let Some(both) = Both::new() else { return };
    let code = "import re, sqlite3\ncon = sqlite3.connect(dir + '/cache.db')\n\
        plain = lambda text: re.sub(r'\\s+', '', text or '').replace('\"', \"'\")\n\
        for row in con.execute('SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name'):\n  \
        print(*row[:3], plain(row[3]))\n\
        for row in con.execute('SELECT key, value, typeof(value) FROM Settings ORDER BY key'): print(*row)\n\
        for pragma in 'auto_vacuum', 'encoding', 'journal_mode', 'page_size', 'user_version', 'application_id':\n  \
        print(pragma, con.execute('PRAGMA ' + pragma).fetchone()[0])";
    let theirs = both.parent.path().join("theirs");
    run(
        &both.python,
        &theirs,
        "from key_value.aio.stores.disk import DiskStore\nDiskStore(directory=dir)._cache.close()",
    );
    both.kv().setup().unwrap();
    let ours = both.run(code);
    assert_eq!(ours, run(&both.python, &theirs, code));
    assert!(ours.lines().count() > 30, "{ours}");
    // And it stays so when Python opens it.
    both.run("from key_value.aio.stores.disk import DiskStore\nDiskStore(directory=dir)._cache.close()");
    assert_eq!(both.run(code), ours);
    both.check();
}

#[test]
fn both_write_at_the_same_time() {
    const EACH: usize = 300;
    let Some(mut both) = Both::new() else { return };
    let (kv, stop) = (both.kv(), AtomicBool::new(false));
    kv.setup().unwrap();
    let long = json!({"text": "x".repeat(40_000)});
    let counted = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (kv, stop, long) = (kv.clone(), &stop, &long);
                scope.spawn(move || {
                    let mut counted = 0;
                    while !stop.load(Ordering::Relaxed) {
                        counted += 1;
                        kv.collection("counts").increment("n", 1).unwrap();
                        let value = if counted % 10 == 0 { long.clone() } else { json!({ "n": counted }) };
                        kv.collection("ours").put(&format!("{writer}"), &value).unwrap();
                        // Python replaces it all the time, its file too.
                        let shared: Option<serde_json::Value> = kv.collection("theirs").get("shared").unwrap();
                        assert!(shared.is_none_or(|value| value.is_object()));
                    }
                    counted
                })
            })
            .collect();
        for number in 0..EACH {
            let value = json!({ "n": number }).to_string();
            both.put(Name::new("theirs", &format!("k{number}")), &value);
            both.put(Name::new("theirs", "shared"), &if number % 2 == 0 { long.to_string() } else { value });
        }
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum::<i64>()
    });
    assert!(counted > 0);
    assert_eq!(kv.collection("counts").get("n").unwrap(), Some(counted));
    assert_eq!(kv.collection("theirs").count(&KeyFilter::starting_with("k")).unwrap(), EACH as u64);
    assert_eq!(kv.collection("ours").count(&KeyFilter::all()).unwrap(), 2);
    both.check();
}

/// A directory that Python bounds stays bounded, and what was just written is there.
#[test]
fn a_directory_with_a_size_limit() {
    let Some(mut both) = Both::new() else { return };
    let code =
        "from key_value.aio.stores.disk import DiskStore\nDiskStore(directory=dir, max_size=200_000)._cache.close()";
    both.run(code);
    let kv = both.kv();
    for number in 0..60 {
        let key = format!("k{number}");
        kv.put(&key, &json!({"text": "x".repeat(40_000)})).unwrap();
        assert!(both.get(Name::new("default_collection", &key)).is_some(), "{key}");
    }
    assert!((1..=15).contains(&both.files()), "{}", both.files());
    both.check();
}

#[test]
fn the_other_flavour_is_the_same_store() {
    let Some(mut both) = Both::new() else { return };
    let kv = both.kv();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let other = kv_async::Kv::new(kv_async::stores::DiskStore::diskcache(both.dir()));
    runtime.block_on(async {
        other.put("a", &json!({"by": "async"})).await.unwrap();
        other.put("long", &json!({"text": "x".repeat(40_000)})).await.unwrap();
    });
    assert_eq!(kv.get("a").unwrap(), Some(json!({"by": "async"})));
    assert_eq!(both.get(Name::new("default_collection", "a")).as_deref(), Some(r#"{"by": "async"}"#));
    // Futures that are dropped on their way leave no record without its file, and with the next write no file without
    // its record.
    runtime.block_on(async {
        for number in 0..200_u64 {
            let value = json!({"text": "y".repeat(40_000 + usize::try_from(number).unwrap())});
            let put = other.put("long", &value);
            let _ = tokio::time::timeout(Duration::from_micros(number * 5), put).await;
        }
        let found: Option<serde_json::Value> = other.get("long").await.unwrap();
        assert!(found.is_some());
    });
    // Some of them are still being written.
    let settled = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        runtime.block_on(other.put("b", &json!({}))).unwrap();
        both.files() == 1
    });
    assert!(settled, "{} files", both.files());
    both.check();
}

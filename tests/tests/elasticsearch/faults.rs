//! The network, the server and its refusals.

use std::time::{Duration, Instant};

use kv_core::{ErrorKind, KeyFilter, PutOptions};
use kv_tests::front::{Answer, FrontOptions};
use kv_tests::need;
use kv_tests::proxy::{Mode, Proxy};
use kv_tests::servers::{OpensearchOptions, private_opensearch};

use crate::server::{Server, Space, opensearch};
use crate::setup::Setup;
use crate::side::{Side, each, runtime};

/// Longer than a connection is trusted without a look.
const A_WHILE: Duration = Duration::from_millis(150);

fn proxied(server: &Server) -> Proxy {
    Proxy::start((&*server.host, server.port)).unwrap()
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[test]
fn an_absent_server_is_told_at_once() {
    let Some(server) = need(opensearch()) else { return };
    let (space, proxy) = (Space::new(&server, ""), proxied(&server));
    proxy.set_mode(Mode::Refuse);
    let setup = Setup::new(url(proxy.port()), &space.prefix);
    each(&setup, |side| {
        let start = Instant::now();
        for error in [
            ask!(side, "c", get::<i64>("k")).unwrap_err(),
            ask!(side, "c", put("k", &1)).unwrap_err(),
            ask!(side, "c", delete("k")).unwrap_err(),
            ask!(side, "c", count(&KeyFilter::all())).unwrap_err(),
            ask_store!(side, ping()).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, false), "{error}");
            assert!(error.is_retryable());
        }
        assert!(start.elapsed() < Duration::from_secs(2));
    });
    proxy.set_mode(Mode::Pass);
    each(&setup, |side| assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), None));
}

#[test]
fn a_write_that_broke_off_says_that_its_outcome_is_unknown() {
    let Some(server) = need(opensearch()) else { return };
    let (space, proxy) = (Space::new(&server, ""), proxied(&server));
    each(&Setup::new(url(proxy.port()), &space.prefix), |side| {
        for mode in [Mode::CutAnswer, Mode::CutAfter(10)] {
            ask!(side, "c", put("k", &1)).unwrap();
            let revision = ask!(side, "c", get_entry("k")).unwrap().unwrap().revision();
            let cut = |what: &str, error: Option<kv_core::Error>| {
                assert_eq!(proxy.reset().cuts, 1, "{what}");
                let error = error.unwrap_or_else(|| panic!("{what} was not told"));
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Connection, true), "{what}: {error}");
            };
            proxy.reset();
            proxy.set_mode_once(mode);
            cut("put_if_revision", ask!(side, "c", put_if_revision("k", &2, &revision)).err());
            proxy.set_mode_once(mode);
            cut("put_if_absent", ask!(side, "c", put_if_absent("x", &2)).err());
            proxy.set_mode_once(mode);
            cut("delete", ask!(side, "c", delete("k")).err());
            proxy.set_mode_once(mode);
            cut("delete_many", ask!(side, "c", delete_many(&["k"])).err());
            // A read is sent again, and so is a put where nothing had been heard for a while.
            proxy.set_mode_once(mode);
            assert!(ask!(side, "c", get::<i64>("y")).unwrap().is_none(), "{}", side.name());
            assert_eq!(proxy.reset().cuts, 1);
            std::thread::sleep(A_WHILE);
            proxy.set_mode_once(mode);
            ask!(side, "c", put("k", &3)).unwrap();
            assert_eq!(proxy.reset().cuts, 1);
            assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(3));
        }
    });
}

#[test]
fn a_silent_server_ends_in_a_time_out() {
    let Some(server) = need(opensearch()) else { return };
    let (space, proxy) = (Space::new(&server, ""), proxied(&server));
    let setup = Setup::new(url(proxy.port()), &space.prefix).timeout(Duration::from_millis(700));
    each(&Setup::new(&server.url, &space.prefix), |side| ask!(side, "c", put("k", &1)).map(drop).unwrap());
    each(&setup, |side| {
        ask!(side, "c", put("k", &1)).unwrap();
        proxy.set_mode(Mode::BlackHole);
        let start = Instant::now();
        let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false), "{error}");
        let error = ask!(side, "c", put("k", &2)).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, true), "{error}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        proxy.set_mode(Mode::Pass);
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1));
    });
}

#[test]
fn a_node_that_is_away_is_passed_over() {
    let Some(server) = need(opensearch()) else { return };
    let (space, proxy) = (Space::new(&server, ""), proxied(&server));
    proxy.set_mode(Mode::Refuse);
    let mut setup = Setup::new(url(proxy.port()), &space.prefix);
    setup.urls.push(server.url.clone());
    each(&setup, |side| {
        ask!(side, "c", put("k", &1)).unwrap();
        assert!(ask!(side, "c", increment("n", 1)).unwrap() > 0);
        assert!(ask!(side, "c", delete("k")).unwrap());
    });
}

#[test]
fn logins_are_shown_and_refused() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let front =
        FrontOptions::new().user("app", "p@ss:w/rd").api_key("a2V5").start((&*server.host, server.port)).unwrap();
    for bad in [front.url(), front.url().replace("http://", "http://app:hunter2@")] {
        each(&Setup::new(bad, &space.prefix), |side| {
            let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PermissionDenied, false), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        });
    }
    let keyed = Setup { api_key: Some("a2V5".into()), ..Setup::new(front.url(), &space.prefix) };
    for good in [Setup::new(front.login_url(), &space.prefix), keyed] {
        each(&good, |side| {
            ask!(side, "c", put("k", &1)).unwrap();
            assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1));
        });
    }
}

#[test]
fn tls_by_an_authority_of_one_s_own() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let front = FrontOptions::new().tls().start((&*server.host, server.port)).unwrap();
    let ca = std::fs::read(front.certs().unwrap().ca()).unwrap();
    let trusting = Setup { ca: Some(ca), ..Setup::new(front.url(), &space.prefix) };
    each(&trusting, |side| {
        ask!(side, "c", put("k", &1)).unwrap();
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1));
    });
    each(&Setup::new(front.url(), &space.prefix), |side| {
        let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
        assert!(!error.outcome_unknown());
        assert!(matches!(error.kind(), ErrorKind::Connection | ErrorKind::Configuration), "untrusted: {error}");
    });
}

#[test]
fn what_the_server_refuses_has_its_kind() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let front = FrontOptions::new().start((&*server.host, server.port)).unwrap();
    each(&Setup::new(front.url(), &space.prefix), |side| {
        ask!(side, "c", put("k", &1)).unwrap();
        let body = r#"{"error":{"type":"es_rejected_execution_exception","reason":"hunter2"},"status":429}"#;
        for (status, kind, retryable, unknown) in [
            (429, ErrorKind::Connection, true, false),
            (503, ErrorKind::Connection, true, false),
            (504, ErrorKind::Timeout, true, true),
            (502, ErrorKind::Connection, true, true),
            (500, ErrorKind::Backend, false, false),
            (403, ErrorKind::PermissionDenied, false, false),
        ] {
            for reads in [false, true] {
                front.answer_next(1, Answer::new(status).header("retry-after", "3").body(body));
                let error = match reads {
                    true => ask!(side, "c", get::<i64>("k")).map(drop).unwrap_err(),
                    false => ask!(side, "c", put("k", &2)).map(drop).unwrap_err(),
                };
                front.answer_nothing();
                assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status}: {error}");
                assert_eq!(error.outcome_unknown(), unknown && !reads, "{status}: {error}");
                assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
                if status == 429 {
                    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
                }
            }
        }
        // Steps that fail by themselves are told at their positions.
        let steps = r#"{"errors":true,"items":[
            {"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"hunter2"}}},
            {"index":{"status":201,"_seq_no":7,"_primary_term":1,"_version":1}}]}"#;
        front.answer_next(1, Answer::new(200).body(steps));
        let answers = ask!(side, "c", put_many(&[("a", 1), ("b", 2)], &PutOptions::default())).unwrap();
        front.answer_nothing();
        let error = answers[0].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.is_retryable(), error.key()), (ErrorKind::Connection, true, Some("a")));
        assert!(answers[1].is_ok() && !format!("{error:?}").contains("hunter2"));
        // An answer of something else.
        for body in ["", "{", "[]", "{}", "<html>", r#"{"docs":[]}"#, r#"{"items":[]}"#] {
            front.answer_next(1, Answer::new(200).body(body));
            let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backend, "{body}: {error}");
            front.answer_next(1, Answer::new(200).body(body));
            let error = ask!(side, "c", put("k", &1)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backend, "{body}: {error}");
            front.answer_nothing();
        }
    });
}

/// An index that somebody makes at this moment has no shard yet that could be asked.
#[test]
fn a_read_waits_for_an_index_that_starts() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let front = FrontOptions::new().start((&*server.host, server.port)).unwrap();
    each(&Setup::new(front.url(), &space.prefix), |side| {
        ask!(side, "c", put("k", &1)).unwrap();
        let doc = r#"{"docs":[{"_index":"i","_id":"k","error":{"type":"no_shard_available_action_exception"}}]}"#;
        let search = r#"{"error":{"type":"search_phase_execution_exception"},"status":503}"#;
        let starts = |status, body, times| front.answer_next(times, Answer::new(status).body(body));
        starts(200, doc, 3);
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1));
        starts(503, search, 3);
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 1);
        // It may never come up.
        for (status, body) in [(200, doc), (503, search)] {
            starts(status, body, usize::MAX);
            front.reset();
            let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Connection, true), "{error}");
            assert_eq!(front.requests().len(), 8);
            let start = Instant::now();
            ask!(side, "c", with_timeout(Duration::from_millis(100)).get::<i64>("k")).unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
            // Nor is a write repeated.
            front.reset();
            ask!(side, "c", put("k", &2)).unwrap_err();
            assert_eq!(front.requests().len(), 1);
            front.answer_nothing();
        }
        ask!(side, "c", clear()).unwrap();
    });
}

#[test]
fn the_other_server_and_an_old_one_say_so() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let wrong = Setup { is_elasticsearch: true, ..Setup::new(&server.url, &space.prefix) };
    each(&wrong, |side| {
        let error = ask!(side, "c", put("k", &1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.message().contains("OpenSearchStore"), "{error}");
    });
    for (root, says) in [
        (r#"{"version":{"number":"7.9.3"}}"#, "7.10"),
        (r#"{"version":{"number":"2.4.1","distribution":"opensearch"}}"#, "OpenSearchStore"),
        (r#"{"name":"something"}"#, "neither"),
        ("<html>", "neither"),
    ] {
        let front = FrontOptions::new().start((&*server.host, server.port)).unwrap();
        front.answer_when(move |request| (request.path == "/").then(|| Answer::new(200).body(root)));
        each(&Setup { urls: vec![front.url()], ..wrong.clone() }, |side| {
            let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.message().contains(says), "{error}");
        });
    }
    // One that calls itself Elasticsearch, as OpenSearch's forerunner did, and a user who may not ask.
    for answer in [Answer::new(200).body(r#"{"version":{"number":"8.15.0"}}"#), Answer::new(403).body("{}")] {
        let front = FrontOptions::new().start((&*server.host, server.port)).unwrap();
        front.answer_when(move |request| (request.path == "/").then(|| answer.clone()));
        each(&Setup { urls: vec![front.url()], ..wrong.clone() }, |side| {
            ask!(side, "c", put("k", &serde_json::json!({"a": 1}))).unwrap();
            let document = server.document(&format!("{}-c", space.prefix), "k").unwrap();
            assert_eq!(document["value"]["flattened"]["a"], 1, "{document}");
        });
    }
}

#[test]
fn a_client_that_was_handed_in_goes_on() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let runtime = runtime();
    // A program that has a client has chosen; the error is that somebody else was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = runtime.block_on(async { reqwest::Client::new() });
    let options = kv_async::stores::ElasticsearchOptions::from_url(&server.url).unwrap();
    let options = options.with_index_prefix(&*space.prefix).with_timeout(Duration::from_secs(30));
    let store = kv_async::stores::OpenSearchStore::from_client_v1(client.clone(), options).unwrap();
    let kv = kv_async::Kv::new(store);
    runtime.block_on(async {
        kv.put("k", &1).await.unwrap();
        kv.close().await.unwrap();
        assert_eq!(kv.get::<i64>("k").await.unwrap(), Some(1));
        assert!(client.get(&server.url).send().await.unwrap().status().is_success());
    });
    let agent = ureq::Agent::new_with_defaults();
    let options = kv_sync::stores::ElasticsearchOptions::from_url(&server.url).unwrap();
    let options = options.with_index_prefix(&*space.prefix).with_timeout(Duration::from_secs(30));
    let kv = kv_sync::Kv::new(kv_sync::stores::OpenSearchStore::from_client_v1(agent.clone(), options).unwrap());
    kv.put("k", &2).unwrap();
    kv.close().unwrap();
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(2));
    assert!(agent.get(&server.url).call().unwrap().status().is_success());
}

#[test]
fn runtimes() {
    let Some(server) = need(opensearch()) else { return };
    let space = Space::new(&server, "");
    let setup = Setup::new(&server.url, &space.prefix);
    // L7: a blocking call inside a runtime.
    let Side::Sync(kv) = Side::blocking(&setup) else { unreachable!() };
    runtime().block_on(async {
        kv.put("k", &1).unwrap();
        assert_eq!(kv.get::<i64>("k").unwrap(), Some(1));
    });
    // L8: an async handle outlives the runtime of its first use.
    let Side::Async(first, kv) = Side::awaiting(&setup) else { unreachable!() };
    first.block_on(async { kv.put("n", &1).await.unwrap() });
    drop(first);
    for round in 0..5 {
        let next = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        next.block_on(async { assert_eq!(kv.increment("n", 1).await.unwrap(), round + 2) });
    }
}

#[test]
fn a_restart_between_two_calls_is_not_noticed() {
    let Some(mut server) = need(private_opensearch(OpensearchOptions::new())) else { return };
    let setups = [Side::blocking, Side::awaiting].map(|make| make(&Setup::new(server.url(), "kv")));
    for side in &setups {
        ask!(side, "c", put("k", &1)).unwrap();
        let revision = ask!(side, "c", put("kept", &1)).unwrap().revision();
        server.kill9().unwrap();
        let error = ask!(side, "c", get::<i64>("k")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "it is away, and not empty: {error}");
        server.restart().unwrap();
        assert_eq!(ask!(side, "c", get::<i64>("k")).unwrap(), Some(1), "{}: what was answered is there", side.name());
        assert_eq!(ask!(side, "c", increment("k", 1)).unwrap(), 2);
        let after = ask!(side, "c", put_if_revision("kept", &2, &revision)).unwrap();
        assert!(after.is_some(), "a revision outlives a restart");
        server.restart().unwrap();
        assert!(ask!(side, "c", delete("k")).unwrap());
        assert_eq!(ask!(side, "c", count(&KeyFilter::all())).unwrap(), 1);
        assert_eq!(ask_store!(side, destroy()).unwrap(), 1);
    }
}

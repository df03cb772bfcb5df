//! The tools of this crate against the real things: what they cannot do here, no test that uses them can prove.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use kv_tests::proxy::{Counts, Mode, Proxy};
use kv_tests::python::Python;
use kv_tests::resp::{Client, Reply};
use kv_tests::servers::{self, Kind, Options, private_redis};
use kv_tests::tls::Certs;
use kv_tests::{Error, Unavailable, need};
use serde_json::{Value, json};

fn process_exists(pid: u32) -> bool {
    // A dead one that nobody waited for has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// The same for Redis and Valkey.
fn each_kind(test: impl Fn(Kind)) {
    Kind::RESP.into_iter().for_each(test);
}

// --- shared servers

#[test]
fn shared_servers_answer() {
    each_kind(|kind| {
        let Some(server) = need(servers::shared(kind)) else { return };
        let mut client = server.client().unwrap();
        let key = format!("kv-tests:harness:{}", std::process::id());
        assert_eq!(client.command(&["SET", &key, "1", "PX", "10000"]).unwrap(), Reply::Simple("OK".into()));
        assert_eq!(client.command(&["INCR", &key]).unwrap(), Reply::Int(2));
        assert_eq!(client.command(&["DEL", &key]).unwrap(), Reply::Int(1));
        assert!(server.version.starts_with(|first: char| first.is_ascii_digit()), "{server:?}");
        assert!(servers::is_running(&server) || server.pid.is_none());
    });
}

#[test]
fn shared_servers_of_each_kind_answer_where_they_say() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_in_use()) {
        let Some(server) = need(servers::shared(kind)) else { continue };
        assert_eq!(server.name, kind.name());
        // Somebody else's may not tell.
        assert!(server.pid.is_none() || server.version.starts_with(|first: char| first.is_ascii_digit()), "{server:?}");
        assert!(server.url.contains(&format!(":{}", server.port)), "{server:?}");
        assert!(servers::is_running(&server) || server.pid.is_none());
    }
    let named = need(servers::elasticsearch()).map(|server| server.name);
    assert!(matches!(named.as_deref(), None | Some("elasticsearch" | "opensearch")), "{named:?}");
}

/// Plays two roles: run by hand it starts itself again, and there it asks for a server that is not up.
#[test]
fn a_missing_server_fails_the_test_and_a_skip_is_written_down() {
    const CHILD: &str = "KV_HARNESS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        if need(servers::redis()).is_some() {
            panic!("there should be no server");
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let again = |skip: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_missing_server_fails_the_test_and_a_skip_is_written_down", "--nocapture"]);
        command.env(CHILD, "1").env("KV_SERVICES_DIR", dir.path()).env("KV_SKIP", skip).env_remove("KV_REDIS_URL");
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (passed, said) = again("valkey, python");
    assert!(!passed, "{said}");
    assert!(said.contains("no redis server is up; run: just services-up"), "{said}");
    assert!(!dir.path().join("skipped").exists());
    let (passed, said) = again("valkey, Redis");
    assert!(passed, "{said}");
    assert!(said.contains("SKIPPED redis (KV_SKIP)"), "{said}");
    let written = std::fs::read_to_string(dir.path().join("skipped")).unwrap();
    let (name, test) = written.trim_end().split_once('\t').unwrap();
    assert_eq!(name, "redis");
    assert_eq!(test, "harness::a_missing_server_fails_the_test_and_a_skip_is_written_down");
}

#[test]
#[should_panic(expected = "not there")]
fn need_panics() {
    need::<()>(Err(Unavailable::Failed(Error::new("not there"))));
}

// --- the command that starts the shared servers

struct Services(tempfile::TempDir);

impl Services {
    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kv-services"));
        command.args(args).env("KV_SERVICES_DIR", self.0.path());
        for kind in Kind::ALL {
            command.env_remove(kind.variable());
        }
        command.envs(env.iter().copied()).output().unwrap()
    }

    fn port_and_pid(&self, name: &str) -> (u16, u32) {
        let state = std::fs::read(self.0.path().join(format!("{name}.json"))).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        (state["port"].as_u64().unwrap() as u16, state["pid"].as_u64().unwrap() as u32)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.run(&["down"], &[]);
    }
}

/// For `KV_SKIP`.
fn all_but(name: &str) -> String {
    Kind::ALL.map(Kind::name).into_iter().filter(|other| *other != name).collect::<Vec<_>>().join(",")
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn services_come_up_stay_and_go() {
    if need(servers::redis()).is_none() || need(servers::postgres()).is_none() {
        return;
    }
    let services = Services(tempfile::tempdir().unwrap());
    let up = || services.run(&["up"], &[("KV_SKIP", "valkey,mongodb,opensearch")]);
    let output = up();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("SKIPPED valkey (KV_SKIP)"), "{}", text(&output));
    assert!(!services.0.path().join("valkey.json").exists());
    let first @ (port, pid) = services.port_and_pid("redis");
    assert!(process_exists(pid));
    let postgres = services.port_and_pid("postgres");
    assert!(process_exists(postgres.1));
    assert_eq!(Client::tcp("127.0.0.1", port).unwrap().command(&["PING"]).unwrap(), Reply::Simple("PONG".into()));

    assert!(up().status.success());
    assert_eq!(services.port_and_pid("redis"), first, "a healthy one is kept");

    // It goes away behind our back; a new one takes its place.
    let _ = Client::tcp("127.0.0.1", port).unwrap().command(&["SHUTDOWN", "NOSAVE"]);
    let status = services.run(&["status"], &[]);
    assert!(text(&status).contains("gone"), "{}", text(&status));
    assert!(up().status.success());
    let (_, pid) = services.port_and_pid("redis");
    assert_ne!(pid, first.1);
    assert_eq!(services.port_and_pid("postgres"), postgres);

    let output = services.run(&["down"], &[]);
    assert!(output.status.success() && text(&output).contains("stopped redis"), "{}", text(&output));
    assert!(!process_exists(pid) && !process_exists(postgres.1));
    assert!(!services.0.path().join("redis.json").exists());
    assert!(services.run(&["down"], &[]).status.success(), "nothing to stop is well");
}

#[test]
fn down_stops_nobody_elses_process() {
    let services = Services(tempfile::tempdir().unwrap());
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let state = json!({"name": "redis", "version": "1", "url": "redis://127.0.0.1:1", "host": "127.0.0.1", "port": 1,
        "pid": other.id()});
    std::fs::write(services.0.path().join("redis.json"), state.to_string()).unwrap();
    assert!(services.run(&["down"], &[]).status.success());
    assert!(other.try_wait().unwrap().is_none(), "it was killed");
    assert!(!services.0.path().join("redis.json").exists());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn an_external_server_is_used_and_a_wrong_one_refused() {
    let Some(own) = need(private_redis(Options::redis().password("s3 cret/%"))) else { return };
    let services = Services(tempfile::tempdir().unwrap());
    let status = services.run(&["up"], &[("KV_REDIS_URL", own.url()), ("KV_SKIP", &all_but("redis"))]);
    assert!(status.status.success(), "{}", text(&status));
    assert!(text(&status).contains("up, from KV_REDIS_URL"), "{}", text(&status));
    assert!(text(&status).contains(&own.port().to_string()));
    assert!(!services.0.path().join("redis.json").exists(), "none of our own was started");
    let wrong = services.run(&["up"], &[("KV_VALKEY_URL", own.url()), ("KV_SKIP", &all_but("valkey"))]);
    assert!(!wrong.status.success());
    assert!(text(&wrong).contains("this server is not valkey"), "{}", text(&wrong));
    assert!(!text(&wrong).contains("cret"), "the password was printed: {}", text(&wrong));
}

#[test]
fn the_summary_closes_with_the_count() {
    let services = Services(tempfile::tempdir().unwrap());
    let log = services.0.path().join("log");
    std::fs::write(&log, "test result: ok. 2 passed; 0 failed; 1 ignored\ntest result: ok. 3 passed; 0 failed;\n")
        .unwrap();
    std::fs::write(services.0.path().join("skipped"), "redis\tx::y\n").unwrap();
    let run = |steps: &[&str]| {
        let args = [&["summary", log.to_str().unwrap()], steps].concat();
        let output = services.run(&args, &[("KV_SKIP", &all_but(""))]);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (well, said) = run(&[]);
    assert!(well && said.ends_with("\n4 passed, 0 failed, 2 skipped\n"), "{said}");
    assert!(said.contains("SKIPPED redis: x::y (KV_SKIP)"), "{said}");
    let (well, said) = run(&["doc"]);
    assert!(!well && said.ends_with("FAILED: just doc\n4 passed, 1 failed, 2 skipped\n"), "{said}");
}

// --- private servers

#[test]
fn private_server_restarts_and_stops() {
    each_kind(|kind| {
        let Some(mut own) = need(private_redis(Options::new(kind))) else { return };
        assert_eq!(own.server().name, kind.name());
        assert_eq!(own.server().client().unwrap().command(&["SET", "k", "v"]).unwrap(), Reply::Simple("OK".into()));
        assert_eq!(own.command(&["GET", "k"]).unwrap(), Reply::Bulk(b"v".into()));
        let (pid, port) = (own.server().pid.unwrap(), own.port());
        own.restart().unwrap();
        assert_eq!(own.port(), port);
        assert_ne!(own.server().pid.unwrap(), pid);
        assert!(!process_exists(pid));
        assert_eq!(own.server().client().unwrap().command(&["GET", "k"]).unwrap(), Reply::Nil);
        own.stop().unwrap();
        assert!(!own.is_running());
        assert!(own.server().client().is_err());
        own.restart().unwrap();
        let pid = own.server().pid.unwrap();
        let dir = own.dir().to_owned();
        assert!(own.is_running() && process_exists(pid) && dir.exists());
        drop(own);
        assert!(!process_exists(pid) && !dir.exists());
    });
}

#[test]
fn private_server_keeps_what_it_answered_over_a_crash() {
    each_kind(|kind| {
        let Some(mut own) = need(private_redis(Options::new(kind).persist())) else { return };
        let mut client = own.server().client().unwrap();
        for i in 0..100 {
            client.command(&["SET", &format!("k{i}"), "v"]).unwrap();
        }
        own.kill9().unwrap();
        assert!(client.command(&["PING"]).is_err());
        own.restart().unwrap();
        assert_eq!(own.command(&["DBSIZE"]).unwrap(), Reply::Int(100));
    });
}

#[test]
fn private_server_pauses() {
    let Some(mut own) = need(private_redis(Options::redis())) else { return };
    own.pause().unwrap();
    // The kernel still takes the connection; nobody answers it.
    let address = ("127.0.0.1", own.port());
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, b"PING\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 7];
    assert!(stream.read(&mut answer).is_err());
    own.resume().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    own.pause().unwrap();
    let began = Instant::now();
    own.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "a paused one stops too");
}

/// Plays two roles: run by hand it starts itself again, and there it is killed while it has a server.
#[test]
fn private_server_dies_with_a_test_that_is_killed() {
    const CHILD: &str = "KV_HARNESS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let own = private_redis(Options::redis()).unwrap();
        println!("pid {}", own.server().pid.unwrap());
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
        return;
    }
    if need(servers::redis()).is_none() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "private_server_dies_with_a_test_that_is_killed", "--nocapture"]).env(CHILD, "1");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = text(&output);
    let pid = said.lines().find_map(|line| line.split_once("pid ")).unwrap().1.trim().parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while process_exists(pid) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!process_exists(pid));
}

#[test]
fn private_server_wants_its_password() {
    let Some(own) = need(private_redis(Options::redis().password("o p\"e\\n"))) else { return };
    let mut stranger = Client::tcp("127.0.0.1", own.port()).unwrap();
    let answer = stranger.command(&["PING"]).unwrap();
    assert!(matches!(&answer, Reply::Error(text) if text.starts_with("NOAUTH")), "{answer:?}");
    assert_eq!(stranger.command(&["AUTH", "o p\"e\\n"]).unwrap(), Reply::Simple("OK".into()));
    assert_eq!(own.server().client().unwrap().command(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
}

#[test]
fn private_server_has_a_user() {
    each_kind(|kind| {
        let Some(own) = need(private_redis(Options::new(kind).acl_user("app", "pw"))) else { return };
        let mut stranger = Client::tcp("127.0.0.1", own.port()).unwrap();
        assert!(matches!(stranger.command(&["GET", "k"]).unwrap(), Reply::Error(_)));
        assert!(matches!(stranger.command(&["AUTH", "pw"]).unwrap(), Reply::Error(_)), "the default user is off");
        let who = own.server().client().unwrap().command(&["ACL", "WHOAMI"]).unwrap();
        assert_eq!(who, Reply::Bulk(b"app".into()));
        assert!(own.url().contains("//app:pw@"), "{}", own.url());
    });
}

#[test]
fn private_server_on_its_socket_alone() {
    let Some(mut own) = need(private_redis(Options::redis().unix_only().password("a&b"))) else { return };
    assert_eq!(own.port(), 0);
    let socket = own.unix_socket();
    assert_eq!(own.unix_url(), format!("redis+unix://{}?pass=a%26b", socket.display()));
    let mut client = Client::unix(&socket).unwrap();
    assert!(matches!(client.command(&["PING"]).unwrap(), Reply::Error(_)));
    assert_eq!(own.command(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
    own.kill9().unwrap();
    assert!(Client::unix(&socket).is_err());
    own.restart().unwrap();
    assert_eq!(own.command(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
}

#[test]
fn private_server_is_full() {
    let Some(own) = need(private_redis(Options::redis().maxmemory("3mb"))) else { return };
    let big = "x".repeat(1 << 20);
    let mut client = own.admin().unwrap();
    let answers: Vec<Reply> = (0..4).map(|i| client.command(&["SET", &format!("k{i}"), &big]).unwrap()).collect();
    assert!(matches!(answers.last(), Some(Reply::Error(text)) if text.starts_with("OOM")), "{answers:?}");
}

/// Asks through TLS with `openssl s_client`, which knows nothing of our own code, and answers what came back.
fn tls_ping(port: u16, ca: &Path, client: Option<&Certs>) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]).arg(ca);
    command.args(["-connect", &format!("127.0.0.1:{port}")]);
    if let Some(certs) = client {
        command.arg("-cert").arg(certs.cert()).arg("-key").arg(certs.key());
    }
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"PING\r\nQUIT\r\n");
    // Its input stays open until it ends, for it would leave at the end of it: the server hangs up after QUIT.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    (String::from_utf8_lossy(&output.stdout).contains("+PONG"), text(&output))
}

#[test]
fn private_server_speaks_tls() {
    each_kind(|kind| {
        let Some(mut own) = need(private_redis(Options::new(kind).tls().password("pw"))) else { return };
        assert_eq!(own.url(), format!("rediss://:pw@localhost:{}", own.port()));
        own.command(&["CONFIG", "SET", "requirepass", ""]).unwrap();
        let ca = own.certs().unwrap().ca();
        let (well, said) = tls_ping(own.port(), &ca, None);
        assert!(well, "{said}");
        let foreign = Certs::generate().unwrap();
        let (well, said) = tls_ping(own.port(), &foreign.ca(), None);
        assert!(!well && said.contains("verify"), "{said}");
        assert!(Client::tcp("127.0.0.1", own.port()).unwrap().command(&["PING"]).is_err(), "plain text was answered");
        own.restart().unwrap();
        own.command(&["CONFIG", "SET", "requirepass", ""]).unwrap();
        assert!(tls_ping(own.port(), &own.certs().unwrap().ca(), None).0);
    });
}

#[test]
fn private_server_wants_client_certificates() {
    let Some(own) = need(private_redis(Options::redis().tls_with_client_certs())) else { return };
    let certs = own.certs().unwrap();
    assert!(!tls_ping(own.port(), &certs.ca(), None).0);
    assert!(!tls_ping(own.port(), &certs.ca(), Some(&Certs::generate().unwrap())).0);
    let (well, said) = tls_ping(own.port(), &certs.ca(), Some(certs));
    assert!(well, "{said}");
}

#[test]
fn a_configuration_that_the_server_refuses_is_told() {
    let options = Options::redis().directive("no-such-thing", &["1"]);
    match private_redis(options) {
        Err(Unavailable::Skip(skip)) => skip.record(),
        Err(Unavailable::Failed(error)) => assert!(error.to_string().contains("no-such-thing"), "{error}"),
        Ok(own) => panic!("it came up: {own:?}"),
    }
}

#[test]
fn private_servers_have_ports_of_their_own() {
    let started: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| private_redis(Options::redis()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut own = Vec::new();
    for server in started {
        let Some(server) = need(server) else { return };
        own.push(server);
    }
    let ports: BTreeSet<u16> = own.iter().map(|own| own.port()).collect();
    assert_eq!(ports.len(), own.len());
    assert!(ports.iter().all(|port| *port < 55_536), "{ports:?}");
}

// --- the proxy before a real server

#[test]
fn proxy_before_a_real_server() {
    let Some(mut own) = need(private_redis(Options::redis())) else { return };
    let proxy = Proxy::start(("127.0.0.1", own.port())).unwrap();
    let connect = || Client::tcp("127.0.0.1", proxy.port()).unwrap();
    let mut client = connect();
    for i in 0..5 {
        client.command(&["SET", &format!("k{i}"), "v"]).unwrap();
    }
    let Counts { connections, round_trips, .. } = proxy.reset();
    assert_eq!((connections, round_trips), (1, 5));

    // The write happened, and the client cannot know.
    proxy.set_mode_once(Mode::CutAnswer);
    assert!(client.command(&["INCR", "n"]).is_err());
    assert_eq!(proxy.counts().cuts, 1);
    assert_eq!(own.command(&["GET", "n"]).unwrap(), Reply::Bulk(b"1".into()));
    assert_eq!(connect().command(&["INCR", "n"]).unwrap(), Reply::Int(2));

    // The write did not happen.
    let mut client = connect();
    proxy.set_mode_once(Mode::CutAfter(12));
    assert!(client.command(&["INCR", "n"]).is_err());
    assert_eq!(own.command(&["GET", "n"]).unwrap(), Reply::Bulk(b"2".into()));

    // The server crashes and comes back behind the same address.
    let mut client = connect();
    client.command(&["PING"]).unwrap();
    own.kill9().unwrap();
    assert!(client.command(&["PING"]).is_err());
    assert!(connect().command(&["PING"]).is_err());
    own.restart().unwrap();
    assert_eq!(connect().command(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
}

// --- Python

/// Values that cross exactly or not at all.
const EXACT: &str = r#"{"big": 1000000000000000000000000000000, "e": 1e-07, "f": 0.1, "max": 1.7976931348623157e+308, "minus": -Infinity, "nan": NaN, "null": null, "one": 1.0, "small": 5e-324, "text": "\u00e4\u0000\ud83d\ude00\ud800"}"#;

#[test]
fn python_talks_to_every_store() {
    let Some(python) = need(Python::find()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (disk, multi) = (dir.path().join("disk"), dir.path().join("multi"));
    let mut places = vec![
        json!({"store": "disk", "directory": disk}),
        json!({"store": "multidisk", "directory": multi}),
        json!({"store": "memory"}),
    ];
    let mut servers = Vec::new();
    for kind in Kind::RESP {
        let Some(own) = need(private_redis(Options::new(kind))) else { continue };
        places.push(json!({"store": kind.name(), "host": "127.0.0.1", "port": own.port()}));
        servers.push((kind, own));
    }
    let mut session = python.session().unwrap();
    for place in &places {
        let mut call = |more: Value| {
            let mut command = place.clone();
            command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            session.call(&command).unwrap()
        };
        let ok = json!({"ok": true});
        assert_eq!(call(json!({"op": "put", "collection": "c", "key": "k", "value_text": EXACT})), ok);
        let got = call(json!({"op": "get", "collection": "c", "key": "k"}));
        assert_eq!(got["value_text"], EXACT, "{place}");
        assert_eq!(call(json!({"op": "get", "key": "k"})), json!({"value_text": null}), "another collection");
        let ttl = json!({"op": "put", "collection": "c", "key": "t", "value_text": "{}", "ttl": 100.5});
        assert_eq!(call(ttl), ok);
        let got = call(json!({"op": "ttl", "collection": "c", "key": "t"}));
        assert_eq!(got["value_text"], "{}");
        assert!((90.0..=100.5).contains(&got["ttl"].as_f64().unwrap()), "{place} {got}");
        let got = call(json!({"op": "ttl", "collection": "c", "key": "k"}));
        assert_eq!(got["ttl"], Value::Null);
        let many = json!({"op": "put_many", "collection": "c", "keys": ["a", "b"], "values_text": ["{\"i\": 1}", "{\"i\": 2}"]});
        assert_eq!(call(many), ok);
        let got = call(json!({"op": "get_many", "collection": "c", "keys": ["b", "x", "a"]}));
        assert_eq!(got, json!({"values_text": ["{\"i\": 2}", null, "{\"i\": 1}"]}));
        let got = call(json!({"op": "ttl_many", "collection": "c", "keys": ["a", "x"]}));
        assert_eq!(got, json!({"values_text": ["{\"i\": 1}", null], "ttls": [null, null]}));
        assert_eq!(call(json!({"op": "delete_many", "collection": "c", "keys": ["a", "x"]})), json!({"deleted": 1}));
        assert_eq!(call(json!({"op": "delete", "collection": "c", "key": "t"})), json!({"deleted": true}));
        assert_eq!(call(json!({"op": "delete", "collection": "c", "key": "t"})), json!({"deleted": false}));
        if matches!(place["store"].as_str(), Some("redis" | "memory")) {
            assert_eq!(call(json!({"op": "keys", "collection": "c"})), json!({"keys": ["b", "k"]}));
        }
        if matches!(place["store"].as_str(), Some("disk" | "multidisk")) {
            let got = call(json!({"op": "raw_get", "collection": "c", "key": "b"}));
            let document: Value = serde_json::from_str(got["text"].as_str().unwrap()).unwrap();
            assert_eq!(document["value"], json!({"i": 2}), "{document}");
            let text = "{\"value\": {\"raw\": true}, \"version\": 1}";
            assert_eq!(call(json!({"op": "raw_put", "collection": "c", "key": "r", "text": text})), ok);
            let got = call(json!({"op": "get", "collection": "c", "key": "r"}));
            assert_eq!(got, json!({"value_text": "{\"raw\": true}"}));
        }
        let refused = session.try_call(&json!({"store": place["store"], "op": "nothing", "host": place["host"],
            "port": place["port"], "directory": place["directory"]}));
        assert_eq!(refused.unwrap()["error"], "ValueError");
    }
    // Really there, and not only in Python's memory.
    for (kind, own) in &servers {
        let document: Value = serde_json::from_str(&own.command(&["GET", "c::b"]).unwrap().text().unwrap()).unwrap();
        assert_eq!((&document["value"], &document["key"]), (&json!({"i": 2}), &json!("b")), "{}", kind.name());
    }
    assert!(disk.join("cache.db").exists() && multi.join("c/cache.db").exists());
    let closed = session.call(&json!({"store": "disk", "directory": disk, "op": "close"})).unwrap();
    assert_eq!(closed, json!({"ok": true}));
    drop(session);
    // Another process finds it again.
    let again = json!({"store": "disk", "directory": disk, "op": "get", "collection": "c", "key": "k"});
    assert_eq!(python.run_commands(&[again]).unwrap(), [json!({"value_text": EXACT})]);
}

#[test]
fn python_reaches_a_server_with_password_and_tls() {
    let Some(python) = need(Python::find()) else { return };
    let options = Options::redis().tls().acl_user("app", "pw");
    let Some(own) = need(private_redis(options)) else { return };
    let ca = own.certs().unwrap().ca();
    let mut session = python.session().unwrap();
    let mut command = json!({"store": "redis", "url": own.url(), "options": {"ssl_ca_certs": ca},
        "op": "put", "collection": "c", "key": "k", "value_text": "{}"});
    assert_eq!(session.call(&command).unwrap(), json!({"ok": true}));
    assert_eq!(own.command(&["EXISTS", "c::k"]).unwrap(), Reply::Int(1));
    command["url"] = json!(own.url().replace(":pw@", ":wrong@"));
    let refused = session.try_call(&command).unwrap();
    assert!(refused["error"].as_str().is_some_and(|class| class.contains("Authentication")), "{refused}");
}

#[test]
fn python_that_ends_is_told() {
    let Some(python) = need(Python::find()) else { return };
    let error = python.run("interop.py", &[], "[]\nno json\n").unwrap();
    let answers: Vec<Value> = error.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&answers[0]["error"], &answers[1]["error"]), (&json!("TypeError"), &json!("JSONDecodeError")));
    assert!(python.run("no_such_script.py", &[], "").unwrap_err().to_string().contains("no_such_script.py"));
}

//! Private servers of each kind, and the front, each asked by a client of Python that other people wrote.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kv_tests::front::{Answer, FrontOptions, Request};
use kv_tests::python::Python;
use kv_tests::servers::{
    self, MongodbOptions, OpensearchOptions, PgbouncerOptions, PostgresOptions, private_mongodb, private_opensearch,
    private_pgbouncer, private_postgres,
};
use kv_tests::tls::Certs;
use kv_tests::{Result, need};
use serde_json::{Value, json};

fn process_exists(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Runs a program of Python; its arguments are in `args`.
fn python(text: &str, args: &[&str]) -> Option<Result<String>> {
    let python = need(Python::find())?;
    let output = std::process::Command::new(python.program())
        .args(["-c", &format!("import sys\nargs = sys.argv[1:]\n{text}")])
        .args(args)
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some(match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(kv_tests::Error::new(said(&output.stderr))),
    })
}

// --- PostgreSQL

/// Connects as the URL says, with TLS checked against an authority if one is given, and asks who one is.
const POSTGRES: &str = r"
import asyncio, asyncpg, ssl
async def main():
    url, ca = args
    tls = ssl.create_default_context(cafile=ca) if ca else 'disable'
    connection = await asyncpg.connect(url.split('?')[0], ssl=tls, timeout=10)
    print(await connection.fetchval('SELECT current_user'))
asyncio.run(main())
";

#[test]
fn postgres_keeps_its_data_over_a_restart_and_a_crash() {
    let Some(mut own) = need(private_postgres(PostgresOptions::new())) else { return };
    assert_eq!(own.url(), format!("postgres://postgres@127.0.0.1:{}/postgres", own.port()));
    assert_eq!(own.server().name, "postgres");
    own.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)").unwrap();
    let (pid, port) = (own.server().pid.unwrap(), own.port());
    own.restart().unwrap();
    assert_eq!(own.port(), port);
    assert!(!process_exists(pid));
    assert_eq!(own.sql("SELECT i FROM t ORDER BY i").unwrap(), "1\n2");
    own.sql("INSERT INTO t VALUES (3)").unwrap();
    own.kill9().unwrap();
    assert!(!own.is_running() && own.sql("SELECT 1").is_err());
    own.restart().unwrap();
    assert_eq!(own.sql("SELECT count(*) FROM t").unwrap(), "3");
    assert!(own.sql("SELECT nothing").unwrap_err().to_string().contains("nothing"));
    let (pid, dir) = (own.server().pid.unwrap(), own.dir().to_owned());
    drop(own);
    assert!(!process_exists(pid) && !dir.exists());
}

#[test]
fn postgres_pauses_with_every_connection() {
    let Some(own) = need(private_postgres(PostgresOptions::new())) else { return };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| own.sql("SELECT pg_sleep(0.3)"));
        std::thread::sleep(Duration::from_millis(150));
        own.pause().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert!(!slow.is_finished());
        own.resume().unwrap();
        assert!(slow.join().unwrap().is_ok());
    });
    assert!(began.elapsed() >= Duration::from_millis(650));
}

#[test]
fn postgres_wants_its_password() {
    let Some(own) = need(private_postgres(PostgresOptions::new().password("pä ss/:@"))) else { return };
    let Some(well) = python(POSTGRES, &[own.url(), ""]) else { return };
    assert_eq!(well.unwrap(), "postgres");
    let wrong = own.url().replacen("postgres:p", "postgres:q", 1);
    let refused = python(POSTGRES, &[&wrong, ""]).unwrap().unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert_eq!(own.sql("SELECT 1").unwrap(), "1");
}

/// Plays two roles: run by hand it starts itself again, and there somebody else's servers are named.
#[test]
fn servers_of_somebody_else_are_asked_for_their_version() {
    const CHILD: &str = "KV_SERVERS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        for server in [servers::postgres(), servers::mongodb(), servers::opensearch(), servers::elasticsearch()] {
            println!("{:?}", server.map_err(|error| error.to_string()));
        }
        return;
    }
    let Some(own) = need(private_postgres(PostgresOptions::new().password("pä ss/:@"))) else { return };
    let Some(search) = need(servers::opensearch()) else { return };
    let wrong = own.url().replacen("postgres:p", "postgres:q", 1);
    let ask = |url: &str| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "servers_of_somebody_else_are_asked_for_their_version", "--nocapture"]);
        // One is not there at all, and one is not what its variable says.
        command.envs([(CHILD, "1"), ("KV_POSTGRES_URL", url), ("KV_MONGODB_URL", "mongodb://127.0.0.1:1")]);
        command.envs([("KV_OPENSEARCH_URL", &search.url), ("KV_ELASTICSEARCH_URL", &search.url)]);
        String::from_utf8(command.env_remove("KV_SKIP").output().unwrap().stdout).unwrap()
    };
    let said = ask(own.url());
    assert!(said.contains(&format!("Ok({:?})", own.server()).split(" (pid").next().unwrap().to_owned()), "{said}");
    assert!(said.contains("the mongodb server that KV_MONGODB_URL names"), "{said}");
    assert!(said.contains(&format!("Ok(opensearch {} at ", search.version)), "{said}");
    assert!(said.contains("this server is not elasticsearch"), "{said}");
    let said = ask(&wrong);
    assert!(said.contains("password authentication failed") && !said.contains("ss/"), "{said}");
}

#[test]
fn pgbouncer_logs_in_for_its_clients() {
    let Some(own) = need(private_postgres(PostgresOptions::new().password("p's /:@"))) else { return };
    let Some(pooler) = need(private_pgbouncer(PgbouncerOptions::new(own.server(), 1))) else { return };
    assert_eq!(pooler.server().name, "pgbouncer");
    assert!(pooler.server().version.starts_with("1."), "{:?}", pooler.server());
    let Some(well) = python(POSTGRES, &[pooler.url(), ""]) else { return };
    assert_eq!(well.unwrap(), "postgres");
}

#[test]
fn postgres_speaks_tls_alone() {
    let options = PostgresOptions::new().tls().password("pw").setting("statement_timeout", "7s");
    let Some(own) = need(private_postgres(options)) else { return };
    assert_eq!(own.url(), format!("postgres://postgres:pw@localhost:{}/postgres?sslmode=require", own.port()));
    let ca = own.certs().unwrap().ca();
    let Some(well) = python(POSTGRES, &[own.url(), ca.to_str().unwrap()]) else { return };
    assert_eq!(well.unwrap(), "postgres");
    let foreign = Certs::generate().unwrap();
    let refused = python(POSTGRES, &[own.url(), foreign.ca().to_str().unwrap()]).unwrap().unwrap_err();
    assert!(refused.to_string().contains("CERTIFICATE_VERIFY_FAILED"), "{refused}");
    let refused = python(POSTGRES, &[own.url(), ""]).unwrap().unwrap_err();
    assert!(refused.to_string().contains("no encryption"), "{refused}");
    assert_eq!(own.sql("SHOW statement_timeout").unwrap(), "7s");
}

#[test]
fn the_shared_postgres_takes_tls_and_plain_text_and_many_connections() {
    let Some(server) = need(servers::postgres()) else { return };
    if server.pid.is_none() {
        return; // Somebody else's.
    }
    let text =
        POSTGRES.replace("cafile=ca", "").replace("= ssl.create", "= ssl._create_unverified_context() or ssl.create");
    let Some(well) = python(&text, &[&server.url, "any"]) else { return };
    assert_eq!(well.unwrap(), "postgres");
    let text = POSTGRES.replace("SELECT current_user", "SHOW max_connections");
    assert_eq!(python(&text, &[&server.url, ""]).unwrap().unwrap(), "300");
}

// --- MongoDB

const MONGODB: &str = r"
import pymongo
url, ca, op = args
tls = {'tlsCAFile': ca} if ca else {}
client = pymongo.MongoClient(url, serverSelectionTimeoutMS=4000, **tls)
c = client.db.c
if op == 'count': print(c.count_documents({}))
elif op == 'fail':
    client.admin.command({'configureFailPoint': 'failCommand', 'mode': {'times': 1},
                          'data': {'failCommands': ['find'], 'errorCode': 13}})
    c.find_one({})
else: c.insert_one({'_id': op})
";

#[test]
fn mongodb_keeps_its_data_over_a_restart_and_a_crash() {
    let Some(mut own) = need(private_mongodb(MongodbOptions::new())) else { return };
    assert_eq!(own.url(), format!("mongodb://127.0.0.1:{}", own.port()));
    let call = |url: &str, op: &str| python(MONGODB, &[url, "", op]);
    let Some(well) = call(own.url(), "a") else { return };
    well.unwrap();
    let (pid, port) = (own.server().pid.unwrap(), own.port());
    own.restart().unwrap();
    assert_eq!(own.port(), port);
    assert!(!process_exists(pid));
    call(own.url(), "b").unwrap().unwrap();
    own.kill9().unwrap();
    own.restart().unwrap();
    assert_eq!(call(own.url(), "count").unwrap().unwrap(), "2");
    let failed = call(own.url(), "fail").unwrap().unwrap_err().to_string();
    assert!(failed.contains("'code': 13"), "{failed}");
    let (pid, dir) = (own.server().pid.unwrap(), own.dir().to_owned());
    drop(own);
    assert!(!process_exists(pid) && !dir.exists());
}

#[test]
fn mongodb_wants_its_user_over_tls() {
    let Some(own) = need(private_mongodb(MongodbOptions::new().user("app", "p@ss/:").tls())) else { return };
    assert_eq!(own.url(), format!("mongodb://app:p%40ss%2F%3A@localhost:{}/?tls=true", own.port()));
    assert!(own.server().version.starts_with(|first: char| first.is_ascii_digit()), "{own:?}");
    let ca = own.certs().unwrap().ca();
    let ca = ca.to_str().unwrap();
    let Some(well) = python(MONGODB, &[own.url(), ca, "count"]) else { return };
    assert_eq!(well.unwrap(), "0");
    let wrong = own.url().replace("app:p", "app:q");
    let refused = python(MONGODB, &[&wrong, ca, "count"]).unwrap().unwrap_err().to_string();
    assert!(refused.contains("'code': 18"), "{refused}");
    let nobody = own.url().replace("app:p%40ss%2F%3A@", "");
    let refused = python(MONGODB, &[&nobody, ca, "count"]).unwrap().unwrap_err().to_string();
    assert!(refused.contains("'code': 13"), "{refused}");
    let foreign = Certs::generate().unwrap();
    let refused = python(MONGODB, &[own.url(), foreign.ca().to_str().unwrap(), "count"]).unwrap().unwrap_err();
    assert!(refused.to_string().contains("CERTIFICATE_VERIFY_FAILED"), "{refused}");
}

// --- OpenSearch and the front

/// Answers the status, two headers and the text; a login is `user:password` or `ApiKey ...`.
const HTTP: &str = r"
import http.client, ssl, base64
ca, port, login, method, path, body, *more = args
connection = http.client.HTTPSConnection('localhost', port, context=ssl.create_default_context(cafile=ca), timeout=20) \
    if ca else http.client.HTTPConnection('127.0.0.1', port, timeout=20)
headers = {'Content-Type': 'application/json'}
if login.startswith('ApiKey '): headers['Authorization'] = login
elif login: headers['Authorization'] = 'Basic ' + base64.b64encode(login.encode()).decode()
for _ in range(2 if 'twice' in more else 1):
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
print(answer.status, answer.headers.get('Retry-After') or '-', answer.headers.get('X-Elastic-Product') or '-', text)
";

#[test]
fn opensearch_keeps_its_data_over_a_restart_and_a_crash() {
    let Some(mut own) = need(private_opensearch(OpensearchOptions::new())) else { return };
    assert_eq!((own.url(), &*own.server().version), (&*format!("http://127.0.0.1:{}", own.port()), "2.4.1"));
    let port = own.port().to_string();
    let call = |method: &str, path: &str, body: &str| python(HTTP, &["", &port, "", method, path, body]);
    let Some(made) = call("PUT", "/i/_doc/1", "{\"a\": 1}") else { return };
    assert!(made.unwrap().starts_with("201 "));
    let pid = own.server().pid.unwrap();
    own.kill9().unwrap();
    assert!(!process_exists(pid));
    own.restart().unwrap();
    let found = call("GET", "/i/_doc/1", "").unwrap().unwrap();
    assert!(found.starts_with("200 ") && found.contains("\"a\": 1"), "{found}");
    own.restart().unwrap();
    let found = call("GET", "/i/_doc/1", "").unwrap().unwrap();
    assert!(found.starts_with("200 "), "{found}");
    let (pid, dir) = (own.server().pid.unwrap(), own.dir().to_owned());
    drop(own);
    assert!(!process_exists(pid) && !dir.exists());
}

#[test]
fn the_front_asks_for_a_login_over_tls() {
    let Some(server) = need(servers::opensearch()) else { return };
    let options =
        FrontOptions::new().tls().user("app", "p@ss").api_key("a2V5OnNlY3JldA==").header("X-Elastic-Product", "x");
    let front = options.start((server.host.as_str(), server.port)).unwrap();
    assert_eq!(front.login_url(), format!("https://app:p%40ss@localhost:{}", front.port()));
    let (ca, port) = (front.certs().unwrap().ca(), front.port().to_string());
    let call = |login: &str, more: &str| {
        python(HTTP, &[ca.to_str().unwrap(), &port, login, "GET", "/_cluster/health", "", more])
    };
    let Some(nobody) = call("", "") else { return };
    let nobody = nobody.unwrap();
    assert!(nobody.starts_with("401 ") && nobody.contains("security_exception"), "{nobody}");
    assert!(call("app:wrong", "").unwrap().unwrap().starts_with("401 "));
    assert!(call("ApiKey wrong", "").unwrap().unwrap().starts_with("401 "));
    assert_eq!(front.reset().len(), 3);
    let well = call("app:p@ss", "twice").unwrap().unwrap();
    assert!(well.starts_with("200 - x ") && well.contains("cluster_name"), "{well}");
    assert_eq!((front.requests().len(), front.connections()), (2, 1));
    assert!(call("ApiKey a2V5OnNlY3JldA==", "").unwrap().unwrap().starts_with("200 "));
    // Plain text where TLS is spoken.
    let mut stream = TcpStream::connect(front.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn the_front_answers_in_the_place_of_the_server() {
    let Some(server) = need(servers::opensearch()) else { return };
    let front = FrontOptions::new().start((server.host.as_str(), server.port)).unwrap();
    assert_eq!(front.url(), front.login_url());
    let port = front.port().to_string();
    let call = |method: &str, path: &str| python(HTTP, &["", &port, "", method, path, ""]);
    front.answer_next(2, Answer::new(429).header("Retry-After", "3"));
    let Some(first) = call("GET", "/") else { return };
    assert!(first.unwrap().starts_with("429 3 "));
    assert!(call("GET", "/").unwrap().unwrap().starts_with("429 3 "));
    assert!(call("GET", "/").unwrap().unwrap().starts_with("200 - - "));
    front.answer_when(|request| request.path.starts_with("/_cat").then(|| Answer::new(503).body("{\"busy\": true}")));
    let busy = call("GET", "/_cat/indices?format=json").unwrap().unwrap();
    assert!(busy.starts_with("503 ") && busy.contains("busy"), "{busy}");
    assert!(call("HEAD", "/no-such-index").unwrap().unwrap().starts_with("404 "));
    front.answer_nothing();
    assert!(call("GET", "/_cat/indices?format=json").unwrap().unwrap().starts_with("200 "));
    let last = Request { method: "HEAD".into(), path: "/no-such-index".into() };
    assert_eq!((front.requests().len(), &front.requests()[4]), (6, &last));
    let addr = front.addr();
    drop(front);
    assert!(TcpStream::connect(addr).is_err());
}

// --- the stores of Python's package on each of them

#[test]
fn python_talks_to_the_stores_of_these_servers() {
    let Some(python) = need(Python::find()) else { return };
    let name = format!("kv_harness_{}", std::process::id());
    let mut places = Vec::new();
    if let Some(server) = need(servers::mongodb()) {
        places.push(json!({"store": "mongodb", "url": server.url, "options": {"db_name": name, "sanitize": true}}));
    }
    if let Some(server) = need(servers::postgres()) {
        places.push(json!({"store": "postgresql", "url": server.url, "options": {"table_name": name}}));
    }
    let options = json!({"index_prefix": name, "sanitize": true, "plain_mapping": true});
    if let Some(server) = need(servers::opensearch()) {
        places.push(json!({"store": "opensearch", "url": server.url, "options": options}));
    }
    let search = need(servers::elasticsearch());
    let start = |server: servers::Server| {
        FrontOptions::new().user("u", "p").elasticsearch().start((server.host.as_str(), server.port)).unwrap()
    };
    let front = search.map(start);
    if let Some(front) = &front {
        let mut options = options.clone();
        options["index_prefix"] = json!(format!("{name}_e"));
        places.push(json!({"store": "elasticsearch", "url": front.login_url(), "options": options}));
    }
    let mut session = python.session().unwrap();
    for place in &places {
        let mut call = |more: Value| {
            let mut command = place.clone();
            command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            session.call(&command).unwrap()
        };
        let ok = json!({"ok": true});
        let text = r#"{"a": [1, 2.5, null, {"b": "\u00e4"}]}"#;
        assert_eq!(call(json!({"op": "put", "collection": "c", "key": "k", "value_text": text, "ttl": 100.5})), ok);
        let got = call(json!({"op": "ttl", "collection": "c", "key": "k"}));
        assert_eq!(got["value_text"], text, "{place}");
        assert!((90.0..=100.5).contains(&got["ttl"].as_f64().unwrap()), "{place} {got}");
        assert_eq!(call(json!({"op": "get", "collection": "c", "key": "x"})), json!({"value_text": null}));
        assert_eq!(call(json!({"op": "raw_get", "collection": "c", "key": "x"})), json!({"text": null}));
        let raw = call(json!({"op": "raw_get", "collection": "c", "key": "k"}));
        let raw = raw["text"].as_str().unwrap();
        assert!(raw.contains("2.5") && raw.contains("expires_at"), "{place} {raw}");
        let raw = raw.replace("2.5", "7.5");
        assert_eq!(call(json!({"op": "raw_put", "collection": "c", "key": "k", "text": raw})), ok);
        let got = call(json!({"op": "get", "collection": "c", "key": "k"}));
        assert_eq!(got["value_text"], text.replace("2.5", "7.5"), "{place}");
        let many = json!({"op": "put_many", "collection": "c", "keys": ["a", "b"], "values_text": ["{\"i\": 1}", "{\"i\": 2}"]});
        assert_eq!(call(many), ok);
        assert_eq!(
            call(json!({"op": "delete_many", "collection": "c", "keys": ["a", "k", "x"]})),
            json!({"deleted": 2})
        );
        assert_eq!(call(json!({"op": "delete", "collection": "c", "key": "b"})), json!({"deleted": true}));
        assert_eq!(call(json!({"op": "close"})), ok);
    }
}

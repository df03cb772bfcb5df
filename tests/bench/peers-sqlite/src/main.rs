//! Takes turns as it is told: a line in, a line out. `kv-bench-peers-sqlite sqlite DIRECTORY TASKS`, or
//! `postgres URL TASKS`, or `mongodb URL TASKS`.

#[allow(dead_code)]
#[path = "../../src/data.rs"]
mod data;
mod subjects;

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use opendal::Operator;
use subjects::opendal::OpenDal;
use subjects::openkeyv::OpenKeyv;
use subjects::run::{Keys, Runtimes};
use subjects::{Op, Subject, run};

const KEYS: usize = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let backend = arguments.next().expect("a backend");
    let place = arguments.next().expect("a directory or a URL");
    let tasks: usize = arguments.next().and_then(|tasks| tasks.parse().ok()).expect("a number of tasks");
    let runtimes = Runtimes::new();
    let subjects = match &*backend {
        "sqlite" => on_sqlite(Path::new(&place), tasks, &runtimes),
        "postgres" => on_postgres(&place, tasks, &runtimes),
        "mongodb" => on_mongodb(&place, tasks, &runtimes),
        _ => panic!("no such backend: {backend}"),
    };
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        let words: Vec<&str> = line.split('\t').collect();
        let answer = match words[..] {
            ["names"] => subjects.iter().map(|subject| subject.name()).collect::<Vec<_>>().join("\t"),
            ["has", name, op] => find(&subjects, name).has(operation(op)).to_string(),
            ["run", name, op, start, count] => {
                let number = |text: &str| text.parse().expect("a number");
                find(&subjects, name).run(operation(op), number(start), number(count)).to_string()
            }
            _ => panic!("no such request: {line}"),
        };
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("somebody listens");
    }
}

fn find<'a>(subjects: &'a [Box<dyn Subject>], name: &str) -> &'a dyn Subject {
    &**subjects.iter().find(|subject| subject.name() == name).expect("a subject of that name")
}

fn operation(name: &str) -> Op {
    Op::STORES.into_iter().find(|op| op.name() == name).expect("an operation of that name")
}

fn on_sqlite(directory: &Path, tasks: usize, runtimes: &Runtimes) -> Vec<Box<dyn Subject>> {
    let keys = Keys::new(KEYS);
    let connect = |name: &str| {
        let path = directory.join(name);
        let connection = rusqlite::Connection::open(&path).expect("a database");
        connection.pragma_update(None, "journal_mode", "WAL").expect("a log");
        connection.pragma_update(None, "synchronous", "NORMAL").expect("a durability");
        (path, connection)
    };

    let (_, connection) = connect("openkeyv.db");
    let store = runtimes.of(tasks).block_on(openkeyv::store::sqlite::SqliteStore::from_conn(connection, None));
    let openkeyv = OpenKeyv::<_, false>(Arc::new(store.expect("openkeyv opens")));

    let (path, connection) = connect("opendal.db");
    connection.execute_batch("CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB)").expect("a table");
    drop(connection);
    let builder = opendal::services::Sqlite::default()
        .connection_string(&format!("sqlite:{}", path.display()))
        .table("kv")
        .key_field("key")
        .value_field("value");
    let opendal = OpenDal::one_by_one(Operator::new(builder).expect("opendal opens"));

    vec![
        run::awaiting("openkeyv", Arc::new(openkeyv), &keys, runtimes, tasks),
        // Its connections are its own; nobody can tell them another durability than SQLite's FULL.
        run::awaiting("opendal (FULL)", opendal, &keys, runtimes, tasks),
    ]
}

fn on_postgres(url: &str, tasks: usize, runtimes: &Runtimes) -> Vec<Box<dyn Subject>> {
    let keys = Keys::new(2000);
    let store = runtimes.of(tasks).block_on(openkeyv::store::postgres::PostgresStore::new(url, Some("openkeyv")));
    let openkeyv = OpenKeyv::<_, false>(Arc::new(store.expect("openkeyv connects")));
    let mut client = postgres::Client::connect(url, postgres::NoTls).expect("a connection");
    client.batch_execute("CREATE TABLE IF NOT EXISTS opendal (key TEXT PRIMARY KEY, value BYTEA)").expect("a table");
    let builder = opendal::services::Postgresql::default()
        .connection_string(url)
        .table("opendal")
        .key_field("key")
        .value_field("value");
    let opendal = OpenDal::one_by_one(Operator::new(builder).expect("opendal connects"));
    vec![
        run::awaiting("openkeyv", Arc::new(openkeyv), &keys, runtimes, tasks),
        run::awaiting("opendal", opendal, &keys, runtimes, tasks),
    ]
}

fn on_mongodb(url: &str, tasks: usize, runtimes: &Runtimes) -> Vec<Box<dyn Subject>> {
    let keys = Keys::new(2000);
    let store = runtimes.of(tasks).block_on(openkeyv::store::mongodb::MongoDBStore::new(url));
    let openkeyv = OpenKeyv::<_, false>(Arc::new(store.expect("openkeyv connects")));
    let builder = opendal::services::Mongodb::default()
        .connection_string(url)
        .database("opendal")
        .collection("kv")
        .key_field("key")
        .value_field("value");
    let opendal = OpenDal::at_once(Operator::new(builder).expect("opendal connects"));
    vec![
        run::awaiting("openkeyv", Arc::new(openkeyv), &keys, runtimes, tasks),
        run::awaiting("opendal", opendal, &keys, runtimes, tasks),
    ]
}

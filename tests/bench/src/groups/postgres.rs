//! PostgreSQL: the client crate as it is, ours, and the peers.

use std::sync::Arc;

use kv_tests::servers::{Kind, PostgresOptions, external, private_postgres};

use super::network::{Contest, Outcome, Subjects, batches};
use super::{FLOOR, OURS};
use crate::measure::{Plan, Row};
use crate::subjects::postgres::{RawAsync, RawBlocking};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};
use crate::subjects::{ours, remote};

const KEYS: usize = 2000;
const GROUP: &str = "postgres";
/// As many as ours has at most.
const CONNECTIONS: usize = 16;

pub fn run(plan: Plan) -> Result<Vec<Row>, String> {
    if let Some(server) = external(Kind::Postgres).map_err(|error| error.to_string())? {
        return measure(&server.url, plan).map_err(|error| format!("{}: {error}", server.url));
    }
    let server = private_postgres(PostgresOptions::new()).map_err(|error| error.to_string())?;
    let mut rows = measure(server.url(), plan).map_err(|error| format!("{}: {error}", server.url()))?;
    let server = private_postgres(PostgresOptions::new().setting("fsync", "on")).map_err(|error| error.to_string())?;
    rows.extend(durable(server.url(), plan).map_err(|error| format!("{}: {error}", server.url()))?);
    Ok(rows)
}

/// What a batch is worth where what is answered is on disk, as PostgreSQL has it unless told otherwise: the other server
/// forces nothing there, for what is measured is the client.
fn durable(url: &str, plan: Plan) -> Outcome<Vec<Row>> {
    // A loop takes seconds.
    let plan = Plan { rounds: plan.rounds.min(5), ..plan };
    let (one, other) = (kv_sync::stores::PostgresStore::connect(url)?, kv_async::stores::PostgresStore::connect(url)?);
    let (blocking, awaiting) = (kv_sync::Kv::new(one), kv_async::Kv::new(other));
    Ok(batches(&format!("{GROUP}, fsync"), &Runtimes::new(), plan, blocking, awaiting))
}

fn measure(url: &str, plan: Plan) -> Outcome<Vec<Row>> {
    let plan = plan.longer();
    let store = || kv_sync::stores::PostgresStore::connect(url);
    // The floor works on the table that the store makes.
    kv_sync::Kv::new(store()?).setup()?;
    let blocking = |keys: &Arc<Keys>, threads| -> Outcome<Subjects> {
        Ok(vec![
            blocking(FLOOR, RawBlocking::connect(url)?, keys, threads),
            blocking(OURS, ours::blocking(store()?), keys, threads),
        ])
    };
    let awaiting = |keys: &Arc<Keys>, runtimes: &Runtimes, tasks| -> Outcome<Subjects> {
        let runtime = runtimes.of(tasks);
        let floor = runtime.block_on(RawAsync::connect(url, 1))?;
        let ours = ours::awaiting(kv_async::stores::PostgresStore::connect(url)?);
        let mut subjects =
            vec![awaiting(FLOOR, floor, keys, runtimes, tasks), awaiting(OURS, ours, keys, runtimes, tasks)];
        if tasks > 1 {
            let many = runtime.block_on(RawAsync::connect(url, CONNECTIONS))?;
            subjects.push(awaiting("floor, 16 connections", many, keys, runtimes, tasks));
        }
        match remote::peers(&["postgres", url, &tasks.to_string()]) {
            Ok(peers) => subjects.extend(peers),
            Err(reason) => eprintln!("{GROUP}: without openkeyv and opendal: {reason}"),
        }
        Ok(subjects)
    };
    let keys = Keys::new(KEYS);
    let contest = Contest { group: GROUP, keys, runtimes: Runtimes::new(), blocking: &blocking, awaiting: &awaiting };
    let mut rows = contest.run(plan)?;
    let both = (kv_sync::Kv::new(store()?), kv_async::Kv::new(kv_async::stores::PostgresStore::connect(url)?));
    rows.extend(contest.batches(plan, both.0, both.1));
    Ok(rows)
}

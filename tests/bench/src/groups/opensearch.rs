//! OpenSearch: a bare HTTP client and ours. The one peer that has such a store, openkeyv, fails on the server of the tests.

use std::sync::Arc;

use kv_tests::servers::{Kind, OpensearchOptions, external, private_opensearch};

use super::network::{Contest, Outcome, Subjects};
use super::{FLOOR, OURS};
use crate::measure::{Plan, Row};
use crate::subjects::opensearch::{COLLECTION, RawAsync, RawBlocking};
use crate::subjects::ours;
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};

const KEYS: usize = 2000;
const GROUP: &str = "opensearch";

pub fn run(plan: Plan) -> Result<Vec<Row>, String> {
    if let Some(server) = external(Kind::Opensearch).map_err(|error| error.to_string())? {
        return measure(&server.url, plan).map_err(|error| format!("{}: {error}", server.url));
    }
    let server = private_opensearch(OpensearchOptions::new()).map_err(|error| error.to_string())?;
    measure(server.url(), plan).map_err(|error| format!("{}: {error}", server.url()))
}

fn measure(url: &str, plan: Plan) -> Outcome<Vec<Row>> {
    let plan = plan.longer();
    let store = || kv_sync::stores::OpenSearchStore::connect(url);
    // The floor works on an index that the store makes.
    let _ = kv_sync::Kv::new(store()?).collection(COLLECTION).put("user:00000000", &0)?;
    let blocking = |keys: &Arc<Keys>, threads| -> Outcome<Subjects> {
        Ok(vec![
            blocking(FLOOR, RawBlocking::new(url), keys, threads),
            blocking(OURS, ours::blocking(store()?), keys, threads),
        ])
    };
    let awaiting = |keys: &Arc<Keys>, runtimes: &Runtimes, tasks| -> Outcome<Subjects> {
        let ours = ours::awaiting(kv_async::stores::OpenSearchStore::connect(url)?);
        Ok(vec![
            awaiting(FLOOR, RawAsync::new(url), keys, runtimes, tasks),
            awaiting(OURS, ours, keys, runtimes, tasks),
        ])
    };
    let keys = Keys::new(KEYS);
    let contest = Contest { group: GROUP, keys, runtimes: Runtimes::new(), blocking: &blocking, awaiting: &awaiting };
    let mut rows = contest.run(plan)?;
    let both = (kv_sync::Kv::new(store()?), kv_async::Kv::new(kv_async::stores::OpenSearchStore::connect(url)?));
    rows.extend(contest.batches(plan, both.0, both.1));
    Ok(rows)
}

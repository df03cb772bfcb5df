//! Redis: the client crate as it is, ours, and the peers.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opendal::Operator;

use super::network::{Contest, Outcome, Subjects};
use super::{FLOOR, OURS};
use crate::data::TTL;
use crate::measure::{Plan, Row};
use crate::subjects::opendal::OpenDal;
use crate::subjects::openkeyv::OpenKeyv;
use crate::subjects::ours;
use crate::subjects::redis::{RawAsync, RawBlocking, Work};
use crate::subjects::run::{Keys, Runtimes, awaiting, blocking};

const KEYS: usize = 10_000;
const GROUP: &str = "redis";
/// What the client takes by itself, for bytes that nobody looks at.
const BYTES: &str = "client alone, bytes";

pub fn run(plan: Plan) -> Result<Vec<Row>, String> {
    let server = Server::start()?;
    measure(&server.url, plan).map_err(|error| format!("{}: {error}", server.url))
}

fn measure(url: &str, plan: Plan) -> Outcome<Vec<Row>> {
    let blocking = |keys: &Arc<Keys>, threads| -> Outcome<Subjects> {
        Ok(vec![
            blocking(FLOOR, RawBlocking::connect(url, Work::Records)?, keys, threads),
            blocking(OURS, ours::blocking(kv_sync::stores::RedisStore::connect(url)?), keys, threads),
            blocking(BYTES, RawBlocking::connect(url, Work::Nothing)?, keys, threads),
        ])
    };
    let awaiting = |keys: &Arc<Keys>, runtimes: &Runtimes, tasks| -> Outcome<Subjects> {
        let runtime = runtimes.of(tasks);
        let floor = runtime.block_on(RawAsync::connect(url, Work::Records, false))?;
        let no_delay = runtime.block_on(RawAsync::connect(url, Work::Records, true))?;
        let bytes = runtime.block_on(RawAsync::connect(url, Work::Nothing, false))?;
        let openkeyv = runtime.block_on(openkeyv::store::redis::RedisStore::new(url))?;
        let builder = opendal::services::Redis::default().endpoint(url).root("/opendal").default_ttl(TTL);
        // The operator's connections are made by its first use, in the runtime that uses it.
        let opendal = Operator::new(builder)?;
        Ok(vec![
            awaiting(FLOOR, floor, keys, runtimes, tasks),
            awaiting(OURS, ours::awaiting(kv_async::stores::RedisStore::connect(url)?), keys, runtimes, tasks),
            awaiting("floor, TCP_NODELAY", no_delay, keys, runtimes, tasks),
            awaiting(BYTES, bytes, keys, runtimes, tasks),
            awaiting("opendal", OpenDal::at_once(opendal), keys, runtimes, tasks),
            awaiting("openkeyv", Arc::new(OpenKeyv::<_, false>(Arc::new(openkeyv))), keys, runtimes, tasks),
        ])
    };
    let keys = Keys::new(KEYS);
    Contest { group: GROUP, keys, runtimes: Runtimes::new(), blocking: &blocking, awaiting: &awaiting }.run(plan)
}

/// A server of the benches' own, ended with this; or the one that `KV_REDIS_URL` names, where the benches' keys expire
/// by themselves.
pub(super) struct Server {
    pub(super) url: String,
    child: Option<Child>,
}

impl Server {
    pub(super) fn start() -> Result<Self, String> {
        if let Ok(url) = std::env::var("KV_REDIS_URL") {
            return Ok(Self { url, child: None });
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server is missing ({error}); install it, or set KV_REDIS_URL"))?;
        let server = Self { url: format!("redis://127.0.0.1:{port}/0"), child: Some(child) };
        let start = Instant::now();
        let client = redis::Client::open(server.url.as_str()).map_err(|error| error.to_string())?;
        loop {
            match client.get_connection() {
                Ok(_) => return Ok(server),
                Err(error) if start.elapsed() > Duration::from_secs(10) => {
                    return Err(format!("redis-server does not answer: {error}"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

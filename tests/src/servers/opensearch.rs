//! OpenSearch: the real node, prepared from Debian's packages by `tests/servers/opensearch/prepare.sh`. It has no
//! security plugin: for logins and TLS put a [`front`](crate::front) before it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::Address;
use super::launch::{find, free_port};
use super::private::{Private, private};
use super::recipe::{Place, Recipe};
use super::{Kind, wire};
use crate::cached;
use crate::error::{Context, Error, Result};
use crate::need::Unavailable;
use crate::python::run;

/// The class that runs.
pub(super) const MAIN: &str = "RunOpenSearch";
const PACKAGE: &str = "openjdk-17-jre-headless";
const SCRIPT: &str = "prepare.sh";

/// What is prepared depends on these, and on nothing else that may change.
const FILES: &[(&str, &str)] = &[
    (SCRIPT, include_str!("../../servers/opensearch/prepare.sh")),
    ("OsPrep.java", include_str!("../../servers/opensearch/OsPrep.java")),
    (
        "src/IndexSortSortedNumericDocValuesRangeQuery.java",
        include_str!("../../servers/opensearch/src/IndexSortSortedNumericDocValuesRangeQuery.java"),
    ),
    ("src/Lucene94Codec.java", include_str!("../../servers/opensearch/src/Lucene94Codec.java")),
    ("src/PruningBridge.java", include_str!("../../servers/opensearch/src/PruningBridge.java")),
    ("src/RunOpenSearch.java", include_str!("../../servers/opensearch/src/RunOpenSearch.java")),
];

/// Java 17 where the package puts it, or else whatever is called so.
fn java() -> Option<PathBuf> {
    let machines = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let own = machines.filter(|entry| entry.file_name().to_string_lossy().starts_with("java-17-openjdk"));
    own.map(|entry| entry.path().join("bin/java")).find(|file| file.is_file()).or_else(|| find("java"))
}

fn needed_java() -> Result<PathBuf> {
    java().ok_or_else(|| Error::new(format!("java is not installed; {}", super::advice(Kind::Opensearch))))
}

pub(super) fn missing_packages() -> Vec<&'static str> {
    if java().is_some() { Vec::new() } else { vec![PACKAGE] }
}

fn folder() -> String {
    let texts: Vec<&str> = FILES.iter().flat_map(|(name, text)| [*name, *text]).collect();
    format!("opensearch-{:016x}", cached::fnv(&texts))
}

pub(super) fn is_prepared() -> bool {
    cached::has(&folder())
}

/// The folder of the prepared node, made if it is not there yet; several processes may ask at once.
pub(super) fn prepared() -> Result<PathBuf> {
    let prepare = |new: &Path| {
        // It downloads with apt, of which there must be one at a time.
        let _apt = super::install_lock()?;
        let java = needed_java()?;
        let from = tempfile::tempdir()?;
        std::fs::create_dir(from.path().join("src"))?;
        for (name, text) in FILES {
            std::fs::write(from.path().join(name), text)?;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = java.parent().map(Path::to_path_buf).into_iter();
        let path = std::env::join_paths(bin.chain(std::env::split_paths(&path)))?;
        run(Command::new("bash").arg(from.path().join(SCRIPT)).current_dir(new).env("PATH", path)).map(drop)
    };
    cached::folder(&folder(), prepare)
}

/// What it tells at its root; the two tell themselves apart by the distribution.
pub(super) fn ask(kind: Kind, address: &Address) -> Result<String> {
    let (status, body) = wire::get(address, "/")?;
    if status != 200 {
        return Err(Error::new(format!("it answers {status}")));
    }
    let body: serde_json::Value = serde_json::from_str(&body).context(|| "its greeting".to_owned())?;
    let version = &body["version"];
    let is_opensearch = version["distribution"] == "opensearch";
    match version["number"].as_str() {
        Some(number) if is_opensearch == (kind == Kind::Opensearch) => Ok(number.to_owned()),
        _ => Err(Error::new(format!("this server is not {}", kind.name()))),
    }
}

/// How a private OpenSearch is to be. It has neither logins nor TLS; a [`front`](crate::front) has.
#[derive(Clone, Debug, Default)]
pub struct OpensearchOptions {
    settings: Vec<String>,
}

impl OpensearchOptions {
    /// A plain one. Its data stays over a restart, and what it answered over [`Private::kill9`].
    ///
    /// It takes some seconds to come up and 250 MB of memory: share it between tests where they can.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any setting of the node, such as `http.max_content_length`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("{name}={value}"));
        self
    }
}

impl Recipe for OpensearchOptions {
    fn kind(&self) -> Kind {
        Kind::Opensearch
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        let made = prepared()?;
        let parts = ["shim", "oscore.jar", "lucene9-os.jar", "lib/*"];
        let classes: Vec<_> = parts.iter().map(|part| made.join(part).to_string_lossy().into_owned()).collect();
        let mut command = Command::new(needed_java()?);
        command.args(["-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]);
        command.arg("-Dio.netty.noUnsafe=true").arg(format!("-Djava.io.tmpdir={}", place.dir.display()));
        command.args(["-cp", &classes.join(":"), MAIN]).arg(place.dir);
        command.args([place.port.to_string(), free_port()?.to_string()]);
        // By default it counts what this collector has not freed yet, and refuses work for that.
        command.arg("indices.breaker.total.use_real_memory=false").args(&self.settings);
        Ok(command)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        let address = Address::parse(self.kind(), &self.url(place))?;
        let version = ask(self.kind(), &address)?;
        // It greets before it has a master, without whom it can do nothing.
        match wire::get(&address, "/_cluster/health")? {
            (200, body) if !body.contains("\"status\":\"red\"") => Ok(version),
            (status, _) => Err(Error::new(format!("not ready yet ({status})"))),
        }
    }

    fn url(&self, place: Place<'_>) -> String {
        format!("http://127.0.0.1:{}", place.port)
    }
}

/// Starts an OpenSearch of one's own on a free loopback port, and waits until it can work.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for. Give it to
/// [`need`](crate::need).
pub fn private_opensearch(options: OpensearchOptions) -> Result<Private<OpensearchOptions>, Unavailable> {
    private(options)
}

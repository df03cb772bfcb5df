//! PgBouncer, in front of a PostgreSQL that is there: Debian's package, as PostgreSQL's user where we are root.

use std::path::PathBuf;
use std::process::Command;

use super::address::Address;
use super::launch::find;
use super::postgres::{USER, account, give, greet, run_as};
use super::private::{Private, private};
use super::recipe::{Place, Recipe};
use super::wire::tcp;
use super::{Kind, Server};
use crate::error::{Error, Result};
use crate::need::{Unavailable, is_skipped};

/// As `KV_SKIP` names it.
const NAME: &str = "pgbouncer";

/// The database that it has of its own, to ask it things.
const CONSOLE: &str = "pgbouncer";

pub(super) fn missing_package() -> Option<&'static str> {
    (find(NAME).is_none() && !is_skipped(NAME)).then_some(NAME)
}

fn program() -> Result<PathBuf> {
    let message =
        "pgbouncer is not installed; install the package of that name, as just services-up does, or name it in KV_SKIP";
    find(NAME).ok_or_else(|| Error::new(message))
}

/// How a private PgBouncer is to be. It pools by transaction: what a client sends next may come to another of its few
/// connections to the server, where other clients were before.
///
/// It lets in whoever comes, as whom it logs in itself.
#[derive(Clone, Debug)]
pub struct PgbouncerOptions {
    upstream: Server,
    connections: usize,
    ignored: Option<String>,
}

impl PgbouncerOptions {
    /// One in front of this PostgreSQL, with so many connections to it.
    pub fn new(upstream: &Server, connections: usize) -> Self {
        Self { upstream: upstream.clone(), connections, ignored: None }
    }

    /// It takes this parameter of a client that connects, such as `options`, and forgets it. Else it refuses the client.
    #[must_use]
    pub fn ignoring(mut self, parameter: &str) -> Self {
        self.ignored = Some(parameter.into());
        self
    }

    fn address(&self) -> Result<Address> {
        Address::parse(Kind::Postgres, &self.upstream.url)
    }

    /// The name of the database, there and here.
    fn database(address: &Address) -> &str {
        address.path.as_deref().or(address.user.as_deref()).unwrap_or(USER)
    }
}

/// A value as its configuration has it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Recipe for PgbouncerOptions {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn prepare(&self, place: Place<'_>) -> Result<()> {
        give(place.dir, account()?)
    }

    fn command(&self, place: Place<'_>) -> Result<Command> {
        let (program, account, address) = (program()?, account()?, self.address()?);
        let mut database = format!("host={} port={}", quoted(&address.host), address.port);
        let words = [
            ("dbname", Some(Self::database(&address))),
            ("user", Some(address.user.as_deref().unwrap_or(USER))),
            ("password", address.password.as_deref()),
        ];
        for (name, word) in words {
            database += &word.map(|word| format!(" {name}={}", quoted(word))).unwrap_or_default();
        }
        let text = format!(
            "[databases]\n* = {database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {}\nignore_startup_parameters = {}\n\
             server_login_retry = 1\n",
            place.port,
            self.connections,
            self.ignored.as_deref().unwrap_or_default(),
        );
        let file = place.dir.join("pgbouncer.ini");
        std::fs::write(&file, text)?;
        give(&file, account)?;
        let mut command = Command::new(program);
        command.arg(file);
        run_as(&mut command, account);
        Ok(command)
    }

    fn probe(&self, place: Place<'_>) -> Result<String> {
        greet(&mut tcp("127.0.0.1", place.port)?, USER, CONSOLE)
    }

    fn url(&self, place: Place<'_>) -> String {
        let address = self.address();
        let database = address.as_ref().map_or(USER, |address| Self::database(address));
        format!("postgres://{USER}@127.0.0.1:{}/{}", place.port, super::address::encode(database))
    }
}

/// Starts a PgBouncer of one's own on a free loopback port, and waits until it answers.
///
/// # Errors
/// When it is not installed or does not come up; or the skip that `KV_SKIP` asks for, of it or of PostgreSQL. Give it to
/// [`need`](crate::need).
pub fn private_pgbouncer(options: PgbouncerOptions) -> Result<Private<PgbouncerOptions>, Unavailable> {
    private(options)
}

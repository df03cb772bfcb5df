//! What differs between the kinds of server.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::Kind;
use crate::error::Result;
use crate::tls::Certs;

/// Where a server lives: all that changes between two servers of one recipe.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// For its data, its configuration and its log.
    pub dir: &'a Path,
    /// TCP port on loopback, or 0 for none.
    pub port: u16,
    /// Its certificates, when the recipe wants some.
    pub certs: Option<&'a Certs>,
}

/// How servers of one kind are made, started and asked. Only this crate has any.
pub trait Recipe: Send + Sync {
    /// What kind it makes.
    fn kind(&self) -> Kind;

    /// As errors and `KV_SKIP` name it.
    fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Whether it listens on TCP.
    fn wants_port(&self) -> bool {
        true
    }

    /// Whether it needs certificates.
    fn wants_certs(&self) -> bool {
        false
    }

    /// What must be there before the process starts, once for each place.
    ///
    /// # Errors
    /// When it cannot be made.
    fn prepare(&self, place: Place<'_>) -> Result<()> {
        let _ = place;
        Ok(())
    }

    /// The process; its working directory and output are set by who starts it.
    ///
    /// # Errors
    /// When the program is missing, or its configuration cannot be written.
    fn command(&self, place: Place<'_>) -> Result<Command>;

    /// The version that the server tells, once it is ready to work.
    ///
    /// # Errors
    /// When it does not answer, or not yet.
    fn probe(&self, place: Place<'_>) -> Result<String>;

    /// For a client library.
    fn url(&self, place: Place<'_>) -> String;

    /// Asks it to end soon, whoever is still connected.
    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }
}

/// The host name of a URL. A certificate is for the name or for the address; this is the name that people write.
pub(super) fn host(tls: bool) -> &'static str {
    if tls { "localhost" } else { "127.0.0.1" }
}

//! A proxy for each of several stores on one server: one is cut off, and the others are not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::proxy::{Mode, Proxy};

/// Proxies of a server by the names of the stores behind them; each is made when it is first asked for.
#[derive(Debug)]
pub struct Proxies {
    upstream: (String, u16),
    proxies: Mutex<HashMap<String, Proxy>>,
}

impl Proxies {
    /// None yet.
    pub fn new(host: &str, port: u16) -> Self {
        Self { upstream: (host.to_owned(), port), proxies: Mutex::default() }
    }

    /// The port by which this store reaches the server.
    ///
    /// # Errors
    ///
    /// No proxy could be made.
    pub fn port(&self, store: &str) -> Result<u16> {
        self.with(store, Proxy::port)
    }

    /// Refuses and resets this store's connections, or lets them pass again.
    ///
    /// # Errors
    ///
    /// No proxy could be made.
    pub fn cut_off(&self, store: &str, off: bool) -> Result<()> {
        self.with(store, |proxy| {
            proxy.set_mode(if off { Mode::Refuse } else { Mode::Pass });
            proxy.reset_connections();
        })
    }

    fn with<T>(&self, store: &str, run: impl FnOnce(&Proxy) -> T) -> Result<T> {
        let mut proxies = self.proxies();
        if !proxies.contains_key(store) {
            let (host, port) = &self.upstream;
            proxies.insert(store.to_owned(), Proxy::start((host.as_str(), *port))?);
        }
        Ok(run(&proxies[store]))
    }

    fn proxies(&self) -> MutexGuard<'_, HashMap<String, Proxy>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

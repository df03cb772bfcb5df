//! Culling in the background, blocking: a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use kv_core::{CallOptions, Error, ErrorKind, Result};

use crate::store::Store;

/// Culls at an interval until it is dropped; see [`Kv::cull_every`](crate::Kv::cull_every).
#[derive(Debug)]
#[must_use = "culling ends when this is dropped"]
pub struct Culler {
    _ends_when_dropped: Sender<()>,
}

impl Culler {
    pub(crate) fn start(store: Arc<dyn Store>, interval: Duration) -> Result<Self> {
        let (handle, dropped) = mpsc::channel::<()>();
        let cull = move || {
            while dropped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                // The next round tries again; a store that cannot cull was refused at the start.
                let _ = store.cull(&CallOptions::default());
            }
        };
        let thread = std::thread::Builder::new().name("kv-culler".to_owned());
        thread
            .spawn(cull)
            .map_err(|error| Error::new(ErrorKind::Backend, "no thread to cull in").with_source(error))?;
        Ok(Self { _ends_when_dropped: handle })
    }
}

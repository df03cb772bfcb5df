//! Culling in the background, awaiting: a task of the runtime.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{CallOptions, Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::store::Store;

/// Culls at an interval until it is dropped; see [`Kv::cull_every`](crate::Kv::cull_every).
#[derive(Debug)]
#[must_use = "culling ends when this is dropped"]
pub struct Culler {
    task: AbortHandle,
}

impl Culler {
    pub(crate) fn start(store: Arc<dyn Store>, interval: Duration) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|_| {
            Error::new(ErrorKind::Configuration, "there is no tokio runtime to cull in; call this within one")
        })?;
        let cull = async move {
            loop {
                tokio::time::sleep(interval).await;
                // The next round tries again; a store that cannot cull was refused at the start.
                let _ = store.cull(&CallOptions::default()).await;
            }
        };
        Ok(Self { task: runtime.spawn(cull).abort_handle() })
    }
}

impl Drop for Culler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! The client of the async flavour.
//!
//! ```
//! kv_async::connect().await;
//! ```

use std::{future::Future, pin::Pin};

pub(crate) async fn sleep() {
    let now = async { 1 };
    tokio::select! { _ = now => {}, _ = kv_async::other() => {} }
}

//! The client of the blocking flavour.
//!
//! ```
//! # async fn run() {
//! kv_source::connect().await;
//! # }
//! ```

use std::thread;

use kv_source::Client;

pub(crate) fn sleep() {
    thread::sleep(std::time::Duration::ZERO)
}

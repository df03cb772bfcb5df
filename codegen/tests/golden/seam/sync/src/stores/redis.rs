//! The client of the blocking flavour.
//!
//! ```
//! # fn run() {
//! kv_sync::connect();
//! # }
//! ```

use std::thread;

use kv_sync::Client;

pub(crate) fn sleep() {
    thread::sleep(std::time::Duration::ZERO)
}

use std::{
    io,
    thread::{self, sleep},
};
use std::thread;
use tokio::sync::Mutex as Lock;
use {futures::StreamExt, std::{thread as t, sync::Arc}};
use tokio_util as util;
pub use ::async_trait::async_trait;
extern crate futures_core;
fn f() {
    ::std::thread::sleep(d);
    let x: tokio::time::Instant = std::vec![futures::x()];
    <tokio::X as Y>::z();
    crate::tokio::fine(my::std::thread::fine());
}
#[tokio::test]
#[async_trait::async_trait]
#[cfg_attr(not(feature = "is_sync"), tokio::other)]
fn g() {}
/// ```
/// tokio::spawn(x());
/// ```
fn documented() {}

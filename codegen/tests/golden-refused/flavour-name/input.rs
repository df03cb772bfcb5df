use std::{future::Future, pin::Pin, task::Poll};
pub use std::future::Future;
#[cfg(unix)]
use std::future::Future;
fn f<T: Future<Output = u8>>(x: Pin<Box<T>>) -> Poll<u8> {
    let boxed: Box<dyn Stream<Item = u8>> = x;
    Poll::Ready(1)
}
#[maybe_async::maybe_async]
fn g() -> impl Send + Future<Output = u8> {
    h()
}

#[cfg(feature = "is_sync")]
fn f() {}
#[maybe_async::maybe_async]
fn g() {}

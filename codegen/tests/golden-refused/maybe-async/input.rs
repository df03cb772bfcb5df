use maybe_async::maybe_async;
#[maybe_async]
async fn f() {}
#[maybe_async::must_be_sync]
fn g() {}
#[maybe_async::maybe_async(?Send)]
trait T {}
#[maybe_async::maybe_async]
struct S;
#[maybe_async::test(feature = "is_sync")]
async fn h() {}
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), async_std::test))]
async fn i() {}
#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test), async(unix, tokio::test))]
async fn j() {}
#[cfg_attr(unix, maybe_async::maybe_async)]
fn k() {}
#[maybe_async::test()]
fn l() {}
/// ```
/// #[maybe_async::maybe_async]
/// async fn f() {}
/// ```
fn documented() {}

#[maybe_async::maybe_async]
async fn f() {
    let a = g();
    a.await;
    self.pending.await?;
    g()?.await;
    (g()).await;
    if 1 > (g()).await {}
    make!(1).await;
    match x { _ => g() }.await;
    return (g()).await;
}
macro_rules! m {
    ($f:expr) => { $f.await };
}
/// ```
/// let f = g();
///     f
///         .await;
/// ```
fn documented() {}

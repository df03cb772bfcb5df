#[maybe_async::maybe_async]
async fn f() {
    let a = join!(g(), h());
    try_join! { g(), h() };
    tokio::select! { _ = g() => {} }
    let fine = ["a"].join("b");
}

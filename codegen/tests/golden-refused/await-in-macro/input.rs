#[maybe_async::maybe_async]
async fn f() {
    assert!(g().await);
    let all = vec![g().await, (1, [h(g().await)])];
}
macro_rules! m {
    () => { println!("{}", g().await) };
}

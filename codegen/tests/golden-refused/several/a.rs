#[maybe_async::maybe_async]
async fn f() {
    let é = async { 1 }; let b = async { 2 };
}

#[maybe_async::maybe_async]
async fn f() -> Result<(), ()> {
    let a = async { g().await? };
    let b = async move {
        1
    };
    Ok(())
}
macro_rules! m {
    () => { async { 1 } };
}
/// ```
/// let x = async { 1 };
/// ```
fn documented() {}

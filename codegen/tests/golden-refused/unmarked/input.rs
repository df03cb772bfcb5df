async fn free() {}
impl S {
    pub async fn method(&self) {}
    fn future(&self) -> impl Future<Output = ()> + Send {
        free()
    }
}
#[maybe_async::maybe_async]
async fn marked() {
    async fn inner() {}
    struct S;
    impl S {
        async fn method() {}
    }
}
macro_rules! m {
    () => { async fn made() {} };
}
#[tokio::main]
async fn main() {}

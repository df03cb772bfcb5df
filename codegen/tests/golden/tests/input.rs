#[cfg(test)]
mod tests {
    use super::*;

    /// Documented.
    #[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]
    async fn one() {
        let answer = answer().await;
        assert_eq!(answer, 1);
    }

    #[maybe_async::test(
        feature = "is_sync",
        async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread", worker_threads = 2))
    )]
    #[should_panic(expected = "two")]
    async fn two() {
        answer().await;
    }

    #[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test,),)]
    async fn three() {}

    #[test]
    fn four() {}
}

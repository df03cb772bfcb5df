#[cfg(test)]
mod tests {
    use super::*;

    /// Documented.
    #[tokio::test]
    async fn one() {
        let answer = answer().await;
        assert_eq!(answer, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[should_panic(expected = "two")]
    async fn two() {
        answer().await;
    }

    #[tokio::test]
    async fn three() {}

    #[test]
    fn four() {}
}

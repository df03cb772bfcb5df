#[cfg(test)]
mod tests {
    use super::*;

    /// Documented.
    #[test]
    fn one() {
        let answer = answer();
        assert_eq!(answer, 1);
    }

    #[test]
    #[should_panic(expected = "two")]
    fn two() {
        answer();
    }

    #[test]
    fn three() {}

    #[test]
    fn four() {}
}

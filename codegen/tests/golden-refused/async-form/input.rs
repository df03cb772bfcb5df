macro_rules! m {
    ($body:block) => {
        async $body
    };
}

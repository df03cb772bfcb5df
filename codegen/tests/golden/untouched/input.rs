//! Nothing here differs by flavour.



/* A block comment,
   async { .await } tokio:: kv_source */
#[cfg(feature = "async")]
const TEXT: &str = r#"tokio::spawn(async { f().await }) Pin Poll"#;

/// See `tokio::spawn` and `std::thread`.
fn plain<'a>(x: &'a str) -> impl Iterator<Item = char> + use<'a> {
    // tokio::join!(a.await)
    let tokio = 1; // a name is not a path
    let joined = x.join("a");
    let thread = crate::std_thread::tokio::spawn(tokio);
    x.chars()
}

struct Streams { select: u8, is_sync: bool }

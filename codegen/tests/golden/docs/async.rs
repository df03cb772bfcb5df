//! Awaits in prose, `kv.get("a").await` too, stay as they are.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), kv_async::Error> {
//! use kv_async::{Kv, stores::Memory};
//!
//! let kv = Kv::new(Memory::new());
//! kv.put("a", &1).await?; // await
//! assert_eq!(kv.get::<u32>("a").await?, Some(1), ".await in a string");
//! let long = kv
//!     .collection("users")
//!     .get::<u32>("alice")
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//! async { x.await }
//! ```

/// Gets.
///
/// * In a list:
///
///   ~~~rust,no_run
///   #[tokio::main]
///   async fn main() {
///       let s = "one
///   ## two";
///       update(async |x| x + 1).await;
///       kv
///   #       .hidden()
///           .await;
///   }
///   ~~~
///
/// ```ignore
/// async fn run<'a>(f: impl AsyncFn(&'a str)) { f("a").await }
/// ```
///
/// ```json
/// {"a": "b.await"}
/// ```
pub fn get() {}

/// ```
/// # async fn run(kv: kv_async::Kv) {
/// kv.ping().await;
/// # }
/// ```
pub async fn after() {}

//! Awaits in prose, `kv.get("a").await` too, stay as they are.
//!
//! ```
//! # fn main() -> Result<(), kv_sync::Error> {
//! use kv_sync::{Kv, stores::Memory};
//!
//! let kv = Kv::new(Memory::new());
//! kv.put("a", &1)?; // await
//! assert_eq!(kv.get::<u32>("a")?, Some(1), ".await in a string");
//! let long = kv
//!     .collection("users")
//!     .get::<u32>("alice")?;
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
///   fn main() {
///       let s = "one
///   ## two";
///       update(|x| x + 1);
///       kv
///   #       .hidden();
///   }
///   ~~~
///
/// ```ignore
/// fn run<'a>(f: impl Fn(&'a str)) { f("a") }
/// ```
///
/// ```json
/// {"a": "b.await"}
/// ```
pub fn get() {}

/// ```
/// # fn run(kv: kv_sync::Kv) {
/// kv.ping();
/// # }
/// ```
pub fn after() {}

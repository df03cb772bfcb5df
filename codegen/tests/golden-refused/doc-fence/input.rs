//! ```
//! let x = "open;
//! ```
//!
//! ```text
//! not "Rust
//! ```

/// ```
/// fn f( {}
/// ```
fn f() {}

/// ```
/// never closed
fn g() {}

/**
```
f().await
```
*/
fn h() {}

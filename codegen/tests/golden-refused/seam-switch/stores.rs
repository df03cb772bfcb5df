#[cfg_attr(feature = "is_sync", path = "x_sync.rs")]
mod x;

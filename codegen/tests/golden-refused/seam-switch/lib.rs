#[cfg_attr(feature = "is_sync", path = "x_sync.rs")]
#[cfg_attr(not(feature = "is_sync"), path = "x_sync.rs")]
mod x;
#[cfg_attr(feature = "is_sync", path = "y_sync.rs")]
mod y;
#[cfg_attr(feature = "is_sync", path = "x_sync.rs")]
mod z;
mod inner {
    #[cfg_attr(feature = "is_sync", path = "x_sync.rs")]
    mod x;
}
#[cfg_attr(feature = "is_sync", path = "x_sync.rs")]
mod x {}

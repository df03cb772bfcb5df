#[cfg(feature = "is_sync")]
fn f() {}
#[cfg_attr(all(feature = "is_sync", unix), derive(Debug))]
struct S;
fn g() -> bool {
    cfg!(not(feature = "is_sync"))
}
#[cfg_attr(feature = "is_sync", cfg_attr(feature = "is_sync", derive(Debug)))]
struct Twice;

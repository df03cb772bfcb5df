//! What is shared with the benches themselves, without what only they can link.

#[allow(dead_code)]
#[path = "../../src/subjects/api.rs"]
mod api;
#[allow(dead_code)]
#[path = "../../src/subjects/opendal.rs"]
pub mod opendal;
#[path = "../../src/subjects/openkeyv.rs"]
pub mod openkeyv;
#[allow(dead_code)]
#[path = "../../src/subjects/run.rs"]
pub mod run;

pub use api::{Awaiting, Blocking, Op, Subject};

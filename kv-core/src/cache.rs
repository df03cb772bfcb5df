//! What a cache before a store is made of: copies of entries, and what tells a good copy from a stale one.
//!
//! No I/O, and no flavour. A copy carries a [`Stamp`] of the moment before its entry was read. The cache keeps
//! [`Generations`], which move on with every write; a copy is good while its stamp is still that of the moment.

mod copy;
mod generations;

pub use copy::Copied;
pub use generations::{Generations, Slot, Stamp, Writing};

//! Plain data as it is hashed and written. A leaf: it uses no other module.

pub mod hash;
pub(crate) mod seconds;
mod unit;

pub use unit::{Direction, Unit};

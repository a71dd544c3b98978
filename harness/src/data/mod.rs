//! Serialization and hashing of plain data. A leaf module: it uses no other module.

pub(crate) mod hash;
pub(crate) mod seconds;
mod unit;

pub(crate) use unit::{Direction, Unit};

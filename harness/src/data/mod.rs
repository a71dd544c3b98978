//! Plain data that several modules share, its serialization and hashing. A leaf module: it uses no other module.

mod action;
pub(crate) mod exact;
pub(crate) mod hash;
pub(crate) mod seconds;
mod shard;
mod unit;

pub(crate) use action::{Action, Actions, Actor};
pub(crate) use shard::Shard;
pub(crate) use unit::{Direction, Unit};

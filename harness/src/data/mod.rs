//! Plain data that several modules share, its serialization and hashing, and seeds. A leaf module: it uses no other module.

mod action;
pub(crate) mod exact;
pub(crate) mod hash;
pub(crate) mod seconds;
mod seed;
mod shard;
mod unit;

pub(crate) use action::{Action, Actions, Actor};
pub(crate) use seed::clock_seed;
pub(crate) use shard::Shard;
pub(crate) use unit::{Direction, Unit};

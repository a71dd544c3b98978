//! The server under test as every feature sees it: where it comes from, its conversation, its
//! promises, and how fast it is.
//!
//! Checks, fuzzing, loads, sweeps and gates start with a [`Subject`] and hold its conversation once
//! (`rehearse`) before they judge or measure anything.

mod beside;
pub(crate) mod by_hand;
mod client;
mod date;
mod interrupt;
mod latency;
mod learn;
mod lessons;
mod order;
mod origin;
mod pace;
mod plan;
mod promise;
mod ready;
mod rehearsal;
mod rest;
mod runtime;
mod search;
mod sizes;
mod stated;
mod unasked;
mod waiver;

pub(crate) use client::RehearsalClient;
pub use date::Date;
pub use interrupt::Interrupt;
pub(crate) use latency::Latency;
pub(crate) use learn::learn;
pub(crate) use lessons::{Limits, Place, Tried, Trouble, grouped};
pub use origin::{Origin, Subject};
pub(crate) use pace::Pace;
pub(crate) use plan::ServerPlan;
pub use promise::{Encoding, Family, Promise};
pub(crate) use rehearsal::{
    Rehearsal, RehearsalError, becomes_ready, maybe_late, patient, rehearse, rehearse_with, start,
};
pub(crate) use rest::AtRest;
pub(crate) use runtime::block_on;
pub use runtime::runtime;
pub(crate) use search::{
    Met, Reach, Refusal, connections as connections_accepted, requests as requests_accepted,
};
pub(crate) use sizes::{Sized, message_bytes_at};
pub use stated::StatedLimits;
pub(crate) use unasked::Unasked;
pub use waiver::Waiver;

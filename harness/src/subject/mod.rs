//! The server under test as every feature sees it: where it comes from, its conversation, its
//! promises, and how fast it is.
//!
//! Checks, fuzzing, loads, sweeps and gates start with a [`Subject`] and hold its conversation once
//! (`rehearse`) before they judge or measure anything.

mod date;
mod interrupt;
mod origin;
mod pace;
mod plan;
mod promise;
mod ready;
mod rehearsal;
mod runtime;
mod waiver;

pub use date::Date;
pub use interrupt::Interrupt;
pub use origin::{Origin, Subject};
pub(crate) use pace::Pace;
pub(crate) use plan::ServerPlan;
pub use promise::{Encoding, Promise};
pub(crate) use rehearsal::{
    Rehearsal, RehearsalError, maybe_late, patient, rehearse, rehearse_with, start,
};
pub(crate) use runtime::block_on;
pub use runtime::runtime;
pub use waiver::Waiver;
